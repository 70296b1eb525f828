from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lakehouse import atomic, deltafiles, deltalog, services
from lakehouse.errors import LakeError
from tests.small_lake import cut, examined, flip, healed
from tests.workspace import Workspace

LOGS = "tables' logs"


def log(place: Workspace, name: str) -> Path:
    return place.path("silver.things") / "_delta_log" / name


def commit(place: Workspace, version: int) -> Path:
    return deltalog.commit_path(place.path("silver.things"), version)


def lose_first_line(path: Path) -> None:
    """Who wrote it is lost too."""
    lines = path.read_text().splitlines()
    path.write_text("\n".join(["{" + lines[0][:40], *lines[1:]]))


BREAKS: dict[str, tuple[int, Callable[[Path], object], str]] = {
    "newest cut off": (1, lambda path: cut(path), "is damaged: "),
    "newest empty": (1, lambda path: path.write_bytes(b""), "is damaged: it is empty"),
    "newest of zeros": (1, lambda path: path.write_bytes(bytes(4096)), "is damaged: "),
    "newest gone": (1, lambda path: path.unlink(), "is missing"),
    "one bit of the newest": (1, lambda path: flip(path, 0.97), "is "),
    "newest without its author": (1, lose_first_line, "is damaged: "),
    "first cut off": (0, lambda path: cut(path, 0.9), "is damaged: "),
    "first gone": (0, lambda path: path.unlink(), "is missing"),
}


@pytest.mark.parametrize(("version", "break_", "words"), BREAKS.values(), ids=BREAKS)
def test_a_lost_commit_is_told_and_rebuilt(
    built: Workspace, place: Workspace, version: int, break_: Callable[[Path], object], words: str
) -> None:
    break_(commit(place, version))
    (found,) = examined(place, LOGS)
    assert found.trouble.where == str(commit(place, version))
    assert words in found.trouble.what
    assert "--repair writes it anew" in found.trouble.todo
    done, left = healed(place)
    assert (len(done), left) == (1, [])
    # Content, history and what the plan knows of them are what they were.
    assert place.rows("silver.things") == built.rows("silver.things")
    old, new = deltalog.commit(built.path("silver.things"), version), deltalog.commit(place.path("silver.things"), version)
    assert (new.rows, new.partition_rows, new.touched, new.data) == (old.rows, old.partition_rows, old.touched, old.data)
    assert new.ours is not None and old.ours is not None
    assert {**new.ours, "checks": None} == {**old.ours, "checks": None}
    assert place.plan() == []
    place.run("silver/things", months=["2013-03"])
    assert place.version("silver.things") == 2
    assert place.rows("silver.things") == built.rows("silver.things")


def test_a_rebuilt_commit_gives_each_version_its_own_rows(built: Workspace, place: Workspace) -> None:
    commit(place, 0).unlink()
    healed(place)
    names = [[sorted(files) for _, files in deltafiles.replay(one.path("silver.things"))] for one in (built, place)]
    assert names[0] == names[1] and len(names[0]) == 2
    from lakehouse.spark.session import connect

    path = place.path("silver.things")
    assert connect(place.settings).sql(f"select count(*) from delta.`{path}` version as of 0").collect()[0][0] == 15


def test_a_newest_commit_that_cannot_be_rebuilt_is_set_aside(built: Workspace, place: Workspace) -> None:
    cut(commit(place, 1))
    log(place, f"{1:020d}.crc").unlink()
    (found,) = examined(place, LOGS)
    assert "version 0 stands again" in found.trouble.todo and "lakehouse run silver/things --force" in found.trouble.todo
    services.record(place.settings, "spark", os.getpid())
    assert "End it first: `lakehouse down`" in healed(place)[1][0].failed
    (place.root / "services" / "spark.json").unlink()
    done, left = healed(place)
    assert (len(done), left) == (1, [])
    assert [path.name[:25] for path in log(place, "").glob("0*.damaged-*")] == [f"{1:020d}.json"]
    assert place.version("silver.things") == 0
    place.run("silver/things", months=["2013-02"])
    assert place.rows("silver.things") == built.rows("silver.things")
    assert examined(place, LOGS) == []


def test_what_cannot_be_rebuilt_in_the_middle_is_only_told(place: Workspace) -> None:
    cut(commit(place, 0))
    for version in (0, 1):
        log(place, f"{version:020d}.crc").unlink()
    before = sorted(path.name for path in log(place, "").iterdir())
    done, left = healed(place)
    assert done == []
    assert [one.trouble.where for one in left] == [str(commit(place, 0))]
    assert "Restore it from a backup, or move" in left[0].trouble.todo
    assert sorted(path.name for path in log(place, "").iterdir()) == before


