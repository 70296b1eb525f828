"""Dagster's page and daemon for a scene, and what a person does in the page, by the page's own interface."""

from __future__ import annotations

import json
import socket
import urllib.request
from contextlib import suppress
from typing import Any

import psutil

from lakehouse import orchestration, services
from tests.faults import injections
from tests.faults.scene import Scene, eventually

_LAUNCH = """
mutation($chosen: ExecutionParams!) { launchRun(executionParams: $chosen) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
} }
"""
_STATUS = "query($run: ID!) { runOrError(runId: $run) { ... on Run { status } } }"
ENDED = {"SUCCESS", "FAILURE", "CANCELED"}


def up(scene: Scene) -> None:
    """Starts what is not running of the page and the daemon, as `lakehouse up` does."""
    if "LAKEHOUSE_DAGSTER_PORT" not in scene.environ:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            scene.environ["LAKEHOUSE_DAGSTER_PORT"] = str(probe.getsockname()[1])
    for name, argv, environ, port in orchestration.services(scene.settings):
        running = services.read(scene.settings, name)
        if running is None or not running.alive:
            env = {**environ, **scene.environ}
            services.spawn(
                scene.settings, name, argv, env=env, cwd=scene.project, port=port, ready=lambda port=port: _answers(port)
            )


def pid(scene: Scene, name: str) -> int:
    found = services.read(scene.settings, name)
    assert found is not None and found.alive
    return found.pid


def launch(scene: Scene) -> str:
    """Asks the page to materialise January of silver/things; the daemon takes it from its queue. Returns the run's id."""
    selector = {
        "repositoryLocationName": "lakehouse",
        "repositoryName": "__repository__",
        "jobName": "__ASSET_JOB",
        "assetSelection": [{"path": ["silver", "things"]}, {"path": ["silver", "totals"]}],
    }
    tags = [{"key": "dagster/partition", "value": "2013-01"}]
    chosen = {"selector": selector, "runConfigData": {}, "mode": "default", "executionMetadata": {"tags": tags}}
    answer = _ask(scene, _LAUNCH, {"chosen": chosen})["launchRun"]
    assert answer["__typename"] == "LaunchRunSuccess", answer
    return str(answer["run"]["runId"])


def status(scene: Scene, run: str) -> str:
    return str(_ask(scene, _STATUS, {"run": run})["runOrError"]["status"])


def ended(scene: Scene, run: str, seconds: float = 150) -> str:
    """How a run ended; its last status where it did not within `seconds`."""
    eventually(lambda: status(scene, run) in ENDED, seconds, every=0.5)
    return status(scene, run)


def worker(scene: Scene) -> int:
    """The process of the run under way: the one from which a step was forked, as both show the same command line."""
    for name in (orchestration.DAEMON, orchestration.WEBSERVER):
        for process in psutil.Process(pid(scene, name)).children(recursive=True):
            with suppress(psutil.Error, StopIteration):
                injections.step_of(process.pid)
                return process.pid
    raise AssertionError("no run is under way")


def _ask(scene: Scene, query: str, variables: dict[str, Any]) -> Any:
    url = f"http://127.0.0.1:{scene.settings.dagster_port}/graphql"
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        answer = json.load(response)
    assert "errors" not in answer, answer
    return answer["data"]


def _answers(port: int | None) -> bool:
    if port is None:
        return True
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info", timeout=2):
            return True
    except OSError:
        return False
