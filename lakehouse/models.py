"""Models: logged to MLflow with what they were made of, registered as versions, loaded only when untampered.

The only module that imports MLflow. Models are stored by skops, not pickle: loading one runs no code of its
file, only types from the reviewed list below; and its files' digest is checked before they are opened.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import logging
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import mlflow
from mlflow.data.delta_dataset_source import DeltaDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature

from lakehouse import tables
from lakehouse.errors import LakeError, LakehouseError, UnknownName, UntrustedModel
from lakehouse.names import TableName
from lakehouse.record import ModelVersion, Result
from lakehouse.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure

CHAMPION = "champion"
_DIGEST = "lakehouse.digest"
_DAMAGED = ("disk image is malformed", "file is not a database")  # as SQLite says it
_LIBRARIES = ("scikit-learn", "skops", "numpy", "scipy", "pandas")

# Types beyond skops's own list that a stored model may hold. Each is data (arrays, numbers, structure) and, when
# restored, calls nothing that the file could choose. A partial can only call a function that is itself trusted, and
# of those there is one: it checks an array (boosted trees with categories hold it).
TRUSTED_TYPES = [
    "numpy.dtype",
    "collections.defaultdict",
    "functools.partial",
    "sklearn._loss._loss.CyHalfBinomialLoss",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.compose._column_transformer._RemainderColsList",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
    "sklearn.utils.validation.check_array",
]


@dataclass(frozen=True)
class LoadedModel:
    """One version of a model, ready to predict. `estimator` is the fitted scikit-learn estimator."""

    name: str
    version: int
    run_id: str
    estimator: Any

    def predict_proba(self, features: pd.DataFrame) -> np.ndarray:
        """Class probabilities, shape (rows, classes)."""
        return self.estimator.predict_proba(features)

    def predict(self, features: pd.DataFrame) -> np.ndarray:
        """Predicted classes or values, shape (rows,)."""
        return self.estimator.predict(features)


@dataclass(frozen=True)
class Registered:
    """One registered version: the aliases it has now, and the version of each table it was trained on."""

    name: str
    version: int
    aliases: tuple[str, ...]
    inputs: Mapping[str, int]


def tracking_uri(settings: Settings) -> str:
    """Where MLflow keeps its records: a SQLite file in the lake."""
    return f"sqlite:///{settings.root / 'mlflow' / 'mlflow.db'}"


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
    with _store(settings):
        experiment = name.dotted if register else f"sandbox/{tables.current_user()}/{name.dotted}"
        mlflow.set_experiment(experiment_id=_experiment(settings, experiment))
        with mlflow.start_run(run_name=result.run_id) as run:
            _log_facts(settings, result, {**result.parameters, **(parameters or {})}, metrics or {})
            for file, figure in (figures or {}).items():
                mlflow.log_figure(figure, file if "." in file else f"{file}.png")
            info = _log_estimator(model, example)
        numbers = {key: float(value) for key, value in (metrics or {}).items()}
        if not register:
            return ModelVersion(name=name.dotted, version=0, run_id=run.info.run_id, metrics=numbers)
        version = _register(info, name, run.info.run_id, result)
        return ModelVersion(name=name.dotted, version=version, run_id=run.info.run_id, metrics=numbers)


def load(settings: Settings, name: TableName, version: int | None = None) -> LoadedModel:
    """A version of `name`, the champion unless told otherwise.

    Raises UnknownName where there is none, UntrustedModel where its files are not those that were registered.
    """
    with _store(settings):
        client = mlflow.MlflowClient()
        try:
            if version is None:
                found = client.get_model_version_by_alias(name.dotted, CHAMPION)
            else:
                found = client.get_model_version(name.dotted, str(version))
        except MlflowException as error:
            if any(words in str(error) for words in _DAMAGED):
                raise
            wanted = f"version {version}" if version else CHAMPION
            raise UnknownName(
                f"Model {name} has no {wanted}", f"To train it: lakehouse run {name.slashed}"
            ) from None
        files = Path(mlflow.artifacts.download_artifacts(found.source))
        if _digest(files) != found.tags.get(_DIGEST):
            raise UntrustedModel(
                f"The files of {name} version {found.version} are not those that were registered ({files})",
                "They were altered or damaged; train again, or restore them. Nothing was loaded.",
            )
        return LoadedModel(name.dotted, int(found.version), found.run_id, _restore(files))


def registered(settings: Settings) -> list[Registered]:
    """Every registered version of every model."""
    found = []
    with _store(settings):
        client = mlflow.MlflowClient()
        for model in client.search_registered_models():
            for version in client.search_model_versions(f"name = '{model.name}'"):
                aliases = tuple(sorted(alias for alias, number in model.aliases.items() if str(number) == str(version.version)))
                found.append(Registered(model.name, int(version.version), aliases, _trained_on(client, version.run_id)))
    return sorted(found, key=lambda one: (one.name, one.version))


def _trained_on(client: mlflow.MlflowClient, run_id: str) -> dict[str, int]:
    datasets = [entry.dataset for entry in client.get_run(run_id).inputs.dataset_inputs]
    # MLflow leaves out a version that is 0.
    return {dataset.name: int(json.loads(dataset.source).get("delta_table_version", 0)) for dataset in datasets}


def recheck(settings: Settings) -> Iterator[tuple[ModelVersion, str]]:
    """Every registered version, with what is wrong with its files in words (empty is good). Loads nothing.

    Raises LakeError where MLflow's records cannot be read.
    """
    with _store(settings):
        for found in mlflow.MlflowClient().search_model_versions():
            version = ModelVersion(name=found.name, version=int(found.version), run_id=found.tags.get("lakehouse.run", ""))
            files = Path(url2pathname(urlsplit(found.source).path))
            if not files.is_dir():
                yield version, f"has no files any more: {files} is gone"
            elif _DIGEST not in found.tags:
                yield version, "was registered without a digest, by something other than a notebook's lake.log_model"
            else:
                yield version, "" if _digest(files) == found.tags[_DIGEST] else f"has other files than were registered ({files})"


@contextlib.contextmanager
def _store(settings: Settings) -> Iterator[None]:
    """MLflow on this lake's store, quiet. Raises LakeError where its records are damaged."""
    (settings.root / "mlflow").mkdir(parents=True, exist_ok=True)
    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    mlflow.set_tracking_uri(tracking_uri(settings))
    mlflow.set_registry_uri(tracking_uri(settings))
    try:
        yield
    except Exception as error:
        if not isinstance(error, LakehouseError) and any(words in str(error) for words in _DAMAGED):
            store = settings.root / "mlflow" / "mlflow.db"
            raise LakeError(f"MLflow's records {store} are damaged", "`lakehouse doctor` says what can be done.") from None
        raise


