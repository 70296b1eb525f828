from __future__ import annotations

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from assets.transforms.casts import month_of, newest, typed


def test_missing_values_become_null_and_the_rest_typed(spark: SparkSession) -> None:
    frame = spark.createDataFrame([("7", "2.5", "NA"), ("NA", "NA", "x")], ["a", "b", "c"])
    columns = typed({"whole": ("a", "int"), "broken": ("b", "double"), "text": ("c", "string")})
    assert frame.select(*columns).collect() == [(7, 2.5, None), (None, None, "x")]


@pytest.mark.parametrize("text", ["", "12a", "1,5", "n/a"])
def test_a_text_that_is_no_number_fails_instead_of_vanishing(spark: SparkSession, text: str) -> None:
    frame = spark.createDataFrame([(text,)], ["a"])
    with pytest.raises(PySparkException, match="CAST_INVALID_INPUT"):
        frame.select(*typed({"a": ("a", "int")})).collect()


def test_month_is_written_with_two_digits(spark: SparkSession) -> None:
    frame = spark.createDataFrame([("2013", "2"), ("2013", "11")], ["year", "month"])
    assert [row[0] for row in frame.select(month_of("year", "month")).collect()] == ["2013-02", "2013-11"]


def test_the_last_delivery_of_a_key_counts(spark: SparkSession) -> None:
    rows = [
        ("first", 1, "2013-02-01 00:00:00", "a.csv", "old"),
        ("first", 1, "2013-03-01 00:00:00", "a.csv", "corrected"),
        ("second", 1, "2013-02-01 00:00:00", "b.csv", "later file"),
        ("second", 1, "2013-02-01 00:00:00", "a.csv", "earlier file"),
        ("second", 2, "2013-02-01 00:00:00", "a.csv", "another key"),
    ]
    frame = spark.createDataFrame(rows, ["k", "n", "_received_at", "_source_file", "value"])
    kept = newest(frame, ["k", "n"])
    assert kept.columns == ["k", "n", "value"]
    assert sorted(row["value"] for row in kept.collect()) == ["another key", "corrected", "later file"]


def test_rows_of_one_file_with_one_key_leave_the_same_one_in_any_order(spark: SparkSession) -> None:
    rows = [("k", "2013-02-01 00:00:00", "a.csv", value) for value in ("x", "y", "z", "x")]
    columns = ["k", "_received_at", "_source_file", "value"]
    kept = [newest(spark.createDataFrame(order, columns), ["k"]).collect() for order in (rows, rows[::-1])]
    assert len(kept[0]) == 1
    assert kept[0] == kept[1]
