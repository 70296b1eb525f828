from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pyspark.sql.connect.session import SparkSession

from lakehouse.profiles.compute import compute, kinds
from lakehouse.profiles.profile import LEVELS, WHOLE, Batch

ROWS = 4000


@pytest.fixture(scope="module")
def sample() -> pd.DataFrame:
    random = np.random.default_rng(3)
    delay = random.normal(5, 30, ROWS).round()
    return pd.DataFrame(
        {
            "month": np.where(np.arange(ROWS) % 4 == 0, "2013-01", "2013-02"),
            "delay": np.where(np.arange(ROWS) % 10 == 3, np.nan, delay),
            "carrier": random.choice(["UA", "B6", "HA"], ROWS, p=[0.6, 0.3, 0.1]),
            "name": [f"person {number % 50}" for number in range(ROWS)],
            "late": delay > 15,
            "at": pd.Timestamp("2013-01-01", tz="UTC") + pd.to_timedelta(np.arange(ROWS), unit="min"),
            "_source_file": "a.csv",
        }
    )


@pytest.fixture(scope="module")
def batches(spark: SparkSession, sample: pd.DataFrame) -> dict[str, Batch]:
    frame = spark.createDataFrame(sample).selectExpr("*", "array(1, 2) as nested", "cast(delay as decimal(10,2)) as exact")
    return compute(frame, partition="month", personal=["name"], by="carrier")


def test_each_partition_is_a_batch_of_the_columns_that_say_something(batches: dict[str, Batch], sample: pd.DataFrame) -> None:
    assert {key: batch.rows for key, batch in batches.items()} == {"2013-01": ROWS // 4, "2013-02": 3 * ROWS // 4}
    assert {name: column.kind for name, column in batches["2013-01"].columns.items()} == {
        "delay": "number", "carrier": "text", "name": "personal", "late": "text", "at": "time", "exact": "number",
    }  # fmt: skip


@pytest.mark.parametrize("month", ["2013-01", "2013-02"])
def test_numbers_are_as_pandas_tells_them(batches: dict[str, Batch], sample: pd.DataFrame, month: str) -> None:
    own = sample.loc[sample.month == month, "delay"]
    column = batches[month].columns["delay"]
    assert column.missing == own.isna().sum()  # NaN is no value
    assert column.distinct == pytest.approx(own.nunique(), rel=0.2)
    assert (column.mean, column.deviation) == pytest.approx((own.mean(), own.std(ddof=0)))
    assert (column.low, column.high) == (own.min(), own.max())
    ranks = np.searchsorted(np.sort(own.dropna()), column.quantiles, side="right") / own.notna().sum()
    assert np.abs(ranks[1:] - LEVELS[1:]).max() < 0.03  # whole minutes: many have the same
    assert column.quantiles == sorted(column.quantiles)


def test_text_is_counted_by_value(batches: dict[str, Batch], sample: pd.DataFrame) -> None:
    own = sample[sample.month == "2013-02"]
    assert batches["2013-02"].columns["carrier"].values == own.carrier.value_counts().to_dict()
    assert batches["2013-02"].columns["late"].values == {str(key).lower(): n for key, n in own.late.value_counts().items()}


def test_missing_values_are_counted_by_another_column(batches: dict[str, Batch], sample: pd.DataFrame) -> None:
    own = sample[(sample.month == "2013-02") & sample.delay.isna()]
    assert batches["2013-02"].columns["delay"].missing_by == own.carrier.value_counts().to_dict()
    assert batches["2013-02"].columns["carrier"].missing_by == {}


def test_of_personal_columns_no_value_is_kept(batches: dict[str, Batch]) -> None:
    column = batches["2013-02"].columns["name"]
    assert (column.missing, column.distinct) == (0, pytest.approx(50, abs=8))
    assert "person" not in column.model_dump_json().replace('"personal"', "")


def test_times_are_seconds_in_utc(batches: dict[str, Batch], sample: pd.DataFrame) -> None:
    own = sample.loc[sample.month == "2013-01", "at"]
    column = batches["2013-01"].columns["at"]
    assert (column.low, column.high) == (own.min().timestamp(), own.max().timestamp())


def test_a_table_without_partitions_is_one_batch(spark: SparkSession) -> None:
    frame = spark.sql("select id, date'2013-01-31' as day, 'x' as `an odd name` from range(10)")
    ((key, batch),) = compute(frame.selectExpr("*", "cast('infinity' as double) as endless")).items()
    assert (key, batch.rows, batch.columns["endless"].missing) == (WHOLE, 10, 10)
    assert batch.columns["an odd name"].values == {"x": 10}
    assert batch.columns["day"].high == 1359590400.0
    assert batch.columns["id"].distinct == pytest.approx(10, abs=1)


def test_no_rows_are_a_batch_of_none(spark: SparkSession) -> None:
    frame = spark.sql("select id, string(id) as text from range(10) where id > 10")
    batch = compute(frame)[WHOLE]
    assert (batch.rows, batch.columns["id"].quantiles, batch.columns["text"].values) == (0, [], {})
    assert compute(frame.selectExpr("*", "'2013-01' as month"), partition="month") == {}


def test_what_is_profiled_depends_on_types_and_names() -> None:
    types = {"a": "decimal(10,2)", "b": "array<int>", "c": "struct<d:int>", "_source_file": "string", "m": "string"}
    assert kinds(types, leave_out=["m"]) == {"a": "number"}
