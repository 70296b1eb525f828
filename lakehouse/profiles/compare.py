"""Is a batch unusual? Each of its measures beside those of other batches, by one rule for all of them.

A measure is a deviation from the reference: of the share of missing values, of the distribution, of the number of rows …
The same deviation of each reference batch from the others says what is usual here: a column that moves with the seasons
moves among these too. Unusual is what exceeds the threshold, lies three times as far off as the reference's batch that is
the farthest but one, and exceeds what chance alone makes of so few rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from lakehouse.contracts.profiling import Profiling
from lakehouse.profiles.measured import Measured, call, far, measured
from lakehouse.profiles.missing import missing
from lakehouse.profiles.profile import Batch
from lakehouse.profiles.shifts import distribution, unseen

_FEW = 10
_DAY = 86_400
_MONTH = 31.0


def compare(
    key: str, own: Batch, reference: Mapping[str, Batch], rules: Profiling, ends: Mapping[str, float] | None = None
) -> list[Measured]:
    """Every measure of the batch `own`, called `key`, beside those of `reference`; none where these are too few.

    `ends` says for each batch when its time was over (seconds since 1970), where that is known: from there its newest
    row is counted. Columns that the reference does not have are not compared.
    """
    others = {name: batch for name, batch in reference.items() if name != key and batch.rows}
    if len(others) < rules.needed:
        return []
    found = [*_volume(key, own, others, rules)]
    for name in own.columns if own.rows else ():
        there = {batch: other for batch, other in others.items() if name in other.columns}
        if len(there) >= rules.needed:
            found += _column(key, name, own, there, rules)
            found += _freshness(key, name, own, there, rules, ends or {})
    return found


def _column(key: str, name: str, own: Batch, others: Mapping[str, Batch], rules: Profiling) -> Iterator[Measured]:
    yield from missing(key, name, own, others, rules)
    yield from _cardinality(key, name, own, others, rules)
    filled = {batch: other for batch, other in others.items() if other.filled(name)}
    if own.filled(name) and filled:
        yield from distribution(key, name, own, filled, rules)
        yield from unseen(key, name, own, filled, rules)


def _volume(key: str, own: Batch, others: Mapping[str, Batch], rules: Profiling) -> Iterator[Measured]:
    """Rows: how many more or fewer, as a share of the middle of the others."""
    threshold = rules.threshold("volume")
    if threshold is None:
        return
    rows = np.array([other.rows for other in others.values()], float)
    middle = float(np.median(rows))
    unusual = abs(own.rows / middle - 1) > max(threshold, far(np.abs(rows / middle - 1)))
    said = f"{call(key)} has {own.rows:,} rows, usual {rows.min():,.0f} to {rows.max():,.0f}"
    yield measured(key, "volume", None, own.rows, rows, threshold, unusual, said)


def _freshness(
    key: str, name: str, own: Batch, others: Mapping[str, Batch], rules: Profiling, ends: Mapping[str, float]
) -> Iterator[Measured]:
    """Days from the newest value to the end of the batch's time; of columns whose times lie about there."""
    threshold = rules.threshold("freshness")
    newest = {batch: other.columns[name].high for batch, other in {key: own, **others}.items()}
    lags = {batch: (ends[batch] - high) / _DAY for batch, high in newest.items() if high is not None and batch in ends}
    before = np.array([lag for batch, lag in lags.items() if batch != key])
    if own.columns[name].kind != "time" or threshold is None or key not in lags or not before.size:
        return
    middle = float(np.median(before))
    if abs(middle) <= _MONTH:
        late = lags[key] - middle
        said = f"the newest of {call(key)} is {late:.0f} days older than usual"
        unusual = late > max(threshold, far(before - middle))
        yield measured(key, "freshness", name, lags[key], before, threshold, unusual, said)


def _cardinality(key: str, name: str, own: Batch, others: Mapping[str, Batch], rules: Profiling) -> Iterator[Measured]:
    """How many times as many distinct values as usual; counted by row where there are more rows than usual."""
    threshold = rules.threshold("cardinality", name)
    if threshold is None:
        return
    distinct = np.array([batch.columns[name].distinct for batch in (own, *others.values())], float)
    by_row = distinct / np.array([batch.rows for batch in (own, *others.values())])
    times = np.minimum(*(of / max(float(np.median(of[1:])), 1e-12) for of in (distinct, by_row)))
    more = distinct[0] - float(np.median(distinct[1:])) > _FEW
    unusual = more and times[0] > max(threshold, 1 + far(times[1:] - 1))
    usual = f"{distinct[1:].min():,.0f} to {distinct[1:].max():,.0f}"
    said = f"about {distinct[0]:,.0f} distinct values in {call(key)}, usual {usual}"
    yield measured(key, "cardinality", name, distinct[0], distinct[1:], threshold, unusual, said)
