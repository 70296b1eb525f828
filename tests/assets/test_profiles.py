"""Faults planted in the real flights are found and told by column; the twelve months as they are have none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.connect.session import SparkSession

from assets import sources
from assets.transforms.flights import one_per_flight
from lakehouse.contract import load
from lakehouse.profiles.audit import beside, in_words
from lakehouse.profiles.compute import compute
from lakehouse.profiles.profile import Batch
from lakehouse.spark.session import checkpoint

RULES = load(Path(__file__).parents[2] / "assets" / "contracts" / "silver" / "flights.yaml").profile
MONTH = "2013-10"


@pytest.fixture(scope="module")
def flights(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> DataFrame:
    """Every flight of 2013, as silver types it, without weather and planes."""
    file = tmp_path_factory.mktemp("flights") / "flights.csv"
    file.write_bytes(sources._content("flights.csv.zip"))
    text = spark.read.csv(str(file), header=True)
    delivered = text.withColumns({"_received_at": F.lit("2013-12-31").cast("timestamp"), "_source_file": F.lit("flights.csv")})
    return checkpoint(one_per_flight(delivered).drop("_source_file", "_received_at"))


@pytest.fixture(scope="module")
def year(flights: DataFrame) -> dict[str, Batch]:
    assert RULES
    return compute(flights, partition="month", by=RULES.by)


def said(batches: dict[str, Batch], there: dict[str, Batch]) -> str:
    assert RULES
    return in_words([one for one in beside(batches, there, RULES) if one.unusual])


def test_nothing_is_unusual_in_the_twelve_months_among_each_other(year: dict[str, Batch]) -> None:
    assert len(year) == 12
    assert said(year, year) == ""


def test_nothing_is_unusual_as_they_came_one_by_one(year: dict[str, Batch]) -> None:
    for key in year:
        before = {other: batch for other, batch in year.items() if other < key}
        assert said({key: year[key]}, before) == ""


def missing_delays(frame: DataFrame) -> DataFrame:
    lost = (F.col("carrier") == "UA") & (F.pmod(F.xxhash64("flight_id"), F.lit(20)) == 0)
    return frame.withColumns({name: F.when(~lost, F.col(name)) for name in ("departure_delay", "arrival_delay")})


def kilometres(frame: DataFrame) -> DataFrame:
    return frame.withColumn("distance", (F.col("distance") * 1.609344).cast("int"))


def thousands_of_codes(frame: DataFrame) -> DataFrame:
    split = F.concat("carrier", F.pmod(F.xxhash64("flight_id"), F.lit(3000)))
    return frame.withColumn("carrier", F.when(F.col("carrier") == "UA", split).otherwise(F.col("carrier")))


FAULTS = [
    pytest.param(
        missing_delays,
        ["departure_delay: missing in 5.8 % of 2013-10 where carrier is UA", "arrival_delay: missing in 5.9 %"],
        id="5% of UA's delays",
    ),
    pytest.param(kilometres, ["distance: distributed otherwise in 2013-10, PSI", ", 1.61 times"], id="kilometres"),
    pytest.param(
        thousands_of_codes,
        ["carrier: about 2,", "distinct values in 2013-10, usual 15 to 15", "carrier: 17 % of 2013-10 have values not seen before"],
        id="a carrier in thousands of codes",
    ),
    pytest.param(lambda frame: frame.unionAll(frame), ["2013-10 has 57,778 rows, usual 24,951 to 29,425"], id="delivered twice"),
    pytest.param(
        lambda frame: frame.where("day(flight_date) <= 15"),
        ["2013-10 has 13,979 rows", "flight_date: the newest of 2013-10 is 16 days older than usual"],
        id="half a month",
    ),
]


@pytest.mark.parametrize(("fault", "words"), FAULTS)
def test_a_planted_fault_is_told_by_column(
    flights: DataFrame, year: dict[str, Batch], fault: Callable[[DataFrame], DataFrame], words: list[str]
) -> None:
    assert RULES
    broken = compute(fault(flights.where(F.col("month") == MONTH)), partition="month", by=RULES.by)
    found = said(broken, year)
    for each in words:
        assert each in found, found
