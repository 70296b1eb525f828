"""MLflow's store in the lake: a SQLite file of records, a folder of artifacts."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

import mlflow
from mlflow.exceptions import MlflowException

from lakehouse.errors import LakeError, LakehouseError
from lakehouse.settings import Settings

DAMAGED = ("disk image is malformed", "file is not a database")  # as SQLite says it


def tracking_uri(settings: Settings) -> str:
    """Where MLflow keeps its records: a SQLite file in the lake."""
    return f"sqlite:///{settings.root / 'mlflow' / 'mlflow.db'}"


@contextlib.contextmanager
def opened(settings: Settings) -> Iterator[None]:
    """MLflow on this lake's store, quiet. Raises LakeError where its records are damaged."""
    (settings.root / "mlflow").mkdir(parents=True, exist_ok=True)
    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    mlflow.set_tracking_uri(tracking_uri(settings))
    mlflow.set_registry_uri(tracking_uri(settings))
    try:
        yield
    except Exception as error:
        if not isinstance(error, LakehouseError) and any(words in str(error) for words in DAMAGED):
            store = settings.root / "mlflow" / "mlflow.db"
            raise LakeError(f"MLflow's records {store} are damaged", "`lakehouse doctor` says what can be done.") from None
        raise


def experiment(settings: Settings, name: str) -> str:
    """The id of the experiment of that name, made where there is none yet."""
    found = mlflow.get_experiment_by_name(name)
    if found is not None:
        return found.experiment_id
    try:
        return mlflow.create_experiment(name, artifact_location=(settings.root / "mlflow" / "artifacts" / name).as_uri())
    except MlflowException:  # another run made it meanwhile
        return mlflow.get_experiment_by_name(name).experiment_id
