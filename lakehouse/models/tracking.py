"""What MLflow keeps of a training run: parameters, metrics, plots, the tables' versions, the code, the model itself."""

from __future__ import annotations

import hashlib
import importlib.metadata
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
from mlflow.data.delta_dataset_source import DeltaDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature

from lakehouse import tables
from lakehouse.errors import UntrustedModel
from lakehouse.models import registry, store
from lakehouse.models.trust import TRUSTED_TYPES
from lakehouse.names import TableName
from lakehouse.record import ModelVersion, Result
from lakehouse.settings import Settings

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_LIBRARIES = ("scikit-learn", "skops", "numpy", "scipy", "pandas")


def log(
    settings: Settings,
    model: Any,
    name: TableName,
    *,
    result: Result,
    register: bool = True,
    metrics: Mapping[str, float] | None = None,
    parameters: Mapping[str, Any] | None = None,
    example: pd.DataFrame | None = None,
    figures: Mapping[str, Figure] | None = None,
) -> ModelVersion:
    """Logs a fitted scikit-learn `model` with what is known of its run and registers it as a new version of `name`.

    `metrics` are numbers, `parameters` what was chosen, `example` a few rows of features (its signature is inferred
    from them), `figures` plots by file name. The inputs' Delta versions, code identity and commit come from `result`.
    Without `register` (a sandbox) it is logged under the user's own experiment and no version is made (0).
    Raises UntrustedModel when the model holds types that could not be loaded again.
    """
    with store.opened(settings):
        experiment = name.dotted if register else f"sandbox/{tables.current_user()}/{name.dotted}"
        mlflow.set_experiment(experiment_id=store.experiment(settings, experiment))
        with mlflow.start_run(run_name=result.run_id) as run:
            _log_facts(settings, result, {**result.parameters, **(parameters or {})}, metrics or {})
            for file, figure in (figures or {}).items():
                mlflow.log_figure(figure, file if "." in file else f"{file}.png")
            info = _log_estimator(model, example)
        numbers = {key: float(value) for key, value in (metrics or {}).items()}
        if not register:
            return ModelVersion(name=name.dotted, version=0, run_id=run.info.run_id, metrics=numbers)
        version = registry.register(info, name, run.info.run_id, result)
        return ModelVersion(name=name.dotted, version=version, run_id=run.info.run_id, metrics=numbers)


def _log_facts(settings: Settings, result: Result, parameters: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
    mlflow.log_params({key: str(value) for key, value in parameters.items()})
    mlflow.log_metrics({key: float(value) for key, value in metrics.items()})
    mlflow.set_tags({"lakehouse.run": result.run_id, "lakehouse.asset": result.asset, **_git(settings.project)})
    mlflow.log_dict({"inputs": result.inputs, "code": result.code}, "lakehouse.json")
    for table, facts in result.inputs.items():
        version = facts.get("version")
        if version is not None and not table.startswith("models."):
            path = tables.lake_path(settings.root, TableName.parse(table))
            source = DeltaDatasetSource(path=str(path), delta_table_version=version)
            digest = hashlib.sha256(f"{path}@{version}".encode()).hexdigest()[:8]
            mlflow.log_input(MetaDataset(source, name=table, digest=digest), context="training")


def _log_estimator(model: Any, example: pd.DataFrame | None) -> Any:
    predict = getattr(model, "predict_proba", None) or model.predict
    signature = infer_signature(example, predict(example)) if example is not None else None
    try:
        return mlflow.sklearn.log_model(
            model,
            name="model",
            serialization_format="skops",
            skops_trusted_types=TRUSTED_TYPES,
            signature=signature,
            input_example=example,
            pip_requirements=[f"{library}=={importlib.metadata.version(library)}" for library in _LIBRARIES],
        )
    except MlflowException as error:
        if "ntrusted" not in str(error):
            raise
        raise UntrustedModel(
            f"The model cannot be stored safely: {error.message}",
            "Use estimators of scikit-learn, or review the type and add it to TRUSTED_TYPES in lakehouse/models/trust.py.",
        ) from None


def _git(project: Path) -> dict[str, str]:
    """The commit the project stands at and whether anything differs from it; nothing outside a git checkout."""

    def ask(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(project), *words], capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    commit = ask("rev-parse", "HEAD")
    if not commit:
        return {}
    return {"mlflow.source.git.commit": commit, "lakehouse.git.clean": str(ask("status", "--porcelain") == "").lower()}
