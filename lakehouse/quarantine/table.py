"""monitoring.quarantine: one row for each row that was set aside, with why, where it came from and how it stands.

What a run sets aside of a partition replaces what stood there of it, so that a repeat doubles nothing and what fits
now is gone. A row that was released stays so: it is known again by its content.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse import deltalog, raw, tables
from lakehouse.ingest.batch import Batch
from lakehouse.names import TableName

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

TABLE = TableName("monitoring", "quarantine")
WHOLE = "*"
OPEN, RELEASED = "open", "released"

_ROW = (
    "table_name string, partition_key string, check_name string, reason string, raw_file string, sha256 string, line bigint, "
    "row_text string"
)
_NAMES = [column.split()[0] for column in _ROW.split(", ")]
_KEEP = "interval 3650 days"
# Another run's commit, or its creation of the table, came between; different partitions do not disturb each other.
_CONFLICTS = (
    "DELTA_CONCURRENT",
    "DELTA_PROTOCOL_CHANGED",
    "DELTA_METADATA_CHANGED",
    "DELTA_TABLE_ALREADY_EXISTS",
    "DELTA_PATH_EXISTS",
)
_ATTEMPTS = 6


def path(root: Path) -> Path:
    return tables.lake_path(root, TABLE)


@dataclass(frozen=True)
class Held:
    """Rows of one table and partition in quarantine; of the open ones, `since` when the first of them is there."""

    rows: int
    open: int
    since: datetime | None


def standing(root: Path) -> dict[tuple[str, str], Held]:
    """What is in quarantine by table and partition, from the Delta log alone."""
    live: dict[str, tuple[dict[str, str], dict[str, Any]]] = {}
    for version in deltalog.versions(path(root)):
        for kind, facts in deltalog.actions(deltalog.commit_path(path(root), version)):
            if kind == "add":
                live[facts["path"]] = facts["partitionValues"], json.loads(facts.get("stats") or "{}")
            elif kind == "remove":
                live.pop(facts["path"], None)
    by_scope: dict[tuple[str, str], list[tuple[str, int, str]]] = {}
    for values, stats in live.values():
        first = stats.get("minValues", {}).get("noted_at", "")
        scope = values["table_name"], values["partition_key"]
        by_scope.setdefault(scope, []).append((values["state"], int(stats.get("numRecords", 0)), first))
    return {scope: held for scope, files in by_scope.items() if (held := _held(files)).rows}


def _held(files: list[tuple[str, int, str]]) -> Held:
    """Of files: the state of their rows, their number, and when the first was noted."""
    begun = [first for state, count, first in files if state == OPEN and count and first]
    since = min(map(datetime.fromisoformat, begun), default=None)
    return Held(sum(count for _, count, _ in files), sum(count for state, count, _ in files if state == OPEN), since)


@dataclass
class SetAside:
    """What one run sets aside: `scopes` are the tables and partitions that it looked at, `kept` SQL for rows there that
    it did not look at, `frames` rows of its writes by table, with their number, `records` those of raw files, each once
    however often its file was read."""

    scopes: set[tuple[str, str]] = field(default_factory=set)
    kept: list[str] = field(default_factory=list)
    frames: dict[str, tuple[DataFrame, int]] = field(default_factory=dict)
    records: dict[tuple[str, int], tuple[Any, ...]] = field(default_factory=dict)

    def add_raw(self, root: Path, batch: Batch, whole: bool = True) -> None:
        """The records of raw files that do not fit, by the files' partitions, which are `whole` or not."""
        table = batch.source.name.dotted
        self.scopes |= {(table, judged.file.partition or WHOLE) for judged in batch.files}
        if not whole:
            looked_at = ", ".join(f"'{judged.file.sha256}'" for judged in batch.files)
            self.kept.append(f"table_name = '{table}' and sha256 not in ({looked_at})")
        for file, misfit in batch.misfits:
            path = str(file.path.relative_to(root / raw.FOLDER))
            where = (table, file.partition or WHOLE, "readable", misfit.reason, path, file.sha256, misfit.line)
            self.records[path, misfit.line] = (*where, misfit.text)

    def add(self, table: TableName, partitions: Sequence[str], frame: DataFrame | None, count: int, *, whole: bool = True) -> None:
        """Rows of a write that break an expectation, as `split` gives them; not `whole` are those of a merge, which looks
        only at what came."""
        if not whole:
            self.kept.append(f"table_name = '{table.dotted}'")
        self.scopes |= {(table.dotted, key) for key in partitions or [WHOLE]}
        if frame is not None:
            self.frames[table.dotted] = frame, count

    @property
    def rows(self) -> dict[str, int]:
        """Their number by table."""
        return {**{table: count for table, (_, count) in self.frames.items()}, **Counter(row[0] for row in self.records.values())}

    def frame(self, spark: SparkSession) -> DataFrame:
        """All of them."""
        made = [spark.createDataFrame(list(self.records.values()), _ROW), *(frame for frame, _ in self.frames.values())]
        return reduce(lambda one, other: one.unionByName(other), made)


