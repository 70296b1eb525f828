"""Which process is meant: by its number and its start time together, as numbers are given away again."""

from __future__ import annotations

import os

import psutil

_CLOCK_SECONDS = 3  # the system's clock may be set between two looks


def this_process() -> str:
    """A mark that names this process for as long as the machine is up."""
    return f"{os.getpid()}-{psutil.Process().create_time():.0f}"


def is_alive(mark: str) -> bool:
    """Whether the process of a mark still runs (a zombie does not; nor does what is no mark)."""
    pid, _, created = mark.partition("-")
    try:
        found = psutil.Process(int(pid))
        return abs(found.create_time() - float(created)) < _CLOCK_SECONDS and found.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, ValueError):
        return False
