from __future__ import annotations

import subprocess
import sys

import dagster as dg

from lakehouse.orchestration import abandoned
from lakehouse.processes import this_process


def test_a_run_whose_process_was_killed_is_failed_and_others_are_left_alone() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with dg.instance_for_test() as store:
        runs = {
            name: store.create_run_for_job(
                dg.GraphDefinition("nothing").to_job(), status=dg.DagsterRunStatus.STARTED, tags={abandoned.PROCESS: process}
            ).run_id
            for name, process in {"killed": f"{gone.pid}-1", "ours": this_process()}.items()
        }
        foreign = store.create_run_for_job(dg.GraphDefinition("nothing").to_job(), status=dg.DagsterRunStatus.STARTED).run_id
        abandoned.settle(store)
        statuses = {name: store.get_run_by_id(run).status.value for name, run in {**runs, "foreign": foreign}.items()}
    assert statuses == {"killed": "FAILURE", "ours": "STARTED", "foreign": "STARTED"}
