"""Whether training, batch scoring and a notebook see the same: features and scores of a sample, compared three ways.

For entities chosen by a hash of their key: the features as their table holds them (what models are trained on) beside
those that the batch was scored with, and the score that is about to be published beside the one that a notebook gets,
by `predict_proba` in this process, of the table's rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lakehouse import checks
from lakehouse.checks import MASK, PARITY
from lakehouse.contract import Contract, Parity
from lakehouse.errors import LakehouseError, ScoringError
from lakehouse.names import TableName
from lakehouse.record import CheckRecord
from lakehouse.scoring import worker

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame

    from lakehouse.lake import Lake
    from lakehouse.scoring.scores import Scored

_SEED = 2013
_DIGITS = 9  # a linear model's last bits depend on how rows were batched
_EXAMPLES = 5


def audit(lake: Lake, rows: DataFrame, contract: Contract, wanted: Parity) -> list[CheckRecord]:
    """The outcome of the check of parity on `rows` that are about to be published, those of the run's own model."""
    (check,) = (check for check in checks.of(contract) if check.type == PARITY)
    features = lake._project.contracts.get(wanted.features)
    try:
        if lake.scored is None:
            raise ScoringError("the run did not make its scores by lake.score")
        if features is None or not features.key:
            raise ScoringError(f"{wanted.features} has no contract with a key")
        looked_at, found = _compare(lake, lake.scored, rows, features, wanted.sample)
    except LakehouseError as error:
        return [checks.outcome(contract, check, passed=False, observed=f"could not be computed: {error.what}")]
    differ = len({one["entity"] for one in found})
    said = "; ".join(f"{one['entity']}: {one['column']} {one['scored']}, by the table {one['table']}" for one in found[:3])
    observed = f"{differ} of {looked_at:,} entities differ: {said}" if found else f"{looked_at:,} entities, none differs"
    return [checks.outcome(contract, check, passed=not found, observed=observed, unexpected=differ, rows=found[:_EXAMPLES])]


def _compare(lake: Lake, scored: Scored, rows: DataFrame, features: Contract, sample: int) -> tuple[int, list[dict[str, Any]]]:
    """How many entities were looked at, and each value that differs: {"entity", "column", "scored", "table"}."""
    key = list(features.key)
    if lost := [name for name in scored.columns if name not in features.columns]:
        raise ScoringError(f"{features.table} has no column {', '.join(lost)}, which {scored.model} takes")
    place = f"xxhash64({', '.join(f'cast(`{name}` as string)' for name in key)}, {_SEED})"
    own = rows.where(f"model_version = {scored.model.version}").selectExpr(*key, "score", f"{place} as _place")
    published = own.orderBy("_place", *key).limit(sample).toPandas()
    if published.empty:
        return 0, []
    columns = [f"cast(`{name}` as {kind}) as `{name}`" for name, kind in scored.columns.items()]
    near = f"{place} <= {published.pop('_place').max()}"
    table = lake.spark.sql(f"select * from {lake._relation(features.table, 'own', None)}")
    there, given = (frame.where(near).selectExpr(*key, *columns).toPandas() for frame in (table, scored.features))
    loaded = lake._pinned_model(TableName.parse(scored.model.name)).opened()
    there["score"] = worker.score(loaded.estimator, there[list(scored.columns)], str(scored.model))
    given = given.merge(published, on=key)
    both = published[key].merge(given, "left", key).merge(there, "left", key, suffixes=("", " there"), indicator=True)
    digits = {name: features.columns[name].round for name in scored.columns} | {"score": _DIGITS}
    return len(published), [one for name in digits for one in _differences(both, key, name, digits[name], features)]


def _differences(both: pd.DataFrame, key: list[str], name: str, digits: int | None, features: Contract) -> Iterator[dict[str, Any]]:
    ours, theirs = both[name], both[f"{name} there"]
    same = (ours == theirs) | (ours.isna() & theirs.isna())
    if digits is not None:
        same |= (ours - theirs).abs() <= 10.0**-digits * theirs.abs().clip(lower=1)
    wrong = both[~same]
    personal = name in features.columns and features.columns[name].personal
    for _, row in wrong.iterrows():
        values = (MASK, MASK) if personal else (_plain(row[name]), _plain(row[f"{name} there"]))
        masked = (MASK if features.columns[part].personal else str(row[part]) for part in key)
        yield {"entity": ", ".join(masked), "column": name, "scored": values[0], "table": values[1]}


def _plain(value: Any) -> Any:
    """A value as a record can hold it."""
    return value if isinstance(value, str) else None if value != value else round(float(value), 12)
