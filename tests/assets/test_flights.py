from __future__ import annotations

from pyspark.sql import SparkSession

from assets.transforms.flights import on_utc, one_per_flight, with_plane, with_weather
from assets.transforms.weather import MEASURED
from tests.assets.frames import FLIGHT, airports, delivered, rows, utc

CANCELLED = {"dep_time": "NA", "dep_delay": "NA", "arr_time": "NA", "arr_delay": "NA", "air_time": "NA", "tailnum": "NA"}

# name: (what is delivered otherwise, scheduled departure, scheduled arrival, departure, arrival)
TIMES = {
    "summer": ({"flight": "1"}, "07-15 13:00", "07-15 16:40", "07-15 13:05", "07-15 16:30"),
    "winter": ({"flight": "2", "month": "1"}, "01-15 14:00", "01-15 17:40", "01-15 14:05", "01-15 17:30"),
    "lands after midnight": (
        {"flight": "3", "dest": "LAX", "sched_dep_time": "2200", "sched_arr_time": "110"},
        "07-16 02:00", "07-16 08:10", "07-16 02:05", "07-16 08:00",
    ),
    "leaves after midnight": (
        {"flight": "4", "dest": "ATL", "sched_dep_time": "2359", "dep_time": "104", "dep_delay": "65", "sched_arr_time": "220"},
        "07-16 03:59", "07-16 06:20", "07-16 05:04", "07-16 06:10",
    ),
    "leaves early, the day before": (
        {"flight": "5", "dest": "ATL", "sched_dep_time": "5", "dep_time": "2355", "dep_delay": "-10", "sched_arr_time": "220"},
        "07-15 04:05", "07-15 06:20", "07-15 03:55", "07-15 06:10",
    ),
    "a day late": ({"flight": "6", "dep_delay": "1441"}, "07-15 13:00", "07-15 16:40", "07-16 13:01", "07-15 16:30"),
    "arrives at 2400": (
        {"flight": "7", "dest": "ATL", "sched_dep_time": "2130", "sched_arr_time": "2400"},
        "07-16 01:30", "07-16 04:00", "07-16 01:35", "07-16 03:50",
    ),
    "to Puerto Rico in winter": (
        {"flight": "8", "month": "1", "dest": "SJU", "sched_arr_time": "1345"},
        "01-15 14:00", "01-15 17:45", "01-15 14:05", "01-15 17:35",
    ),
    "the morning clocks go forward": (
        {"flight": "9", "month": "3", "day": "10", "dest": "ATL", "sched_dep_time": "100", "sched_arr_time": "415"},
        "03-10 06:00", "03-10 08:15", "03-10 06:05", "03-10 08:05",
    ),
}  # fmt: skip


def full(text: str) -> str:
    return f"{utc(text):%Y-%m-%d %H:%M:%S}"


def test_times_are_utc(spark: SparkSession) -> None:
    changes = [change for change, *_ in TIMES.values()]
    flights = on_utc(one_per_flight(delivered(spark, FLIGHT, *changes)), airports(spark))
    moments = ("scheduled_departure", "scheduled_arrival", "departed_at", "arrived_at")
    by_number = {key.split("-")[2]: value for key, value in rows(flights, *moments).items()}
    expected = {change["flight"]: tuple(map(full, times)) for change, *times in TIMES.values()}
    assert by_number == expected


def test_what_became_of_a_flight(spark: SparkSession) -> None:
    diverted = {"flight": "2", "arr_delay": "NA", "air_time": "NA", "arr_time": "1830"}
    found = on_utc(
        one_per_flight(delivered(spark, FLIGHT, {"flight": "1"}, diverted, {"flight": "3"} | CANCELLED)), airports(spark)
    )
    assert rows(found, "status", "departed_at", "arrived_at", "tail_number") == {
        "20130715-UA-1-EWR": ("landed", "2013-07-15 13:05:00", "2013-07-15 16:30:00", "N14228"),
        "20130715-UA-2-EWR": ("diverted", "2013-07-15 13:05:00", None, "N14228"),
        "20130715-UA-3-EWR": ("cancelled", None, None, None),
    }


def test_the_local_schedule_is_kept(spark: SparkSession) -> None:
    early, late = {"flight": "1", "sched_dep_time": "106"}, {"flight": "2", "sched_dep_time": "2359"}
    found = on_utc(one_per_flight(delivered(spark, FLIGHT, early, late)), airports(spark))
    assert rows(found, "departure_hour", "departure_minute", "month", by="flight_number") == {
        1: ("1", "66", "2013-07"),
        2: ("23", "1439", "2013-07"),
    }


def test_a_flight_delivered_again_counts_once_and_as_corrected(spark: SparkSession) -> None:
    corrected = {"arr_delay": "30", "_received_at": "2013-09-01T00:00:00Z"}
    found = one_per_flight(delivered(spark, FLIGHT, {}, corrected, {}))
    assert rows(found, "arrival_delay") == {"20130715-UA-1545-EWR": ("30",)}


def test_one_number_from_two_airports_is_two_flights(spark: SparkSession) -> None:
    found = one_per_flight(delivered(spark, FLIGHT, {"origin": "EWR"}, {"origin": "LGA"}, {"day": "16"}))
    assert set(rows(found)) == {"20130715-UA-1545-EWR", "20130715-UA-1545-LGA", "20130716-UA-1545-EWR"}


def test_the_weather_is_that_of_the_scheduled_hour_at_the_origin(spark: SparkSession) -> None:
    hours = [("EWR", "07-15 12:00", 1.0), ("EWR", "07-15 13:00", 2.0), ("JFK", "07-15 14:00", 3.0)]
    weather = spark.createDataFrame(
        [(origin, utc(hour), *[value] * len(MEASURED)) for origin, hour, value in hours],
        "origin string, observed_hour timestamp, " + ", ".join(f"{name} double" for name in MEASURED),
    )
    changes = [{"flight": "1", "sched_dep_time": "959"}, {"flight": "2", "sched_dep_time": "1000"}]
    flights = on_utc(one_per_flight(delivered(spark, FLIGHT, *changes)), airports(spark))
    found = rows(with_weather(flights, weather), "temperature", by="flight_number")
    assert found == {1: ("2.0",), 2: (None,)}


def test_a_plane_that_the_register_lacks_is_not_known(spark: SparkSession) -> None:
    planes = spark.createDataFrame(
        [("N14228", "1999", "BOEING", "149"), ("N1", "NA", "CESSNA", "2")], ["tailnum", "year", "manufacturer", "seats"]
    )
    changes = [
        {"flight": "1"},
        {"flight": "2", "tailnum": "N1"},
        {"flight": "3", "tailnum": "N3FLAA"},
        {"flight": "4", "tailnum": "NA"},
    ]
    found = with_plane(one_per_flight(delivered(spark, FLIGHT, *changes)), planes)
    assert rows(found, "plane_year", "plane_seats", by="flight_number") == {
        1: ("1999", "149"),
        2: (None, "2"),
        3: (None, None),
        4: (None, None),
    }
