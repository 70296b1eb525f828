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
    inside = np.clip(after, 1, len(known) - 1)
    low, high = known[inside - 1], known[inside]
    with np.errstate(divide="ignore", invalid="ignore"):
        way = np.where(high > low, (at - low) / (high - low), 0.0)
    between = _LEVELS[inside - 1] + way * (_LEVELS[inside] - _LEVELS[inside - 1])
    return np.where(after == 0, 0.0, np.where(after == len(known), 1.0, between))


def edges(others: Sequence[ColumnProfile], rows: Sequence[int]) -> list[tuple[float, bool]]:
    """The upper ends of tenths of what the others hold together, and before a value with a tenth of the rows or more an
    end just below it (True), so that it has a bin of its own."""
    weights = [(count / sum(rows), one.quantiles) for count, one in zip(rows, others, strict=True)]
    points = np.unique(np.concatenate([quantiles for _, quantiles in weights]))
    together = sum(weight * cumulative(quantiles, points) for weight, quantiles in weights)
    tenths = np.unique(points[np.minimum(np.searchsorted(together, _TENTHS - 1e-9), len(points) - 1)])
    upto, below = (
        sum(weight * cumulative(quantiles, tenths, below=side) for weight, quantiles in weights) for side in (False, True)
    )
    heavy = tenths[upto - below >= _MASS]
    return sorted([(float(end), False) for end in tenths] + [(float(end), True) for end in heavy], key=_by_place)


def _by_place(edge: tuple[float, bool]) -> tuple[float, bool]:
    return edge[0], not edge[1]


def of_numbers(own: ColumnProfile, others: Sequence[ColumnProfile], rows: Sequence[int]) -> Counts:
    """Counts of `own` (first row) and of each of `others` between `edges`; `rows` are the filled ones, of `own` first."""
    found = edges(others, rows[1:])
    ends, below = np.array([end for end, _ in found]), np.array([side for _, side in found])

    def shares(one: ColumnProfile) -> Numbers:
        upto = np.where(below, cumulative(one.quantiles, ends, below=True), cumulative(one.quantiles, ends))
        return np.diff(upto, prepend=0.0, append=1.0)

    return np.stack([shares(one) * count for one, count in zip((own, *others), rows, strict=True)])


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
