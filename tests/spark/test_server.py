"""Starts servers of its own, small ones: they get killed here."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from lakehouse import services
from lakehouse.errors import SettingsError, SparkLost
from lakehouse.settings import Settings
from lakehouse.spark import server, session

HANG = 30.0
SLEEP = "SELECT java_method('java.lang.Thread', 'sleep', 120000L + id) FROM range(0, 1, 1, 1)"


@pytest.fixture
def own(settings: Settings, tmp_path: Path) -> Iterator[Settings]:
    """A lake with a small server of its own (not started yet)."""
    here = settings.model_copy(update={"root": tmp_path / "own lake", "spark_memory": "1g"})
    yield here
    server.stop(here)
    assert services.all(here) == []


def lost(settings: Settings, fault: Callable[[int], None], query: str = SLEEP) -> SparkLost:
    """What a query says whose server suffers `fault` three seconds after it began; prints how long that took."""
    running = session.connect(settings)
    running.sql("SELECT 1").collect()
    found = server.running(settings)
    assert found is not None and found.pid is not None
    struck: list[float] = []

    def strike(pid: int = found.pid) -> None:
        struck.append(time.monotonic())
        fault(pid)

    timer = threading.Timer(3, strike)
    timer.start()
    with pytest.raises(SparkLost) as caught:
        running.sql(query).collect()
    timer.join()
    seconds = time.monotonic() - struck[0]
    print(f"told {seconds:.1f} s after the fault: {caught.value.what}")
    assert seconds < HANG
    began = time.monotonic()
    with pytest.raises(SparkLost):
        running.sql("SELECT 1").collect()
    assert time.monotonic() - began < 1
    return caught.value


def test_a_killed_server_is_told_and_the_next_run_starts_one_that_knows_the_tables(own: Settings) -> None:
    first = server.ensure(own)
    assert first.started
    session.connect(own).range(3).write.format("delta").save(str(own.root / "tables" / "silver" / "kept"))
    error = lost(own, lambda pid: os.kill(pid, signal.SIGKILL))
    assert "ended: process" in error.what and str(first.pid) in error.what
    assert "The next run starts a new one" in error.hint and str(first.log) in error.hint
    again = session.connect(own)
    assert again.sql("SELECT 1").first()[0] == 1
    second = server.running(own)
    assert second is not None and second.pid != first.pid and second.token != first.token
    deadline = time.monotonic() + 90
    while not again.catalog.tableExists("silver.kept") and time.monotonic() < deadline:
        time.sleep(0.5)
    assert again.sql("SELECT count(*) FROM silver.kept").first()[0] == 3


def test_a_stopped_server_is_told_and_replaced(own: Settings) -> None:
    first = server.ensure(own)
    error = lost(own, lambda pid: os.kill(pid, signal.SIGSTOP))
    assert "is stuck" in error.what and "was stopped (SIGSTOP)" in error.what
    second = server.ensure(own)
    assert second.started and second.pid != first.pid
    assert not psutil.pid_exists(first.pid or 0) or psutil.Process(first.pid).status() == psutil.STATUS_ZOMBIE


def test_a_server_that_was_told_to_end_is_told(own: Settings) -> None:
    """It still answers for a moment, and its answers are its own trouble: they are no error of the query's."""
    error = lost(own, lambda pid: os.kill(pid, signal.SIGTERM))
    assert "was told to end" in error.what or "ended: process" in error.what
    assert "The next run starts a new one" in error.hint


def test_a_server_out_of_memory_is_told_with_its_last_line(own: Settings) -> None:
    error = lost(own, lambda _pid: None, "SELECT size(sequence(0L, 400000000L + id)) FROM range(0, 1, 1, 1)")
    assert "ran out of memory and ended" in error.what and "java.lang.OutOfMemoryError" in error.what
    assert "LAKEHOUSE_SPARK_MEMORY" in error.hint


def test_two_at_once_start_one(own: Settings) -> None:
    code = (
        "import json, sys; from lakehouse.settings import Settings; from lakehouse.spark import server; "
        "found = server.ensure(Settings.model_validate_json(sys.argv[1])); print(json.dumps([found.pid, found.started]))"
    )
    command = [sys.executable, "-c", code, own.model_dump_json(exclude={"webhook"})]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = [json.loads(process.communicate(timeout=120)[0]) for process in both]
    assert answers[0][0] == answers[1][0]
    assert sorted(answer[1] for answer in answers) == [False, True]


def test_a_server_is_for_this_machine_and_this_user_only(settings: Settings) -> None:
    found = server.ensure(settings)
    assert found.token is not None and found.pid is not None
    assert (settings.root / "services" / "spark.token").stat().st_mode & 0o777 == 0o600
    process = psutil.Process(found.pid)
    assert found.token not in " ".join(process.cmdline())
    listening = [c.laddr.ip for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert listening and set(listening) <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


def test_a_server_leaves_nothing_where_it_was_started(settings: Settings) -> None:
    found = server.ensure(settings)
    here = set(Path.cwd().iterdir())
    session.connect(settings).range(10).createOrReplaceTempView("anything")
    assert set(Path.cwd().iterdir()) == here
    assert psutil.Process(found.pid).cwd() == str(settings.root / "services" / "spark-work")


def nobody() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as once:
        port = once.getsockname()[1]
    yield f"sc://localhost:{port}"


def silent() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"sc://localhost:{listener.getsockname()[1]}"


@pytest.mark.parametrize("there, words", [(nobody, "cannot be reached"), (silent, "does not answer")], ids=["nobody", "silent"])
def test_a_named_server_that_does_not_answer_is_told(settings: Settings, there: Callable[[], Iterator[str]], words: str) -> None:
    for url in there():
        began = time.monotonic()
        with pytest.raises(SparkLost, match=f"{url.removeprefix('sc://')}.*{words}") as caught:
            session.connect(settings.model_copy(update={"spark": url}))
        print(f"told after {time.monotonic() - began:.1f} s: {caught.value.what}")
        assert time.monotonic() - began < HANG
        assert "LAKEHOUSE_SPARK" in caught.value.hint


def test_a_wrong_token_is_told(settings: Settings) -> None:
    url = f"sc://localhost:{server.ensure(settings).port}/;token=wrong"
    with pytest.raises(SparkLost, match="refused the token"):
        session.connect(settings.model_copy(update={"spark": url}))


@pytest.mark.parametrize("url", ["sc://", "sc://host:port", "sc://host:15002/path", "sc://host:1/;token"])
def test_an_address_that_is_none_is_refused(settings: Settings, url: str) -> None:
    with pytest.raises(SettingsError, match="LAKEHOUSE_SPARK"):
        server.ensure(settings.model_copy(update={"spark": url}))


def test_what_settles_a_server_leaves_no_word_of_itself(settings: Settings, tmp_path: Path) -> None:
    lake = settings.model_copy(update={"root": tmp_path / "lake"})
    services.record(lake, server.SETTLE, os.getpid())
    asked = [sys.executable, "-m", "lakehouse.spark.settle", lake.model_dump_json(exclude={"webhook"})]
    assert subprocess.run(asked, check=False).returncode == 0
    assert services.read(lake, server.SETTLE) is None
