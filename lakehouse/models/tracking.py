"""What MLflow keeps of a training run: parameters, metrics, plots, the tables' versions, the code, the model itself."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import mlflow
from mlflow.data.delta_dataset_source import DeltaDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature

from lakehouse import tables
from lakehouse.errors import UntrustedModel
from lakehouse.models import facts, libraries, registry, store
from lakehouse.models.trust import TRUSTED_TYPES
from lakehouse.names import TableName
from lakehouse.record import ModelVersion, Result
from lakehouse.settings import Settings
from lakehouse.training.examine import refuse_ill
from lakehouse.training.notes import Notes
from lakehouse.training.search import Search, Try

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_BATCH = 1000  # metrics that MLflow takes at once


def log(
    settings: Settings,
    model: Any,
    name: TableName,
    *,
    result: Result,
    register: bool = True,
    judged: bool = False,
    metrics: Mapping[str, float] | None = None,
    parameters: Mapping[str, Any] | None = None,
    example: pd.DataFrame | None = None,
    figures: Mapping[str, Figure] | None = None,
    history: Mapping[str, Sequence[float]] | None = None,
    search: Search | None = None,
    notes: Notes | None = None,
) -> ModelVersion:
    """Logs a fitted scikit-learn `model` with what is known of its run and registers it as a new version of `name`.

    `metrics` are numbers, `parameters` what was chosen, `example` a few rows of features (its signature is inferred
    from them), `figures` plots by file name, `history` metrics by iteration (each boosting round or epoch), `search`
    what `lake.search` gave: each try becomes a child run. The inputs' Delta versions, code identity and commit come
    from `result`, what is known of the training rows from `notes`.
    The version is a challenger where a notebook judges the model (`judged`), else its champion.
    Without `register` (a sandbox) it is logged under the user's own experiment and no version is made (0).
    Raises TrainingError for a model or metrics that tell of no learning, UntrustedModel when the model holds types
    that could not be loaded again, LakeError where MLflow's records cannot be written. Nothing is registered then.
    """
    numbers = {key: float(value) for key, value in (metrics or {}).items()}
    notes = notes or Notes()
    refuse_ill(model, numbers, name)
    known = facts.facts(settings.project, result, numbers, notes.plain(model, search))
    with store.opened(settings):
        experiment = store.experiment(settings, name.dotted if register else f"sandbox/{tables.current_user()}/{name.dotted}")
        with mlflow.start_run(experiment_id=experiment, run_name=result.run_id, tags=facts.tags(known)) as run:
            _log_facts(settings, run.info.run_id, known, parameters or {}, notes.resources(), history or {})
            for file, figure in (figures or {}).items():
                mlflow.log_figure(figure, file if "." in file else f"{file}.png")
            for number, one in enumerate(search.tries if search else (), start=1):
                _log_try(experiment, run.info.run_id, number, one)
            info = _log_estimator(model, example)
        version = registry.register(settings, info, name, run.info.run_id, result, judged=judged) if register else 0
        return ModelVersion(name=name.dotted, version=version, run_id=run.info.run_id, metrics=numbers)


def _log_facts(
    settings: Settings,
    run_id: str,
    known: Mapping[str, Any],
    parameters: Mapping[str, Any],
    used: Mapping[str, float],
    history: Mapping[str, Sequence[float]],
) -> None:
    now = int(time.time() * 1000)
    metrics = [Metric(key, float(value), now, step) for key, values in history.items() for step, value in enumerate(values, 1)]
    metrics += [Metric(f"{registry.SYSTEM}{key}", value, now, 0) for key, value in used.items()]
    # Last, and of a later step than any iteration: MLflow shows the last of a name.
    last = max((metric.step for metric in metrics), default=-1) + 1 if history else 0
    metrics += [Metric(key, value, now, last if key in history else 0) for key, value in known["metrics"].items()]
    chosen = [Param(key, str(value)) for key, value in {**known["parameters"], **parameters}.items()]
    client = mlflow.MlflowClient()
    client.log_batch(run_id, params=chosen)
    for begin in range(0, len(metrics), _BATCH):
        client.log_batch(run_id, metrics=metrics[begin : begin + _BATCH])
    mlflow.log_dict(dict(known), facts.FILE)
    for table, seen in known["inputs"].items():
        version = seen.get("version")
        if version is not None and not table.startswith("models."):
            parsed = TableName.parse(table)
            source = DeltaDatasetSource(path=str(tables.lake_path(settings.root, parsed)), delta_table_version=version)
            digest = facts.table_digest(settings.root, parsed, version)
            mlflow.log_input(MetaDataset(source, name=table, digest=digest), context="training")


def _log_try(experiment: str, parent: str, number: int, one: Try) -> None:
    """A run of its own below `parent`, with the times at which it was tried."""
    client = mlflow.MlflowClient()
    began = int(one.began * 1000)
    tags = {"mlflow.parentRunId": parent, **({"lakehouse.failed": one.failed[:5000]} if one.failed else {})}
    run = client.create_run(experiment, start_time=began, tags=tags, run_name=f"try {number}")
    numbers = [Metric(key, value, began, 0) for key, value in one.metrics.items()]
    client.log_batch(run.info.run_id, metrics=numbers, params=[Param(key, str(value)) for key, value in one.parameters.items()])
    client.set_terminated(run.info.run_id, "FAILED" if one.failed else "FINISHED", began + int(one.seconds * 1000))


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
            pip_requirements=[f"{library}=={version}" for library, version in libraries.needed().items()],
        )
    except MlflowException as error:
        if "ntrusted" not in str(error):
            raise
        raise UntrustedModel(
            f"The model cannot be stored safely: {error.message}",
            "Use estimators of scikit-learn, or review the type and add it to TRUSTED_TYPES in lakehouse/models/trust.py.",
        ) from None
