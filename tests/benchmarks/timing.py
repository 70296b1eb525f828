"""Runs a command as a user would, and tells its seconds and its memory."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lakehouse import services
from lakehouse.errors import LakehouseError
from lakehouse.settings import Settings
from tests.benchmarks.memory import Peak, Watch

ENGINE = ("spark", "kernels")  # the services that work for a run, though it did not start them
GRACE_SECONDS = 120  # what a cancelled command may take to end its kernels and to keep its records


class BenchmarkFailed(LakehouseError):
    """A command of the benchmark failed, or its rows are not those of the others."""


@dataclass(frozen=True)
class Timed:
    """One run. `cancelled`: its time was over before it was done; `watch` has its memory over time."""

    seconds: float
    watch: Watch
    log: Path
    code: int = 0
    cancelled: bool = False

    @property
    def peak(self) -> Peak:
        return self.watch.peak


def engine(now: Settings) -> Callable[[], list[int]]:
    """The processes of the lake's engine, asked for anew each time: a run may start them."""
    return lambda: [found.pid for name in ENGINE if (found := services.read(now, name)) and found.alive]


def timed(
    command: Sequence[str],
    log: Path,
    *,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    beside: Callable[[], list[int]] = list,
    limit: float | None = None,
    exact: bool = False,
    must_succeed: bool = True,
) -> Timed:
    """Runs `command` with its output in `log`; memory is that of its processes and those of `beside()`.

    After `limit` seconds it is interrupted, as by Ctrl-C. Raises BenchmarkFailed where it must succeed and does not.
    """
    began = time.monotonic()
    with log.open("w") as output:
        process = subprocess.Popen(
            command, env=environ, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
        try:
            with Watch(lambda: [process.pid, *beside()], exact=exact) as watch:
                over = _await(process, limit)
        finally:
            _end_group(process)
    done = Timed(time.monotonic() - began, watch, log, process.returncode, over)
    if must_succeed and (over or process.returncode):
        raise BenchmarkFailed(f"{' '.join(command)[:300]} ended with {process.returncode}", f"Its last words:\n{last_words(log)}")
    return done


def _await(process: subprocess.Popen[bytes], limit: float | None) -> bool:
    """Waits for the end; whether it had to be asked for because the time was over."""
    try:
        process.wait(limit)
        return False
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
        return True


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Nothing that the command started stays."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def last_words(log: Path, characters: int = 3000) -> str:
    return log.read_text(errors="replace")[-characters:]


def middle(seconds: Sequence[float]) -> float | None:
    """The median; None where nothing was measured."""
    return statistics.median(seconds) if seconds else None


def ratio(part: float | None, whole: float | None) -> float | None:
    """How many times `whole` goes into `part`; None where either was not measured."""
    return part / whole if part is not None and whole else None
