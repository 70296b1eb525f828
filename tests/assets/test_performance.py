from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from assets.transforms.performance import performance

SCHEMA = "month string, carrier string, status string, departure_delay int, arrival_delay int"


def test_a_group_is_counted_and_measured(spark: SparkSession) -> None:
    flights = [("2013-02", "UA", "landed", delay, delay) for delay in (-10, 0, 15, 16, 100)]
    flights += [("2013-02", "UA", "cancelled", None, None), ("2013-02", "UA", "diverted", 20, None)]
    (row,) = performance(spark.createDataFrame(flights, SCHEMA), "month", "carrier").collect()
    assert (row["flights"], row["landed"], row["cancelled"], row["diverted"], row["late"]) == (7, 5, 1, 1, 2)
    assert row["late_share"] == pytest.approx(2 / 5)
    assert row["cancelled_share"] == pytest.approx(1 / 7)
    assert row["mean_departure_delay"] == pytest.approx(141 / 6)
    assert row["mean_arrival_delay"] == pytest.approx(121 / 5)
    assert row["arrival_delay_90th"] == pytest.approx(16 + 0.6 * 84)


def test_where_no_flight_landed_there_is_no_delay(spark: SparkSession) -> None:
    flights = [("2013-02", "UA", "cancelled", None, None)] * 2
    (row,) = performance(spark.createDataFrame(flights, SCHEMA), "month", "carrier").collect()
    assert (row["flights"], row["late"], row["cancelled_share"]) == (2, 0, 1.0)
    assert [row[name] for name in ("late_share", "mean_departure_delay", "mean_arrival_delay", "arrival_delay_90th")] == [None] * 4


def test_groups_are_those_of_the_keys(spark: SparkSession) -> None:
    flights = [(month, carrier, "landed", 0, 0) for month in ("2013-01", "2013-02") for carrier in ("UA", "AA")]
    frame = spark.createDataFrame(flights * 3, SCHEMA)
    assert performance(frame, "month").count() == 2
    assert {row["flights"] for row in performance(frame, "month", "carrier").collect()} == {3}
