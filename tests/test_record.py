from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakehouse import record
from lakehouse.names import TableName
from lakehouse.record import CheckRecord, ModelVersion, Result, RunRecord, Write

ASSET = TableName("silver", "flights")


def keep(root: Path, run_id: str, status: str = "succeeded") -> RunRecord:
    kept = RunRecord(run_id=run_id, asset=ASSET.dotted, status=status)  # type: ignore[arg-type]
    record.save(record.folder(root, ASSET, run_id) / record.RECORD, kept)
    return kept


def test_runs_are_named_in_the_order_of_time() -> None:
    names = []
    for _ in range(20):
        names.append(record.new_run_id())
        time.sleep(0.002)
    assert names == sorted(names)
    assert len(set(names)) == 20


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    kept = RunRecord(
        run_id="r",
        asset="silver.flights",
        status="failed",
        cause="no such colour: mauve ü",
        partitions=["2013-01"],
        parameters={"share": 0.5, "days": ["2013-01-01"]},
        inputs={"bronze.flights": {"version": 3, "seen": {"2013-01": 2}}},
        writes=[Write(table="silver.flights", version=4, rows=5, partition_rows={"2013-01": 5})],
        models=[ModelVersion(name="models.m", version=1, run_id="x", metrics={"auc": 0.7})],
        checks=[CheckRecord(table="silver.flights", name="key_is_unique", passed=False, unexpected=2, examples=["a"])],
        notebook=tmp_path / "notebook.ipynb",
    )
    record.save(tmp_path / record.RECORD, kept)
    assert RunRecord.read(tmp_path) == kept
    assert [path.name for path in tmp_path.iterdir()] == [record.RECORD]


def test_a_run_without_a_record_is_left_out(tmp_path: Path) -> None:
    first = keep(tmp_path, "20130101T000000")
    record.folder(tmp_path, ASSET, "20130102T000000").mkdir()  # killed before its end
    assert list(record.newest_first(tmp_path, ASSET)) == [first]
    with pytest.raises(FileNotFoundError):
        RunRecord.read(record.folder(tmp_path, ASSET, "20130102T000000"))


def test_the_newest_is_found_by_how_it_ended(tmp_path: Path) -> None:
    assert record.latest(tmp_path, ASSET) is None
    good = keep(tmp_path, "20130101T000000")
    bad = keep(tmp_path, "20130102T000000", "failed")
    assert record.latest(tmp_path, ASSET) == bad
    assert record.latest(tmp_path, ASSET, "succeeded") == good
    assert record.latest(tmp_path, ASSET, "cancelled") is None


def test_what_a_kernel_published_counts_without_a_runner(tmp_path: Path) -> None:
    result = Result(run_id="20130103T000000", asset=ASSET.dotted, writes=[Write(table="silver.flights", version=0, rows=1)])
    record.save(record.folder(tmp_path, ASSET, result.run_id) / record.RESULT, result)
    keep(tmp_path, "20130101T000000")
    assert list(record.results_newest_first(tmp_path, ASSET)) == [result]


def test_saving_again_never_shows_half_a_file(tmp_path: Path) -> None:
    path, done, seen = tmp_path / record.RESULT, threading.Event(), set()

    def read() -> None:
        while not done.is_set():
            found = record.read_result(tmp_path)
            seen.add(found and found.asset[:1])

    reader = threading.Thread(target=read)
    reader.start()
    for letter in "ab" * 100:
        record.save(path, Result(run_id="r", asset=letter * 10_000))
    done.set()
    reader.join()
    assert seen <= {None, "a", "b"}
    assert "a" in seen or "b" in seen


def test_old_notebooks_are_forgotten_and_records_are_not(tmp_path: Path) -> None:
    for run_id, age in (("20130101T000000", 10), ("20130102T000000", 3)):
        keep(tmp_path, run_id)
        notebook = record.folder(tmp_path, ASSET, run_id) / record.NOTEBOOK
        notebook.write_text("{}")
        past = time.time() - age * 86_400
        os.utime(notebook, (past, past))
    record.forget_notebooks(tmp_path, ASSET, keep_days=5)
    assert [path.parent.name for path in tmp_path.rglob("*.ipynb")] == ["20130102T000000"]
    assert len(list(tmp_path.rglob("record.json"))) == 2


def test_a_runs_name_tells_when_it_began() -> None:
    before = datetime.now(UTC)
    began = record.started(record.new_run_id())
    assert timedelta(milliseconds=-2) < began - before < timedelta(seconds=5)
    assert record.started("20130102T030405678-ab12") == datetime(2013, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
    with pytest.raises(ValueError, match="does not match"):
        record.started("by-hand")


@pytest.mark.parametrize("content", [b"", b"\0" * 50, b'{"run_id": "r"', b"[]", b"\xff\xfe"])
def test_a_torn_record_stops_nothing(tmp_path: Path, content: bytes) -> None:
    good = keep(tmp_path, "20130101T000000")
    torn = record.folder(tmp_path, ASSET, keep(tmp_path, "20130102T000000").run_id)
    for name in (record.RECORD, record.RESULT):
        (torn / name).write_bytes(content)
    assert list(record.newest_first(tmp_path, ASSET)) == [good]
    assert list(record.results_newest_first(tmp_path, ASSET)) == []
    assert record.read_result(torn) is None
