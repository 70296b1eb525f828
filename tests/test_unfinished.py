from __future__ import annotations

from pathlib import Path

from lakehouse import record, unfinished
from lakehouse.names import TableName
from lakehouse.processes import this_process

ASSET = TableName("silver", "things")


def begun(root: Path, run_id: str, process: str) -> Path:
    folder = record.folder(root, ASSET, run_id)
    folder.mkdir(parents=True)
    mark = unfinished.Begun(process=process, origin="a test", labels={"a": "b"}, wall=1000.0)
    record.save(folder / unfinished.MARK, mark)
    return folder


def test_only_runs_whose_runner_is_gone_and_left_no_record_are_abandoned(tmp_path: Path) -> None:
    gone = begun(tmp_path, "1", "1-1")
    begun(tmp_path, "2", this_process())
    told = begun(tmp_path, "3", "1-1")
    (told / record.RECORD).write_text("{}")
    (begun(tmp_path, "4", "1-1") / unfinished.MARK).write_text("no JSON")
    record.folder(tmp_path, ASSET, "5").mkdir()
    ((folder, known, seconds),) = unfinished.abandoned(tmp_path, ASSET)
    assert (folder, known.origin, known.labels) == (gone, "a test", {"a": "b"})
    assert seconds > 1e9 - 1000
    assert not (told / unfinished.MARK).exists()


def test_a_run_in_this_process_is_not_abandoned_and_ends(tmp_path: Path) -> None:
    folder = record.folder(tmp_path, ASSET, "1")
    unfinished.begin(folder, "a test", {}, 1000.0)
    assert list(unfinished.abandoned(tmp_path, ASSET)) == []
    unfinished.end(folder)
    unfinished.end(folder)
    assert list(folder.iterdir()) == []