def _experiment(settings: Settings, name: str) -> str:
    found = mlflow.get_experiment_by_name(name)
    if found is not None:
        return found.experiment_id
    try:
        return mlflow.create_experiment(name, artifact_location=(settings.root / "mlflow" / "artifacts" / name).as_uri())
    except MlflowException:  # another run made it meanwhile
        return mlflow.get_experiment_by_name(name).experiment_id


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
            "Use estimators of scikit-learn, or review the type and add it to TRUSTED_TYPES in lakehouse/models.py.",
        ) from None


def _register(info: Any, name: TableName, run_id: str, result: Result) -> int:
    """A new version whose files' digest is known, then the alias. Killed in between, the old champion stays."""
    client = mlflow.MlflowClient()
    with contextlib.suppress(MlflowException):
        client.create_registered_model(name.dotted)
    files = Path(mlflow.artifacts.download_artifacts(info.model_uri))
    tags = {_DIGEST: _digest(files), "lakehouse.run": result.run_id}
    version = client.create_model_version(
        name.dotted, files.as_uri(), run_id=run_id, tags=tags, model_id=info.model_id, await_creation_for=0
    )
    client.set_registered_model_alias(name.dotted, CHAMPION, version.version)
    return int(version.version)


def _digest(folder: Path) -> str:
    """SHA-256 over the names and bytes of a model's files."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
        total.update(path.read_bytes())
    return total.hexdigest()


def _restore(files: Path) -> Any:
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        return skops.io.load(files / "model.skops", trusted=TRUSTED_TYPES)
    except UntrustedTypesFoundException as error:
        raise UntrustedModel(f"{files} holds types that are not trusted: {error}", "Nothing was loaded.") from None


def _git(project: Path) -> dict[str, str]:
    """The commit the project stands at and whether anything differs from it; nothing outside a git checkout."""

    def ask(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(project), *words], capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    commit = ask("rev-parse", "HEAD")
    if not commit:
        return {}
    return {"mlflow.source.git.commit": commit, "lakehouse.git.clean": str(ask("status", "--porcelain") == "").lower()}
