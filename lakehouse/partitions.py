"""Partitions: months, the space of those that a table has, and what part of another table a partition reads."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from lakehouse.errors import PartitionError

_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)

Coverage = str | tuple[int, int]
"""`"own"`, `"all"`, `"until"` (all up to and with one's own), an offset range `(-1, 0)` in months, or `"new"`: all of it,
of which a run reads what came since the run before it."""

OWN: Coverage = "own"
NEW: Coverage = "new"
ALL: Coverage = "all"


class month(str):
    """A month, `YYYY-MM`: a string that is known to be one. Sorts by time. Raises PartitionError for anything else."""

    __slots__ = ()

    def __new__(cls, text: object) -> month:
        if isinstance(text, month):
            return text
        found = _MONTH.fullmatch(text) if isinstance(text, str) else None
        if not found or found[1] == "0000":
            raise PartitionError(f"{text!r} is not a month", "Write YYYY-MM, for example 2013-02.")
        return super().__new__(cls, text)

    @classmethod
    def of(cls, day: date) -> month:
        """The month that `day` lies in."""
        return cls(f"{day.year:04d}-{day.month:02d}")

    @property
    def first_day(self) -> date:
        return date(int(self[:4]), int(self[5:]), 1)

    def shift(self, months: int) -> month:
        """The month `months` later (earlier when negative)."""
        year, index = divmod(int(self[:4]) * 12 + int(self[5:]) - 1 + months, 12)
        return month(f"{year:04d}-{index + 1:02d}")


def month_range(first: month, last: month) -> tuple[month, ...]:
    """All months from `first` to `last`, both included; empty when `last` is earlier."""
    keys = []
    while first <= last:
        keys.append(first)
        if first == "9999-12":
            break
        first = first.shift(1)
    return tuple(keys)


def parse_coverage(value: object) -> Coverage:
    """Checks what a notebook wrote as `partitions=`. Raises PartitionError."""
    if value in ("own", "all", "until", "new"):
        return str(value)
    if isinstance(value, (tuple, list)) and len(value) == 2 and all(type(offset) is int for offset in value):
        low, high = value
        if low <= high:
            return (low, high)
    raise PartitionError(
        f"partitions={value!r} is not understood",
        'Write "own", "all", "until" (all months up to one\'s own), "new" or a range of offsets in months such as (-1, 0).',
    )


@dataclass(frozen=True)
class PartitionSpace:
    """The months that a table can have: from `start` to `end`, or without `end` to the last full month.

    `column` is the table's column that holds the month.
    """

    column: str
    start: month
    end: month | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", month(self.start))
        if self.end is not None:
            object.__setattr__(self, "end", month(self.end))
            if self.end < self.start:
                raise PartitionError(f"The partitions end ({self.end}) before they start ({self.start})", "Swap them.")

    def keys(self, today: date | None = None) -> tuple[month, ...]:
        """All partitions that exist as of `today`, oldest first."""
        return month_range(self.start, self.end or month.of(today or datetime.now(UTC).date()).shift(-1))

    def parse(self, text: str, today: date | None = None) -> tuple[month, ...]:
        """`2013-02`, `2013-01..2013-03` or `2013-01,2013-03`, as existing partitions. Raises PartitionError."""
        return self.existing(parse_months(text), today)

    def existing(self, wanted: Iterable[str], today: date | None = None) -> tuple[month, ...]:
        """`wanted` sorted and without repeats. Raises PartitionError if one does not exist or none is given."""
        chosen = tuple(sorted({month(key) for key in wanted}))
        known = self.keys(today)
        missing = sorted(set(chosen) - set(known))
        if missing:
            there = f"There are {known[0]} to {known[-1]}." if known else f"There is none yet before {self.start} is over."
            raise PartitionError(f"Partition {', '.join(missing)} does not exist", there)
        if not chosen:
            raise PartitionError("No partition is given", "Name at least one month, for example 2013-02.")
        return chosen

    def cover(self, coverage: Coverage, own: Iterable[str], today: date | None = None) -> tuple[month, ...]:
        """The partitions of this table that a run for `own` reads; what does not exist is left out."""
        mine = sorted({month(key) for key in own})
        known = self.keys(today)
        if coverage in ("all", NEW):
            return known
        if coverage == "until":
            return tuple(key for key in known if mine and key <= mine[-1])
        low, high = (0, 0) if coverage == OWN else coverage
        wanted = {key.shift(offset) for key in mine for offset in range(low, high + 1)}
        return tuple(key for key in known if key in wanted)


def parse_months(text: str) -> tuple[month, ...]:
    """Months from text: single ones, ranges `A..B` and lists with commas. Raises PartitionError."""
    keys: list[month] = []
    for part in str(text).split(","):
        first, dots, last = part.strip().partition("..")
        if not dots:
            keys.append(month(first))
            continue
        low, high = month(first), month(last)
        if high < low:
            raise PartitionError(f"The range {part.strip()!r} runs backwards", f"Write {high}..{low}.")
        keys.extend(month_range(low, high))
    return tuple(keys)
