"""From delivered text to types. The source writes `NA` for a missing value; anything else must be readable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

MISSING = "NA"


def present(name: str) -> Column:
    """The column's text, null where the source says that the value is missing."""
    return F.nullif(F.col(name), F.lit(MISSING))


def typed(columns: Mapping[str, tuple[str, str]]) -> list[Column]:
    """Columns to select from delivered rows: new name → (delivered column, Spark SQL type).

    A text that is not of the type fails the query (Spark's ANSI casts) instead of turning into null.
    """
    return [present(source).cast(kind).alias(name) for name, (source, kind) in columns.items()]


def month_of(year: str, month: str) -> Column:
    """`2013-02` from a column of years and one of months (text or numbers)."""
    return F.format_string("%04d-%02d", F.col(year).cast("int"), F.col(month).cast("int"))


def newest(rows: DataFrame, key: Sequence[str]) -> DataFrame:
    """One row for each `key`: the one received last (`_received_at`, then `_source_file`, both dropped).

    Rows of one file that share a key are told apart by their content, so the same row wins every time.
    """
    received = [F.desc("_received_at"), F.desc("_source_file")]
    order = Window.partitionBy(*key).orderBy(*received, F.xxhash64(*rows.columns))
    latest = rows.withColumn("_rank", F.row_number().over(order)).where("_rank = 1")
    return latest.drop("_rank", "_received_at", "_source_file")
