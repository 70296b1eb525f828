"""The columns that a model takes, as the signature beside its files names them, and what a frame has instead."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from lakehouse.errors import ScoringError, UntrustedModel
from lakehouse.models import trust
from lakehouse.names import did_you_mean

# MLflow's types, as Spark calls them.
_SPARK = {"boolean": "boolean", "integer": "int", "long": "bigint", "float": "float", "double": "double", "string": "string"}
# What each type can be made of without loss that matters to a model.
_NUMBERS = ("tinyint", "smallint", "int", "bigint", "float", "double")


def inputs(files: Path, whose: str) -> dict[str, str]:
    """The columns of the model in the folder `files`, in its order, with Spark's types. Raises ScoringError, and
    UntrustedModel where its files are gone."""
    import yaml

    try:
        told = (yaml.safe_load((files / "MLmodel").read_text()) or {}).get("signature") or {}
    except OSError:
        raise UntrustedModel(f"The files of {whose} are gone: {files}", trust.RESTORE) from None
    columns = json.loads(told.get("inputs") or "[]")
    found = {one["name"]: _SPARK.get(one["type"], "") for one in columns if "name" in one}
    if not found or len(found) < len(columns) or not all(found.values()):
        hint = "Log it with a few rows of its features: lake.log_model(…, example=features.head(5))."
        raise ScoringError(f"{whose} does not say which columns it takes", hint)
    return found


def hold(wanted: Mapping[str, str], there: Mapping[str, str], whose: str) -> None:
    """Raises ScoringError where the columns of a frame, `there` (types by name), cannot be what a model takes."""
    wrong = [f"{name} is missing{did_you_mean(name, there)}" for name in wanted if name not in there]
    found = [(name, there[name], kind) for name, kind in wanted.items() if name in there]
    wrong += [f"{name} is {has}, it takes {kind}" for name, has, kind in found if not _fits(has, kind)]
    if wrong:
        more = f"; and {len(wrong) - 6} more" if len(wrong) > 6 else ""
        hint = "Give it the features that it was trained on, or train again."
        raise ScoringError(f"{whose} cannot score these rows: {'; '.join(wrong[:6])}{more}", hint)


def _fits(there: str, wanted: str) -> bool:
    if wanted in ("float", "double"):
        return there in _NUMBERS or there.startswith("decimal(")
    return there == wanted or (there in _NUMBERS and wanted in _NUMBERS and _NUMBERS.index(there) < _NUMBERS.index(wanted))
