"""One Delta commit: rows take the place of a table's, or of some of its partitions. (By key: see `lakehouse.merge`.)"""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse import deltalog, tables
from lakehouse.contract import Contract
from lakehouse.names import TableName
from lakehouse.record import Result

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# Commits and the files of old versions outlive Delta's default month: lineage and time travel need them, and only
# `VACUUM` deletes. Taken by Delta when the table is created.
_KEEP = "interval 3650 days"


def replace(frame: DataFrame, contract: Contract | None, partitions: list[str], path: Path, metadata: str) -> None:
    """Publishes the rows of `frame` in the table at `path`: in these `partitions`, or as the whole table where there are none."""
    space = contract.partitions if contract and partitions else None
    if space:
        # One file for each partition and 64 MB, not one for each partition and task. (Delta's own optimizeWrite does so
        # too, at the price of a shuffle into thousands: the first write of a table took 1.4 to 1.8 times as long.)
        frame = frame.hint("rebalance", space.column)
    # A fresh transaction id: it only removes Connect's resend of one statement. Being right when repeated by a later
    # run comes from replaceWhere, not from here (a reused id would silently drop a later write).
    writer = (
        frame.write.format("delta")
        .mode("overwrite")
        .option("userMetadata", metadata)
        .option("txnAppId", str(uuid.uuid4()))
        .option("txnVersion", 1)
        .option("delta.logRetentionDuration", _KEEP)
        .option("delta.deletedFileRetentionDuration", _KEEP)
    )
    if space:
        writer = writer.partitionBy(space.column).option("mergeSchema", "true")
        writer = writer.option("replaceWhere", tables.partitions_clause(space.column, partitions))
    else:
        writer = writer.option("overwriteSchema", "true")
    writer.save(str(path))


def clone(spark: SparkSession, source: Path, target: Path) -> None:
    """A sandbox starts as a shallow clone of the newest version: no file is copied."""
    version = deltalog.latest(source)
    spark.sql(f"create table delta.`{target}` shallow clone delta.`{source}` version as of {version}")


def name_in_catalog(spark: SparkSession, table: TableName, path: Path) -> None:
    """Lets foreign sessions on the same server use the table's plain name; ours resolve names themselves."""
    location = str(path).replace("'", "\\'")
    spark.sql(f"create database if not exists `{table.layer}`")
    spark.sql(f"create table if not exists `{table.layer}`.`{table.name}` using delta location '{location}'")


def metadata(result: Result, table: TableName, partitions: list[str]) -> str:
    """What a commit of `table` says of the run that made it, for Delta's `userMetadata`."""
    checks = [check for check in result.checks if check.table == table.dotted]
    return json.dumps(
        {
            "lakehouse": tables.FORMAT,
            "run_id": result.run_id,
            "asset": result.asset,
            "partitions": partitions,
            "parameters": result.parameters,
            "inputs": result.inputs,
            "code": result.code,
            "checks": {"passed": sum(c.passed for c in checks), "warned": sum(not c.passed for c in checks)},
        }
    )
