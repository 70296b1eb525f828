from __future__ import annotations

from typing import Any

from pyspark.sql.connect.session import SparkSession

from lakehouse.contract import Contract
from lakehouse.leaks import later, moments
from tests.notebooks import contract

NOON = "timestamp'2024-01-01T12:00:00Z'"
KINDS = {
    "n": "int", "tiny": "tinyint", "x": "double", "money": "decimal(10,2)", "word": "string", "yes": "boolean", "day": "date",
    "list": "array<int>", "map": "map<string,int>", "always": "int",
}  # fmt: skip
ROWS = """
    select id, if(id % 10 = 9, null, timestamp'2024-01-01T00:00:00Z' + make_dt_interval(0, 0, 30 * id)) as at,
           if(id % 5 = 4, null, cast(id as int)) as n, cast(id % 120 as tinyint) as tiny, id / 3 as x,
           cast(id / 4 as decimal(10,2)) as money, concat('w', id % 3) as word, id % 2 = 0 as yes,
           date_add(date'2024-01-01', cast(id % 7 as int)) as day, array(cast(id as int)) as list,
           map('a', cast(id as int)) as map, cast(id as int) as always
    from range(48)
"""


def altered(spark: SparkSession, promised: dict[str, Any]) -> tuple[dict[int, Any], dict[int, Any]]:
    """The rows as they are, and as known at noon: by id."""
    frame = spark.sql(ROWS)
    frame.createOrReplaceTempView("later_rows")
    made = spark.sql(later.query("later_rows", frame.dtypes, Contract.model_validate(promised), NOON, 13))
    assert made.dtypes == frame.dtypes
    shown = (rows.selectExpr("* except (at)", "string(at) as at").collect() for rows in (frame, made))
    before, after = ({row["id"]: row for row in rows} for rows in shown)
    return before, after


def test_values_known_by_the_moment_stay_and_all_others_are_others(spark: SparkSession) -> None:
    columns = {"id": {"type": "bigint", "nullable": False}, "at": {"type": "timestamp", "known_at": "at"}}
    columns |= {name: {"type": kind, **({} if name == "always" else {"known_at": "at"})} for name, kind in KINDS.items()}
    columns["tiny"]["nullable"] = False
    before, after = altered(spark, contract("silver.rows", columns, key=["id"]))
    assert after.keys() == before.keys() == set(range(48))
    open_rows = [number for number, row in before.items() if number > 24 or row["at"] is None]
    for number, row in before.items():
        if number not in open_rows:
            assert after[number] == row
    for number in open_rows:
        was, now = before[number], after[number]
        assert now["always"] == was["always"] and now["tiny"] not in (None, was["tiny"])
        assert all(now[name] is None or now[name] != was[name] for name in KINDS if name not in ("always", "map"))
        assert now["map"] is None and (now["at"] is None or now["at"] > "2024-01-01 12:00:00")
    came = [after[number] for number in open_rows if after[number]["n"] is not None]
    assert {row["n"] for row in came} == {-1, 48}, "beyond all others, on both sides"
    assert 5 < len(came) < len(open_rows) - 5, "some never came, some came otherwise"


def test_of_rows_that_were_not_known_some_are_gone_and_the_rest_are_others(spark: SparkSession) -> None:
    columns = {"id": {"type": "bigint", "nullable": False}, "at": "timestamp", **KINDS}
    before, after = altered(spark, contract("silver.rows", columns, key=["id"], known_at="at"))
    known = {number for number, row in before.items() if number <= 24 and row["at"] is not None}
    assert {number: after[number] for number in known} == {number: before[number] for number in known}
    stay = after.keys() - known
    assert 3 < len(stay) < len(before.keys() - known) - 3
    assert all(after[number][name] != before[number][name] for number in stay for name in KINDS if name != "map")
    assert all(after[number]["at"] > "2024-01-01 12:00:00" for number in stay)


def test_a_table_that_says_nothing_is_left_as_it_is(spark: SparkSession) -> None:
    promised = contract("silver.rows", {"id": "bigint", "at": "timestamp", **KINDS})
    before, after = altered(spark, promised)
    assert (before == after, moments.told(Contract.model_validate(promised))) == (True, False)


def test_rows_with_something_later_are_counted(spark: SparkSession) -> None:
    spark.sql(ROWS).createOrReplaceTempView("later_rows")
    columns = {"id": "bigint", "at": {"type": "timestamp", "known_at": "at"}, **KINDS}
    promised = Contract.model_validate(contract("silver.rows", columns))
    assert spark.sql(later.count("later_rows", promised, NOON)).collect()[0]["n"] == 25
