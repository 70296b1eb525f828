"""The Delta table `monitoring.profiles`: every profile of what was published, one row for each batch and column.

Made of the profiles that runs keep (see `kept`), so nothing depends on it and it can be made anew. How far it is with a
table stands in its own log as a transaction of that table's name and version, as Delta's protocol means it: what a crash
kept from being added, the table's next write adds. Not written by Spark, for which every notebook would wait.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse import deltalog, deltawrite, tables
from lakehouse.deltalog import Commit
from lakehouse.errors import LakeError
from lakehouse.names import PROFILES as TABLE
from lakehouse.names import TableName
from lakehouse.profiles import bins, reference
from lakehouse.profiles.kept import TableProfile

if TYPE_CHECKING:
    import pyarrow

_LIST, _COUNTS = "array<double>", "map<string,bigint>"
COLUMNS: dict[str, tuple[str, str]] = {
    "table": ("string", "The table, such as silver.flights; the partition column."),
    "batch": ("string", "The partition that was profiled, such as 2013-02; * for the whole of a table without partitions."),
    "column": ("string", "The column."),
    "version": ("bigint", "The table's version that published the batch."),
    "run_id": ("string", "The run that wrote it."),
    "profiled_at": ("timestamp", "When its rows were looked at (UTC)."),
    "kind": ("string", "How the column was read: number, text (booleans too), time or personal (no value is kept)."),
    "rows": ("bigint", "Rows of the batch."),
    "missing": ("bigint", "Rows without a value; NaN and infinite numbers have none."),
    "missing_rate": ("double", "Their share of the rows; null where there are no rows."),
    "distinct": ("bigint", "Distinct values, estimated with a standard error of 5 percent."),
    "low": ("double", "The smallest number; the earliest time in seconds since 1970 (UTC)."),
    "high": ("double", "The largest number; the latest time likewise."),
    "mean": ("double", "The mean of numbers."),
    "deviation": ("double", "The standard deviation of numbers."),
    "quantiles": (_LIST, "101 quantiles of numbers: minimum, each percent, maximum."),
    "histogram": (_LIST, "Rows in 20 equal steps from the 1st to the 99th percentile, what lies beyond in the outer ones."),
    "values": (_COUNTS, "The most frequent values of text, 128 at most, with their rows."),
    "missing_by": (_COUNTS, "Rows without a value by the column that the contract names (profile.by)."),
    "measure": ("string", "The name of the distance, such as psi; null where it was not compared."),
    "distance": ("double", "How far the values were distributed from those of the reference."),
    "findings": ("array<string>", "What was unusual, in words."),
}
_PARTITION = "table"
_ATTEMPTS = 20


def add(root: Path, names: Iterable[TableName]) -> int:
    """Adds the profiles of all versions of these tables that it does not have yet, in one commit; returns how many rows.

    Writers do not wait for each other: who comes second takes the next version. Raises LakeError where it cannot be
    written.
    """
    path, wanted = tables.lake_path(root, TABLE), set(names)
    try:
        for _ in range(_ATTEMPTS):
            done = _added(path, wanted)
            new = {name: _new(root, name, done.get(name, -1)) for name in sorted(wanted)}
            rows = {name: list(_rows(entries)) for name, entries in new.items()}
            upto = {name: deltalog.latest(tables.lake_path(root, name)) for name in new}
            if not any(rows.values()) or _commit(path, rows, upto):
                return sum(map(len, rows.values()))
    except OSError as error:
        what = f"{TABLE} cannot be written: {error.strerror} at {error.filename}"
        raise LakeError(what, "Check its permissions and the disk.") from None
    raise LakeError(f"{TABLE}: {_ATTEMPTS} times another writer was first", "The table's next write adds what is missing.")


def _added(path: Path, names: set[TableName]) -> dict[TableName, int]:
    """Up to which version each table's profiles are there."""
    found: dict[TableName, int] = {}
    for version in reversed(deltalog.versions(path)):
        for kind, facts in deltalog.actions(deltalog.commit_path(path, version)):
            if kind == "txn" and (name := TableName.parse(facts["appId"])) not in found:
                found[name] = int(facts["version"])
        if names <= found.keys():
            break
    return found


