from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from lakehouse import doctor, record
from lakehouse.doctor import runs
from lakehouse.names import TableName
from lakehouse.record import CheckRecord, ModelVersion, Result, RunRecord, Write
from lakehouse.settings import Settings
from tests.small_lake import cut

ASSET = TableName("silver", "things")
RUN = "20130102T030405678-abcd"
OURS = {
    "lakehouse": 1, "run_id": RUN, "asset": "silver.things", "partitions": ["2013-01"], "parameters": {"months": ["2013-01"]},
    "inputs": {"bronze.things": {"version": 3, "seen": {"2013-01": 2}}}, "code": {"cells": "abc"},
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others' kernels on this machine are not this test's."""
    monkeypatch.setattr(runs, "_kernels_alive", lambda settings: False)


@pytest.fixture
def now(tmp_path: Path) -> Settings:
    return Settings(project=tmp_path, root=tmp_path / "lake", cache=tmp_path / "cache")


@pytest.fixture
def folder(now: Settings) -> Path:
    path = record.folder(now.root, ASSET, RUN)
    path.mkdir(parents=True)
    return path


def result() -> Result:
    kept = {name: OURS[name] for name in ("run_id", "asset", "partitions", "parameters", "inputs", "code")}
    write = Write(table="silver.things", version=0, rows=5, partition_rows={"2013-01": 5})
    check = CheckRecord(table="silver.things", name="key_is_unique", passed=True)
    return Result(**kept, writes=[write], checks=[check], models=[ModelVersion(name="models.m", version=1, run_id="x")])


def commit(now: Settings) -> None:
    log = now.root / "tables" / "silver" / "things" / "_delta_log"
    log.mkdir(parents=True)
    add = {"path": "month=2013-01/a.parquet", "partitionValues": {"month": "2013-01"}, "size": 1, "stats": '{"numRecords": 5}'}
    actions: list[dict[str, Any]] = [{"commitInfo": {"operation": "WRITE", "userMetadata": json.dumps(OURS)}}, {"add": add}]
    (log / f"{0:020d}.json").write_text("\n".join(map(json.dumps, actions)))


def notebook(folder: Path, first: str = "# Things", name: str = record.NOTEBOOK) -> Path:
    cells = [{"cell_type": "markdown", "metadata": {}, "source": first}]
    (folder / name).write_text(json.dumps({"cells": cells, "metadata": {"papermill": {"duration": 12.5}}}))
    os.utime(folder / name, (time.time() - 100,) * 2)
    return folder / name


def heal(now: Settings) -> list[str]:
    return [one.done for one in doctor.heal(now, names=["runs", "leftovers"])]


def test_a_torn_record_is_written_anew_from_what_the_kernel_left(now: Settings, folder: Path) -> None:
    record.save(folder / record.RESULT, result())
    path = notebook(folder)
    whole = RunRecord(**result().model_dump(), status="succeeded", seconds=12.5, notebook=path, started=runs._began(RUN))
    record.save(folder / record.RECORD, whole)
    cut(folder / record.RECORD)
    assert list(record.newest_first(now.root, ASSET)) == []
    assert list(record.results_newest_first(now.root, ASSET)) == [result()]
    (found,) = doctor.examine(now, names=["runs"])
    assert found.trouble.where == str(folder / record.RECORD) and found.trouble.what == "is torn"
    assert len(heal(now)) == 1
    assert RunRecord.read(folder) == whole
    assert len(list(folder.glob("record.json.damaged-*"))) == 1
    assert heal(now) == []


@pytest.mark.parametrize(
    ("cell", "status", "cause"),
    [
        ("# Things", "succeeded", ""),
        ("**This run failed.**\n\n> silver/things, cell 5: no\n> Mend it.", "failed", "silver/things, cell 5: no\nMend it."),
        ("**This run failed.**\n\n> silver/things: cancelled in cell 5", "cancelled", "silver/things: cancelled in cell 5"),
    ],
)
def test_how_a_run_ended_stands_in_its_notebook(now: Settings, folder: Path, cell: str, status: str, cause: str) -> None:
    record.save(folder / record.RESULT, result())
    notebook(folder, cell)
    (folder / record.RECORD).write_text("{")
    heal(now)
    assert (RunRecord.read(folder).status, RunRecord.read(folder).cause) == (status, cause)


def test_where_both_are_torn_the_commit_tells(now: Settings, folder: Path) -> None:
    commit(now)
    for name in (record.RECORD, record.RESULT):
        (folder / name).write_bytes(b"\0" * 100)
    notebook(folder)
    assert len(heal(now)) == 2
    wanted = result().model_copy(update={"checks": [], "models": []})
    assert record.read_result(folder) == wanted
    assert RunRecord.read(folder).model_dump(include=set(Result.model_fields)) == wanted.model_dump()
    assert RunRecord.read(folder).status == "succeeded"


def test_a_torn_result_is_written_anew_from_the_record(now: Settings, folder: Path) -> None:
    record.save(folder / record.RECORD, RunRecord(**result().model_dump(), status="succeeded"))
    (folder / record.RESULT).write_text('{"run_id"')
    heal(now)
    assert record.read_result(folder) == result()


def test_a_record_that_nothing_else_tells_of_is_set_aside(now: Settings, folder: Path) -> None:
    (folder / record.RECORD).write_text("")
    (found,) = doctor.examine(now, names=["runs"])
    assert "no commit tells of this run either" in found.trouble.todo
    heal(now)
    assert [path.name[:20] for path in folder.iterdir()] == ["record.json.damaged-"]


def dead_process() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_a_dead_process_draft_is_finished_or_removed(now: Settings, folder: Path) -> None:
    whole = RunRecord(**result().model_dump(), status="failed")
    pid = dead_process()
    record.save(folder / record.RECORD, whole)
    (folder / record.RECORD).rename(folder / f".record.json.{pid}")
    (folder / f".result.json.{pid}").write_text('{"run')
    (folder / f".record.json.{os.getpid()}").write_text("being written")
    assert len(list(doctor.examine(now, names=["runs"]))) == 2
    heal(now)
    assert RunRecord.read(folder) == whole
    assert {path.name for path in folder.iterdir()} == {record.RECORD, f".record.json.{os.getpid()}"}


def test_a_killed_runs_notebook_is_kept_with_a_record(now: Settings, folder: Path) -> None:
    record.save(folder / record.RESULT, result())
    notebook(folder, name=record.PARTIAL)
    (done,) = heal(now)
    assert "with a record" in done
    kept = RunRecord.read(folder)
    assert (kept.status, kept.writes, kept.notebook) == ("failed", result().writes, folder / record.NOTEBOOK)
    assert "was killed" in kept.cause
    assert sorted(path.name for path in folder.iterdir()) == ["notebook.ipynb", "record.json", "result.json"]


def test_a_run_that_may_be_going_on_is_left_alone(now: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    partial = notebook(folder, name=record.PARTIAL)
    os.utime(partial)  # it may just be starting
    assert list(doctor.examine(now, names=["runs"])) == []
    monkeypatch.setattr(runs, "_kernels_alive", lambda settings: True)
    os.utime(partial, (time.time() - 1000,) * 2)
    assert list(doctor.examine(now, names=["runs"])) == []
    past = time.time() - 100_000
    os.utime(partial, (past, past))
    assert len(list(doctor.examine(now, names=["runs"]))) == 1
    os.utime(partial)
    record.save(folder / record.RECORD, RunRecord(**result().model_dump(), status="succeeded"))
    assert len(list(doctor.examine(now, names=["runs"]))) == 1


def test_what_killed_landings_and_drops_left_is_removed(now: Settings) -> None:
    landing = now.root / "raw" / ".landing"
    landing.mkdir(parents=True)
    for name, age in (("old", 90_000), ("new", 10)):
        (landing / name).write_text("bytes")
        os.utime(landing / name, (time.time() - age,) * 2)
    dropped = now.root / "sandbox" / "me" / "silver" / ".things.abcd"
    dropped.mkdir(parents=True)
    assert len(heal(now)) == 2
    assert [path.name for path in landing.iterdir()] == ["new"]
    assert not dropped.exists()
