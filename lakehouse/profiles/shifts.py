"""Which values: how far a column's distribution lies from the reference's, and how many rows have values it has not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from lakehouse.contracts.profiling import Profiling
from lakehouse.profiles import bins, distances
from lakehouse.profiles.measured import Measured, call, far, measured, percent
from lakehouse.profiles.profile import Batch, ColumnProfile

_NAMES = {
    "psi": "PSI", "jensen_shannon": "Jensen-Shannon distance", "total_variation": "total variation",
    "kolmogorov_smirnov": "Kolmogorov-Smirnov distance", "wasserstein": "standard deviations (Wasserstein)",
}  # fmt: skip
_ROWS = 5
# Numbers have no end: the hottest days of a year are hotter than all before.
_UNKNOWN = 0.05


def distribution(key: str, name: str, own: Batch, others: Mapping[str, Batch], rules: Profiling) -> Iterator[Measured]:
    """The distance of the values of `own` from those of all `others` together; text has no order and is compared by
    the total variation where the measure needs one."""
    threshold = rules.threshold("distribution", name)
    columns = [batch.columns[name] for batch in (own, *others.values())]
    if threshold is None or len({column.kind for column in columns}) > 1 or columns[0].kind not in ("number", "text"):
        return
    measure: str = rules.measure
    if columns[0].kind == "text" and measure in distances.ORDERED:
        measure = "total_variation"
    apart, usual, chance = distance(measure, columns, [batch.filled(name) for batch in (own, *others.values())])
    # The PSI grows with the square of a shift, the others as the shift does.
    limit = far(np.sqrt(usual)) ** 2 if measure == "psi" else far(usual)
    said = f"distributed otherwise in {call(key)}, {_NAMES[measure]} {apart:.2f}, usual up to {usual.max():.2f}{_moved(columns)}"
    unusual = apart > max(threshold, limit) + chance
    yield measured(key, "distribution", name, apart, usual, threshold, unusual, said, measure)


def distance(measure: str, columns: Sequence[ColumnProfile], rows: Sequence[int]) -> tuple[float, Any, float]:
    """How far the first column lies from all others together; how far each of these from the rest of them (0 of a
    single one); and how much of the first may be chance. `rows` are the filled ones."""
    widths, scale = (), 1.0
    if columns[0].kind == "text":
        counts = bins.of_text(columns[0], columns[1:], rows)
    elif measure in distances.ORDERED:
        counts, steps = bins.fine(columns[0], columns[1:], rows)
        if measure == "wasserstein":
            widths, scale = (steps,), _deviation(columns[1:], rows[1:])
    else:
        counts, _ = bins.of_numbers(columns[0], columns[1:], rows)
    together = counts[1:].sum(axis=0)
    rest = together - counts[1:] if len(columns) > 2 else counts[1:]
    apart = getattr(distances, measure)(counts, np.vstack([together, rest]), *widths) / scale
    return float(apart[0]), apart[1:], float(distances.noise(measure, counts.shape[1], rows[0], sum(rows[1:])))


def _deviation(columns: Sequence[ColumnProfile], rows: Sequence[int]) -> float:
    """The standard deviation of all of them together."""
    weights = np.array(rows) / sum(rows)
    means = np.array([column.mean or 0.0 for column in columns])
    deviations = np.array([column.deviation or 0.0 for column in columns])
    variance = float(weights @ (deviations**2 + means**2) - (weights @ means) ** 2)
    return max(variance, 0.0) ** 0.5 or float(np.abs(means).max()) or 1.0


def _moved(columns: Sequence[ColumnProfile]) -> str:
    """How a number's mean moved, which often says what happened to it (1.609 times are kilometres)."""
    means = [column.mean for column in columns if column.mean is not None]
    if len(means) < 2:
        return ""
    own, before = means[0], float(np.median(means[1:]))
    times = f", {own / before:.3g} times" if before > 0 and own > 0 else ""
    return f"; mean {own:.4g}, usual {before:.4g}{times}"


def unseen(key: str, name: str, own: Batch, others: Mapping[str, Batch], rules: Profiling) -> Iterator[Measured]:
    """The share of rows of `own` with values that none of `others` has; of each of these, that no other of them has."""
    threshold = rules.threshold("categories", name)
    columns = [batch.columns[name] for batch in (own, *others.values())]
    if threshold is None or len({column.kind for column in columns}) > 1:
        return
    filled = [batch.filled(name) for batch in (own, *others.values())]
    if columns[0].kind == "text":
        shares, example = _unseen_text(columns, filled)
    elif columns[0].kind == "number":
        shares, example = _beyond(columns)
        threshold = max(threshold, _UNKNOWN)
    else:
        return
    said = f"{percent(shares[0])} of {call(key)} have values not seen before{example}"
    unusual = shares[0] > max(threshold, far(shares[1:])) + _ROWS / filled[0]
    yield measured(key, "categories", name, shares[0], shares[1:], threshold, unusual, said)


def _beyond(columns: Sequence[ColumnProfile]) -> tuple[Any, str]:
    """Of numbers: below the smallest or above the largest of all others."""
    low, high = min(column.quantiles[0] for column in columns[1:]), max(column.quantiles[-1] for column in columns[1:])
    shares = np.zeros(len(columns))
    for number, column in enumerate(columns):
        rest = [other.quantiles for other in columns[1:] if other is not column]
        if rest and (column.quantiles[0] < (least := min(each[0] for each in rest))):
            shares[number] += bins.cumulative(column.quantiles, np.array([least]), below=True)[0]
        if rest and (column.quantiles[-1] > (most := max(each[-1] for each in rest))):
            shares[number] += 1 - bins.cumulative(column.quantiles, np.array([most]))[0]
    return shares, f", beyond {low:.4g} to {high:.4g}"


def _unseen_text(columns: Sequence[ColumnProfile], filled: Sequence[int]) -> tuple[Any, str]:
    """None, where one of the others has more values than are listed: which are new is not known then."""
    listed = [column.values for column in columns]
    if any(sum(values.values()) < rows for values, rows in zip(listed[1:], filled[1:], strict=True)):
        return np.zeros(len(columns)), ""
    times = Counter(value for values in listed[1:] for value in values)
    new = [{value for value in values if times[value] == (number > 0)} for number, values in enumerate(listed)]
    shares = np.array([_unseen(*each, len(times)) for each in zip(listed, new, filled, strict=True)])
    shown = ", ".join(map(repr, sorted(new[0], key=lambda value: -listed[0][value])[:3]))
    return shares, f", such as {shown}" if shown else ""


def _unseen(values: Mapping[str, int], new: set[str], filled: int, known: int) -> float:
    """The share of rows with a value in `new`, and of those whose values are not listed with one that cannot be any of
    the `known` values: as these are not listed either, each of them has no more rows than the rarest that is."""
    absent = max(0, known - (len(values) - len(new)))
    unlisted = filled - sum(values.values()) - absent * min(values.values(), default=0)
    return (sum(values[value] for value in new) + max(0, unlisted)) / filled
