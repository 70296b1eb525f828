from __future__ import annotations

from datetime import date

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from assets.transforms.clocks import at_clock, first_after, later, zone_of
from tests.assets.frames import utc

NEW_YORK, CHICAGO, HONOLULU, PUERTO_RICO = "America/New_York", "America/Chicago", "Pacific/Honolulu", "America/Puerto_Rico"

CLOCKS = {
    "winter": ((1, 15), 517, NEW_YORK, "01-15 10:17"),
    "summer": ((7, 15), 517, NEW_YORK, "07-15 09:17"),
    "midnight that begins the day": ((7, 15), 0, NEW_YORK, "07-15 04:00"),
    "2400 ends the day": ((7, 15), 2400, NEW_YORK, "07-16 04:00"),
    "2400 of the last day of the month": ((1, 31), 2400, NEW_YORK, "02-01 05:00"),
    "just before clocks go forward": ((3, 10), 159, NEW_YORK, "03-10 06:59"),
    "in the hour that is left out": ((3, 10), 230, NEW_YORK, "03-10 07:30"),
    "just after clocks went forward": ((3, 10), 300, NEW_YORK, "03-10 07:00"),
    "in the hour that comes twice": ((11, 3), 130, NEW_YORK, "11-03 05:30"),
    "after the hour that came twice": ((11, 3), 200, NEW_YORK, "11-03 07:00"),
    "another zone": ((7, 15), 900, CHICAGO, "07-15 14:00"),
    "a zone without daylight saving": ((7, 15), 900, HONOLULU, "07-15 19:00"),
}

ARRIVALS = {
    "same day": ("07-15 13:00", (7, 15), 1140, CHICAGO, "07-15 16:40"),
    "past midnight": ("07-16 01:30", (7, 15), 19, NEW_YORK, "07-16 04:19"),
    "at midnight": ("07-16 01:30", (7, 15), 2400, NEW_YORK, "07-16 04:00"),
    "far west, earlier by the clock's distance only": ("01-15 14:00", (1, 15), 1530, HONOLULU, "01-16 01:30"),
    "a zone ahead of New York, past midnight": ("01-16 03:30", (1, 15), 415, PUERTO_RICO, "01-16 08:15"),
    "during the night clocks go forward": ("03-10 04:59", (3, 9), 600, NEW_YORK, "03-10 10:00"),
    "during the night clocks go back": ("11-03 03:59", (11, 2), 600, NEW_YORK, "11-03 11:00"),
    "over the end of the year": ("2014-01-01 04:30", (12, 31), 130, NEW_YORK, "2014-01-01 06:30"),
}


def test_clock_times_become_moments(spark: SparkSession) -> None:
    given = [(name, date(2013, *day), clock, zone) for name, (day, clock, zone, _) in CLOCKS.items()]
    frame = spark.createDataFrame(given, "name string, day date, clock int, zone string")
    moment = at_clock(F.col("day"), F.col("clock"), F.col("zone"))
    found = {row["name"]: row["at"] for row in frame.select("name", F.unix_timestamp(moment).alias("at")).collect()}
    assert found == {name: utc(expected).timestamp() for name, (*_, expected) in CLOCKS.items()}


def test_an_arrival_is_the_first_such_time_after_the_departure(spark: SparkSession) -> None:
    given = [(name, utc(departure), date(2013, *day), clock, zone) for name, (departure, day, clock, zone, _) in ARRIVALS.items()]
    frame = spark.createDataFrame(given, "name string, departure timestamp, day date, clock int, zone string")
    arrival = first_after(F.col("departure"), F.col("day"), F.col("clock"), F.col("zone"))
    found = {row["name"]: row["at"] for row in frame.select("name", F.unix_timestamp(arrival).alias("at")).collect()}
    assert found == {name: utc(expected).timestamp() for name, (*_, expected) in ARRIVALS.items()}


def test_delays_of_many_hours_and_early_departures_move_a_moment(spark: SparkSession) -> None:
    frame = spark.createDataFrame([(utc("01-09 14:00"), m) for m in (1301, -15, None)], "at timestamp, minutes int")
    found = [row[0] for row in frame.select(F.unix_timestamp(later(F.col("at"), F.col("minutes")))).collect()]
    assert found == [utc("01-10 11:41").timestamp(), utc("01-09 13:45").timestamp(), None]


def test_airports_outside_the_register_have_their_zone(spark: SparkSession) -> None:
    given = [("SJU", None), ("STT", None), ("IAH", CHICAGO), ("XXX", None)]
    frame = spark.createDataFrame(given, "destination string, listed string")
    found = [row[0] for row in frame.select(zone_of(F.col("destination"), F.col("listed"))).collect()]
    assert found == [PUERTO_RICO, "America/St_Thomas", CHICAGO, None]
