"""Whether two runs made the same tables: every row of every table, but for what names the run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lakehouse.names import TableName
from tests.benchmarks.timing import BenchmarkFailed

# Ids, times, versions and the paths of files.
NAMES_THE_RUN = {"_source_file", "_source_sha256", "_received_at", "model_version", "features_version", "run_id", "scored_at"}
DIGITS = 9  # after the point; a mean over other partitions differs in its last bits


def contents(spark: Any, tables: Mapping[TableName, Path]) -> dict[str, dict[str, Any]]:
    """For each table {"columns": {name: type}, "rows", "hash"}: equal where the rows are, in any order."""
    from pyspark.sql import functions as F

    found = {}
    for table, path in tables.items():
        frame = spark.read.format("delta").load(str(path))
        columns = sorted((name, kind) for name, kind in frame.dtypes if name not in NAMES_THE_RUN)
        texts = [_text(name, kind) for name, kind in columns]
        hashed = F.sum(F.xxhash64(*texts).cast("decimal(38,0)"))
        rows, total = frame.agg(F.count("*"), hashed).first()
        found[table.dotted] = {"columns": dict(columns), "rows": rows, "hash": str(total)}
    return found


def _text(name: str, kind: str) -> Any:
    """A null is a value of its own: a hash over columns passes over it."""
    from pyspark.sql import functions as F

    value = F.round(F.col(name), DIGITS) + F.lit(0.0) if kind == "double" else F.col(name)
    return F.coalesce(value.cast("string"), F.lit("\0"))


def refuse_differences(peer: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    """Raises BenchmarkFailed, naming each table of `peer` that is not ours."""
    differing = [words for table in ours if (words := _difference(table, ours[table], theirs.get(table)))]
    if differing:
        raise BenchmarkFailed(f"The tables of {peer} are not ours: {'; '.join(differing)}", "Its figures would not count.")


def _difference(table: str, ours: Mapping[str, Any], theirs: Mapping[str, Any] | None) -> str:
    if theirs is None:
        return f"{table} is missing"
    if ours["columns"] != theirs["columns"]:
        both = sorted({*ours["columns"], *theirs["columns"]})
        wrong = [f"{name} is {theirs['columns'].get(name)}, not {ours['columns'].get(name)}" for name in both]
        return f"{table}: {', '.join(words for name, words in zip(both, wrong, strict=True) if _unlike(name, ours, theirs))}"
    if ours["rows"] != theirs["rows"]:
        return f"{table} has {theirs['rows']:,} rows, not {ours['rows']:,}"
    return f"{table} has other values" if ours["hash"] != theirs["hash"] else ""


def _unlike(name: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    return ours["columns"].get(name) != theirs["columns"].get(name)
