"""Small frames for the transforms' tests, as the source delivers them (text) or as silver holds them."""

from __future__ import annotations

from datetime import UTC, datetime

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

FLIGHT = {
    "year": "2013", "month": "7", "day": "15", "dep_time": "905", "sched_dep_time": "900", "dep_delay": "5",
    "arr_time": "1130", "sched_arr_time": "1140", "arr_delay": "-10", "carrier": "UA", "flight": "1545",
    "tailnum": "N14228", "origin": "EWR", "dest": "IAH", "air_time": "190", "distance": "1400", "hour": "9",
    "minute": "0", "time_hour": "2013-07-15T13:00:00Z", "_source_file": "a.csv", "_received_at": "2013-08-01T00:00:00Z",
}  # fmt: skip
AIRPORTS = {
    "IAH": "America/Chicago",
    "LAX": "America/Los_Angeles",
    "HNL": "Pacific/Honolulu",
    "ATL": "America/New_York",
    "BOS": "NA",
}


def delivered(spark: SparkSession, usual: dict[str, str], *changes: dict[str, str]) -> DataFrame:
    """One row of text per item of `changes`, each the usual row but for that."""
    rows = [{**usual, **change} for change in changes]
    frame = spark.createDataFrame([tuple(row.values()) for row in rows], list(usual))
    return frame.withColumn("_received_at", frame["_received_at"].cast("timestamp"))


def airports(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(list(AIRPORTS.items()), ["faa", "tzone"])


def utc(text: str) -> datetime:
    """`07-15 13:00` in 2013, or with a year in front."""
    full = text if len(text) > 11 else f"2013-{text}"
    return datetime.fromisoformat(full).replace(tzinfo=UTC)


def rows(frame: DataFrame, *columns: str, by: str = "flight_id") -> dict[str, tuple[str | None, ...]]:
    """`by` → the values of `columns` as text; moments in UTC, such as `2013-07-15 13:00:00`."""
    text = frame.select(by, *(F.col(name).cast("string") for name in columns))
    return {row[0]: tuple(row[1:]) for row in text.collect()}
