from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lakehouse import record, sandbox, tables
from lakehouse.deltastate import State, states
from lakehouse.errors import UnknownName
from lakehouse.names import TableName
from lakehouse.vacuum import Sweep, vacuum
from tests.things import MONTHS_ALL, SCORED, SCORES
from tests.workspace import Workspace

SILVER = TableName("silver", "things")
NOTHING_OLD = timedelta(0)


def forget(place: Workspace, *keep: str) -> None:
    """Makes all runs old, but for those of these assets."""
    for file in (place.root / "runs").glob(f"*/*/*/{record.RESULT}"):
        result = record.read_result(file.parent)
        if result is not None and result.asset not in keep:
            record.save(file, result.model_copy(update={"run_id": f"20200101T000000000-{result.run_id[-4:]}"}))


def swept(place: Workspace, table: TableName | None = SILVER, **how: Any) -> dict[str, Sweep]:
    return {one.table.dotted: one for one in vacuum(place.settings, table, how.pop("older_than", NOTHING_OLD), **how)}


def rows_of(place: Workspace, version: int, columns: str = "month, id") -> list[tuple[Any, ...]]:
    from lakehouse.spark.session import connect

    spark = connect(place.settings)
    try:
        text = f"select {columns} from {tables.at(place.path('silver.things'))} version as of {version}"
        return sorted(tuple(row) for row in spark.sql(text).collect())
    finally:
        spark.stop()


def parquet(place: Workspace) -> set[Path]:
    return {file for file in place.path("silver.things").rglob("*.parquet") if "_delta_log" not in file.parts}


@pytest.fixture
def versions(place: Workspace) -> Workspace:
    """silver.things: version 0 of all months, 1 and 2 of March (three times, then nine times), 3 of all; runs are old."""
    place.run("silver/things", months=["2013-03"], factor=3)
    place.run("silver/things", months=["2013-03"], factor=9)
    place.run("silver/things", months=list(MONTHS_ALL))
    place.run("gold/totals")
    forget(place)
    return place


NEWEST = [("2013-01", 2), ("2013-02", 4), ("2013-03", 6)]


def test_what_nothing_needs_is_deleted_and_what_stands_is_not(versions: Workspace) -> None:
    before = parquet(versions)
    one = swept(versions)["silver.things"]
    assert (set(one.kept), one.lost, one.broken) == ({3}, [0, 1, 2], [])
    assert [hold.why for hold in one.kept[3]] == ["it stands"]
    assert before - parquet(versions) == set(one.files) and len(one.files) == 5
    assert one.bytes == sum(one.files.values()) > 0
    assert versions.rows("silver.things") == NEWEST
    for version in one.lost:
        with pytest.raises(Exception, match=r"FAILED_READ_FILE|does not exist|FileNotFound"):
            rows_of(versions, version)


def test_to_the_plan_nothing_has_changed(versions: Workspace) -> None:
    before = [(step.asset, step.partitions) for step in versions.plan()]
    swept(versions)
    assert [(step.asset, step.partitions) for step in versions.plan()] == before
    assert swept(versions)["silver.things"].files == {}


def test_every_held_version_can_still_be_read_row_by_row(versions: Workspace) -> None:
    """A run's record holds version 1, a sandbox version 3; between and before them versions go."""
    result = record.Result(
        run_id=record.new_run_id(), asset="gold.totals", inputs={"silver.things": {"version": 1, "seen": {"*": 1}}}
    )
    record.save(record.folder(versions.root, TableName("gold", "totals"), result.run_id) / record.RESULT, result)
    versions.run("silver/things", "sandbox", months=["2013-02"], factor=5)
    versions.run("silver/things", months=["2013-01"], factor=7)
    forget(versions, "gold.totals")
    held = {version: rows_of(versions, version) for version in (1, 3, 4)}
    one = swept(versions)["silver.things"]
    assert (set(one.kept), one.lost) == ({1, 3, 4}, [0, 2])
    assert {version: rows_of(versions, version) for version in (1, 3, 4)} == held
    assert held[1] == [("2013-01", 2), ("2013-02", 4), ("2013-03", 9)]
    own = tables.sandbox_path(versions.root, SILVER)
    assert versions.rows_at(own, "month, id") == [("2013-01", 2), ("2013-02", 10), ("2013-03", 6)]
    assert sandbox.compare(versions.settings, SILVER).same == 1


