"""A lake whose model `models.m` is judged, with three versions, of which nothing was decided yet; copies of it to be changed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lakehouse import models, settings
from lakehouse.names import TableName
from lakehouse.record import Result
from lakehouse.settings import Settings

MODEL = TableName("models", "m")


def located(folder: Path) -> Settings:
    return settings.load({"LAKEHOUSE_PROJECT": str(folder), "LAKEHOUSE_ROOT": str(folder / "lake")})


@pytest.fixture
def empty(tmp_path: Path) -> Settings:
    """A lake without MLflow's store: the ledger needs none."""
    return located(tmp_path)


@pytest.fixture(scope="session")
def fitted() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression().fit([[0.0], [1.0]], [0, 1])


@pytest.fixture(scope="session")
def registered(tmp_path_factory: pytest.TempPathFactory, fitted: Any) -> Settings:
    made = located(tmp_path_factory.mktemp("ledger"))
    for number in (1, 2, 3):
        models.log(made, fitted, MODEL, result=Result(run_id=f"run-{number}", asset="models.m"), judged=True)
    return made


@pytest.fixture
def place(registered: Settings, tmp_path: Path) -> Settings:
    """A copy of its records; the models' files are those of the first."""
    made = located(tmp_path)
    shutil.copytree(registered.root, made.root, ignore=shutil.ignore_patterns("artifacts"))
    return made


@pytest.fixture
def aliases(place: Settings) -> Callable[[], dict[str, int]]:
    """What MLflow itself says now."""

    def ask() -> dict[str, int]:
        return {alias: int(version) for alias, version in client(place).get_registered_model(MODEL.dotted).aliases.items()}

    return ask


def client(place: Settings) -> Any:
    import mlflow

    return mlflow.MlflowClient(models.tracking_uri(place), models.tracking_uri(place))
