from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import DataFrame
from pyspark.sql.connect.session import SparkSession

from lakehouse.contract import Contract
from lakehouse.leaks.compare import ROW, Difference, differences
from tests.notebooks import contract

NOON = "timestamp'2024-01-01T12:00:00Z'"
COLUMNS = {
    "id": {"type": "bigint", "nullable": False},
    "at": {"type": "timestamp", "nullable": False},
    "mean": {"type": "double", "round": 6},
    "who": {"type": "string", "personal": True},
    "answer": {"type": "int", "known_at": "answered"},
    "answered": {"type": "timestamp", "known_at": "answered"},
}
SCHEMA = "id long, at string, mean double, who string, answer int, answered string"


def frame(spark: SparkSession, *rows: dict[str, Any]) -> DataFrame:
    usual = {"id": 1, "at": "10:00", "mean": 0.5, "who": "Ada", "answer": None, "answered": None}
    text = spark.createDataFrame([tuple({**usual, **row}.values()) for row in rows], SCHEMA)
    on_the_day = [f"to_timestamp('2024-01-01 ' || {name}) as {name}" for name in ("at", "answered")]
    return text.selectExpr("id", on_the_day[0], "mean", "who", "answer", on_the_day[1])


def compared(spark: SparkSession, published: list[dict[str, Any]], probed: list[dict[str, Any]]) -> tuple[int, list[Difference]]:
    promised = Contract.model_validate(contract("features.rows", COLUMNS, key=["id"], known_at="at"))
    return differences(frame(spark, *published), frame(spark, *probed), promised, NOON)


CASES = [
    pytest.param([{}], [{}], [], id="equal"),
    pytest.param([{"mean": 0.5}], [{"mean": 0.5000001}], [], id="equal within the contract's digits"),
    pytest.param([{"mean": 0.5}], [{"mean": 0.50001}], ["mean"], id="another number"),
    pytest.param([{"mean": None}], [{"mean": 0.5}], ["mean"], id="a number for none"),
    pytest.param([{"at": "12:30", "mean": 1.0}], [{"at": "12:30", "mean": 2.0}], [], id="asked later"),
    pytest.param([{"answer": 1, "answered": "13:00"}], [{"answer": 2, "answered": "14:00"}], [], id="not answered by then"),
    pytest.param([{"answer": 1, "answered": "11:00"}], [{"answer": 2, "answered": "11:00"}], ["answer"], id="answered by then"),
    pytest.param([{"answer": 1, "answered": "11:00"}], [{}], ["answer", "answered"], id="an answer that is gone"),
    pytest.param([{}], [{"answer": 1, "answered": "11:00"}], ["answer", "answered"], id="an answer that came"),
    pytest.param([{}, {"id": 2, "answered": "11:00"}], [{}], [ROW], id="a row that is gone"),
    pytest.param([{}], [{}, {"id": 2, "answered": "11:00"}], [ROW], id="a row that came"),
    pytest.param([{}, {"id": 2, "answered": "13:00"}], [{}], [], id="a row without an answer yet is gone"),
    pytest.param([{}], [{}, {"id": 2}], [], id="a row that never has an answer came"),
]


@pytest.mark.parametrize(("published", "probed", "columns"), CASES)
def test_what_differs(spark: SparkSession, published: list[Any], probed: list[Any], columns: list[str]) -> None:
    assert [one.column for one in compared(spark, published, probed)[1]] == columns


def test_the_last_row_is_the_example_and_personal_values_are_masked(spark: SparkSession) -> None:
    published = [{"id": number, "at": f"{number:02d}:00", "mean": 1.0, "who": "Ada"} for number in (8, 9, 11)]
    probed = [{**row, "mean": None, "who": "Bob"} for row in published]
    rows, (mean, who) = compared(spark, [*published, {"id": 20}], [*probed, {"id": 20}])
    assert rows == 4
    expected = {"rows": 3, "first": "2024-01-01 08:00:00", "last": "2024-01-01 11:00:00", "key": {"id": "11"}}
    assert mean == Difference(column="mean", published="1.0", probed=None, **expected)
    assert who == Difference(column="who", published="(personal)", probed="(personal)", **expected)
