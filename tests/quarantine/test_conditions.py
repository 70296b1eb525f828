"""Each predicate against Great Expectations' own verdict on the same rows."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import pytest

from lakehouse import gate
from lakehouse.contract import Contract
from lakehouse.quarantine.conditions import NotRowWise, misfit
from tests.notebooks import contract

ROWS = """
select * from values
  (1L, 1.5d, 'abc', date '2013-01-01', decimal(1.10), 1L, true),
  (2L, 2.5d, 'x\\\\y', date '2013-02-01', decimal(2.20), 3L, false),
  (3L, double('nan'), "it's", date '2013-03-01', decimal(3.30), 2L, null),
  (4L, double('inf'), '', null, null, null, true),
  (null, null, null, null, null, null, null),
  (null, -0.5d, 'ABC', date '2012-01-01', decimal(-1), 7L, false)
  as t(n, x, word, day, money, m, flag)
"""
COLUMNS = {
    "n": "bigint",
    "x": "double",
    "word": "string",
    "day": "date",
    "money": "decimal(10,2)",
    "m": "bigint",
    "flag": "boolean",
}
PAIR = {"column_A": "n", "column_B": "m"}

AGREED: list[tuple[str, dict[str, Any]]] = [
    ("column_values_to_not_be_null", {"column": "x"}),
    ("column_values_to_be_null", {"column": "x"}),
    ("column_values_to_be_in_set", {"column": "word", "value_set": ["abc", "it's", "x\\y"]}),
    ("column_values_to_be_in_set", {"column": "n", "value_set": [1, 3]}),
    ("column_values_to_be_in_set", {"column": "flag", "value_set": [True]}),
    ("column_values_to_not_be_in_set", {"column": "word", "value_set": ["", "abc"]}),
    ("column_values_to_be_between", {"column": "x", "min_value": 0, "max_value": 2.5}),
    ("column_values_to_be_between", {"column": "x", "max_value": 2.5, "strict_max": True}),
    ("column_values_to_be_between", {"column": "n", "min_value": 2, "strict_min": True}),
    ("column_values_to_be_between", {"column": "n", "min_value": 1.5, "max_value": 1e3}),
    ("column_values_to_be_between", {"column": "money", "min_value": 1.1, "max_value": 3}),
    ("column_values_to_be_between", {"column": "day", "min_value": "2013-01-02"}),
    ("column_values_to_be_between", {"column": "day", "min_value": datetime.date(2013, 1, 2)}),
    ("column_values_to_match_regex", {"column": "word", "regex": r"^[a-z\\]+$"}),
    ("column_values_to_match_regex", {"column": "word", "regex": r"\w'\w"}),
    ("column_values_to_not_match_regex", {"column": "word", "regex": "(?i)abc"}),
    ("column_values_to_match_regex_list", {"column": "word", "regex_list": ["^a", "c$"], "match_on": "any"}),
    ("column_values_to_match_regex_list", {"column": "word", "regex_list": ["^a", "c$"], "match_on": "all"}),
    ("column_values_to_match_regex_list", {"column": "word", "regex_list": ["^a", "c$"]}),
    ("column_values_to_not_match_regex_list", {"column": "word", "regex_list": ["^a", "'"]}),
    ("column_value_lengths_to_be_between", {"column": "word", "min_value": 1, "max_value": 3}),
    ("column_value_lengths_to_equal", {"column": "word", "value": 3}),
    ("column_pair_values_to_be_equal", PAIR),
    ("column_pair_values_to_be_equal", {**PAIR, "ignore_row_if": "either_value_is_missing"}),
    ("column_pair_values_to_be_equal", {**PAIR, "ignore_row_if": "neither"}),
    ("column_pair_values_a_to_be_greater_than_b", PAIR),
    ("column_pair_values_a_to_be_greater_than_b", {**PAIR, "or_equal": True}),
    ("column_pair_values_a_to_be_greater_than_b", {**PAIR, "or_equal": True, "ignore_row_if": "neither"}),
    ("column_pair_values_to_be_in_set", {**PAIR, "value_pairs_set": [[1, 1], [2, 3], [4, None]]}),
]  # fmt: skip


def test_the_predicates_mean_what_great_expectations_means(spark: Any) -> None:
    listed = [{"type": f"expect_{name}", "kwargs": kwargs} for name, kwargs in AGREED]
    frame = spark.sql(ROWS)
    records = gate.audit(frame, Contract.model_validate(contract("gold.t", COLUMNS, expectations=listed)), [])
    theirs = [record.unexpected for record in records]
    ours = frame.selectExpr(*(f"count_if({misfit(one['type'], one['kwargs'])}) as c{n}" for n, one in enumerate(listed))).collect()[
        0
    ]
    assert [(name, kwargs, count) for (name, kwargs), count in zip(AGREED, ours, strict=True)] == [
        (name, kwargs, count) for (name, kwargs), count in zip(AGREED, theirs, strict=True)
    ]
    assert all(0 < count < 6 for count in ours), "a case that breaks for no row, or for all, shows nothing"


@pytest.mark.parametrize(
    ("name", "kwargs", "message"),
    [
        (
            "column_values_to_be_unique",
            {"column": "n"},
            "judges no single rows by a plain condition, as these do: column_values_to",
        ),
        ("table_row_count_to_be_between", {"min_value": 1}, "judges no single rows"),
        ("column_values_to_be_null", {"column": "n", "mostly": 0.9}, "mostly cannot be said of rows"),
        ("column_values_to_be_null", {"column": "n", "row_condition": "n > 1"}, "row_condition cannot be said"),
        ("column_values_to_be_in_set", {"column": "n"}, "needs value_set"),
        ("column_values_to_be_in_set", {"column": "n", "value_set": []}, "value_set is empty"),
        ("column_values_to_be_in_set", {"column": "n", "value_set": [[1]]}, r"\[1\] is no plain value"),
        ("column_values_to_be_between", {"column": "n"}, "min_value and max_value are both missing"),
        ("column_pair_values_to_be_equal", {**PAIR, "ignore_row_if": "never"}, "ignore_row_if = 'never' is none of"),
    ],
)
def test_what_no_single_predicate_says_is_refused(name: str, kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(NotRowWise, match=message):
        misfit(f"expect_{name}", kwargs)


def test_literals_keep_their_type() -> None:
    sql = misfit("expect_column_values_to_be_in_set", {"column": "a`b", "value_set": [1, 0.5, decimal.Decimal("2.50"), None, "x'"]})
    assert sql == "not (`a``b` in (1, 0.5D, 2.50, null, 'x\\''))"
