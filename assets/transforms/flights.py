"""Flights: typed, one row per flight, on UTC, with the weather at the scheduled departure and the plane."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from assets.transforms.casts import month_of, newest, present, typed
from assets.transforms.clocks import ORIGIN_ZONE, at_clock, first_after, later, zone_of
from assets.transforms.weather import MEASURED

# With these a flight is the same flight in every delivery; carriers reuse a number for another origin on the same day.
KEY = ("flight_date", "carrier", "flight_number", "origin")

_DELIVERED = {
    "carrier": ("carrier", "string"),
    "flight_number": ("flight", "int"),
    "tail_number": ("tailnum", "string"),
    "origin": ("origin", "string"),
    "destination": ("dest", "string"),
    "distance": ("distance", "int"),
    "departure_delay": ("dep_delay", "int"),
    "arrival_delay": ("arr_delay", "int"),
    "air_time": ("air_time", "int"),
    "scheduled_departure_clock": ("sched_dep_time", "int"),
    "scheduled_arrival_clock": ("sched_arr_time", "int"),
}


def one_per_flight(delivered: DataFrame) -> DataFrame:
    """One typed row per flight from delivered rows (text), the last delivery of a flight only.

    Keeps the clock times of the schedule for `on_utc`. Delays are whole minutes, null where there is none.
    """
    date = F.make_date(*(F.col(part).cast("int") for part in ("year", "month", "day")))
    rows = delivered.select(
        month_of("year", "month").alias("month"), date.alias("flight_date"), *typed(_DELIVERED), "_received_at", "_source_file"
    )
    return newest(rows, KEY).select(_flight_id().alias("flight_id"), "*", _status().alias("status"))


def _flight_id() -> Column:
    return F.concat_ws("-", F.date_format("flight_date", "yyyyMMdd"), "carrier", "flight_number", "origin")


def _status() -> Column:
    """A flight that left but has no delay on arrival was diverted: it landed elsewhere, or here by a detour."""
    return (
        F.when(F.col("departure_delay").isNull(), "cancelled").when(F.col("arrival_delay").isNull(), "diverted").otherwise("landed")
    )


def on_utc(flights: DataFrame, airports: DataFrame) -> DataFrame:
    """Clock times replaced by moments: `scheduled_departure`, `scheduled_arrival`, `departed_at`, `arrived_at`.

    The schedule's clock times are local, those of the arrival in the destination's zone, and an arrival earlier than
    the departure is the next day's. What happened is the schedule plus the delay: delays are signed and can be longer
    than a day's clock, so they need no guess about midnight. `departure_hour` and `departure_minute` (of the day)
    keep the local schedule. `airports` has the register's text columns `faa` and `tzone`.
    """
    register = airports.select(F.col("faa").alias("destination"), present("tzone").alias("listed_zone"))
    clock, day = F.col("scheduled_departure_clock"), F.col("flight_date")
    departure, arrival = F.col("scheduled_departure"), F.col("scheduled_arrival")
    zone = zone_of(F.col("destination"), F.col("listed_zone"))
    return (
        flights.join(F.broadcast(register), "destination", "left")
        .withColumn("scheduled_departure", at_clock(day, clock, F.lit(ORIGIN_ZONE)))
        .withColumn("scheduled_arrival", first_after(departure, day, F.col("scheduled_arrival_clock"), zone))
        .withColumns(
            {
                "departed_at": later(departure, F.col("departure_delay")),
                "arrived_at": later(arrival, F.col("arrival_delay")),
                "departure_hour": F.floor(clock / 100).cast("int") % 24,
                "departure_minute": (F.floor(clock / 100).cast("int") * 60 + clock % 100) % 1440,
            }
        )
        .drop("listed_zone", "scheduled_departure_clock", "scheduled_arrival_clock")
    )


def with_weather(flights: DataFrame, weather: DataFrame) -> DataFrame:
    """With what was measured at the origin in the hour of the scheduled departure; null where nothing was."""
    measured = weather.select("origin", "observed_hour", *MEASURED)
    hour = F.date_trunc("hour", "scheduled_departure")
    joined = flights.withColumn("observed_hour", hour).join(F.broadcast(measured), ["origin", "observed_hour"], "left")
    return joined.drop("observed_hour")


def with_plane(flights: DataFrame, planes: DataFrame) -> DataFrame:
    """With the plane's year, maker and seats from the register's text rows; null where the register lacks it."""
    columns = {
        "tail_number": ("tailnum", "string"),
        "plane_year": ("year", "int"),
        "plane_maker": ("manufacturer", "string"),
        "plane_seats": ("seats", "int"),
    }
    return flights.join(F.broadcast(planes.select(*typed(columns))), "tail_number", "left")
