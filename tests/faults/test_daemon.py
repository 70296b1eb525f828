"""kill -9 of what serves Dagster's page, while a run that the daemon launched is under way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lakehouse import orchestration, services
from tests.faults import dagsters, injections
from tests.faults.conftest import Promise
from tests.faults.injections import COMPUTING, MOMENTS, Moment
from tests.faults.scene import Scene
from tests.faults.test_kills import again, strike

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module", autouse=True)
def served(scene: Scene, clean: object) -> Iterator[None]:
    dagsters.up(scene)
    yield
    for name in (orchestration.DAEMON, orchestration.WEBSERVER):
        services.stop(scene.settings, name)


@pytest.mark.parametrize("name", MOMENTS)
def test_the_run_worker(scene: Scene, promise: Promise, factor: int, name: str) -> None:
    with promise(f"kill -9 of a daemon's run {name}", "the page shows it failed; run again", "1g") as seen:
        moment = Moment(scene, name, factor)
        run = dagsters.launch(scene)
        moment.await_it()
        strike(seen, dagsters.worker(scene))
        assert dagsters.ended(scene, run) == "FAILURE"
        seen.told()
        seen.settled()
        seen.rerun(again(scene, factor))
        seen.cause_is_told("cancelled in cell", "cut short in", may_succeed=name in injections.LATE)


@pytest.mark.parametrize("service", [orchestration.DAEMON, orchestration.WEBSERVER])
@pytest.mark.parametrize("name", [COMPUTING, injections.DURING_COMMIT, injections.BEFORE_RECORD])
def test_a_service(scene: Scene, promise: Promise, factor: int, service: str, name: str) -> None:
    """A run under way goes on: what it computes comes out the same."""
    with promise(f"kill -9 of {service} {name}", "the run ends well; `lakehouse up` starts it anew", "1h") as seen:
        seen.patience = 120
        moment = Moment(scene, name, factor)
        if name == COMPUTING:
            scene.control(factor, 8)
        run = dagsters.launch(scene)
        moment.await_it()
        strike(seen, dagsters.pid(scene, service))
        for signal in (injections.BEFORE_READING, "written"):
            scene.release(signal)
        dagsters.up(scene)
        assert dagsters.ended(scene, run) == "SUCCESS"
        seen.told()
        seen.settled()
        assert seen.advanced["silver.things"] == 1
        scene.control(factor)
        seen.rerun(lambda: 0 if dagsters.ended(scene, dagsters.launch(scene)) == "SUCCESS" else 1)
