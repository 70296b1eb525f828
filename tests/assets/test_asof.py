from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from assets.transforms import asof
from tests.assets.frames import rows, utc

NOON = utc("07-15 12:00")
WINDOW = 3  # hours


def minutes(count: int | None) -> object:
    return None if count is None else NOON + timedelta(minutes=count)


def questions(spark: SparkSession, *asked: tuple[str, int]) -> DataFrame:
    """(key, minutes from noon) each."""
    made = [(f"q{number}", key, minutes(at)) for number, (key, at) in enumerate(asked)]
    return spark.createDataFrame(made, "id string, key string, asked_at timestamp")


def events(spark: SparkSession, *happened: tuple[str | None, int | None, int]) -> DataFrame:
    """(key, minutes from noon at which it is known, value) each."""
    made = [(key, minutes(at), value) for key, at, value in happened]
    return spark.createDataFrame(made, "key string, known_at timestamp, value int")


def windowed(frame: DataFrame) -> DataFrame:
    return asof.windowed(frame, "key", "known_at", WINDOW, {"n": F.lit(1), "total": F.col("value")})


@pytest.mark.parametrize("at, counted", [(-1, 0), (0, 1), (1, 1), (179, 1), (180, 0)])
def test_an_event_counts_from_when_it_is_known_until_it_leaves_the_window(spark: SparkSession, at: int, counted: int) -> None:
    changes = windowed(events(spark, ("a", 0, 7)))
    found = asof.known(questions(spark, ("a", at)), changes, "key", ["n", "total"])
    assert rows(found, "n", "total", by="id") == {"q0": (str(counted), str(7 * counted))}


def test_keys_are_kept_apart_and_unknown_ones_know_nothing(spark: SparkSession) -> None:
    changes = windowed(events(spark, ("a", -5, 1), ("b", -5, 2), (None, -5, 4), ("a", None, 8)))
    found = asof.known(questions(spark, ("a", 0), ("b", 0), ("c", 0)), changes, "key", ["total"])
    assert rows(found, "total", by="id") == {"q0": ("1",), "q1": ("2",), "q2": ("0",)}


def test_something_that_lasts_counts_while_it_lasts(spark: SparkSession) -> None:
    spans = spark.createDataFrame(
        [
            ("a", minutes(0), minutes(30)),
            ("a", minutes(10), minutes(10)),
            ("a", minutes(20), minutes(15)),
            ("a", minutes(25), minutes(50)),
        ],
        "key string, start timestamp, end timestamp",
    )
    changes = asof.between(spans, "key", F.col("start"), F.col("end"), {"n": F.lit(1)})
    found = asof.known(questions(spark, ("a", -1), ("a", 0), ("a", 25), ("a", 30), ("a", 50)), changes, "key", ["n"])
    assert rows(found, "n", by="id") == {"q0": ("0",), "q1": ("1",), "q2": ("2",), "q3": ("1",), "q4": ("0",)}


KEYS = st.sampled_from(["a", "b"])
MOMENTS = st.integers(-400, 400)


@settings(max_examples=4, deadline=None)
@given(
    asked=st.lists(st.tuples(KEYS, MOMENTS), min_size=5, max_size=30),
    happened=st.lists(st.tuples(KEYS, MOMENTS, st.integers(-50, 50)), min_size=5, max_size=60),
)
def test_sums_are_those_of_looking_at_every_event_for_every_question(
    spark: SparkSession, asked: list[tuple[str, int]], happened: list[tuple[str, int, int]]
) -> None:
    found = asof.known(questions(spark, *asked), windowed(events(spark, *happened)), "key", ["n", "total"])
    expected = {}
    for number, (key, at) in enumerate(asked):
        known = [value for whose, when, value in happened if whose == key and when <= at < when + 60 * WINDOW]
        expected[f"q{number}"] = (str(len(known)), str(sum(known)))
    assert rows(found, "n", "total", by="id") == expected
