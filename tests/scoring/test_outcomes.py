from __future__ import annotations

from typing import Any

import pytest

from lakehouse.scoring import with_outcomes

SCORES = "id int, model_version int, score double, features_version string, run_id string"
KNOWN = "id int, outcome boolean, outcome_known_at string"


@pytest.mark.parametrize(
    ("told", "standing", "expected"),
    [
        pytest.param([(1, 7, 0.5, "f@2", "new")], None, [(1, 7, 0.5, "f@2", "new", True, "noon")], id="the first"),
        pytest.param([(3, 7, 0.5, "f@2", "new")], None, [(3, 7, 0.5, "f@2", "new", None, None)], id="its outcome is not known yet"),
        pytest.param(
            [(1, 7, 0.5 + 1e-12, "f@2", "new")],
            [(1, 7, 0.5, "f@1", "old")],
            [(1, 7, 0.5, "f@1", "old", True, "noon")],
            id="told alike before: who told it first",
        ),
        pytest.param(
            [(1, 7, 0.6, "f@2", "new")],
            [(1, 7, 0.5, "f@1", "old")],
            [(1, 7, 0.6, "f@2", "new", True, "noon")],
            id="told otherwise before",
        ),
        pytest.param(
            [(1, 8, 0.5, "f@2", "new")],
            [(1, 7, 0.5, "f@1", "old"), (2, 7, 0.2, "f@1", "old"), (9, 7, 0.9, "f@1", "old")],
            [
                (1, 7, 0.5, "f@1", "old", True, "noon"),
                (1, 8, 0.5, "f@2", "new", True, "noon"),
                (2, 7, 0.2, "f@1", "old", False, "one"),
            ],
            id="another model, and entities of which nothing is asked",
        ),
        pytest.param(
            [(1, 7, 0.5, "f@2", "new")],
            [(1, 7, 0.5, None, "old"), (2, 7, 0.2, None, "old")],
            [(1, 7, 0.5, "f@2", "new", True, "noon"), (2, 7, 0.2, None, "old", False, "one")],
            id="told before it was kept of which features",
        ),
    ],
)
def test_rows_to_merge(spark: Any, told: list[Any], standing: list[Any] | None, expected: list[Any]) -> None:
    known = spark.createDataFrame([(1, True, "noon"), (2, False, "one"), (3, None, None)], KNOWN)
    before = None if standing is None else spark.createDataFrame(standing, SCORES).selectExpr("*", "null as outcome")
    found = with_outcomes(spark.createDataFrame(told, SCORES), before, known)
    assert sorted(tuple(row) for row in found.select("id", "model_version", *found.columns[2:]).collect()) == expected


def test_a_table_that_was_written_before_a_column_was_known_is_taken(spark: Any) -> None:
    known = spark.createDataFrame([(1, True, "noon")], KNOWN)
    scores = spark.createDataFrame([(1, 7, 0.5, "f@2", "new")], SCORES)
    found = with_outcomes(scores, scores.drop("features_version").selectExpr("*", "date'2013-01-01' as more"), known)
    assert [row.features_version for row in found.collect()] == ["f@2"]