def test_the_recent_past_and_unexpired_records_hold(versions: Workspace) -> None:
    recent = swept(versions, older_than=timedelta(days=30))["silver.things"]
    assert (recent.kept.keys(), recent.files) == ({0, 1, 2, 3}, {})
    versions.run("gold/totals")
    versions.run("silver/things", months=list(MONTHS_ALL))
    forget(versions, "gold.totals")
    one = swept(versions)["silver.things"]
    assert (one.kept.keys(), one.lost) == ({3, 4}, [0, 1, 2])


def test_a_dry_run_deletes_nothing(versions: Workspace) -> None:
    before = parquet(versions)
    assert len(swept(versions, dry_run=True)["silver.things"].files) == 5
    assert parquet(versions) == before and versions.version("silver.things") == 3


def test_a_file_that_no_commit_names_is_a_write_under_way_for_a_week(versions: Workspace) -> None:
    folder = versions.path("silver.things") / "month=2013-01"
    under_way, abandoned = folder / "part-0-under-way.parquet", folder / "part-0-abandoned.parquet"
    for file, days in ((under_way, 6), (abandoned, 8)):
        file.write_bytes(b"PAR1")
        os.utime(file, (time.time() - days * 86_400,) * 2)
    files = swept(versions)["silver.things"].files
    assert abandoned in files and under_way not in files
    assert under_way.exists() and not abandoned.exists()


def test_writes_at_the_same_time_lose_nothing(versions: Workspace) -> None:
    from lakehouse.spark.session import connect

    spark, path, stop = connect(versions.settings), versions.path("silver.things"), threading.Event()
    written: list[int] = []

    def write() -> None:
        while not stop.is_set():
            number = len(written) + 1
            rows = spark.sql(f"select '2013-02' as month, cast({number} as bigint) as id")
            rows.write.format("delta").mode("overwrite").option("replaceWhere", "month = '2013-02'").save(str(path))
            written.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        gone = [one.files for _ in range(3) for one in swept(versions).values()]
    finally:
        stop.set()
        writer.join()
        spark.stop()
    assert len(written) >= 3 and any(gone)
    assert versions.rows("silver.things") == [("2013-01", 2), ("2013-02", written[-1]), ("2013-03", 6)]


def test_a_models_training_set_is_kept(place: Workspace) -> None:
    place.write(SCORED, SCORES)
    place.bring_up_to_date()
    gold = TableName("gold", "totals")
    place.run("gold/totals")
    forget(place)
    one = swept(place, gold)["gold.totals"]
    assert [hold.why for hold in one.kept[0]] == ["models.line version 1 (champion) was trained on it"]
    assert one.files == {}


def test_a_hold_that_cannot_be_honoured_is_told(versions: Workspace) -> None:
    result = record.Result(run_id=record.new_run_id(), asset="gold.totals", inputs={"silver.things": {"version": 1, "seen": {}}})
    record.save(record.folder(versions.root, TableName("gold", "totals"), result.run_id) / record.RESULT, result)
    at = {version: set(state.files) for version, state in _states(versions).items()}
    _unlink(at[1] - at[0] - at[2])
    one = swept(versions)["silver.things"]
    assert [(hold.version, hold.why) for hold in one.broken] == [(1, f"read by run {result.run_id} of gold.totals")]
    assert versions.rows("silver.things") == NEWEST


def _states(place: Workspace) -> dict[int, State]:
    return states(place.path("silver.things"))


def _unlink(files: Iterable[Path]) -> None:
    for file in files:
        file.unlink()


def test_a_partition_that_is_gone_keeps_the_files_of_it_that_are_held(versions: Workspace) -> None:
    """March was deleted since: its folder has one file of a held version, and one of a version that is not."""
    from lakehouse.spark.session import connect

    spark = connect(versions.settings, versions.environ["LAKEHOUSE_SESSION"])
    spark.sql(f"delete from {tables.at(versions.path('silver.things'))} where month = '2013-03'").collect()
    result = record.Result(run_id=record.new_run_id(), asset="gold.totals", inputs={"silver.things": {"version": 1, "seen": {}}})
    record.save(record.folder(versions.root, TableName("gold", "totals"), result.run_id) / record.RESULT, result)
    at = {version: {file for file in state.files if "2013-03" in str(file)} for version, state in _states(versions).items()}
    _unlink(at[2] | at[3])  # what goes of March is then the one file of version 0
    held = rows_of(versions, 1)
    assert {file for file in swept(versions)["silver.things"].files if "2013-03" in str(file)} == at[0]
    assert rows_of(versions, 1) == held
    assert versions.rows("silver.things") == NEWEST[:2]


def test_a_table_that_is_not_there_is_named(built: Workspace) -> None:
    with pytest.raises(UnknownName, match=r"silver\.thing has not been built"):
        swept(built, TableName("silver", "thing"))
