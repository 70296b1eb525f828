from __future__ import annotations

import json

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from assets.transforms.observations import last_received, typed


def received(spark: SparkSession, *records: tuple[int, str]) -> DataFrame:
    """Records with the number of their delivery."""
    rows = [(value, f"observations/{number}.jsonl", number) for number, value in records]
    frame = spark.createDataFrame(rows, "value string, _source_file string, _delivery bigint")
    return frame.withColumn("_received_at", F.timestamp_seconds("_delivery"))


def record(origin: str, temp: float | None) -> str:
    return json.dumps({"origin": origin, "time_hour": "2013-01-01T06:00:00Z", "temp": temp, "pressure": 1012, "unknown": "x"})


def test_a_record_becomes_columns_with_where_it_came_from(spark: SparkSession) -> None:
    (row,) = typed(received(spark, (1, record("EWR", 39.02)))).collect()
    assert (row["origin"], row["temp"], row["pressure"], row["wind_gust"]) == ("EWR", 39.02, 1012.0, None)
    assert (row["time_hour"].isoformat(), row["_source_file"], row["_delivery"]) == (
        "2013-01-01T06:00:00",
        "observations/1.jsonl",
        1,
    )


def test_what_is_no_record_has_no_key_so_that_the_gate_refuses_it(spark: SparkSession) -> None:
    wrong = typed(received(spark, (1, "no json"), (2, '{"origin": "EWR", "time_hour": "soon"}')))
    assert [row["time_hour"] for row in wrong.collect()] == [None, None]


def test_of_each_hour_the_last_delivery_counts(spark: SparkSession) -> None:
    frame = typed(
        received(spark, (1, record("EWR", 1.0)), (3, record("EWR", 3.0)), (2, record("EWR", 2.0)), (1, record("JFK", 4.0)))
    )
    assert sorted((row["origin"], row["temp"], row["_delivery"]) for row in last_received(frame).collect()) == [
        ("EWR", 3.0, 3),
        ("JFK", 4.0, 1),
    ]


def test_two_of_one_delivery_leave_the_same_one_in_any_order(spark: SparkSession) -> None:
    records = [(1, record("EWR", temp)) for temp in (1.0, None, 3.0)]
    kept = [last_received(typed(received(spark, *order))).collect() for order in (records, records[::-1])]
    assert len(kept[0]) == 1 and kept[0] == kept[1]
