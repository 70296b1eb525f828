"""kill -9 of everything that takes part in a run, at every moment of it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import psutil
import pytest

from lakehouse import kernels
from tests.faults import injections, invariants
from tests.faults.conftest import Promise
from tests.faults.injections import AFTER_COMMIT, BEFORE_COMMIT, BEFORE_READING, COMPUTING, DURING_COMMIT, MOMENTS, Moment
from tests.faults.invariants import Seen
from tests.faults.scene import Scene, end, eventually

NOTEBOOK = ("notebook", "run", "silver/things")
DAGSTER = ("run", "silver/things", "--partition", "2013-01", "--force")
LONG_FORM = pytest.mark.faults


def moments(*short: str) -> list[object]:
    """All moments, those that the short form leaves out marked."""
    return [pytest.param(name, id=name, marks=() if name in short else LONG_FORM) for name in MOMENTS]


def again(scene: Scene, factor: int, *words: str) -> Callable[[], int]:
    """The next run, of what the last one should have computed."""

    def run() -> int:
        scene.control(factor)
        return end(scene.start(*(words or NOTEBOOK)))

    return run


def caught(scene: Scene, moment: Moment, *words: str) -> subprocess.Popen[str]:
    """A run that has come to the moment."""
    process = scene.start(*words)
    moment.await_it(lambda: process.poll() is None)
    return process


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def strike(seen: Seen, pid: int) -> None:
    injections.freeze(pid)
    seen.fault_happened()
    injections.kill(pid)


@pytest.mark.parametrize("name", moments(DURING_COMMIT, AFTER_COMMIT))
def test_the_kernel(scene: Scene, promise: Promise, factor: int, name: str) -> None:
    with promise(f"kill -9 of the kernel {name}", "the run fails and says so; run again", "1a") as seen:
        moment = Moment(scene, name, factor)
        process = caught(scene, moment, *NOTEBOOK)
        assert invariants.open_sessions(scene) or name == BEFORE_READING  # what must be gone afterwards is there now
        strike(seen, moment.kernel())
        assert end(process) == 1
        seen.told()
        seen.settled()
        seen.cause_is_told("the kernel died in cell")
        seen.rerun(again(scene, factor))


@pytest.mark.parametrize("name", moments(BEFORE_COMMIT))
def test_the_runner(scene: Scene, promise: Promise, factor: int, name: str) -> None:
    with promise(f"kill -9 of the runner {name}", "the next run of the asset says so in its place", "1b") as seen:
        moment = Moment(scene, name, factor)
        process = caught(scene, moment, *NOTEBOOK)
        strike(seen, process.pid)
        process.wait()
        seen.settled()
        seen.rerun(again(scene, factor))
        seen.cause_is_told("cut short in")


@pytest.mark.parametrize("name", moments(COMPUTING))
def test_dagsters_step(scene: Scene, promise: Promise, factor: int, name: str) -> None:
    with promise(f"kill -9 of Dagster's step {name}", "the Dagster run fails; run again", "1c") as seen:
        moment = Moment(scene, name, factor)
        process = caught(scene, moment, *DAGSTER)
        strike(seen, injections.step_of(process.pid))
        assert end(process) == 1
        seen.told()
        seen.settled()
        seen.rerun(again(scene, factor, *DAGSTER))
        seen.cause_is_told("cut short in")


@pytest.mark.parametrize("name", moments())
def test_dagsters_run(scene: Scene, promise: Promise, factor: int, name: str) -> None:
    with promise(f"kill -9 of `lakehouse run` {name}", "its step is cancelled; run again", "1d") as seen:
        moment = Moment(scene, name, factor)
        process = caught(scene, moment, *DAGSTER)
        strike(seen, process.pid)
        process.wait()
        seen.settled()
        seen.rerun(again(scene, factor, *DAGSTER))
        seen.cause_is_told("cancelled in cell", "cut short in", may_succeed=name in injections.LATE)


@pytest.mark.parametrize("name", moments())
def test_the_fork_process(scene: Scene, promise: Promise, factor: int, name: str) -> None:
    with promise(f"kill -9 of the fork process {name}", "its kernels die with it; run again", "1e") as seen:
        moment = Moment(scene, name, factor)
        process = caught(scene, moment, *NOTEBOOK)
        found = kernels.running(scene.settings)
        assert found is not None
        kernel = moment.kernel()
        strike(seen, found.pid)
        assert end(process) == 1
        seen.told()
        assert eventually(lambda: gone(kernel))
        seen.settled()
        seen.cause_is_told("the kernel died in cell")
        seen.rerun(again(scene, factor))


@pytest.mark.parametrize("name", moments(DURING_COMMIT))
def test_the_spark_server(scene: Scene, promise: Promise, factor: int, name: str) -> None:
    with promise(f"kill -9 of the Spark server {name}", "the run fails within seconds; the next starts a server", "1f") as seen:
        moment = Moment(scene, name, factor)
        process = caught(scene, moment, *NOTEBOOK)
        strike(seen, injections.spark_pid(scene))
        scene.release(injections.BEFORE_READING)
        scene.release("written")
        code = end(process)
        seen.told()
        seen.settled()
        if code:
            seen.cause_is_told("Spark server")
        else:  # all was published: nobody needed the server any more, or a new one was started for the first read
            assert name in (BEFORE_READING, AFTER_COMMIT, injections.BEFORE_RECORD)
        seen.rerun(again(scene, factor))
