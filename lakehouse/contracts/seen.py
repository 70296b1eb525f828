"""What data shows of itself, in one pass on Spark: rows, nulls, distinct values, ranges, and which columns may be a key."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

MOST_VALUES = 12
"""A column with more distinct values than these is no list of choices."""

_NUMBERS = ("tinyint", "smallint", "int", "bigint", "float", "double", "decimal")
_NAMING = ("string", "tinyint", "smallint", "int", "bigint", "date", "timestamp", "timestamp_ntz")
# Keys come first in most tables: these many columns are tried together, up to three at a time.
_TRIED, _TOGETHER = 8, 3
# Distinct counts are estimates with a standard error of 5 percent; these many that look unique are counted exactly.
_LOOKS_UNIQUE, _COUNTED = 0.85, 4
_SKETCH = 256


@dataclass(frozen=True)
class Seen:
    """One column: `low` and `high` of numbers (None for others, and where not finite), `values` of text with few
    distinct ones, sorted (None for more)."""

    name: str
    type: str
    nulls: int
    low: int | float | None = None
    high: int | float | None = None
    values: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Rows:
    """`key` is the smallest set of columns found unique, empty where none was."""

    count: int
    columns: tuple[Seen, ...]
    key: tuple[str, ...]


def look(frame: DataFrame) -> Rows:
    """One aggregation over `frame`, and at most four exact counts of what may be its key."""
    types = {field.name: field.dataType.simpleString() for field in frame.schema.fields}
    candidates = _candidates(types)
    numbered = frame.toDF(*(f"c{number}" for number in range(len(types))))
    place = {name: f"c{number}" for number, name in enumerate(types)}
    asked = ["count(*) as n"]
    for name, kind in types.items():
        asked += _asked(place[name], kind)
    for number, columns in enumerate(candidates):
        asked.append(f"approx_count_distinct(xxhash64({', '.join(place[one] for one in columns)})) as u{number}")
    row = numbered.selectExpr(*asked).collect()[0].asDict()
    count = row["n"]
    columns = tuple(_seen(name, kind, place[name], row) for name, kind in types.items())
    full = {one.name for one in columns if not one.nulls}
    likely = [
        each for number, each in enumerate(candidates) if full.issuperset(each) and row[f"u{number}"] >= _LOOKS_UNIQUE * count
    ]
    return Rows(count, columns, _unique(frame, likely, count) if count else ())


def _asked(column: str, kind: str) -> list[str]:
    asked = [f"count({column}) as {column}_filled"]
    if kind.startswith(_NUMBERS):
        asked += [f"min({column}) as {column}_low", f"max({column}) as {column}_high"]
    if kind == "string":
        # Exact where there are fewer distinct values than the sketch has places.
        asked.append(f"approx_top_k({column}, {MOST_VALUES + 2}, {_SKETCH}) as {column}_values")
    return asked


def _seen(name: str, kind: str, column: str, row: dict[str, Any]) -> Seen:
    low, high = (_number(row.get(f"{column}_{end}")) for end in ("low", "high"))
    filled = row[f"{column}_filled"]
    found = {item["item"]: item["count"] for item in row.get(f"{column}_values") or [] if item["item"] is not None}
    # Of more values than it has places for, the sketch may give the frequent ones only: their rows are not all.
    complete = 0 < len(found) <= MOST_VALUES and sum(found.values()) == filled
    return Seen(name, kind, row["n"] - filled, low, high, tuple(sorted(found)) if complete else None)


def _number(value: Any) -> int | float | None:
    if value is None or isinstance(value, int):
        return value
    number = float(value)
    return (int(number) if number.is_integer() and abs(number) < 1e15 else number) if math.isfinite(number) else None


def _candidates(types: dict[str, str]) -> list[tuple[str, ...]]:
    """Sets of columns that may be a key, the smallest first; alike in size, an identifier by its name first."""
    naming = [name for name, kind in types.items() if kind in _NAMING and not name.startswith("_")]
    single = sorted(naming, key=lambda name: not name.lower().endswith(("id", "key", "code")))
    several = [set_ for size in range(2, _TOGETHER + 1) for set_ in itertools.combinations(naming[:_TRIED], size)]
    return [*((name,) for name in single), *several]


def _unique(frame: DataFrame, likely: list[tuple[str, ...]], count: int) -> tuple[str, ...]:
    for columns in likely[:_COUNTED]:
        if frame.select(*(f"`{name}`" for name in columns)).distinct().count() == count:
            return columns
    return ()