def test_a_damaged_summary_is_set_aside(built: Workspace, place: Workspace) -> None:
    cut(log(place, f"{1:020d}.crc"))
    (found,) = examined(place, LOGS)
    assert "is damaged" in found.trouble.what
    assert healed(place)[1] == []
    assert place.rows("silver.things") == built.rows("silver.things")


def test_a_repair_that_was_cut_off_is_done_again(built: Workspace, place: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    cut(commit(place, 1))
    with monkeypatch.context() as patch:
        patch.setattr(atomic.os, "replace", lambda *paths: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            healed(place)
    assert healed(place)[1] == []
    assert healed(place) == ([], [])
    assert place.rows("silver.things") == built.rows("silver.things")
    assert place.plan() == []


def test_readers_name_the_damaged_commit(place: Workspace) -> None:
    cut(commit(place, 1))
    for read in (place.plan, lambda: deltalog.current_rows(place.path("silver.things"))):
        with pytest.raises(LakeError, match="is damaged") as caught:
            read()
        assert str(commit(place, 1)) in caught.value.what and "lakehouse doctor" in caught.value.hint
    done = place.command("run", "--dry-run")
    assert (done.returncode, "Traceback" in done.stderr, "`lakehouse doctor`" in done.stderr) == (2, False, True)


def test_readers_name_the_missing_commit(place: Workspace) -> None:
    place.run("silver/things", months=["2013-01"])
    commit(place, 1).unlink()
    with pytest.raises(LakeError, match=r"0001\.json is missing"):
        place.plan()


@pytest.fixture
def checkpointed(place: Workspace, spark: object) -> Path:
    """A table with a checkpoint at version 2, and commits after it."""
    path = place.root / "tables" / "gold" / "many"
    sql = spark.sql  # type: ignore[attr-defined]
    sql(f"create table delta.`{path}` (id bigint) using delta tblproperties ('delta.checkpointInterval' = '2')").collect()
    for number in range(3):
        sql(f"insert into delta.`{path}` values ({number})").collect()
    assert (path / "_delta_log" / "_last_checkpoint").exists()
    # Renamed, so that the server has to read it from the disk.
    return path.rename(path.with_name("many_more"))


CHECKPOINTS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "cut off": ("*.checkpoint*.parquet", lambda path: cut(path)),
    "one bit": ("*.checkpoint*.parquet", lambda path: flip(path)),
    "empty": ("*.checkpoint*.parquet", lambda path: path.write_bytes(b"")),
    "pointer cut off": ("_last_checkpoint", lambda path: cut(path)),
    "pointer to nothing": ("_last_checkpoint", lambda path: path.write_text('{"version": 4, "size": 1}')),
}


@pytest.mark.parametrize(("pattern", "break_"), CHECKPOINTS.values(), ids=CHECKPOINTS)
def test_a_damaged_checkpoint_is_set_aside_and_delta_reads_on(
    place: Workspace, checkpointed: Path, pattern: str, break_: Callable[[Path], object]
) -> None:
    (path,) = (checkpointed / "_delta_log").glob(pattern)
    break_(path)
    assert path.as_posix() in {one.trouble.where for one in examined(place, LOGS)}
    done, left = healed(place)
    assert left == [] and any(path.name in words for words in done)
    assert place.rows_at(checkpointed) == [(0,), (1,), (2,)]


def test_a_checkpoint_without_the_commits_before_it_stays(place: Workspace, checkpointed: Path) -> None:
    for version in (0, 1):  # as a clean-up does
        deltalog.commit_path(checkpointed, version).unlink()
        (checkpointed / "_delta_log" / f"{version:020d}.crc").unlink()
    assert examined(place, LOGS) == []
    (path,) = (checkpointed / "_delta_log").glob("*.checkpoint*.parquet")
    cut(path)
    done, left = healed(place)
    assert done == [] and path.exists()
    assert "the commits before it are gone" in left[0].trouble.todo


def test_the_rebuilt_file_is_one_that_others_can_read(place: Workspace) -> None:
    commit(place, 1).unlink()
    healed(place)
    kinds = [next(iter(json.loads(line))) for line in commit(place, 1).read_text().splitlines()]
    assert kinds[0] == "commitInfo" and {"txn", "add", "remove"} <= set(kinds)
    deltalake = pytest.importorskip("deltalake")
    assert deltalake.DeltaTable(place.path("silver.things")).version() == 1
