"""The registry: versions of models, what each was trained on, whether its files are still those that were registered."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import mlflow
from mlflow.exceptions import MlflowException

from lakehouse.errors import LedgerError, UnknownName
from lakehouse.ledger import chain as ledger
from lakehouse.ledger import recording
from lakehouse.models import facts, libraries, projection, store, trust
from lakehouse.names import TableName
from lakehouse.record import ModelVersion, Result
from lakehouse.settings import Settings
from lakehouse.training.keep import artifacts

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion as ModelVersionEntity
    from mlflow.entities.model_registry import RegisteredModel

CHAMPION = "champion"
SYSTEM = "system/"
"""Begins the names of metrics that tell what a run took, as MLflow's own do."""


@dataclass(frozen=True)
class Registered:
    """One registered version: the aliases it has now, and the version of each table it was trained on.

    `run` is MLflow's run that logged it, whose metrics (without those of the system) and tags are here too.
    """

    name: str
    version: int
    aliases: tuple[str, ...]
    inputs: Mapping[str, int]
    run: str = ""
    at: datetime | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    used: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


def registered(settings: Settings) -> list[Registered]:
    """Every registered version of every model."""
    found = []
    with store.opened(settings):
        client = mlflow.MlflowClient()
        for model in client.search_registered_models():
            aliases = _aliases(settings, client, model)
            for version in client.search_model_versions(f"name = '{model.name}'"):
                found.append(_registered(client, version, aliases))
    return sorted(found, key=lambda one: (one.name, one.version))


def aliases(settings: Settings) -> dict[tuple[str, int], tuple[str, ...]]:
    """The aliases that versions have now, {("models.flight_delay", 3): ("champion",)}; a version without one is left out."""
    found: dict[tuple[str, int], list[str]] = {}
    with store.opened(settings):
        client = mlflow.MlflowClient()
        for model in client.search_registered_models():
            for alias, version in sorted(_aliases(settings, client, model).items()):
                found.setdefault((model.name, int(version)), []).append(alias)
    return {version: tuple(names) for version, names in found.items()}


def _aliases(settings: Settings, client: mlflow.MlflowClient, model: RegisteredModel) -> dict[str, str | int]:
    """The version of each alias of a model: of champion, previous and challenger as the ledger has it, of others as MLflow."""
    name = TableName.parse(model.name)
    adopt(settings, client, name)
    ours = ledger.standing(settings.root, name).aliases(projection.newest(client, model.name))
    return {**{alias: version for alias, version in model.aliases.items() if alias not in projection.OURS}, **ours}


def _registered(client: mlflow.MlflowClient, version: ModelVersionEntity, aliases: Mapping[str, str | int]) -> Registered:
    """A version, with those of its model's `aliases` (their versions by name) that name it."""
    own = tuple(sorted(alias for alias, number in aliases.items() if str(number) == str(version.version)))
    run = client.get_run(version.run_id)
    metrics, used = dict(run.data.metrics), {}
    for key in [key for key in metrics if key.startswith(SYSTEM)]:
        used[key.removeprefix(SYSTEM)] = metrics.pop(key)
    at = datetime.fromtimestamp(version.creation_timestamp / 1000, UTC)
    tags = {**run.data.tags, **version.tags}
    return Registered(version.name, int(version.version), own, _trained_on(run), version.run_id, at, metrics, used, tags)


def _trained_on(run: mlflow.entities.Run) -> dict[str, int]:
    datasets = [entry.dataset for entry in run.inputs.dataset_inputs]
    # MLflow leaves out a version that is 0.
    return {dataset.name: int(json.loads(dataset.source).get("delta_table_version", 0)) for dataset in datasets}


def find(settings: Settings, name: TableName, wanted: int | str) -> Registered:
    """A version by its number or an alias such as "champion". Raises UnknownName where there is none."""
    with store.opened(settings):
        client = mlflow.MlflowClient()
        found = record_of(settings, name, wanted)
        return _registered(client, found, _aliases(settings, client, client.get_registered_model(name.dotted)))


def facts_of(settings: Settings, one: Registered) -> dict[str, Any]:
    """What was recorded of the training of a version (see `facts`); empty where it was registered before that was kept."""
    file = artifacts(settings.root, one.name) / one.run / "artifacts" / facts.FILE
    try:
        known = json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return known if "packages" in known else {}


