"""Hourly weather observations: typed, in UTC, one per airport and hour, with when each became known."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from assets.transforms.casts import month_of, newest, typed

# The strongest gust ever measured on the ground was 253 mph; the file has 1,048 mph once (EWR, 12 February 2013).
STRONGEST_WIND = 253.0

MEASURED = {
    "temperature": "temp",
    "dew_point": "dewp",
    "humidity": "humid",
    "wind_direction": "wind_dir",
    "wind_speed": "wind_speed",
    "wind_gust": "wind_gust",
    "precipitation": "precip",
    "pressure": "pressure",
    "visibility": "visib",
}


def observations(delivered: DataFrame) -> DataFrame:
    """One row per `origin` and `observed_hour` from delivered rows (text): typed, the last delivery of an hour only.

    `observed_hour` is the start of the hour in UTC. An observation is known at the hour's end (`known_at`): the source
    puts under an hour the readings of its minutes 0 to 51 and the rain that fell by then. An impossible wind speed
    becomes null.
    """
    columns = {"origin": ("origin", "string"), "observed_hour": ("time_hour", "timestamp")}
    columns |= {name: (source, "double") for name, source in MEASURED.items()}
    rows = delivered.select(month_of("year", "month").alias("month"), *typed(columns), "_received_at", "_source_file")
    return newest(rows, ["origin", "observed_hour"]).withColumns(
        {
            "known_at": F.timestamp_add("HOUR", F.lit(1), "observed_hour"),
            "wind_speed": F.when(F.col("wind_speed") <= STRONGEST_WIND, F.col("wind_speed")),
        }
    )
