"""MLflow's store in the lake: a SQLite file of records, a folder of artifacts."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

import mlflow
from mlflow.exceptions import MlflowException

from lakehouse import record
from lakehouse.errors import LakeError, LakehouseError
from lakehouse.names import TableName
from lakehouse.settings import Settings
from lakehouse.training.keep import artifacts

_WHOLE = "A model is registered whole or not at all."
# Words of SQLite's and of the system's, what they mean, what to do.
_CAUSES = (
    (("disk image is malformed", "file is not a database"), "are damaged", "`lakehouse doctor` says what can be done."),
    (("out-of-date database schema",), "are of another version of MLflow", "Use the packages that this lake was made with."),
    (("disk is full", "No space left on device"), "cannot be written: no space is left", f"{_WHOLE} Make room and run it again."),
    (("database is locked",), "are locked by another process", f"{_WHOLE} Run it again; `lakehouse status` lists what runs."),
    (
        ("readonly database", "disk I/O error", "unable to open database", "Read-only file system", "Permission denied"),
        "cannot be written",
        f"{_WHOLE} Check the folder's permissions and its disk, then run it again.",
    ),
)


def tracking_uri(settings: Settings) -> str:
    """Where MLflow keeps its records: a SQLite file in the lake."""
    return f"sqlite:///{settings.root / 'mlflow' / 'mlflow.db'}"


def exists(settings: Settings) -> bool:
    """Whether anything was ever recorded: opening a store makes one, which takes seconds."""
    return (settings.root / "mlflow" / "mlflow.db").exists()


@contextlib.contextmanager
def opened(settings: Settings) -> Iterator[None]:
    """MLflow on this lake's store, quiet. Raises LakeError where its records are damaged or cannot be written."""
    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    try:
        (settings.root / "mlflow").mkdir(parents=True, exist_ok=True)
        mlflow.set_tracking_uri(tracking_uri(settings))
        mlflow.set_registry_uri(tracking_uri(settings))
        yield
    except Exception as error:
        if not isinstance(error, LakehouseError):
            _explain(error, settings)
        raise


def _explain(error: Exception, settings: Settings) -> None:
    """Raises LakeError where the words tell what is wrong with the store."""
    if cause := trouble(error):
        what, hint = cause
        raise LakeError(f"MLflow's records {settings.root / 'mlflow' / 'mlflow.db'} {what}", hint) from None


def trouble(error: Exception) -> tuple[str, str] | None:
    """What is wrong with the store and what to do, where it is the store that an error is about."""
    said = f"{error} {error.__context__ or ''}"
    return next(((what, hint) for words, what, hint in _CAUSES if any(one in said for one in words)), None)


def experiment(settings: Settings, name: str) -> str:
    """The id of the experiment of that name, made where there is none yet."""
    found = mlflow.get_experiment_by_name(name)
    if found is not None:
        return found.experiment_id
    try:
        return mlflow.create_experiment(name, artifact_location=artifacts(settings.root, name).as_uri())
    except MlflowException:  # another run made it meanwhile
        return mlflow.get_experiment_by_name(name).experiment_id


def settle(settings: Settings) -> None:
    """Marks as failed what MLflow still calls running though its notebook's run has ended: it was killed."""
    with opened(settings):
        client = mlflow.MlflowClient()
        everywhere = [one.experiment_id for one in client.search_experiments()]
        for run in client.search_runs(everywhere, "attributes.status = 'RUNNING'"):
            _settle(settings.root, client, run)


def _settle(root: Path, client: mlflow.MlflowClient, run: mlflow.entities.Run) -> None:
    tags = run.data.tags
    if "lakehouse.asset" in tags:
        ended = record.folder(root, TableName.parse_notebook(tags["lakehouse.asset"]), tags["lakehouse.run"]) / record.RECORD
        if ended.exists():
            client.set_terminated(run.info.run_id, "FAILED")
