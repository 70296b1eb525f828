from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lakehouse import deltafiles, deltalog, models, raw, record
from lakehouse.names import TableName
from lakehouse.record import Result, Write
from lakehouse.source import Delivery, Source
from lakehouse.verify import Verified, verify
from tests.small_lake import cut, flip
from tests.workspace import Workspace

TABLE, ASSET = TableName("silver", "things"), TableName("gold", "sums")


@pytest.fixture
def place(small_lake: Workspace) -> Workspace:
    deliveries = [Delivery("a.csv", b"id\n1\n"), Delivery("b.csv", b"id\n2\n")]
    raw.land(small_lake.root, Source("raw.things", lambda partition: deliveries))
    return small_lake


def found(place: Workspace, *only: TableName) -> Verified:
    return verify(place.settings, set(only) or None)


def only_finding(place: Workspace) -> tuple[str, str, str]:
    (trouble,) = found(place).troubles
    assert trouble.todo and trouble.mend is None
    return trouble.where, trouble.what, trouble.since


def test_what_was_recorded_holds(place: Workspace) -> None:
    told: list[str] = []
    seen = verify(place.settings, tell=told.append)
    assert (seen.troubles, seen.raw_files, seen.runs, seen.versions, seen.models, seen.released) == ([], 2, 4, 8, 0, 0)
    assert {"raw files of things", "commits of silver.things", "versions of gold.sums"} <= set(told)


def test_nothing_is_written(place: Workspace) -> None:
    before = {path: path.stat().st_mtime_ns for path in place.root.rglob("*")}
    found(place)
    assert {path: path.stat().st_mtime_ns for path in place.root.rglob("*")} == before


@pytest.mark.parametrize(
    ("break_", "words"), [(lambda path: path.unlink(), "is gone"), (flip, "was changed: its SHA-256 is")], ids=["gone", "changed"]
)
def test_a_raw_file(place: Workspace, break_: Callable[[Path], object], words: str) -> None:
    path = place.root / "raw" / "things" / "b.csv"
    break_(path)
    where, what, since = only_finding(place)
    assert (where, words in what, since.startswith("received 20")) == (str(path), True, True)
    assert found(place, ASSET).troubles == []


def test_a_torn_manifest(place: Workspace) -> None:
    cut(place.root / "raw" / "things" / "_manifest" / "00000001.json")
    assert "00000001.json cannot be understood" in only_finding(place)[1]


def of_version(place: Workspace, version: int) -> set[Path]:
    for number, files in deltafiles.replay(place.path("silver.things")):
        if number == version:
            return {file.path for file in files.values()}
    raise AssertionError(version)


def test_a_file_of_an_old_version_that_the_newest_does_not_need(place: Workspace) -> None:
    (old,) = of_version(place, 0) - of_version(place, 1)
    old.unlink()
    where, what, since = only_finding(place)
    assert where == "silver.things"
    assert what == f"version 0 cannot be read: {old} is gone"
    run = deltalog.commit(place.path("silver.things"), 0).ours
    assert run is not None and run["run_id"] in since


def test_a_file_that_two_versions_share(place: Workspace) -> None:
    cut(sorted(of_version(place, 0) & of_version(place, 1))[0])
    troubles = found(place).troubles
    assert [trouble.what.split(" cannot")[0] for trouble in troubles] == ["version 0", "version 1"]
    assert "a later version stands" in troubles[0].todo
    assert "lakehouse run silver/things --partition 2013-0" in troubles[1].todo


def test_what_a_vacuum_let_go_of_is_no_finding(place: Workspace) -> None:
    from lakehouse.spark.session import connect

    (old,) = of_version(place, 0) - of_version(place, 1)
    spark = connect(place.settings)
    path = place.path("silver.things")
    spark.conf.set("spark.databricks.delta.retentionDurationCheck.enabled", "false")
    spark.sql(f"vacuum delta.`{path}` retain 0 hours").collect()
    spark.stop()
    assert not old.exists()
    assert "cannot be read" in only_finding(place)[1]  # the record of a run still holds it
    later = place.settings.model_copy(update={"keep_versions_days": 0})
    seen = verify(later)
    assert (seen.troubles, seen.released) == ([], 1)
    sorted(of_version(place, 1))[0].unlink()
    assert len(found(place).troubles) >= 1


def test_a_version_that_a_run_names_and_that_is_not_there(place: Workspace) -> None:
    result = Result(run_id="20130101T000000", asset="gold.sums", writes=[Write(table="gold.sums", version=7, rows=1)])
    record.save(record.folder(place.root, ASSET, result.run_id) / record.RESULT, result)
    where, what, since = only_finding(place)
    assert (where, what, since) == ("gold.sums", "version 7 does not exist", "written by run 20130101T000000")


def test_a_table_that_was_an_input_and_is_gone(place: Workspace) -> None:
    shutil.rmtree(place.path("silver.things"))
    troubles = found(place).troubles
    assert [trouble.what for trouble in troubles] == [f"version {n} does not exist: there is no such table" for n in (0, 1)]
    assert "by run" in troubles[0].since


def test_a_torn_commit_and_a_torn_record_are_told(place: Workspace) -> None:
    cut(deltalog.commit_path(place.path("silver.things"), 1))
    folder = next((place.root / "runs" / "gold" / "sums").iterdir())
    cut(folder / record.RESULT)
    troubles = found(place).troubles
    assert [("lakehouse doctor" in trouble.todo) for trouble in troubles] == [True, True]


def test_a_registered_models_files(place: Workspace) -> None:
    from sklearn.linear_model import LogisticRegression

    name = TableName("models", "m")
    fitted = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    models.log(place.settings, fitted, name, result=Result(run_id="r1", asset="models.m"))
    assert (found(place).troubles, found(place).models) == ([], 1)
    (path,) = place.root.glob("mlflow/artifacts/**/model.skops")
    flip(path)
    where, what, since = only_finding(place)
    assert (where, since) == ("models.m", "registered by run r1")
    assert what.startswith("version 1 has other files than were registered")
    assert found(place, TABLE).troubles == []
    shutil.rmtree(path.parent)
    assert "has no files any more" in only_finding(place)[1]
    cut(place.root / "mlflow" / "mlflow.db")
    assert "are damaged" in only_finding(place)[1]
