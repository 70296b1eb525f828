from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from lakehouse import services
from lakehouse.errors import LakeError, PortTaken, ServiceError
from lakehouse.settings import Settings

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
DEAF = [sys.executable, "-uc", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf'); time.sleep(600)"]
FAMILY = [sys.executable, "-uc", "import subprocess; p = subprocess.Popen(['sleep', '600']); print(p.pid); p.wait()"]


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Settings]:
    here = Settings(project=tmp_path, root=tmp_path / "a lake")
    yield here
    for service in services.all(here):
        services.stop(here, service.name, grace=0.0)


def started(lake: Settings, argv: list[str] = SLEEP, said: str = "") -> services.Service:
    log = services.log_path(lake, "thing")
    return services.spawn(lake, "thing", argv, ready=lambda: not said or said in log.read_text(), timeout=20)


def test_a_service_is_found_by_another_reader(lake: Settings) -> None:
    made = started(lake)
    assert services.read(lake, "thing") == made
    assert services.all(lake) == [made]
    assert made.alive


def test_nothing_is_known_of_a_service_never_started(lake: Settings) -> None:
    assert services.read(lake, "thing") is None
    assert services.all(lake) == []
    assert services.stop(lake, "thing") is False


def test_a_torn_record_counts_as_none(lake: Settings) -> None:
    (services.folder(lake) / "thing.json").write_text('{"name": "thing", "pid"')
    assert services.read(lake, "thing") is None
    assert services.all(lake) == []


def test_stop_ends_the_process_and_forgets_it(lake: Settings) -> None:
    made = started(lake)
    assert services.stop(lake, "thing") is True
    assert not made.alive
    assert services.read(lake, "thing") is None


def test_stop_ends_what_the_process_started(lake: Settings) -> None:
    made = started(lake, FAMILY, "\n")
    child = int(made.log_text())
    services.stop(lake, "thing")
    assert not made.alive
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("argv, number", [(DEAF, None), (SLEEP, signal.SIGSTOP)], ids=["deaf", "stopped"])
def test_stop_uses_force_where_asking_does_not_help(lake: Settings, argv: list[str], number: int | None) -> None:
    made = started(lake, argv, "deaf" if argv is DEAF else "")
    if number:
        os.kill(made.pid, number)
    began = time.monotonic()
    services.stop(lake, "thing", grace=0.5)
    assert not made.alive
    assert time.monotonic() - began < 20


def test_a_process_that_got_the_same_number_is_neither_ours_nor_killed(lake: Settings) -> None:
    made = started(lake)
    record = services.folder(lake) / "thing.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"created": made.created - 100}))
    other = services.read(lake, "thing")
    assert other is not None and not other.alive
    assert services.stop(lake, "thing") is False
    assert made.alive
    os.killpg(made.pid, signal.SIGKILL)


def test_a_process_that_ended_unwaited_for_is_not_alive(lake: Settings) -> None:
    with subprocess.Popen(["true"]) as child:
        made = services.record(lake, "thing", child.pid)
        time.sleep(0.2)
        assert not made.alive


def test_one_that_ends_while_it_starts_is_told_with_its_last_words(lake: Settings) -> None:
    with pytest.raises(ServiceError, match=r"thing ended while it started \(exit code 3\): no such luck") as caught:
        services.spawn(lake, "thing", ["sh", "-c", "echo no such luck; exit 3"], ready=lambda: False)
    assert str(services.log_path(lake, "thing")) in caught.value.hint
    assert services.read(lake, "thing") is None


def test_one_that_is_never_ready_is_ended(lake: Settings) -> None:
    with pytest.raises(ServiceError, match="was not ready within 1 s"):
        services.spawn(lake, "thing", SLEEP, ready=lambda: False, timeout=1)
    assert services.all(lake) == []


def test_a_taken_port_is_refused_naming_who_holds_it(lake: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"Port {port}, which thing should use.*process {os.getpid()} holds it") as caught:
            services.spawn(lake, "thing", SLEEP, ready=lambda: True, port=port)
    assert "choose another port" in caught.value.hint
    assert services.all(lake) == []


def test_the_log_of_an_earlier_life_is_not_this_ones(lake: Settings) -> None:
    services.folder(lake)
    services.log_path(lake, "thing").write_text("OutOfMemoryError, long ago\n")
    made = started(lake, ["sh", "-c", "echo new; sleep 600"], "new")
    assert made.log_text() == "new\n"
    assert services.last_words(replace(made, log_start=0)) == "new"


@pytest.mark.skipif(sys.platform != "linux", reason="a folder that not even root can write")
def test_a_lake_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match=r"The lake /proc/lake cannot be written") as caught:
        services.folder(Settings(project=tmp_path, root=Path("/proc/lake")))
    assert "LAKEHOUSE_ROOT" in caught.value.hint


def test_a_port_that_a_killed_process_still_keeps_is_waited_for() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # nobody listens, so nobody is seen there
        threading.Timer(0.5, bound.close).start()
        began = time.monotonic()
        services.refuse_taken_port("thing", bound.getsockname()[1])
        assert time.monotonic() - began >= 0.4


def test_a_port_that_stays_taken_by_nobody_seen_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "_DYING_SECONDS", 0.3)
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(PortTaken, match="Address already in use"):
            services.refuse_taken_port("thing", bound.getsockname()[1])
