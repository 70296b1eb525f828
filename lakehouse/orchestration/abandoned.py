"""Runs whose process was killed: Dagster would show them as running for ever."""

from __future__ import annotations

import os

import dagster as dg
import psutil

PROCESS = "lakehouse/process"
"""Run tag of a run from the command line: the process that executes it, and when that started."""


def this_process() -> str:
    return f"{os.getpid()}-{psutil.Process().create_time():.0f}"


def settle(store: dg.DagsterInstance) -> None:
    """Reports each run from the command line as failed whose process is gone."""
    for run in store.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING])):
        process = run.tags.get(PROCESS)
        if process and not _alive(process):
            store.report_run_failed(run, "The process that executed this run was killed.")


def _alive(process: str) -> bool:
    pid, _, created = process.partition("-")
    try:
        found = psutil.Process(int(pid))
        # The system's clock may be set between two looks.
        return abs(found.create_time() - float(created)) < 3 and found.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
