"""Change data capture: rows of a source's table, and their history, from the change events of Debezium's envelope.

An event says what one row was before and after a change (`op` c: created, u: updated, d: deleted, r: read by a snapshot)
and where in the source's log that stands. Events come late, twice and in any order; only their position counts, so any
number of batches in any order ends in what one batch of all of them makes.
Format: https://debezium.io/documentation/reference/stable/connectors/mysql.html#mysql-events, the transactions' marks
https://debezium.io/documentation/reference/stable/connectors/mysql.html#mysql-transaction-metadata.

Nothing is stored here; what is used several times (the lines as parsed, the versions) is computed once. A notebook
merges what is returned: set aside lines by `line`, versions by key and `position`, current rows by key; and hands in
what stands of these, so that a batch costs what its keys cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from lakehouse.spark.session import checkpoint

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

POSITION = """
    case when coalesce(source['lsn'], source['pos']) is not null then concat_ws('/',
        source['file'],
        lpad(coalesce(source['lsn'], source['pos']), 20, '0'),
        lpad(coalesce(string(transaction.total_order), source['row'], '0'), 10, '0')) end
"""
"""The place of an event in the log, as text that sorts: the log's file where there are several, the offset (PostgreSQL's
`lsn`, MySQL's `pos`), the order within a transaction or statement."""

_FILE = "_source_file"
_OWN = ("op", "position", "transaction", "deleted", "valid_from", "valid_to", "next_position", _FILE)


@dataclass(frozen=True)
class Batch:
    """`events`: op, position, ts, transaction, before and after (structs), the file; what came twice may be there twice.

    `aside`: line, reason, file, and `applied`, true for what was set aside before and is not any more.
    """

    events: DataFrame
    aside: DataFrame


def events(
    rows: DataFrame,
    schema: str,
    key: Sequence[str],
    *,
    position: str = POSITION,
    collection: str | None = None,
    aside: DataFrame | None = None,
    history: DataFrame | None = None,
) -> Batch:
    """The events in `rows` (a column `value` of JSON text, as received; `_source_file` is kept), checked and typed.

    `schema` are the columns of the source's table with their types in the events, such as "id bigint, name string";
    `key` those that name a row. `position` is an SQL expression over the envelope's `source` (a map of texts) and
    `transaction` that makes a text which sorts. The plain envelope is understood, and the one wrapped with its schema.
    Tombstones say nothing more than the deletion before them, and are left out.

    What cannot be understood is set aside with the reason; so is an event of a transaction, until the transaction's END
    mark is there and as many events as it counts (in `collection`, the source's table, where it counts several): then
    all of them are applied in one batch. Events without a transaction wait for nothing. `aside` and `history` are what
    stands: lines to be tried again, and the transactions that were applied before.
    """
    lines = rows.select(F.col("value").alias("line"), *_file_of(rows))
    if aside is not None:
        lines = lines.unionByName(aside.select("line", _FILE))
    lines = lines.where("trim(line) not in ('', 'null')").groupBy("line").agg(F.min(_FILE).alias(_FILE))
    judged = checkpoint(_judged(_parsed(lines, schema, position), key))
    done = _whole(judged, collection, history)
    waits = "if(transaction is not null and whole is null, 'transaction ' || transaction || ' is incomplete', null)"
    told = judged.join(done, F.expr("transaction = whole"), "left").withColumn("reason", F.expr(f"coalesce(reason, {waits})"))
    told = checkpoint(told)
    good = told.where("reason is null and op in ('c', 'u', 'd', 'r')")
    left = told.where("reason is not null and reason != 'tombstone'").select("line", "reason", _FILE, F.lit(False).alias("applied"))
    if aside is not None:
        gone = aside.select("line", "reason", _FILE, F.lit(True).alias("applied")).join(left.select("line"), "line", "left_anti")
        left = left.unionByName(gone)
    return Batch(good.select("op", "position", "ts", "transaction", "before", "after", _FILE), left)


def history(events: DataFrame, key: Sequence[str], standing: DataFrame | None = None) -> DataFrame:
    """Every version of each key that `events` speak of, with those of `standing`, the history so far.

    A row for each version: the table's columns (of a deletion, the key alone), op, position, transaction, deleted,
    valid_from and valid_to (when it was changed at the source, null: it still stands), next_position, the file.
    An update that gives a row another key deletes the one and begins the other.
    """
    rows = _versions(events, key)
    if standing is not None:
        known = standing.join(rows.select(*key).distinct(), list(key), "left_semi").select(*rows.columns)
        rows = rows.unionByName(known)
    # What claims the same place of the same key is one version; which, depends on no order in which they came.
    content = F.to_json(F.struct(*[name for name in rows.columns if name != _FILE]))
    first = Window.partitionBy(*key, "position").orderBy("deleted", content.desc(), _FILE)
    once = rows.withColumn("_nth", F.row_number().over(first)).where("_nth = 1").drop("_nth")
    onwards = Window.partitionBy(*key).orderBy("position")
    nexts = {"valid_to": F.lead("valid_from").over(onwards), "next_position": F.lead("position").over(onwards)}
    return checkpoint(once.withColumns(nexts))


