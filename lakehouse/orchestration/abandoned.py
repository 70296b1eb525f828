"""Runs whose process was killed: Dagster would show them as running for ever."""

from __future__ import annotations

import dagster as dg

from lakehouse.processes import is_alive

PROCESS = "lakehouse/process"
"""Run tag of a run from the command line: the process that executes it, and when that started."""


def settle(store: dg.DagsterInstance) -> None:
    """Reports each run from the command line as failed whose process is gone."""
    for run in store.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING])):
        process = run.tags.get(PROCESS)
        if process and not is_alive(process):
            store.report_run_failed(run, "The process that executed this run was killed.")
