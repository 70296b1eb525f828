"""What of a source's columns changed between deliveries: added, gone, renamed, retyped, in another unit. Pure functions.

Compared are facts of a sample of each file. A month differs from the next by season, so what is called a change must
be larger: a kind of values that was the rule must have become the exception, and a unit must explain the numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lakehouse.ingest.facts import QUANTILES, Facts

Columns = Mapping[str, Facts]
Kind = Literal["added", "gone", "renamed", "retyped", "unit"]

FACTORS = {
    1.609344: "miles to kilometres", 0.3048: "feet to metres", 2.54: "inches to centimetres", 25.4: "inches to millimetres",
    0.45359237: "pounds to kilograms", 1.852: "knots to km/h", 3.6: "m/s to km/h", 2.236936: "m/s to mph",
    0.514444: "knots to m/s", 33.86389: "inHg to hPa", 4.184: "calories to joules", 10.0: "tens", 60.0: "minutes to seconds",
    100.0: "hundreds", 1000.0: "thousands", 3600.0: "hours to seconds", 86400.0: "days to seconds", 1e6: "millions",
}  # fmt: skip
"""Exact by definition where a unit has one (NIST SP 811, appendix B); a change may go either way."""

_MEDIAN = QUANTILES.index(0.5)
_FEW = 30
"""With fewer values than these nothing is said of them."""
_APART, _FARTHEST = 0.1, 0.4
"""How far the quantiles may lie from what a factor makes of them, as a share: most of them, and any."""
_SEASON = 1.25
"""Within this ratio of what was seen before, a median has not moved."""
_SAME_VALUES = 0.15
"""With more of its commonest values seen before, a column is in the same unit."""


@dataclass(frozen=True)
class Change:
    """One change of a column; `words` begin with its name."""

    kind: Kind
    column: str
    words: str


def of_names(expected: Sequence[str], given: Sequence[str], before: Columns, now: Columns) -> list[Change]:
    """Columns that are gone, came, or seem to have another name now: in the same place, or with values that look alike."""
    gone = [name for name in expected if name not in given]
    came = [name for name in given if name not in expected]
    found = []
    for old in list(gone):
        new = next((name for name in came if _alike(old, name, expected, given, before, now)), None)
        if new is not None:
            gone.remove(old)
            came.remove(new)
            found.append(Change("renamed", old, f"{old} is now {new}, as it seems: their values are alike"))
    found += [Change("gone", name, f"{name} is gone") for name in gone]
    return found + [Change("added", name, f"{name} came") for name in came]


def of_values(before: Sequence[Columns], now: Columns) -> list[Change]:
    """Columns whose values are of another kind than in all deliveries before, or seem to be in another unit."""
    found = {change.column: change for change in _units(before, now)}
    for name, facts in now.items():
        known = [columns[name] for columns in before if name in columns and columns[name].values >= _FEW]
        words = _retyped(known, facts) if known and facts.values >= _FEW else ""
        if words:
            found.setdefault(name, Change("retyped", name, f"{name} {words}"))
    return list(found.values())


def _alike(old: str, new: str, expected: Sequence[str], given: Sequence[str], before: Columns, now: Columns) -> bool:
    if old.lower() == new.lower() or old.strip() == new.strip():
        return True
    if old not in before or new not in now:
        return False
    then, there = before[old], now[new]
    if _retyped([then], there) or _retyped([there], then) or abs(then.nulls - there.nulls) > 0.2:
        return False
    if then.quantiles and there.quantiles:
        return all(b and 1 / _SEASON <= a / b <= _SEASON for a, b in zip(then.quantiles, there.quantiles, strict=True))
    same_place = expected.index(old) == given.index(new)
    return same_place or bool(set(then.common) & set(there.common))


def _retyped(known: Sequence[Facts], now: Facts) -> str:
    """In words, where what was the rule in every delivery before is the exception now."""
    for rule in (("integer", "decimal"), ("date",), ("text",), ("integer",)):
        if all(facts.share(*rule) >= 0.95 for facts in known) and now.share(*rule) < 0.5:
            was = "numbers" if len(rule) > 1 else _PLURAL[rule[0]]
            mostly = max(now.kinds, key=lambda kind: now.kinds[kind])
            return f"was {was}, now {now.kinds[mostly]:.0%} are {_PLURAL[mostly]}, such as {now.common[0]!r}"
    return ""


_PLURAL = {"integer": "integers", "decimal": "decimals", "date": "dates", "text": "text"}


def _units(before: Sequence[Columns], now: Columns) -> Iterator[Change]:
    """A factor that explains all quantiles, while most other columns of numbers stand where they stood."""
    known = {name: [columns[name] for columns in before if name in columns and _has_spread(columns[name])] for name in now}
    compared = [name for name, facts in now.items() if known[name] and _has_spread(facts)]
    moved = [name for name in compared if not _within_season(known[name], now[name])]
    others = len(compared) - len(moved)
    if others < len(moved) - 1:
        return
    for name in moved:
        factor = _factor(known[name], now[name])
        if factor is not None:
            scale, words, then = factor
            medians = f"its median is {now[name].quantiles[_MEDIAN]:.6g}, was {then:.6g}"
            beside = f"; {others} other columns of numbers have not moved" if others else ""
            times = f"{scale:.4g} times as much ({words})"
            yield Change("unit", name, f"{name} seems to be in another unit, {times}: {medians}{beside}")


def _has_spread(facts: Facts) -> bool:
    """Whether it has a distribution: a column of one number, such as a month's, may be anything next time."""
    return facts.values >= _FEW and bool(facts.quantiles) and facts.quantiles[-1] > 1.001 * facts.quantiles[0]


def _within_season(known: Sequence[Facts], now: Facts) -> bool:
    """Whether the numbers are of the kind that came before: much the same median, or the very same values among them.

    Where a season moves the median far, decimals still stand on the same scale (33.98, 35.06 … °F); in another unit
    hardly one of them does. Of integers nothing follows from that: rounded to integers, any unit shares values.
    """
    seen = {value for facts in known for value in facts.common}
    same = sum(value in seen for value in now.common) / len(now.common)
    if now.share("decimal") > 0.5 and same > _SAME_VALUES:
        return True
    medians = [facts.quantiles[_MEDIAN] for facts in known]
    return min(medians) / _SEASON <= now.quantiles[_MEDIAN] <= max(medians) * _SEASON


def _factor(known: Sequence[Facts], now: Facts) -> tuple[float, str, float] | None:
    """The unit that makes all quantiles of `now` of those of a delivery before: the factor, its words, the median then."""
    fits = [
        (_apart(facts.quantiles, now.quantiles, scale), scale, words, facts.quantiles[_MEDIAN])
        for facts in known
        for factor, named in FACTORS.items()
        for scale, words in ((factor, named), (1 / factor, f"{named}, backwards"))
    ]
    (typically, at_most), scale, words, then = min(fits)
    return (scale, words, then) if typically <= _APART and at_most <= _FARTHEST else None


def _apart(then: Sequence[float], now: Sequence[float], scale: float) -> tuple[float, float]:
    """How far the quantiles lie from what the factor makes of those before, as a share: the median, and the farthest."""
    shares = sorted(abs(math.log(there / (before * scale))) for before, there in zip(then, now, strict=True))
    return shares[len(shares) // 2], shares[-1]
