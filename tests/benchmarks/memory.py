"""How much memory a run takes: all its processes, looked at every fifth of a second.

Python's processes count by their share (PSS), as a forked kernel has most of its pages in common with the process it
was forked from; Java by what is resident (RSS): it shares next to nothing, and its share takes long to ask for. Shares
too are asked for only when what is resident has grown past its peak, so that looking does not disturb what is timed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

EVERY_SECONDS = 0.2
GROWN = 1.02  # resident memory must have grown by so much before shares are asked for again


@dataclass(frozen=True)
class Peak:
    """Bytes: of all processes together at the worst moment, and of the largest process of each role at any moment."""

    total: int = 0
    by_role: dict[str, int] = field(default_factory=dict)


class Watch:
    """Within `with Watch(roots) as watch:` looks at the processes `roots()` and all below them; `watch.peak` afterwards.

    `history` is (seconds since 1970, bytes) of every look; with `exact` these are shares too, at a price.
    """

    def __init__(self, roots: Callable[[], list[int]], *, every: float = EVERY_SECONDS, exact: bool = False) -> None:
        self._roots, self._every, self._exact = roots, every, exact
        self._highest = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory", daemon=True)
        self.peak = Peak()
        self.history: list[tuple[float, int]] = []

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def between(self, start: float, end: float) -> int:
        """The most bytes seen from `start` to `end` (seconds since 1970); 0 where nothing was looked at."""
        return max((total for moment, total in self.history if start <= moment <= end), default=0)

    def _run(self) -> None:
        while not self._over.wait(self._every):
            self._look()

    def _look(self) -> None:
        roots = self._roots()
        resident = {process: memory for process in family(roots) if (memory := _resident(process))}
        total = sum(resident.values())
        if self._exact or total > self._highest * GROWN:
            self._highest = max(total, self._highest)
            total = self._note(resident, roots)
        self.history.append((time.time(), total))

    def _note(self, resident: dict[psutil.Process, int], roots: list[int]) -> int:
        """Asks for shares; the largest of each role and of all together are kept. Returns the sum."""
        largest, roles, total = dict(self.peak.by_role), {}, 0
        for process, memory in resident.items():
            # Asked anew each time: a process may first be seen with the command line of the one that it was forked from.
            own = roles[process.pid] = _role(process, roots, roles)
            memory = memory if own == JAVA else _share(process, memory)
            largest[own] = max(memory, largest.get(own, 0))
            total += memory
        self.peak = Peak(max(total, self.peak.total), largest)
        return total


JAVA, COMMAND, FORK, KERNEL, STEP, OTHER = "Spark (Java)", "command", "fork process", "kernel", "Dagster step", "other"


def role(words: list[str], parent: int, is_root: bool, known: dict[int, str]) -> str:
    """What a process is for, by its command line and its place."""
    line = " ".join(words)
    if words and Path(words[0]).name == "java":
        return JAVA
    if "lakehouse.kernels.forkserver" in line:
        return FORK if is_root else KERNEL
    if "ipykernel_launcher" in line:
        return KERNEL
    if is_root:
        return COMMAND
    return STEP if "lakehouse run" in line or "dagster" in line or known.get(parent) == STEP else OTHER


def family(roots: list[int]) -> list[psutil.Process]:
    """The processes `roots` and everything below them that is alive."""
    below: dict[int, list[psutil.Process]] = {}
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter(["ppid"]):
        below.setdefault(process.info["ppid"], []).append(process)
        if process.pid in roots:
            found[process.pid] = process
    front = list(found.values())
    while front:
        for child in below.get(front.pop().pid, ()):
            if child.pid not in found:
                found[child.pid] = child
                front.append(child)
    return list(found.values())


def _resident(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.Error:
        return 0


def _share(process: psutil.Process, resident: int) -> int:
    try:
        rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        # It has ended. What was seen of it may have been Java's: a program that Java starts (chmod) shows all of Java's
        # memory until it has become itself.
        return 0 if Path("/proc/self/smaps_rollup").exists() else resident
    except OSError:  # this system does not tell
        return resident
    return int(rollup.partition("\nPss:")[2].split()[0]) << 10


def _role(process: psutil.Process, roots: list[int], known: dict[int, str]) -> str:
    try:
        return role(process.cmdline(), process.ppid(), process.pid in roots, known)
    except psutil.Error:
        return OTHER
