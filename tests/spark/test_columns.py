"""Columns' lineage from real plans, one operator at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pyspark.sql import Window
from pyspark.sql import functions as F

from lakehouse.lake import Lake
from lakehouse.names import TableName
from lakehouse.spark import columns
from tests import things
from tests.workspace import Workspace, monthly

ASKS = monthly(
    "gold/asks",
    'lake.read("silver.things", partitions="all"); lake.read("bronze.words"); lake.read("raw.words"); lake.read("raw.things")',
    'lake.write(None, "gold.asks")',
)
ID, MONTH, WORD = ["silver.things.id"], ["silver.things.month"], ["bronze.words.word"]


@pytest.fixture(scope="module")
def lake(built: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """silver.things (month, id), bronze.words (word, _source_file) and raw files, in a lake whose path is hard to quote."""
    place = things.copy(built, tmp_path_factory.mktemp("it's {a} [lake]"))
    place.write({"gold/asks": ASKS}, {})
    yield place.open("gold/asks", months=list(things.MONTHS_ALL))


Ask = Callable[[Lake], Any]


def rows(lake: Lake) -> Any:
    return lake.read("silver.things", partitions="all")


def words(lake: Lake) -> Any:
    return lake.read("bronze.words")


def by_month(*order: str) -> Any:
    return Window.partitionBy("month").orderBy(*order)


def viewed(lake: Lake) -> Any:
    rows(lake).createOrReplaceTempView("seen_things")
    return lake.spark.sql("select id + 1 as more from seen_things where month > '2013-01'")


def checkpointed(lake: Lake) -> Any:
    kept = rows(lake).selectExpr("id * 2 as twice", "month").localCheckpoint()
    return kept.groupBy("month").agg(F.sum("twice").alias("total"))


CASES: dict[str, tuple[Ask, dict[str, list[str]]]] = {
    "read": (rows, {"month": MONTH, "id": ID}),
    "raw": (
        lambda lake: lake.read("raw.words"),
        {n: [f"raw.words.{n}"] for n in ("word", "_source_file", "_source_sha256", "_received_at")},
    ),
    "raw cast": (
        lambda lake: lake.read("raw.things").select(F.col("id").cast("int").alias("n"), "month"),
        {"n": ["raw.things.id"], "month": ["raw.things.month"]},
    ),
    "expression": (lambda lake: rows(lake).selectExpr("concat(month, '-', id) as name", "1 as one"), {"name": [*ID, *MONTH]}),
    "case": (lambda lake: rows(lake).select(F.when(F.col("month") > "2", F.col("id")).alias("id")), {"id": [*ID, *MONTH]}),
    "renamed, dropped, filtered": (
        lambda lake: (
            rows(lake).withColumnRenamed("id", "number").where("month = '2013-01'").drop("month").orderBy("number").limit(3)
        ),
        {"number": ID},
    ),
    "sql": (lambda lake: lake.sql("select t.id + 1 as next from silver.things t where month > '2013-01'"), {"next": ID}),
    "with": (
        lambda lake: lake.sql(
            "with a as (select id as x, month from silver.things), b as (select x * 2 as y from a union all select x from a)"
            " select y, (select max(month) from a) as last from b"
        ),
        {"y": ID, "last": MONTH},
    ),
    "subquery": (
        lambda lake: lake.sql("select word, (select count(id) from silver.things) as n from bronze.words where exists (select 1)"),
        {"word": WORD, "n": ID},
    ),
    "join": (
        lambda lake: rows(lake).join(words(lake).withColumn("month", F.lit("2013-01")), "month", "left"),
        {"month": MONTH, "id": ID, "word": WORD, "_source_file": ["bronze.words._source_file"]},
    ),
    "self-join": (
        lambda lake: rows(lake).alias("a").join(rows(lake).alias("b"), "id").select(F.col("a.month"), F.col("b.id")),
        {"month": MONTH, "id": ID},
    ),
    "semi-join": (lambda lake: rows(lake).join(words(lake), F.expr("month = word"), "left_semi"), {"month": MONTH, "id": ID}),
    "full join": (
        lambda lake: rows(lake).select("month").join(words(lake).selectExpr("word as month"), "month", "full"),
        {"month": [*WORD, *MONTH]},
    ),
    "aggregate": (
        lambda lake: (
            rows(lake).groupBy("month").agg(F.sum("id").alias("total"), F.count("*").alias("n"), F.max("month").alias("m"))
        ),
        {"month": MONTH, "total": ID, "m": MONTH},
    ),
    "rollup": (lambda lake: rows(lake).rollup("month").agg(F.sum("id").alias("total")), {"month": MONTH, "total": ID}),
    "pivot": (
        lambda lake: rows(lake).groupBy("id").pivot("month", ["2013-01"]).agg(F.max("id")),
        {"id": ID, "2013-01": [*ID, *MONTH]},
    ),
    "unpivot": (lambda lake: rows(lake).unpivot("month", ["id"], "what", "value"), {"month": MONTH, "value": ID}),
    "window": (
        lambda lake: rows(lake).select("id", F.sum("id").over(by_month("id")).alias("total"), F.lit(1).alias("one")),
        {"id": ID, "total": [*ID, *MONTH]},
    ),
    "distinct by a window": (
        lambda lake: rows(lake).withColumn("r", F.row_number().over(by_month("id"))).where("r = 1").drop("r"),
        {"month": MONTH, "id": ID},
    ),
    "union by name": (
        lambda lake: (
            rows(lake)
            .selectExpr("id as a", "month as b")
            .unionByName(words(lake).selectExpr("word as b"), allowMissingColumns=True)
        ),
        {"a": ID, "b": [*WORD, *MONTH]},
    ),
    "union by place": (
        lambda lake: rows(lake).select("month").union(words(lake).select("word")).selectExpr("upper(month) as u"),
        {"u": [*WORD, *MONTH]},
    ),
    "except": (lambda lake: rows(lake).select("month").exceptAll(words(lake).select("word")), {"month": MONTH}),
    "explode": (lambda lake: rows(lake).select("id", F.explode(F.split("month", "-")).alias("part")), {"id": ID, "part": MONTH}),
    "struct": (
        lambda lake: rows(lake).select(F.struct("id", "month").alias("s")).select("s.id", F.col("s").alias("all")),
        {"id": [*ID, *MONTH], "all": [*ID, *MONTH]},
    ),
    "python function": (
        lambda lake: rows(lake).select(F.udf(lambda value: value)("month").alias("same")),
        {"same": MONTH},
    ),
    "python over batches": (
        lambda lake: rows(lake).select("id").mapInPandas(lambda parts: parts, "id bigint"),
        {},
    ),
    "pandas meanwhile": (lambda lake: lake.spark.createDataFrame(rows(lake).toPandas()), {}),
    "temporary view": (viewed, {"more": ID}),
    "checkpoint": (checkpointed, {"month": MONTH, "total": ID}),
    "deduplicated": (lambda lake: rows(lake).dropDuplicates(["month"]).repartition(2).distinct(), {"month": MONTH, "id": ID}),
    "literals that look like the plan": (
        lambda lake: rows(lake).select(
            F.concat(F.lit("a#1, (b#2) AS c#3"), "month").alias("m"), F.lit("month#5").alias("no"), "id"
        ),
        {"m": MONTH, "id": ID},
    ),
    "a line break": (lambda lake: rows(lake).select(F.concat(F.lit("one\ntwo"), "month").alias("m")), {"m": MONTH}),
    "a literal with the plan's own lines": (lambda lake: rows(lake).select(F.lit("\n+- Relation [x#1]").alias("x"), "id"), {}),
    "an open bracket is left out": (
        lambda lake: rows(lake).select(F.split("month", "[(]").alias("a"), F.concat(F.lit("("), "month").alias("b")).select("a"),
        {},
    ),
    "odd names": (
        lambda lake: rows(lake).selectExpr("id as `a, b`", "month as `c AS d`").selectExpr("`a, b` + 1 as `x y`", "`c AS d`"),
        {"x y": ID, "c AS d": MONTH},
    ),
    "hundreds of steps": (
        lambda lake: [frame := rows(lake), *(frame := frame.withColumn("id", F.col("id") + 1) for _ in range(150))][-1],
        {"month": MONTH, "id": ID},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_column_is_told_where_it_comes_from(lake: Lake, name: str) -> None:
    ask, expected = CASES[name]
    frame = ask(lake)
    assert columns.told(frame, lake._root, TableName("gold", "asks")) == expected
