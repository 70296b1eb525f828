from __future__ import annotations

from pyspark.sql import SparkSession

from assets.transforms.weather import observations
from tests.assets.frames import delivered, rows

HOUR = {
    "origin": "EWR", "year": "2013", "month": "2", "day": "12", "hour": "3", "temp": "39.02", "dewp": "26.96",
    "humid": "61.63", "wind_dir": "260", "wind_speed": "10.36", "wind_gust": "NA", "precip": "0", "pressure": "NA",
    "visib": "10", "time_hour": "2013-02-12T08:00:00Z", "_source_file": "a.csv", "_received_at": "2013-03-01T00:00:00Z",
}  # fmt: skip


def test_an_hour_is_typed_and_known_at_its_end(spark: SparkSession) -> None:
    found = rows(
        observations(delivered(spark, HOUR, {})), "month", "observed_hour", "known_at", "temperature", "wind_gust", by="origin"
    )
    assert found == {"EWR": ("2013-02", "2013-02-12 08:00:00", "2013-02-12 09:00:00", "39.02", None)}


def test_the_hour_that_clocks_repeat_is_two_hours(spark: SparkSession) -> None:
    night = {"month": "11", "day": "3", "hour": "1"}
    first, second = night | {"time_hour": "2013-11-03T05:00:00Z"}, night | {"time_hour": "2013-11-03T06:00:00Z"}
    assert observations(delivered(spark, HOUR, first, second)).count() == 2


def test_an_hour_delivered_again_counts_once_and_as_corrected(spark: SparkSession) -> None:
    corrected = {"temp": "35.0", "_received_at": "2013-04-01T00:00:00Z"}
    found = observations(delivered(spark, HOUR, corrected, {}))
    assert [row["temperature"] for row in found.select("temperature").collect()] == [35.0]


def test_an_impossible_wind_is_not_known(spark: SparkSession) -> None:
    storm, mistake = {"origin": "JFK", "wind_speed": "80.5"}, {"origin": "EWR", "wind_speed": "1048.36058"}
    assert rows(observations(delivered(spark, HOUR, storm, mistake)), "wind_speed", by="origin") == {
        "JFK": ("80.5",),
        "EWR": (None,),
    }


def test_the_month_is_that_of_local_time(spark: SparkSession) -> None:
    last = {"month": "1", "day": "31", "hour": "23", "time_hour": "2013-02-01T04:00:00Z"}
    assert rows(observations(delivered(spark, HOUR, last)), "month", by="origin") == {"EWR": ("2013-01",)}
