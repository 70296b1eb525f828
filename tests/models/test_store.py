"""MLflow's store on a bad day: the error says what is wrong, and nothing is registered."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from lakehouse import models, settings
from lakehouse.errors import LakeError
from lakehouse.models import store
from lakehouse.names import TableName
from lakehouse.record import Result
from lakehouse.settings import Settings
from tests.faults import injections

RESULT = Result(run_id="run-1", asset="models.m")
_NO_MOUNT = injections.may_mount()


@pytest.fixture(scope="module")
def fitted() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression().fit([[0.0], [1.0]], [0, 1])


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory, fitted: Any) -> Settings:
    """A store that has been used: its tables are there."""
    return logged(located(tmp_path_factory.mktemp("store")), fitted, "lucky")


@pytest.fixture
def place(used: Settings, tmp_path: Path) -> Settings:
    """A copy of its records, to which nobody holds a connection yet."""
    made = located(tmp_path)
    (made.root / "mlflow").mkdir(parents=True)
    shutil.copy(used.root / "mlflow" / "mlflow.db", made.root / "mlflow")
    return made


def located(folder: Path) -> Settings:
    return settings.load({"LAKEHOUSE_PROJECT": str(folder), "LAKEHOUSE_ROOT": str(folder / "lake")})


def logged(place: Settings, fitted: Any, name: str) -> Settings:
    models.log(place, fitted, TableName("models", name), result=RESULT)
    return place


@contextmanager
def full(place: Settings) -> Iterator[None]:
    with injections.small_disk(place.root / "mlflow", room=1 << 16) as disk:
        injections.fill(disk)
        yield


@contextmanager
def read_only(place: Settings) -> Iterator[None]:
    with injections.small_disk(place.root / "mlflow") as disk:
        injections.read_only(disk)
        yield


@contextmanager
def damaged(place: Settings) -> Iterator[None]:
    path = place.root / "mlflow" / "mlflow.db"
    path.write_bytes(b"no database" * 1000)
    yield


needs_mount = pytest.mark.skipif(bool(_NO_MOUNT), reason=f"a file system cannot be mounted here: {_NO_MOUNT}")


@pytest.mark.parametrize(
    ("bad_day", "message", "hint"),
    [
        pytest.param(full, "no space is left", "Make room", id="full", marks=needs_mount),
        pytest.param(read_only, "cannot be written", "Check the folder", id="read-only", marks=needs_mount),
        pytest.param(damaged, "are damaged", "doctor", id="damaged"),
    ],
)
def test_a_bad_day_is_told_and_registers_nothing(place: Settings, fitted: Any, bad_day: Any, message: str, hint: str) -> None:
    with bad_day(place), pytest.raises(LakeError, match=message) as caught:
        logged(place, fitted, "unlucky")
    assert "mlflow.db" in caught.value.what and hint in caught.value.hint
    if bad_day is not damaged:
        assert "models.unlucky" not in names(place)


def names(place: Settings) -> list[str]:
    """As the records say, by a connection of our own: those of MLflow's are to the disk that is gone."""
    with closing(sqlite3.connect(place.root / "mlflow" / "mlflow.db")) as other:
        return [name for (name,) in other.execute("select name from model_versions")]


def test_a_store_that_is_locked_is_told(place: Settings) -> None:
    """MLflow itself waits for 20 s before it says so."""
    path = place.root / "mlflow" / "mlflow.db"
    with closing(sqlite3.connect(path)) as other, closing(sqlite3.connect(path, timeout=0.1)) as late:
        other.execute("begin exclusive")
        with pytest.raises(LakeError, match="locked by another process") as caught, store.opened(place):
            late.execute("begin immediate")
    assert "Run it again" in caught.value.hint
