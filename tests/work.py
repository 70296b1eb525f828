"""What a Spark server is doing, seen from outside: a query uses every core, however nobody waits for it any more."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from lakehouse import services
from lakehouse.settings import Settings
from lakehouse.spark import server

IDLE = 0.2
"""Seconds of processor time in a second: what a server needs that compiles and collects garbage, but computes nothing."""


def is_idle(settings: Settings) -> bool:
    """Whether the lake's server computed nothing for a second."""
    service = services.read(settings, server.NAME)
    process = service.process() if service else None
    assert process is not None, "the Spark server has ended"
    before = sum(process.cpu_times()[:2])
    time.sleep(1)
    return sum(process.cpu_times()[:2]) - before < IDLE


def becomes_idle(settings: Settings, seconds: float) -> bool:
    """Whether it does within `seconds`; where not, prints what it is at instead."""
    deadline = time.monotonic() + seconds
    while not is_idle(settings):
        if time.monotonic() > deadline:
            _print_threads(settings)
            return False
    return True


def _print_threads(settings: Settings) -> None:
    """The stacks of the server's threads that compute, as Java writes them into the server's log."""
    service = services.read(settings, server.NAME)
    process = service.process() if service else None
    assert service is not None and process is not None
    log = Path(service.log)
    written = log.stat().st_size
    before = {thread.id: thread.user_time + thread.system_time for thread in process.threads()}
    time.sleep(1)
    after = {thread.id: thread.user_time + thread.system_time for thread in process.threads()}
    process.send_signal(signal.SIGQUIT)
    time.sleep(2)
    stacks = log.read_bytes()[written:].decode(errors="replace").split("\n\n")
    for thread, seconds in after.items():
        if seconds - before.get(thread, seconds) > 0.05:
            print(
                thread,
                f"{seconds - before[thread]:.2f} s",
                *(stack for stack in stacks if f"nid={thread:#x} " in stack or f"nid={thread} " in stack),
            )


@contextlib.contextmanager
def load(processes: int) -> Iterator[None]:
    """Keeps so many cores busy."""
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()