def publish(spark: SparkSession, root: Path, run_id: str, found: SetAside) -> None:
    """Replaces what stands of the run's tables and partitions, in one commit; none where nothing stands or comes."""
    if not found.rows and not found.scopes & set(standing(root)):
        return
    for attempt in range(_ATTEMPTS):
        try:
            _replace(spark, root, run_id, found)
            return
        except Exception as error:
            if not any(word in str(error) for word in _CONFLICTS) or attempt == _ATTEMPTS - 1:
                raise
            time.sleep(0.2 * 2**attempt)


def _replace(spark: SparkSession, root: Path, run_id: str, found: SetAside) -> None:
    identified = ", ".join(f"coalesce(cast({name} as string), '')" for name in _NAMES if name != "reason")
    named = f"substr(sha2(concat_ws('|', {identified}), 256), 1, 12) as id"
    fresh = found.frame(spark).selectExpr(named, *_NAMES, "cast(null as string) as run_id")
    where = clause(found.scopes)
    if deltalog.latest(path(root)) is not None:
        known = spark.sql(f"select distinct id, noted_at, state, state_said from {tables.at(path(root))} where {where}")
        fresh = fresh.join(known, "id", "left")
        if found.kept:
            others = spark.sql(f"select * from {tables.at(path(root))} where ({where}) and ({' or '.join(found.kept)})")
            fresh = fresh.unionByName(others.join(fresh, "id", "left_anti"), allowMissingColumns=True)
    else:
        fresh = fresh.selectExpr("*", "cast(null as timestamp) noted_at", "cast(null as string) state", "'' state_said")
    rows = fresh.selectExpr(
        "id", *_NAMES, f"coalesce(run_id, '{run_id}') as run_id", "coalesce(noted_at, current_timestamp()) as noted_at",
        f"coalesce(state, '{OPEN}') as state", "coalesce(state_said, '') as state_said",
    )  # fmt: skip
    writer = rows.write.format("delta").mode("overwrite").partitionBy("table_name", "partition_key", "state")
    for name, value in _options(where, run_id).items():
        writer = writer.option(name, value)
    writer.save(str(path(root)))


def _options(where: str, run_id: str) -> Mapping[str, Any]:
    return {
        "replaceWhere": where,
        "userMetadata": json.dumps({"quarantine": run_id}),
        "delta.logRetentionDuration": _KEEP,
        "delta.deletedFileRetentionDuration": _KEEP,
    }


def clause(scopes: Iterable[tuple[str, str]]) -> str:
    """SQL for the rows of these tables and partitions."""
    by_table: dict[str, list[str]] = {}
    for table, key in sorted(scopes):
        by_table.setdefault(table, []).append(key)
    parts = [f"(table_name = '{table}' and {tables.partitions_clause('partition_key', keys)})" for table, keys in by_table.items()]
    return " or ".join(parts) or "false"
