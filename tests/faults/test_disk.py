"""A disk that is full or read-only, and a process that may open no more files."""

from __future__ import annotations

import resource

import pytest

from lakehouse.spark import server
from tests.faults import injections
from tests.faults.conftest import Promise
from tests.faults.injections import BEFORE_READING, BEFORE_RECORD, Moment, fill, make_room, read_only, small_disk, writable
from tests.faults.scene import Scene, end
from tests.faults.test_kills import DAGSTER, NOTEBOOK, again, caught

_NO_MOUNT = injections.may_mount()
needs_mount = pytest.mark.skipif(bool(_NO_MOUNT), reason=f"a file system cannot be mounted here: {_NO_MOUNT}")
FULL = "No space left on device"


@needs_mount
@pytest.mark.parametrize(
    ("where", "what"),
    [
        pytest.param("tables", "a data file", id="data file", marks=pytest.mark.faults),
        pytest.param("tables/silver/things/_delta_log", "the log", id="log"),
    ],
)
def test_full_at_a_table(scene: Scene, promise: Promise, factor: int, where: str, what: str) -> None:
    with (
        small_disk(scene.root / where) as disk,
        promise(f"disk full at {what}", "the run fails and says so; with room, run again", "3a") as seen,
    ):
        fill(disk)
        scene.control(factor)
        seen.fault_happened()
        assert end(scene.start(*NOTEBOOK)) == 1
        seen.told()
        make_room(disk)
        seen.settled()
        assert seen.advanced["silver.things"] == 0
        seen.cause_is_told(FULL)
        seen.rerun(again(scene, factor))


@needs_mount
@pytest.mark.faults
def test_full_at_the_notebooks_save(scene: Scene, promise: Promise, factor: int) -> None:
    """All is published by then; that the run could not be told is told by the next one."""
    with (
        small_disk(scene.root / "runs") as disk,
        promise("disk full at the executed notebook's save", "the run fails and says so; with room, run again", "3b") as seen,
    ):
        process = caught(scene, Moment(scene, BEFORE_RECORD, factor), *NOTEBOOK)
        fill(disk)
        seen.fault_happened()
        scene.release("written")
        assert end(process) == 1
        seen.told()
        assert FULL in seen.said
        assert "Traceback" not in seen.said
        make_room(disk)
        seen.settled()
        seen.rerun(again(scene, factor))
        seen.cause_is_told("cut short", FULL)


@needs_mount
@pytest.mark.faults
def test_full_before_the_run(scene: Scene, promise: Promise, factor: int) -> None:
    with (
        small_disk(scene.root / "runs") as disk,
        promise("disk full where runs are recorded", "refused before anything starts", "3b") as seen,
    ):
        fill(disk)
        scene.control(factor)
        seen.fault_happened()
        assert end(scene.start(*NOTEBOOK)) == 2
        seen.told()
        assert f"The lake cannot be written: {FULL}" in seen.said
        make_room(disk)
        seen.settled(at_most=0)
        seen.rerun(again(scene, factor))


@needs_mount
@pytest.mark.faults
def test_full_at_sqlite(scene: Scene, promise: Promise, factor: int) -> None:
    scene.control(3 - factor)  # what stands there
    assert end(scene.start(*DAGSTER)) == 0, scene.said()
    with (
        small_disk(scene.root / "dagster") as disk,
        promise("disk full at Dagster's SQLite", "the run fails and says so; with room, run again", "3c") as seen,
    ):
        fill(disk)
        scene.control(factor)
        seen.fault_happened()
        assert end(scene.start(*DAGSTER)) != 0
        seen.told()
        assert "Dagster's store" in seen.said and "MiB are free there" in seen.said
        assert "Traceback" not in seen.said
        make_room(disk)
        seen.settled()
        seen.rerun(again(scene, factor, *DAGSTER))


@needs_mount
@pytest.mark.faults
@pytest.mark.parametrize("where", ["tables", "runs"])
def test_read_only(scene: Scene, promise: Promise, factor: int, where: str) -> None:
    with (
        small_disk(scene.root / where) as disk,
        promise(f"the lake's {where} read-only", "the run fails and says so; writable again, run again", "3d") as seen,
    ):
        read_only(disk)
        scene.control(factor)
        seen.fault_happened()
        assert end(scene.start(*NOTEBOOK)) == (1 if where == "tables" else 2)
        seen.told()
        writable(disk)
        assert "Read-only file system" in seen.said
        assert "Traceback" not in seen.said
        seen.settled(at_most=0)
        if where == "tables":
            seen.cause_is_told("Read-only file system")
        seen.rerun(again(scene, factor))


@pytest.mark.faults
def test_a_kernel_that_may_open_no_more_files(scene: Scene, promise: Promise, factor: int) -> None:
    with promise("the kernel may open no more files", "the run fails and says so; run again", "3e") as seen:
        moment = Moment(scene, BEFORE_READING, factor)
        process = caught(scene, moment, *NOTEBOOK)
        seen.fault_happened()
        resource.prlimit(moment.kernel(), resource.RLIMIT_NOFILE, (3, 3))
        scene.release(BEFORE_READING)
        assert end(process) == 1
        seen.told()
        seen.settled(at_most=0)
        seen.cause_is_told("Too many open files", "no open files left", "Spark")
        seen.rerun(again(scene, factor))


@pytest.mark.faults
def test_a_server_that_may_open_no_more_files(scene: Scene, promise: Promise, factor: int) -> None:
    """It answers nobody new; whoever needs it replaces it."""
    with promise("the Spark server may open no more files", "a new server, or the run fails and says so", "3e") as seen:
        moment = Moment(scene, BEFORE_READING, factor)
        process = caught(scene, moment, *NOTEBOOK)
        seen.fault_happened()
        resource.prlimit(injections.spark_pid(scene), resource.RLIMIT_NOFILE, (3, 3))
        scene.release(BEFORE_READING)
        code = end(process)
        seen.told()
        seen.settled()
        if code:
            seen.cause_is_told("Too many open files", "Spark server")
        server.stop(scene.settings)
        seen.rerun(again(scene, factor))


@pytest.mark.faults
def test_a_runner_that_may_open_few_files(scene: Scene, promise: Promise, factor: int) -> None:
    with promise("the runner may open 24 files", "refused before anything starts", "3e") as seen:
        scene.control(factor)
        seen.fault_happened()
        limited = scene.start(*NOTEBOOK, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24)))
        assert end(limited) == 2
        seen.told()
        assert "may open only 24 files" in seen.said and "ulimit -n" in seen.said
        seen.settled(at_most=0)
        seen.rerun(again(scene, factor))
