"""From profiles to counts per bin: the same bins for a batch and for those it is compared with, made from the latter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lakehouse.profiles.distances import Counts
from lakehouse.profiles.profile import LEVELS, ColumnProfile

Numbers = NDArray[np.float64]

_LEVELS = np.array(LEVELS)
_TENTHS = np.arange(1, 10) / 10
_MASS = 0.1
_SHARE = 0.01


def cumulative(quantiles: Sequence[float], at: Numbers, *, below: bool = False) -> Numbers:
    """The share of a column's values that are at most (`below`: less than) each of `at`, between its quantiles by a line.

    `quantiles` stand at LEVELS. A value that several of them share keeps its weight: the share jumps there.
    """
    known = np.asarray(quantiles)
    after = np.searchsorted(known, at, side="left" if below else "right")
    inside = np.minimum(np.maximum(after, 1), len(known) - 1)
    low, step = known[inside - 1], known[inside] - known[inside - 1]
    way = np.divide(at - low, step, out=np.zeros(len(at)), where=step > 0)
    between = _LEVELS[inside - 1] + way * (_LEVELS[inside] - _LEVELS[inside - 1])
    return np.where(after == 0, 0.0, np.where(after == len(known), 1.0, between))


def of_numbers(own: ColumnProfile, others: Sequence[ColumnProfile], rows: Sequence[int]) -> tuple[Counts, list[tuple[float, bool]]]:
    """Counts of `own` (first row) and of each of `others` in tenths of what the others hold together, and the tenths'
    upper ends; `rows` are the filled ones, of `own` first.

    A value with a tenth of the others' rows or more has a bin of its own: before it stands an end just below it (True).
    """
    weights = np.array(rows[1:]) / sum(rows[1:])
    points = np.unique(np.concatenate([one.quantiles for one in others]))
    together = weights @ np.stack([cumulative(one.quantiles, points) for one in others])
    ends = np.unique(points[np.minimum(np.searchsorted(together, _TENTHS - 1e-9), len(points) - 1)])
    upto = np.stack([cumulative(one.quantiles, ends) for one in (own, *others)])
    below = np.stack([cumulative(one.quantiles, ends, below=True) for one in (own, *others)])
    heavy = weights @ (upto - below)[1:] >= _MASS
    cuts = [(place, side) for place in range(len(ends)) for side in ((True, False) if heavy[place] else (False,))]
    shares = np.column_stack([(below if side else upto)[:, place] for place, side in cuts])
    counts = np.diff(shares, prepend=0.0, append=1.0) * np.array(rows)[:, None]
    return counts, [(float(ends[place]), side) for place, side in cuts]


def fine(own: ColumnProfile, others: Sequence[ColumnProfile], rows: Sequence[int]) -> tuple[Counts, Numbers]:
    """The same in bins between all quantiles of all of them, and the bins' widths."""
    points = np.unique(np.concatenate([one.quantiles for one in (own, *others)]))
    shares = [np.diff(cumulative(one.quantiles, points), prepend=0.0) for one in (own, *others)]
    return np.stack([share * count for share, count in zip(shares, rows, strict=True)]), np.diff(points)


def of_text(own: ColumnProfile, others: Sequence[ColumnProfile], rows: Sequence[int]) -> Counts:
    """The same for text: a bin for each value that a hundredth of the others' rows have, and one for all the rest."""
    together: Counter[str] = Counter()
    for one in others:
        together.update(one.values)
    frequent = [value for value, count in together.items() if count >= _SHARE * sum(rows[1:])]
    counts = np.array([[one.values.get(value, 0) for value in frequent] for one in (own, *others)], float)
    counts = counts.reshape(len(rows), len(frequent))
    return np.column_stack([counts, np.maximum(np.array(rows) - counts.sum(axis=1), 0)])


def histogram(column: ColumnProfile, filled: int, bars: int = 20) -> list[int]:
    """Rows in each of `bars` equal steps from the column's 1st to its 99th percentile; the outer bars hold what lies
    beyond. Empty for what has no quantiles."""
    if not column.quantiles or column.quantiles[99] <= column.quantiles[1]:
        return [filled] if column.quantiles else []
    edges = np.linspace(column.quantiles[1], column.quantiles[99], bars + 1)[1:-1]
    shares = np.diff(cumulative(column.quantiles, edges), prepend=0.0, append=1.0)
    return [round(float(share) * filled) for share in shares]
