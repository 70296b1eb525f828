"""Missing values: their share of a batch's rows, and of those with each value of the column that the contract names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from lakehouse.contracts.profiling import Profiling
from lakehouse.profiles.measured import Measured, call, far, measured, percent, percents
from lakehouse.profiles.profile import Batch


def missing(key: str, name: str, own: Batch, others: Mapping[str, Batch], rules: Profiling) -> Iterator[Measured]:
    """The share of all rows of `own`; then, of the parts by `rules.by`, those that are unusual (there may be many)."""
    threshold = rules.threshold("missing", name)
    if threshold is None:
        return
    batches = [own, *others.values()]
    gone = np.array([[batch.columns[name].missing] for batch in batches], float)
    rows = np.array([[batch.rows] for batch in batches], float)
    rates = gone / rows
    unusual = _unusual(rates, gone, rows, threshold)[0]
    said = f"missing in {percent(rates[0, 0])} of {call(key)}, usual {percents(rates[1:])}"
    yield measured(key, "missing", name, rates[0, 0], rates[1:], threshold, unusual, said)
    if rules.by and rules.by != name and rules.by in own.columns:
        yield from _by(key, name, rules.by, batches, threshold)


def _by(key: str, name: str, by: str, batches: Sequence[Batch], threshold: float) -> Iterator[Measured]:
    """Each part is held against the rest of its batch, since what a storm does it does to all."""
    values = list(batches[0].columns[by].values)
    sizes = np.array([[_rows(batch, by).get(value, 0) for value in values] for batch in batches], float)
    kept = 2 * (sizes > 0).sum(axis=0) > len(batches)
    values, sizes = [value for value, known in zip(values, kept, strict=True) if known], sizes[:, kept]
    if not values:
        return
    part = np.array([[batch.columns[name].missing_by.get(value, 0) for value in values] for batch in batches], float)
    gone = np.array([[batch.columns[name].missing] for batch in batches], float)
    rows = np.array([[batch.rows] for batch in batches], float)
    with np.errstate(divide="ignore", invalid="ignore"):
        rates, rest = part / sizes, np.nan_to_num((gone - part) / (rows - sizes))
    for number in np.flatnonzero(_unusual(rates - rest, part, sizes, threshold)):
        own, before = rates[0, number], rates[1:, number][sizes[1:, number] > 0]
        said = f"missing in {percent(own)} of {call(key)} where {by} is {values[number]}, usual {percents(before)}"
        yield measured(key, "missing", name, own, before, threshold, True, said, values[number])


def _unusual(rates: Any, gone: Any, rows: Any, threshold: float) -> Any:
    """Whether the first of `rates` lies far from the middle of the others; nan where a batch has no rows."""
    middle = np.nanmedian(rates[1:], axis=0) if np.isnan(rates).any() else np.median(rates[1:], axis=0)
    usual = far(np.nan_to_num(np.abs(rates[1:] - middle)))
    return np.abs(rates[0] - middle) > np.maximum(threshold, usual) + _chance(gone, rows)


def _chance(gone: Any, rows: Any) -> Any:
    """Four standard deviations of the share among so many rows, if that of all batches is the true one."""
    rate = (gone.sum(axis=0) + 1) / (rows.sum(axis=0) + 2)
    return 4 * np.sqrt(rate * (1 - rate) / rows[0])


def _rows(batch: Batch, by: str) -> Mapping[str, int]:
    return batch.columns[by].values if by in batch.columns else {}
