"""What the spine itself costs: a graph in which nothing changed and a kernel's start."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from lakehouse import kernels, settings, telemetry
from tests.benchmarks.rounds import LAKEHOUSE
from tests.benchmarks.timing import BenchmarkFailed, middle, timed

# What a notebook of the example begins with.
EVERYTHING = "import numpy, pandas, matplotlib.pyplot, sklearn.ensemble, mlflow, pyspark.sql.connect.session, great_expectations"
KERNEL_SECONDS = 180


def nothing_changed(now: settings.Settings, scratch: Path, rounds: int, names: list[str]) -> dict[str, Any]:
    """{"seconds": [...]} of `lakehouse run` with nothing to do. Raises BenchmarkFailed if a kernel was started for it.

    The process that kernels are forked from is ended before: a kernel would have had to start it again.
    """
    seconds = []
    for _ in range(rounds):
        kernels.stop(now)
        records = _records(now)
        seconds.append(timed([*LAKEHOUSE, "run", *names], scratch / "idle.log").seconds)
        if kernels.running(now) or _records(now) != records:
            raise BenchmarkFailed(
                "`lakehouse run` started a kernel though nothing had changed", "`lakehouse run --dry-run` says why."
            )
    return {"seconds": seconds}


def _records(now: settings.Settings) -> int:
    return sum(1 for _ in (now.root / "runs").glob("*/*/*"))


def kernel_starts(now: settings.Settings, rounds: int) -> dict[str, list[float]]:
    """Seconds from asking for a kernel, as JupyterLab does, until a cell that imports everything has run, by kernelspec."""
    kernels.ensure(now)
    telemetry.switch_off(os.environ)
    found: dict[str, list[float]] = {"lakehouse": [], "python3": []}
    for _ in range(rounds):
        for kernelspec, seconds in found.items():
            seconds.append(_first_cell(kernelspec))
    return found


def _first_cell(kernelspec: str) -> float:
    from jupyter_client.manager import start_new_kernel

    began = time.monotonic()
    manager, client = start_new_kernel(startup_timeout=KERNEL_SECONDS, kernel_name=kernelspec)
    try:
        answer = client.execute_interactive(EVERYTHING, timeout=KERNEL_SECONDS, output_hook=lambda message: None)
        seconds = time.monotonic() - began
        if answer["content"]["status"] != "ok":
            raise BenchmarkFailed(f"The kernel {kernelspec} cannot import: {answer['content'].get('evalue')}", EVERYTHING)
        return seconds
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def table(idle: dict[str, Any], starts: dict[str, list[float]]) -> list[list[str]]:
    """Rows of [what, seconds]."""
    rows = [["`lakehouse run` when nothing changed (no kernel starts)", f"{middle(idle['seconds']):.1f}"]]
    return rows + [
        [f"a kernel's first cell, everything imported: `{name}`", f"{middle(each):.1f}"] for name, each in starts.items() if each
    ]
