"""`lakehouse stream` as a process: what it says, how it ends."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lakehouse import services
from tests.notebooks import contract, copies
from tests.workspace import COMMAND, Workspace

Command = Callable[..., tuple[int, str, str]]
SOURCES = """
    from lakehouse import Stream

    drops = Stream("raw.drops", inbox="inbox")
"""
COLUMNS = {"value": "string", "_source_file": "string", "_delivery": "bigint", "_received_at": "timestamp"}


@pytest.fixture(scope="module")
def place(warm_workspace: Callable[[str], Workspace]) -> Workspace:
    made = warm_workspace("drops")
    made.write({"bronze/drops": copies("raw.drops", "bronze.drops")}, {"bronze.drops": contract("bronze.drops", COLUMNS)}, SOURCES)
    (made.project / "inbox").mkdir()
    return made


def start(place: Workspace, said: Path, *words: str) -> subprocess.Popen[bytes]:
    with said.open("wb") as output:
        argv = [*COMMAND, "stream", *words]
        return subprocess.Popen(argv, cwd=place.project, env=place.shell, stdout=output, stderr=output)


def until(true: Callable[[], bool], process: subprocess.Popen[bytes], said: Path) -> None:
    deadline = time.monotonic() + 90
    while not true():
        assert process.poll() is None and time.monotonic() < deadline, said.read_text()
        time.sleep(0.05)


def test_it_lands_what_comes_until_it_is_interrupted(place: Workspace, tmp_path: Path, lakehouse: Command) -> None:
    said = tmp_path / "said"
    process = start(place, said, "raw/drops", "--every", "1s")
    try:
        (place.project / "inbox" / "one").write_text("1\n")
        until(lambda: place.version("bronze.drops") == 0, process, said)
        assert "stream-drops" in lakehouse(place, "status")[1]
        code, _, err = lakehouse(place, "stream", "raw.drops")
        assert (code, f"stream-drops runs already: process {process.pid}" in err) == (2, True), err
        (place.project / "inbox" / "two").write_text("2\n")
        until(lambda: place.version("bronze.drops") == 1, process, said)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0, said.read_text()
    finally:
        process.kill()
    lines = said.read_text().splitlines()
    assert lines[0].startswith("raw/drops every 1s, then bronze/drops. A record can be read 1s and a round after it came")
    rounds = [line for line in lines if "raw/drops 1 rows of 1 file in " in line]
    assert len(rounds) == 2 and all("; bronze/drops in " in line and "; lag " in line for line in rounds)
    assert lines[-1].split(" rounds, ")[1].startswith("2 rows; the longest lag ")
    assert services.read(place.settings, "stream-drops") is None
    assert [row[0] for row in place.rows("bronze.drops", "value")] == ["1", "2"]


def test_interrupted_twice_it_gives_up_the_round(place: Workspace, tmp_path: Path) -> None:
    place.write({"bronze/drops": copies("raw.drops", "bronze.drops")}, {})
    said = tmp_path / "said"
    process = start(place, said, "--land-only", "--every", "1h")
    try:
        until(lambda: "Ctrl-C" in said.read_text(), process, said)
        (place.project / "inbox" / "three").write_text("3\n")
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) in (0, 130), said.read_text()  # 0 where it was between two rounds
    finally:
        process.kill()
    assert place.command("stream", "--land-only", "--rounds", "1").returncode == 0
    assert sorted(row[0] for row in place.rows("raw.drops", "value")) == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["--every", "soon"], "--every 'soon' is not a span of time", id="every"),
        pytest.param(["bronze/drops"], "bronze.drops is not landed by a stream\n  There are raw.drops.", id="no stream"),
        pytest.param(["raw/drop"], "Nothing is called 'raw/drop'", id="misspelt"),
    ],
)
def test_wrong_words_are_refused(place: Workspace, lakehouse: Command, words: list[str], message: str) -> None:
    code, _, err = lakehouse(place, "stream", *words)
    assert code == 2 and message in err


def test_a_run_lands_a_stream_once_and_again_where_it_is_named(place: Workspace) -> None:
    def wanted(*words: str) -> str:
        done = place.command("run", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    before = len(place.rows("raw.drops")) if place.version("raw.drops") is not None else 0
    (place.project / "inbox" / "four").write_text("4\n4\n")
    wanted("raw/drops+")
    assert len(place.rows("bronze.drops")) == len(place.rows("raw.drops")) == before + 2
    (place.project / "inbox" / "five").write_text("5\n")
    assert "Nothing to do" in wanted() and "Nothing to do" in wanted("+bronze/drops")
    assert "asked for: what came since lands" in wanted("raw.drops", "--dry-run")
    assert len(place.rows("raw.drops")) == before + 2
