from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.features.pointintime import View, join

NOON = datetime(2013, 7, 15, 12, tzinfo=UTC)
ROWS = "key string, part int, event timestamp, created timestamp, value int, word string"
ASKED = "id int, key string, part int, at timestamp"
Row = tuple[Any, ...]


@pytest.fixture(scope="module", autouse=True)
def columns_on_connect() -> Iterable[None]:
    """Functions such as F.col ask a JVM in this process for columns unless told of Connect; `lakehouse.open` tells them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_CONNECT_MODE_ENABLED", "1")
        yield


def minute(count: int | None) -> datetime | None:
    return None if count is None else NOON + timedelta(minutes=count)


def view(spark: SparkSession, rows: Iterable[Row], *entity: str, ttl: int | None = None, prefix: str = "") -> View:
    """(key, part, event, created, value, word) each, moments in minutes from noon; `ttl` in minutes."""
    made = [(key, part, minute(event), minute(created), *values) for key, part, event, created, *values in rows]
    columns = {name: prefix + name for name in ("value", "word")}
    kept = None if ttl is None else timedelta(minutes=ttl)
    return View(spark.createDataFrame(made, ROWS), entity, "event", "created", columns, kept)


def asked(spark: SparkSession, questions: Iterable[Row]) -> DataFrame:
    """(key, part, minutes from noon) each; `id` counts them."""
    made = [(number, key, part, minute(at)) for number, (key, part, at) in enumerate(questions)]
    return spark.createDataFrame(made, ASKED)


def answers(frame: DataFrame, *columns: str) -> list[Row]:
    """The columns by question."""
    return [tuple(row)[1:] for row in sorted(frame.select("id", *columns).collect())]


CASES: list[Any] = [
    # rows (event, created, value), when asked, the answer
    pytest.param([(0, 0, 1)], 0, 1, id="known at the very moment of asking"),
    pytest.param([(0, 0, 1)], -1, None, id="not known yet"),
    pytest.param([(0, 20, 1)], 19, None, id="happened, but told later"),
    pytest.param([(0, 20, 1)], 20, 1, id="told now"),
    pytest.param([(10, 0, 1)], 9, None, id="told before it happened"),
    pytest.param([(10, 0, 1)], 10, 1, id="told before, happened now"),
    pytest.param([(0, 0, 1), (10, 10, 2)], 15, 2, id="the newest event"),
    pytest.param([(0, 14, 1), (10, 10, 2)], 15, 2, id="an older event that is known later hides nothing"),
    pytest.param([(0, 0, 1), (0, 10, 2)], 9, 1, id="before the correction"),
    pytest.param([(0, 0, 1), (0, 10, 2)], 10, 2, id="after the correction"),
    pytest.param([(0, 0, 1), (0, 10, None)], 10, None, id="corrected to unknown"),
    pytest.param([(0, 5, 1), (0, 5, 3), (0, 5, 2)], 9, 3, id="of a tie the largest"),
    pytest.param([(0, 0, 1)], 29, 1, id="a minute before it is stale"),
    pytest.param([(0, 0, 1)], 30, None, id="stale"),
    pytest.param([(0, 35, 1)], 36, None, id="known when it was stale already"),
    pytest.param([(-40, 5, 1), (0, 0, 2)], 31, None, id="stale, and what is known later is older still"),
    pytest.param([(None, 0, 1), (0, None, 2)], 9, None, id="rows without a moment"),
]


def test_what_a_question_is_answered_by(spark: SparkSession) -> None:
    """Each case is an entity of its own, so that one query answers all."""
    rows = [(case.id, 0, *row, None) for case in CASES for row in case.values[0]]
    questions = [(case.id, 0, case.values[1]) for case in CASES]
    found = answers(join(asked(spark, questions), [view(spark, rows, "key", ttl=30)], "at"), "value")
    assert {case.id: one[0] for case, one in zip(CASES, found, strict=True)} == {case.id: case.values[2] for case in CASES}


def test_without_entity_or_moment_there_is_no_answer_and_the_question_stays(spark: SparkSession) -> None:
    rows = [("a", 1, 0, 0, 7, "x"), (None, 1, 0, 0, 8, "y"), ("a", None, 0, 0, 9, "z")]
    questions = [("a", 1, 5), ("a", 1, 5), (None, 1, 5), ("a", None, 5), ("a", 1, None), ("b", 1, 5)]
    found = join(asked(spark, questions), [view(spark, rows, "key", "part")], "at")
    assert answers(found, "value", "word") == [(7, "x"), (7, "x"), *[(None, None)] * 4]


def test_a_day_is_24_hours_whatever_zone_the_session_is_in(spark: SparkSession) -> None:
    """In New York the clocks were put back in the night to 3 November 2013."""
    before = datetime(2013, 11, 2, 16, tzinfo=UTC)
    rows = spark.createDataFrame([("a", before, 1)], "key string, event timestamp, value int")
    once = View(rows, ("key",), "event", "event", {"value": "value"}, timedelta(hours=24))
    moments = [before + timedelta(hours=24, minutes=late) for late in (-1, 0, 30)]
    questions = spark.createDataFrame([(n, "a", at) for n, at in enumerate(moments)], "id int, key string, at timestamp")
    zone = spark.conf.get("spark.sql.session.timeZone")
    spark.conf.set("spark.sql.session.timeZone", "America/New_York")
    try:
        assert answers(join(questions, [once], "at"), "value") == [(1,), (None,), (None,)]
    finally:
        spark.conf.set("spark.sql.session.timeZone", zone or "UTC")


KEYS, PARTS, TIMES = st.sampled_from([*"abcdefgh", None]), st.sampled_from([0, 1, None]), st.integers(0, 40)
VALUES = st.tuples(st.none() | st.integers(0, 3), st.none() | st.sampled_from("xyz"))
EVENTS = st.lists(
    st.builds(lambda k, p, e, late, v: (k, p, e, e + late, *v), KEYS, PARTS, TIMES, st.integers(-3, 25), VALUES),
    min_size=30,
    max_size=90,
)
QUESTIONS = st.lists(st.tuples(KEYS, PARTS, TIMES), min_size=40, max_size=80)


def oracle(question: Row, rows: Iterable[Row], entity: tuple[int, ...], ttl: int | None) -> Row:
    """Every row looked at for every question."""
    at = question[2]
    if any(question[place] is None for place in entity):
        return (None, None)
    known = [row for row in rows if all(row[place] == question[place] for place in entity) and max(row[2:4]) <= at]
    newest = max(known, key=lambda row: [(value is not None, value) for value in row[2:]], default=None)
    return (None, None) if newest is None or (ttl is not None and newest[2] <= at - ttl) else newest[4:]


@settings(max_examples=3, deadline=None)
@given(questions=QUESTIONS, by_key=EVENTS, again=EVENTS, by_both=EVENTS, ttl=st.none() | st.integers(1, 20))
def test_answers_are_those_of_looking_at_every_row_for_every_question(
    spark: SparkSession, questions: list[Row], by_key: list[Row], again: list[Row], by_both: list[Row], ttl: int | None
) -> None:
    """Two views of one entity and one of another, late, early, corrected and tied."""
    views = [
        view(spark, by_key, "key", ttl=ttl, prefix="one_"),
        view(spark, by_both, "key", "part", ttl=7, prefix="other_"),
        view(spark, again, "key", prefix="two_"),
    ]
    names = [f"{prefix}_{name}" for prefix in ("one", "other", "two") for name in ("value", "word")]
    found = answers(join(asked(spark, questions), views, "at"), *names)
    expected = [
        (*oracle(one, by_key, (0,), ttl), *oracle(one, by_both, (0, 1), 7), *oracle(one, again, (0,), None)) for one in questions
    ]
    assert found == expected


def test_columns_of_the_questions_stay_as_they_are(spark: SparkSession) -> None:
    questions = asked(spark, [("a", 1, 5)]).withColumn("more", F.array("part"))
    found = join(questions, [view(spark, [("a", 1, 0, 0, 7, "x")], "key", prefix="its_")], "at")
    assert found.columns == [*questions.columns, "its_value", "its_word"]
    assert found.drop("its_value", "its_word").collect() == questions.collect()
