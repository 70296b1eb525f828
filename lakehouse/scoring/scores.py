"""Scores of a frame's rows by a model: computed once, by Python workers of Spark, each of which opens the model once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pandas as pd
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from lakehouse import errors
from lakehouse.errors import LakehouseError, ScoringError
from lakehouse.scoring import signature, worker

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from lakehouse.models import StoredModel

# A worker's exception comes as the last lines of its traceback in Spark's message.
_OURS = re.compile(r"^lakehouse\.errors\.(\w+): (.+)\n(.*)$", re.MULTILINE)
_NO_MODULE = re.compile(r"ModuleNotFoundError: (No module named '[\w.]+')")


@dataclass(frozen=True)
class Scored:
    """`rows`, the scores of a `model` for `features`, of which it took `columns` (with the types that it takes)."""

    model: StoredModel
    features: DataFrame
    columns: dict[str, str]
    rows: DataFrame


def compute(model: StoredModel, features: DataFrame, keep: Sequence[str], *, made_of: str, run_id: str) -> Scored:
    """A row for each of `features`, see `Lake.score`; `made_of` says which versions of which tables they are."""
    columns = signature.inputs(model.files, str(model))
    signature.hold(columns, dict(features.dtypes), str(model))
    if lost := [name for name in keep if name not in features.columns]:
        what = f"{', '.join(lost)} is to be kept beside the scores of {model}, and is no column of these rows"
        raise ScoringError(what, f"There are {', '.join(features.columns)}.")
    taken = F.struct(*(F.col(name).cast(kind).alias(name) for name, kind in columns.items()))
    told = {
        "score": _predict(model)(taken),
        "model_version": F.lit(model.version).cast("bigint"),
        "features_version": F.lit(made_of),
        "run_id": F.lit(run_id),
        "scored_at": F.lit(datetime.now(UTC)),
    }
    with in_words():
        rows = features.select(*keep, *(column.alias(name) for name, column in told.items())).localCheckpoint()
    return Scored(model, features, columns, rows)


def _predict(model: StoredModel) -> Callable[[Column], Column]:
    """A function of Spark's that closes over plain values only: the rest is imported by the workers."""
    files, digest, whose = str(model.files), model.digest, str(model)

    def predict(batches: Iterator[pd.DataFrame]) -> Iterator[pd.Series]:
        yield from worker.scores(files, digest, whose, batches)

    return F.pandas_udf(predict, "double")


@contextmanager
def in_words() -> Iterator[None]:
    """What was raised in a worker, as if it had been raised here."""
    try:
        yield
    except PySparkException as error:
        if absent := _NO_MODULE.search(str(error)):
            hint = "Let the Spark server's PYSPARK_PYTHON be a Python with this project's requirements and the project itself."
            raise ScoringError(f"Spark's workers cannot score: {absent[1]}", hint) from None
        found = _OURS.search(str(error))
        kind = getattr(errors, found[1], None) if found else None
        if found is None or not isinstance(kind, type) or not issubclass(kind, LakehouseError):
            raise
        raise kind(found[2], found[3]) from None