def record_of(settings: Settings, name: TableName, wanted: int | str) -> ModelVersionEntity:
    """MLflow's record of a version, by its number or an alias: "champion", "previous" and "challenger" as the ledger has
    them, others as MLflow does. Raises UnknownName where there is none."""
    client = mlflow.MlflowClient()
    try:
        number = _number(settings, client, name, wanted) if wanted in projection.OURS else wanted
        if isinstance(number, int):
            return client.get_model_version(name.dotted, str(number))
        if number is not None:
            return client.get_model_version_by_alias(name.dotted, number)
    except MlflowException as error:
        if store.trouble(error):
            raise
    told = f"version {wanted}" if isinstance(wanted, int) else wanted
    raise UnknownName(f"Model {name} has no {told}", _hint(settings, name)) from None


def _number(settings: Settings, client: mlflow.MlflowClient, name: TableName, alias: int | str) -> int | None:
    adopt(settings, client, name)
    projection.finish(settings, client, name)
    return ledger.standing(settings.root, name).aliases(projection.newest(client, name.dotted)).get(str(alias))


def _hint(settings: Settings, name: TableName) -> str:
    last = ledger.standing(settings.root, name).last
    train = f"To train it: lakehouse run {name.slashed}"
    return f"The last decision about it: {last.said}. `lakehouse models list` tells of all versions. {train}" if last else train


def adopt(settings: Settings, client: mlflow.MlflowClient, name: TableName) -> None:
    """The champion of a lake from before there was a ledger, when aliases said who it is: entered once."""
    try:
        model = client.get_registered_model(name.dotted)
    except MlflowException:
        return
    version = model.aliases.get(CHAMPION)
    if projection.ANCHOR not in model.tags and version is not None and ledger.champion(settings.root, name) is None:
        note = "the champion before there was a ledger"
        with contextlib.suppress(LedgerError):  # somebody else has entered it meanwhile
            recording.record(settings, name, "unjudged", from_version=None, to_version=int(version), note=note)


def files_of(version: ModelVersionEntity) -> Path:
    """Where the files of a version lie, whether or not they are still there."""
    return Path(url2pathname(urlsplit(version.source).path))


def recheck(settings: Settings) -> Iterator[tuple[ModelVersion, str]]:
    """Every registered version, with what is wrong with its files in words (empty is good). Loads nothing.

    Raises LakeError where MLflow's records cannot be read.
    """
    with store.opened(settings):
        for found in mlflow.MlflowClient().search_model_versions():
            version = ModelVersion(name=found.name, version=int(found.version), run_id=found.tags.get("lakehouse.run", ""))
            files = files_of(found)
            if not files.is_dir():
                yield version, f"has no files any more: {files} is gone"
            elif trust.DIGEST not in found.tags:
                yield version, "was registered without a digest, by something other than a notebook's lake.log_model"
            else:
                same = trust.digest(files) == found.tags[trust.DIGEST]
                yield version, "" if same else f"has other files than were registered ({files})"


def register(settings: Settings, info: Any, name: TableName, run_id: str, result: Result, *, judged: bool) -> int:
    """A new version whose files' digest is known: a challenger, or where nobody judges the model its champion.

    Killed in between, the old champion stays. Raises LedgerError where the ledger does not hold together.
    """
    client = mlflow.MlflowClient()
    adopt(settings, client, name)
    projection.hold(settings, client, name)
    projection.begin(client, name)
    files = Path(mlflow.artifacts.download_artifacts(info.model_uri))
    tags = {trust.DIGEST: trust.digest(files), libraries.TAG: json.dumps(libraries.needed()), "lakehouse.run": result.run_id}
    made = client.create_model_version(
        name.dotted, files.as_uri(), run_id=run_id, tags=tags, model_id=info.model_id, await_creation_for=0
    )
    version = int(made.version)
    if judged:
        projection.follow(settings, name)
    else:
        who, note = f"run {result.run_id} of {result.asset}", "no notebook judges the model"
        recording.record(settings, name, "unjudged", from_version=recording.ANYONE, to_version=version, who=who, note=note)
    return version
