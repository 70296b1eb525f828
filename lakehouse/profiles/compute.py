"""The profiles of rows, by one query on Spark: a frame in, a profile for each of its batches out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from lakehouse.contracts.profiling import TIMES
from lakehouse.profiles.profile import KEPT, LEVELS, WHOLE, Batch, ColumnProfile, Kind

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_WHOLE_NUMBERS = ("tinyint", "smallint", "int", "bigint", "decimal")
_KINDS: dict[str, Kind] = {
    **dict.fromkeys((*_WHOLE_NUMBERS, "float", "double"), "number"),
    **dict.fromkeys(("string", "boolean"), "text"),
    **dict.fromkeys(TIMES, "time"),
}
_LEVELS = f"array({', '.join(f'{level}D' for level in LEVELS)})"
# A quantile's rank is wrong by half a percent at most (of fewer values than this not at all; three times as fast as
# percentile_approx); values are counted exactly where fewer than three quarters of these are distinct.
_ACCURACY, _TRACKED = 800, 512


def kinds(types: Mapping[str, str], personal: Iterable[str] = (), leave_out: Iterable[str] = ()) -> dict[str, Kind]:
    """The columns that are profiled and how each is read; `types` are Spark SQL's names.

    Left out are nested and binary columns, and those that begin with _ and tell where a row came from.
    """
    hidden, left_out = set(personal), set(leave_out)
    return {
        name: "personal" if name in hidden else _KINDS[base]
        for name, kind in types.items()
        if (base := kind.partition("(")[0]) in _KINDS and name not in left_out and not name.startswith("_")
    }


def compute(
    frame: DataFrame,
    *,
    partition: str | None = None,
    personal: Iterable[str] = (),
    never_null: Iterable[str] = (),
    by: str | None = None,
) -> dict[str, Batch]:
    """The profile of each value of the column `partition` (without one: of all rows, called WHOLE), in one pass.

    Of `personal` columns no value is kept. `by` names a column with few values, for each of which missing values of the
    others are counted too, but for those that are `never_null`.
    """
    from pyspark.sql import functions as F

    types = {field.name: field.dataType.simpleString() for field in frame.schema.fields}
    read = kinds(types, personal, [partition] if partition else [])
    place = {name: f"c{number}" for number, name in enumerate(types)}
    numbered = frame.toDF(*place.values())
    asked = ["count(1) as n"]
    whole = {by, *never_null}
    for name, kind in read.items():
        asked += _asked(place[name], kind, types[name], place[by] if by and name not in whole else None)
    groups = numbered.groupBy(place[partition]) if partition else numbered.groupBy()
    rows = [row.asDict() for row in groups.agg(*map(F.expr, asked)).collect()]
    return {
        str(row[place[partition]]) if partition else WHOLE: Batch(
            rows=row["n"], columns={name: _profile(row, place[name], kind) for name, kind in read.items()}
        )
        for row in rows
    }


def _asked(column: str, kind: Kind, type_: str, by: str | None) -> Iterator[str]:
    value = f"if(abs({column}) < double('infinity'), {column}, null)" if type_ in ("float", "double") else column
    yield f"count({value}) as {column}_filled"
    yield f"approx_count_distinct({value}) as {column}_distinct"
    if by:
        yield f"approx_top_k(if({value} is null, string({by}), null), {KEPT}, {_TRACKED}) as {column}_by"
    if kind == "number":
        # A sketch of no value has no quantiles to ask for.
        sketch = f"kll_sketch_agg_double(double({value}), {_ACCURACY})"
        yield f"if(count({value}) > 0, kll_sketch_get_quantile_double({sketch}, {_LEVELS}), null) as {column}_quantiles"
        yield f"avg(double({value})) as {column}_mean"
        yield f"avg(double({value}) * double({value})) as {column}_squares"
    elif kind == "text":
        yield f"approx_top_k(string({column}), {KEPT}, {_TRACKED}) as {column}_values"
    elif kind == "time":
        yield f"unix_micros(timestamp(min({column}))) / 1e6D as {column}_low"
        yield f"unix_micros(timestamp(max({column}))) / 1e6D as {column}_high"


def _profile(row: Mapping[str, Any], column: str, kind: Kind) -> ColumnProfile:
    found = {name.removeprefix(f"{column}_"): value for name, value in row.items() if name.startswith(f"{column}_")}
    quantiles = [_round(value) for value in found.get("quantiles") or []]
    low, high = (quantiles[0], quantiles[-1]) if quantiles else (found.get("low"), found.get("high"))
    return ColumnProfile(
        kind=kind,
        missing=row["n"] - found["filled"],
        distinct=min(found["distinct"], found["filled"]),
        low=low,
        high=high,
        mean=_finite(found.get("mean")),
        deviation=_deviation(found.get("mean"), found.get("squares")),
        quantiles=quantiles,
        values=_counts(found.get("values")),
        missing_by=_counts(found.get("by")),
    )


def _counts(items: Any) -> dict[str, int]:
    return {item["item"]: item["count"] for item in items or [] if item["item"] is not None}


def _deviation(mean: float | None, squares: float | None) -> float | None:
    return _finite(math.sqrt(max(squares - mean * mean, 0.0))) if mean is not None and squares is not None else None


def _finite(value: float | None) -> float | None:
    return _round(value) if value is not None and math.isfinite(value) else None


def _round(value: float) -> float:
    """Nine digits, which are shorter to keep."""
    return float(f"{value:.9g}")
