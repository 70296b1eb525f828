"""What is known of a flight two hours before its scheduled departure, and later whether it was late.

Every column comes from the schedule, or from something that had happened, and was known, by `asked_at`.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from assets.transforms import asof

HOURS_BEFORE = 2
LATE_AFTER = 15  # minutes
DEPARTURES_WINDOW = 3  # hours
ARRIVALS_WINDOW = 6  # hours
OVERDUE_LIMIT = 6  # hours after which a flight that has not left no longer counts as waiting

WEATHER = ("temperature", "humidity", "wind_speed", "wind_gust", "precipitation", "pressure", "visibility")
# What a question takes of the plane's last landing, and how it calls it.
LANDING = {"arrival_delay": "plane_last_delay", "arrived_at": "plane_landed_at"}


def observed(weather: DataFrame) -> DataFrame:
    """The feature view of the weather at the origin: hours by airport, from when on each was known (`known_at`)."""
    return weather.select("month", "origin", "known_at", *WEATHER)


def landings(flights: DataFrame) -> DataFrame:
    """The feature view of a plane's landings: one row by `tail_number` and `arrived_at`, with its `arrival_delay`.

    Of two flights in the same minute the greater delay.
    """
    landed = flights.where("arrived_at is not null and tail_number is not null")
    return landed.groupBy("month", "tail_number", "arrived_at").agg(F.max("arrival_delay").alias("arrival_delay"))


def questions(flights: DataFrame, months: Sequence[str]) -> DataFrame:
    """One row per flight of `months`: what the schedule tells, when it is asked, and the answer that came later.

    `is_late` is null for a flight that never arrived as planned (cancelled or diverted): whether it was late has no
    answer. It is still asked, because nobody knows by then that it will be cancelled.
    """
    departure, landed = F.col("scheduled_departure"), F.col("status") == "landed"
    return flights.where(F.col("month").isin(list(months))).select(
        "flight_id",
        "month",
        F.timestamp_add("HOUR", F.lit(-HOURS_BEFORE), departure).alias("asked_at"),
        "scheduled_departure",
        "carrier",
        "origin",
        "destination",
        "tail_number",
        "departure_hour",
        "departure_minute",
        F.weekday("flight_date").alias("weekday"),
        "distance",
        F.timestamp_diff("MINUTE", departure, "scheduled_arrival").cast("int").alias("scheduled_minutes"),
        (F.year("flight_date") - F.col("plane_year")).alias("plane_age"),
        "plane_seats",
        F.when(landed, F.col("arrival_delay") > LATE_AFTER).alias("is_late"),
        F.when(landed, F.col("arrived_at")).alias("label_known_at"),
    )


def with_hours_since_landing(known: DataFrame) -> DataFrame:
    """With the hours since the plane's last landing, to the whole minute; its moment and `tail_number` are dropped."""
    hours = F.timestamp_diff("MINUTE", "plane_landed_at", "asked_at") / 60
    return known.withColumn("plane_hours_since", hours).drop("plane_landed_at", "tail_number")


def with_origin(asked: DataFrame, flights: DataFrame) -> DataFrame:
    """With the origin's last hours: departures and their delays, and flights overdue."""
    departed = {"origin_departures": F.lit(1), "origin_delay": F.col("departure_delay")}
    left = asof.windowed(flights, "origin", "departed_at", DEPARTURES_WINDOW, departed)
    limit = F.timestamp_add("HOUR", F.lit(OVERDUE_LIMIT), "scheduled_departure")
    gone = F.least(limit, F.coalesce("departed_at", limit))
    waiting = asof.between(flights, "origin", F.col("scheduled_departure"), gone, {"origin_overdue": F.lit(1)})
    changes = left.unionByName(waiting, allowMissingColumns=True)
    known = asof.known(asked, changes, "origin", ["origin_departures", "origin_delay", "origin_overdue"])
    return known.withColumn("origin_delay", _mean("origin_delay", "origin_departures"))


def with_carrier(asked: DataFrame, flights: DataFrame) -> DataFrame:
    """With the carrier's departures from all three airports in the last hours, and their delays."""
    departed = {"carrier_departures": F.lit(1), "carrier_delay": F.col("departure_delay")}
    changes = asof.windowed(flights, "carrier", "departed_at", DEPARTURES_WINDOW, departed)
    known = asof.known(asked, changes, "carrier", list(departed))
    return known.withColumn("carrier_delay", _mean("carrier_delay", "carrier_departures"))


def with_destination(asked: DataFrame, flights: DataFrame) -> DataFrame:
    """With the landings at the destination, of flights from New York, in the last hours, and their delays."""
    arrived = {"destination_arrivals": F.lit(1), "destination_delay": F.col("arrival_delay")}
    changes = asof.windowed(flights, "destination", "arrived_at", ARRIVALS_WINDOW, arrived)
    known = asof.known(asked, changes, "destination", list(arrived))
    return known.withColumn("destination_delay", _mean("destination_delay", "destination_arrivals"))


def _mean(total: str, count: str) -> Column:
    """Minutes per flight, null where there was none."""
    return F.try_divide(F.col(total), F.col(count))
