from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator

import psutil
import pytest

from lakehouse import services
from tests.workspace import Workspace

Command = Callable[..., tuple[int, str, str]]
SERVICE = [sys.executable, "-u", "-c", "import time; print('ready to serve'); print('second line'); time.sleep(600)"]


@pytest.fixture
def place(workspace: Workspace) -> Iterator[Workspace]:
    workspace.write({}, {})
    yield workspace
    for service in services.all(workspace.settings):
        services.stop(workspace.settings, service.name)


def spawn(place: Workspace, name: str = "mlflow") -> int:
    log = services.log_path(place.settings, name)
    url = "http://localhost:5000"
    return services.spawn(place.settings, name, SERVICE, ready=lambda: b"second" in log.read_bytes(), url=url).pid


def test_where_nothing_runs_that_is_said(place: Workspace, lakehouse: Command) -> None:
    assert lakehouse(place, "status") == (0, f"Nothing runs for the lake at {place.root}.\n", "")
    assert lakehouse(place, "down") == (0, "Nothing was running.\n", "")
    assert lakehouse(place, "logs") == (0, "", "")


def test_what_runs_is_listed_and_ended(place: Workspace, lakehouse: Command) -> None:
    pid = spawn(place)
    code, out, _ = lakehouse(place, "status")
    (row,) = [line for line in out.splitlines() if "mlflow" in line]
    assert code == 0
    assert str(pid) in row and "MiB" in row and "http://localhost:5000" in row
    assert "down ends them" in out
    assert lakehouse(place, "down")[:2] == (0, "Ended mlflow.\n")
    assert not psutil.pid_exists(pid)
    assert "Nothing runs" in lakehouse(place, "status")[1]


def test_logs_are_shown_from_their_end(place: Workspace, lakehouse: Command) -> None:
    spawn(place)
    assert lakehouse(place, "logs")[1] == f"{place.root}/services/mlflow.log\n"
    assert lakehouse(place, "logs", "mlflow")[1] == "ready to serve\nsecond line\n"
    assert lakehouse(place, "logs", "mlflow", "-n", "1")[1] == "second line\n"
    code, _, err = lakehouse(place, "logs", "mlfow")
    assert (code, "No log of 'mlfow'" in err, "Did you mean mlflow?" in err) == (2, True, True)


@pytest.mark.parametrize("port", ["DAGSTER", "MLFLOW"])
def test_a_port_that_is_taken_is_told_before_anything_starts(place: Workspace, lakehouse: Command, port: str) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        number = holder.getsockname()[1]
        other = {"LAKEHOUSE_DAGSTER_PORT": "39117", "LAKEHOUSE_MLFLOW_PORT": "39118"}
        code, _, err = lakehouse(place, "up", LAKEHOUSE_SPARK="", **{**other, f"LAKEHOUSE_{port}_PORT": str(number)})
        assert code == 2
        assert f"Port {number}" in err and "cannot be had" in err
        assert services.all(place.settings) == []
        code, _, err = lakehouse(place, "lab", LAKEHOUSE_SPARK="", LAKEHOUSE_LAB_PORT=str(number))
        assert (code, f"Port {number}, which JupyterLab should use" in err) == (2, True)
        assert services.all(place.settings) == []
