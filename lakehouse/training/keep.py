"""What the runner adds to a model's record in MLflow once its notebook has ended. Without importing MLflow, which takes seconds."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from lakehouse import record
from lakehouse.record import Result
from lakehouse.settings import Settings

ARTIFACTS = "mlflow/artifacts"


def artifacts(root: Path, experiment: str) -> Path:
    """The folder of an experiment's files: <run>/artifacts/ of each."""
    return root / ARTIFACTS / experiment


def attach(root: Path, result: Result, notebook: Path | None) -> None:
    """Puts the executed notebook beside the files of each model it registered: there it stays as long as the model."""
    for model in result.models if notebook else ():
        folder = artifacts(root, model.name) / model.run_id / "artifacts"
        with contextlib.suppress(OSError):  # the run's own folder has it
            shutil.copy(notebook, folder / record.NOTEBOOK)


def settle(folder: Path, settings: Settings) -> None:
    """Where the kernel was killed while it logged a model, MLflow would call that running for ever."""
    if (folder / record.LOGGING).exists():
        from lakehouse import models

        models.settle(settings)
        (folder / record.LOGGING).unlink(missing_ok=True)
