"""What a Spark server is doing, seen from outside: a query uses every core, however nobody waits for it any more."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator

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
    """Whether it does within `seconds`."""
    deadline = time.monotonic() + seconds
    while not is_idle(settings):
        if time.monotonic() > deadline:
            return False
    return True


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
