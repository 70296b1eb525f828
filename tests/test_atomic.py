"""What a reader of the file sees while it is being replaced, and afterwards."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lakehouse import atomic


def test_the_old_content_stands_until_the_end(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with atomic.replacing(path) as beside:
        beside.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_a_failure_leaves_the_old_content_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(type(error)), atomic.replacing(path) as beside:
        beside.write_text("ne")
        raise error
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_two_threads_of_one_process_do_not_meet(tmp_path: Path) -> None:
    path, both = tmp_path / "file", threading.Barrier(2)

    def write(text: str) -> None:
        with atomic.replacing(path) as beside:
            beside.write_text(text)
            both.wait(10)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(write, ["one", "two"]))
    assert path.read_text() in ("one", "two")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