def current(history: DataFrame) -> DataFrame:
    """The last version of each key in `history`: the table's columns, the file, and `deleted`."""
    return history.where("next_position is null").drop(*(set(_OWN) - {"deleted", _FILE}))


def as_of(history: DataFrame, moment: datetime | str) -> DataFrame:
    """The table as it was at `moment`, by the source's clock: its columns and the file."""
    at = F.lit(moment).cast("timestamp")
    there = (F.col("valid_from") <= at) & (F.col("valid_to").isNull() | (F.col("valid_to") > at)) & ~F.col("deleted")
    return history.where(there).drop(*(set(_OWN) - {_FILE}))


def _parsed(lines: DataFrame, schema: str, position: str) -> DataFrame:
    """Each line's envelope or transaction's mark, unwrapped; `broken` where it is not of that form."""
    parts = {
        "op": "string", "ts_ms": "bigint", "source": "map<string,string>", "transaction": "struct<id:string,total_order:bigint>",
        "before": f"struct<{schema}>", "after": f"struct<{schema}>", "status": "string", "id": "string", "event_count": "bigint",
        "data_collections": "array<struct<data_collection:string,event_count:bigint>>",
    }  # fmt: skip
    form = ", ".join(f"{name} {kind}" for name, kind in parts.items())
    wrapped = f"payload struct<{', '.join(f'{name}:{kind}' for name, kind in parts.items())}>"
    options = {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": "broken"}
    read = lines.withColumn("_", F.from_json("line", f"{form}, {wrapped}, broken string", options))
    fields = [f"coalesce(_.payload.{name}, _.{name}) as {name}" for name in parts]
    empty = "array_contains(json_object_keys(line), 'payload') and _.payload is null as empty"
    told = read.selectExpr("line", _FILE, "_.broken is not null as broken", empty, *fields)
    ts = "timestamp_millis(coalesce(bigint(source['ts_ms']), ts_ms))"
    return told.withColumns({"position": F.expr(position), "ts": F.expr(ts)})


def _judged(parsed: DataFrame, key: Sequence[str]) -> DataFrame:
    """With `reason`, why a line cannot be applied; null where it can."""
    lacking = {side: " or ".join(f"{side}.`{name}` is null" for name in key) for side in ("before", "after")}
    reason = f"""case
        when broken then 'not JSON of the declared columns'
        when status in ('BEGIN', 'END') and id is not null then null
        when op is null and empty then 'tombstone'
        when op is null then 'no op'
        when op not in ('c', 'u', 'd', 'r') then 'op ' || op || ' is not understood'
        when position is null then 'no position'
        when ts is null then 'no time'
        when op = 'd' and (before is null or {lacking["before"]}) then 'no key before'
        when op != 'd' and (after is null or {lacking["after"]}) then 'no key after'
        end"""
    of_mark = "if(status = 'END', id, transaction.id)"
    return parsed.withColumns(
        {
            "reason": F.expr(reason),
            "nth": F.expr("coalesce(string(transaction.total_order), position)"),
            "transaction": F.expr(of_mark),
        }
    )


def _whole(judged: DataFrame, collection: str | None, history: DataFrame | None) -> DataFrame:
    """The transactions (`whole`) of which everything is there, or was before."""
    name = (collection or "").replace("'", "''")
    of_table = f"coalesce(get(filter(data_collections, one -> one.data_collection = '{name}'), 0).event_count, 0L)"
    counted = of_table if collection else "event_count"
    by_transaction = judged.where("transaction is not null and reason is null").groupBy("transaction")
    sums = by_transaction.agg(
        F.expr(f"max(if(status = 'END', {counted}, null))").alias("promised"),
        F.expr("count(distinct if(status is null, nth, null))").alias("there"),
    )
    whole = sums.where("there >= promised").select(F.col("transaction").alias("whole"))
    if history is None:
        return whole
    return whole.union(history.where("transaction is not null").select("transaction")).distinct()


def _versions(events: DataFrame, key: Sequence[str]) -> DataFrame:
    """What each event makes of a key: a version, a deletion, or by a changed key both."""
    told = ("op", "position", "transaction")
    facts = [*told, F.col("ts").alias("valid_from"), _FILE]
    begun = events.where("op != 'd'").select("after.*", *facts, F.lit(False).alias("deleted"))
    moved = " or ".join(f"before.`{name}` != after.`{name}`" for name in key)
    ended = events.where(f"op = 'd' or (op = 'u' and ({moved}))")
    names = events.select("after.*").columns
    columns: list[Column] = [
        F.col(f"before.{name}") if name in key else F.when(F.lit(False), F.col(f"before.{name}")).alias(name) for name in names
    ]
    return begun.unionByName(ended.select(*columns, *facts, F.lit(True).alias("deleted")))


def _file_of(rows: DataFrame) -> list[Column]:
    return [F.col(_FILE)] if _FILE in rows.columns else [F.lit(None).cast("string").alias(_FILE)]