def _new(root: Path, name: TableName, done: int) -> list[tuple[Commit, TableProfile]]:
    path = tables.lake_path(root, name)
    entries = [deltalog.commit(path, version) for version in deltalog.versions(path) if version > done]
    found = ((entry, reference.of_commit(root, name, entry)) for entry in entries)
    return [(entry, profile) for entry, profile in found if profile is not None]


def _rows(entries: Iterable[tuple[Commit, TableProfile]]) -> Iterator[dict[str, Any]]:
    for entry, profile in entries:
        for key, batch in profile.batches.items():
            for name, column in batch.columns.items():
                own = [one for one in profile.measured if one.batch == key and one.column == name]
                distance = next((one for one in own if one.kind == "distribution"), None)
                yield {
                    **column.model_dump(),
                    "batch": key,
                    "column": name,
                    "version": entry.version,
                    "run_id": (entry.made or {}).get("run_id"),
                    "profiled_at": profile.profiled_at,
                    "rows": batch.rows,
                    "missing_rate": column.missing / batch.rows if batch.rows else None,
                    "histogram": bins.histogram(column, batch.filled(name)),
                    "values": list(column.values.items()),
                    "missing_by": list(column.missing_by.items()),
                    "measure": distance.of if distance else None,
                    "distance": distance.observed if distance else None,
                    "findings": [one.said for one in own if one.unusual],
                }


def _commit(path: Path, rows: Mapping[TableName, list[dict[str, Any]]], upto: Mapping[TableName, int | None]) -> bool:
    """One version more, unless another writer was first."""
    version = (deltalog.latest(path) if deltalog.versions(path) else -1) + 1  # type: ignore[operator]
    now = int(time.time() * 1000)
    actions = [deltawrite.appended(version, [_PARTITION])]
    if version == 0:
        kinds = {"bigint": "long", _LIST: _array("double"), "array<string>": _array("string"), _COUNTS: _map("string", "long")}
        columns = {name: (kinds.get(kind, kind), said) for name, (kind, said) in COLUMNS.items()}
        actions += deltawrite.created("What the rows of each published batch look like, column by column.", columns, [_PARTITION])
    actions += [{"txn": {"appId": name.dotted, "version": upto[name], "lastUpdated": now}} for name in rows]
    written = [_file(path, name, list_) for name, list_ in rows.items() if list_]
    if deltawrite.put(path, version, [*actions, *written]):
        return True
    for one in written:
        (path / one["add"]["path"]).unlink(missing_ok=True)
    return False


def _array(kind: str) -> dict[str, Any]:
    return {"type": "array", "elementType": kind, "containsNull": True}


def _map(key: str, value: str) -> dict[str, Any]:
    return {"type": "map", "keyType": key, "valueType": value, "valueContainsNull": True}


def _file(path: Path, name: TableName, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Writes one file and returns what the commit says of it."""
    import pyarrow

    relative = f"{_PARTITION}={name.dotted}/part-{uuid.uuid4()}.snappy.parquet"
    return deltawrite.file(path, relative, pyarrow.Table.from_pylist(rows, _schema()), {_PARTITION: name.dotted})


def _schema() -> pyarrow.Schema:
    import pyarrow

    kinds = {
        "string": pyarrow.string(), "bigint": pyarrow.int64(), "double": pyarrow.float64(),
        "timestamp": pyarrow.timestamp("us", "UTC"), _LIST: pyarrow.list_(pyarrow.float64()),
        "array<string>": pyarrow.list_(pyarrow.string()), _COUNTS: pyarrow.map_(pyarrow.string(), pyarrow.int64()),
    }  # fmt: skip
    return pyarrow.schema([(name, kinds[kind]) for name, (kind, _) in COLUMNS.items() if name != _PARTITION])
