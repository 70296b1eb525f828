"""MLflow's aliases as they follow from the ledger, and the ledger's newest hash of each model, kept here as its anchor.

The aliases champion, previous and challenger are written, never read. The anchor is written last: where it lags behind the
ledger, whoever decided was killed meanwhile, and the next opening finishes what it began.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import mlflow
from mlflow.exceptions import MlflowException

from lakehouse.errors import LakeError, LedgerError
from lakehouse.ledger import chain as ledger
from lakehouse.ledger.chain import Standing
from lakehouse.ledger.entry import NOTHING_BEFORE, Head
from lakehouse.models import store
from lakehouse.names import TableName
from lakehouse.settings import Settings

if TYPE_CHECKING:
    from mlflow.entities.model_registry import RegisteredModel

OURS = ("champion", "previous", "challenger")
ANCHOR = "lakehouse.ledger"
"""The tag of a registered model that holds the number and the hash of the last entry about it."""
_EMPTY = f"0:{NOTHING_BEFORE}"
_FOLLOWS = "They follow at the next opening, or by `lakehouse models verify --repair`."


def anchored(settings: Settings, model: TableName) -> tuple[int, str] | None:
    """The number and hash of the last entry about `model` that MLflow knows; None where it knows of none, or cannot be asked."""
    if not store.exists(settings):
        return None
    with contextlib.suppress(LakeError), store.opened(settings):
        found = _registered(mlflow.MlflowClient(), model)
        return _anchor(found) if found else None
    return None


def begin(client: mlflow.MlflowClient, model: TableName) -> None:
    """Makes `model` known to the registry, with an anchor: from now on only the ledger says who its champion is."""
    with contextlib.suppress(MlflowException):  # it is there
        client.create_registered_model(model.dotted, tags={ANCHOR: _EMPTY})


def follow(settings: Settings, model: TableName, *, past_anchor: bool = False) -> None:
    """Makes aliases and anchor those that follow from the ledger.

    Raises LedgerError where the ledger lacks what MLflow knows of it (unless `past_anchor`), so that nothing that was cut off
    is forgotten; LakeError where MLflow's records cannot be written.
    """
    if not store.exists(settings):
        return
    try:
        with store.opened(settings):
            client, done = mlflow.MlflowClient(), None
            # Again where another decision came between: who followed that may have been overtaken by this. The anchor is
            # looked at before the ledger, or it might be of a decision that came after that.
            while (found := _registered(client, model)) and (now := _held(settings, model, found, past_anchor)) != done:
                _follow(client, found, now)
                done = now
    except MlflowException as error:
        raise LakeError(f"MLflow's aliases of {model} could not be written: {error.message}", _FOLLOWS) from None


def finish(settings: Settings, client: mlflow.MlflowClient, model: TableName) -> None:
    """The same where somebody was killed before it was done. Does nothing where MLflow cannot be written: it is only shown.

    Raises LedgerError where the ledger lacks what MLflow knows of it.
    """
    if found := _registered(client, model):
        now = _held(settings, model, found)
        if (_anchor(found) or (0, ""))[0] < now.number:
            with contextlib.suppress(MlflowException):
                _follow(client, found, now)


def hold(settings: Settings, client: mlflow.MlflowClient, model: TableName) -> None:
    """Raises LedgerError where the ledger lacks what MLflow knows of it."""
    if found := _registered(client, model):
        _held(settings, model, found)


def newest(client: mlflow.MlflowClient, model: str) -> int | None:
    """The newest registered version of a model."""
    found = client.search_model_versions(f"name = '{model}'", max_results=1, order_by=["version_number DESC"])
    return int(found[0].version) if found else None


def astray(settings: Settings, known: Sequence[Head]) -> Iterator[tuple[TableName, str, bool]]:
    """What of MLflow's does not follow from what is `known` of the ledger: the model, in words what, and whether it is
    MLflow that is to follow (else the ledger lacks something). Changes nothing.

    Raises LakeError where MLflow's records cannot be read.
    """
    with store.opened(settings):
        client = mlflow.MlflowClient()
        for found in client.search_registered_models():
            model, anchor = TableName.parse(found.name), _anchor(found)
            now = ledger.of(known, model)
            try:
                ledger.hold(known, model, anchor)
            except LedgerError as error:
                yield model, error.what, False
                continue
            if (anchor or (0, ""))[0] < now.number:
                yield model, f"MLflow has not followed entry {now.number} of the ledger yet", True
            elif anchor is not None:  # else it was registered before there was a ledger, or by something else
                yield from ((model, words, True) for words in _moved(found.aliases, now.aliases(newest(client, found.name))))


def _held(settings: Settings, model: TableName, found: RegisteredModel, past_anchor: bool = False) -> Standing:
    """Where `model` stands by the ledger, which must hold the entry that its registration names."""
    known = ledger.heads(settings.root)
    if not past_anchor:
        ledger.hold(known, model, _anchor(found))
    return ledger.of(known, model)


def _moved(there: Mapping[str, str], wanted: Mapping[str, int]) -> Iterator[str]:
    for alias in OURS:
        is_, ought = there.get(alias), wanted.get(alias)
        if (int(is_) if is_ else None) != ought:
            stands = f"stands at version {is_}" if is_ else "is gone"
            says = f"version {ought}" if ought else "that there is none"
            yield f"the alias {alias} {stands} in MLflow, the ledger says {says}"


def _follow(client: mlflow.MlflowClient, found: RegisteredModel, now: Standing) -> None:
    """The champion first, the anchor last."""
    wanted = now.aliases(newest(client, found.name))
    for alias in OURS:
        version = wanted.get(alias)
        if version is None and alias in found.aliases:
            client.delete_registered_model_alias(found.name, alias)
        elif version is not None and str(found.aliases.get(alias)) != str(version):
            client.set_registered_model_alias(found.name, alias, str(version))
    last = f"{now.last.seq}:{now.last.hash}" if now.last else _EMPTY
    if found.tags.get(ANCHOR) != last:
        client.set_registered_model_tag(found.name, ANCHOR, last)


def _registered(client: mlflow.MlflowClient, model: TableName) -> RegisteredModel | None:
    try:
        return client.get_registered_model(model.dotted)
    except MlflowException as error:
        if store.trouble(error):
            raise
        return None


def _anchor(found: RegisteredModel) -> tuple[int, str] | None:
    seq, _, digest = found.tags.get(ANCHOR, "").partition(":")
    return (int(seq), digest) if seq.isdigit() else None
