"""Weather observations as they come in: records of JSON, typed, the last that was received of each hour."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

KEY = ("origin", "time_hour")
RECORD = (
    "origin string, time_hour timestamp, temp double, dewp double, humid double, wind_dir double, wind_speed double, "
    "wind_gust double, precip double, pressure double, visib double"
)


def typed(received: DataFrame) -> DataFrame:
    """The records (`value`, JSON) as columns, with where each came from.

    A record that cannot be read, or a value of another type, becomes null: the gate refuses a missing key.
    """
    return received.select(F.from_json("value", RECORD).alias("record"), "_source_file", "_delivery", "_received_at").select(
        "record.*", "_source_file", "_delivery", "_received_at"
    )


def last_received(observations: DataFrame) -> DataFrame:
    """One row for each airport and hour: that of the last delivery, as an hour comes again, and may be corrected."""
    last = F.max_by(F.struct(*observations.columns), F.struct("_delivery", F.xxhash64(*observations.columns)))
    return observations.groupBy(*KEY).agg(last.alias("last")).select("last.*")
