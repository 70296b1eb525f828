from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.contract import Contract
from lakehouse.spark.content import content
from tests.notebooks import MONTHS, contract

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.connect.session import SparkSession

COLUMNS = {"month": {"type": "string", "nullable": False}, "value": {"type": "double", "round": 6}, "word": "string"}
ROUNDED = Contract.model_validate(contract("gold.means", COLUMNS, partitions=MONTHS))
EXACT = Contract.model_validate(contract("gold.means", {**COLUMNS, "value": "double"}, partitions=MONTHS))


def frame(spark: SparkSession, *rows: tuple[str, float | None, str | None]) -> DataFrame:
    return spark.createDataFrame(list(rows), "month string, value double, word string")


def test_order_does_not_count_and_each_partition_has_its_own(spark: SparkSession) -> None:
    rows = [("2013-01", 0.5, "a"), ("2013-01", None, "b"), ("2013-02", 0.5, "a")]
    one, other = content(frame(spark, *rows), ROUNDED), content(frame(spark, *reversed(rows)), ROUNDED)
    assert one == other
    assert {key: count for key, (count, _) in one.items()} == {"2013-01": 2, "2013-02": 1}
    moved = content(frame(spark, *rows[:2], ("2013-02", 0.5, "c")), ROUNDED)
    assert (one["2013-01"], one["2013-02"][1] == moved["2013-02"][1]) == (moved["2013-01"], False)


def test_what_the_contract_rounds_away_does_not_count(spark: SparkSession) -> None:
    one, other = frame(spark, ("2013-01", 0.1 + 0.2, "a")), frame(spark, ("2013-01", 0.3, "a"))
    assert content(one, ROUNDED) == content(other, ROUNDED)
    assert content(one, EXACT) != content(other, EXACT)
    assert content(frame(spark, ("2013-01", -0.0, "a")), ROUNDED) == content(frame(spark, ("2013-01", 0.0, "a")), ROUNDED)


def test_nulls_and_repeats_count(spark: SparkSession) -> None:
    row, null = ("2013-01", 1.0, "a"), ("2013-01", 1.0, None)
    found = [content(frame(spark, *rows), EXACT)["2013-01"][1] for rows in ([row], [row, row], [null], [("2013-01", None, "a")])]
    assert len(set(found)) == 4
