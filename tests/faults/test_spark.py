"""The Spark server stopped, silent, slow, restarted, out of memory, or with another token, while a run needs it."""

from __future__ import annotations

import os
import secrets

import pytest

from lakehouse.spark import server
from tests.faults import injections
from tests.faults.conftest import Promise
from tests.faults.injections import COMPUTING, DURING_COMMIT, Moment, Wire
from tests.faults.scene import Scene, end, eventually
from tests.faults.test_kills import NOTEBOOK, again, caught


@pytest.mark.faults
@pytest.mark.parametrize("name", [COMPUTING, DURING_COMMIT])
def test_stopped(scene: Scene, promise: Promise, factor: int, name: str) -> None:
    with promise(f"Spark server stopped (SIGSTOP) {name}", "told within 30 s; the next run replaces the server", "2a") as seen:
        process = caught(scene, Moment(scene, name, factor), *NOTEBOOK)
        stopped = injections.spark_pid(scene)
        seen.fault_happened()
        injections.freeze(stopped)
        assert end(process) == 1
        seen.told()
        assert seen.told_after is not None and seen.told_after < 30
        seen.settled()
        seen.cause_is_told("was stopped (SIGSTOP)")
        seen.rerun(again(scene, factor))
        assert injections.spark_pid(scene) != stopped


@pytest.mark.faults
def test_silent(scene: Scene, promise: Promise, factor: int) -> None:
    found = server.ensure(scene.settings)
    assert found.port is not None
    wire = Wire(found.port)
    url = found.url.replace(f":{found.port}/", f":{wire.port}/")
    try:
        with promise("Spark server silent: what is sent to it vanishes", "told within 30 s; run again", "2b") as seen:
            moment = Moment(scene, COMPUTING, factor)
            process = scene.start(*NOTEBOOK, environ={"LAKEHOUSE_SPARK": url})
            moment.await_it(lambda: process.poll() is None)
            seen.fault_happened()
            wire.cut()
            assert end(process) == 1
            seen.told()
            assert seen.told_after is not None and seen.told_after < 30
            seen.settled()
            seen.cause_is_told("is stuck", "cannot be reached any more")
            wire.close()
            server.stop(scene.settings)  # nobody could tell it to end the query
            seen.rerun(again(scene, factor))
    finally:
        wire.close()


@pytest.mark.faults
def test_slow(scene: Scene, promise: Promise, factor: int) -> None:
    with promise("Spark server slow: it gets a quarter of its time", "the run takes longer and succeeds", "2c") as seen:
        scene.control(factor)
        process = scene.start(*NOTEBOOK)
        seen.fault_happened()
        with injections.slowed(injections.spark_pid(scene), 0.25):
            assert end(process, 200) == 0, seen.said
        seen.settled()
        assert seen.advanced["silver.things"] == 1
        seen.rerun(again(scene, factor))


@pytest.mark.faults
@pytest.mark.parametrize("name", [COMPUTING, DURING_COMMIT])
def test_restarted(scene: Scene, promise: Promise, factor: int, name: str) -> None:
    with promise(f"Spark server ended and started anew {name}", "told at once; run again", "2d") as seen:
        process = caught(scene, Moment(scene, name, factor), *NOTEBOOK)
        seen.fault_happened()
        server.stop(scene.settings)
        server.ensure(scene.settings)
        assert end(process) == 1
        seen.told()
        seen.settled()
        seen.cause_is_told("Spark server")
        seen.rerun(again(scene, factor))


@pytest.mark.faults
def test_out_of_memory(scene: Scene, promise: Promise, factor: int) -> None:
    with promise("Spark server out of memory", "told with its last line; the next run starts a server", "2e") as seen:
        process = caught(scene, Moment(scene, COMPUTING, factor), *NOTEBOOK)
        seen.fault_happened()
        eater = scene.python(EATER)
        assert end(process) == 1
        seen.told()
        eater.wait(60)
        seen.settled()
        seen.cause_is_told("ran out of memory")
        seen.rerun(again(scene, factor))


EATER = """
from lakehouse import settings
from lakehouse.spark import session
session.connect(settings.load()).sql("SELECT size(sequence(0L, 400000000L + id)) FROM range(0, 1, 1, 1)").collect()
"""


@pytest.mark.faults
def test_the_token_was_changed(scene: Scene, promise: Promise, factor: int) -> None:
    """As when a copy of the lake's folder, or an older backup of it, was put in place: the server knows another one."""
    with promise("the Spark server's token changed", "the next run starts a server of its own; none is left", "2f") as seen:
        before = injections.spark_pid(scene)
        (scene.root / "services" / "spark.token").write_text(secrets.token_urlsafe(32))
        seen.fault_happened()
        seen.settled()
        seen.rerun(again(scene, factor))
        assert injections.spark_pid(scene) != before
        assert eventually(lambda: not os.path.exists(f"/proc/{before}"))
