"""What a sample of a file's values shows of each column: kinds of values, nulls, quantiles, the commonest."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

NULLS = frozenset({"", "na", "n/a", "nan", "null", "none", "\\n", "-"})
"""What stands for a missing value in files of text, in lower case."""

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
_COMMON = 100
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?|\d{1,2}[./]\d{1,2}[./]\d{4}")
_INTEGER = re.compile(r"[+-]?\d{1,18}")


@dataclass(frozen=True, slots=True)
class Facts:
    """Of one column: `values` that are not null, the share of `nulls`, for each kind (integer, decimal, date, text) its
    share among the values, `quantiles` of the numbers' sizes (|x| of those that are not 0, at QUANTILES; empty where
    most values are no numbers), and the commonest values."""

    values: int
    nulls: float
    kinds: Mapping[str, float]
    quantiles: tuple[float, ...]
    common: tuple[str, ...]

    def share(self, *kinds: str) -> float:
        """The share of these kinds among the values."""
        return sum(self.kinds.get(kind, 0.0) for kind in kinds)


def of(columns: Sequence[str], rows: Iterable[Sequence[str | None]]) -> dict[str, Facts]:
    """The facts of each column, from rows of as many values."""
    by_column = list(zip(*rows, strict=True))
    return {name: _facts(by_column[number]) for number, name in enumerate(columns)} if by_column else {}


def _facts(given: Sequence[str | None]) -> Facts:
    counts = Counter(value for value in given if value is not None and value.strip().lower() not in NULLS)
    kinds: Counter[str] = Counter()
    numbers: list[float] = []
    for value, count in counts.items():
        kind, number = _kind(value)
        kinds[kind] += count
        if number:
            numbers += [abs(number)] * count
    values = counts.total()
    numeric = kinds["integer"] + kinds["decimal"] > values / 2
    return Facts(
        values=values,
        nulls=round(1 - values / len(given), 4),
        kinds={kind: round(count / values, 4) for kind, count in sorted(kinds.items())},
        quantiles=_quantiles(sorted(numbers)) if numeric else (),
        common=tuple(value[:40] for value, _ in counts.most_common(_COMMON)),
    )


def _kind(value: str) -> tuple[str, float | None]:
    """What a value is, and its number if it is one that is not 0."""
    text = value.strip()
    if _INTEGER.fullmatch(text):
        # A leading zero speaks of a code, such as a postcode.
        return ("text", None) if text.lstrip("+-").startswith("0") and len(text) > 1 else ("integer", float(text))
    try:
        number = float(text)
    except ValueError:
        return ("date" if _DATE.fullmatch(text) else "text"), None
    return ("decimal", number) if math.isfinite(number) and "_" not in text else ("text", None)


def _quantiles(ordered: Sequence[float]) -> tuple[float, ...]:
    """By linear interpolation between the nearest ranks."""
    if not ordered:
        return ()
    found = []
    for share in QUANTILES:
        place = share * (len(ordered) - 1)
        low = int(place)
        high = min(low + 1, len(ordered) - 1)
        found.append(ordered[low] + (ordered[high] - ordered[low]) * (place - low))
    return tuple(found)
