from __future__ import annotations

import csv
import json

import pytest

from assets import sources
from lakehouse.source import Source

EVERY_SOURCE = [value for value in vars(sources).values() if isinstance(value, Source)]


def content(source: Source, partition: str | None) -> bytes:
    (delivery,) = source.fetch(partition)
    assert isinstance(delivery.content, bytes)
    return delivery.content


def test_six_raw_tables_are_delivered() -> None:
    assert {source.table for source in EVERY_SOURCE} == {
        f"raw.{name}" for name in ("flights", "weather", "planes", "aircraft", "airports", "airlines")
    }
    assert all(source.description and source.owner for source in EVERY_SOURCE)


@pytest.mark.parametrize("source", [sources.flights, sources.weather], ids=lambda source: source.table)
def test_the_months_together_are_the_whole_file(source: Source) -> None:
    whole = sources._content("flights.csv.zip" if source is sources.flights else "weather.csv").splitlines(keepends=True)
    assert source.partitions is not None
    delivered = [content(source, key).splitlines(keepends=True) for key in source.partitions.keys()]  # noqa: SIM118  # a method of its own
    assert {lines[0] for lines in delivered} == {whole[0]}
    assert sorted(line for lines in delivered for line in lines[1:]) == sorted(whole[1:])


def test_a_month_holds_its_own_rows_and_the_same_bytes_each_time() -> None:
    february = content(sources.flights, "2013-02")
    rows = list(csv.DictReader(february.decode().splitlines()))
    assert len(rows) == 24_951
    assert {(row["year"], row["month"]) for row in rows} == {("2013", "2")}
    sources._months_of.cache_clear()
    assert content(sources.flights, "2013-02") == february


def test_the_file_is_named_after_its_month() -> None:
    (delivery,) = sources.weather.fetch("2013-07")
    assert delivery.filename == "weather-2013-07.csv"


@pytest.mark.parametrize("name", ["planes", "airports", "airlines"])
def test_registers_are_delivered_as_they_are(name: str) -> None:
    (delivery,) = getattr(sources, name).fetch(None)
    assert (delivery.filename, delivery.content) == (f"{name}.csv", sources._package_file(f"{name}.csv").read_bytes())


def test_a_month_outside_the_data_is_refused() -> None:
    with pytest.raises(LookupError, match="no lines for 2014-01; it covers 2013-01 to 2013-12"):
        content(sources.flights, "2014-01")


def test_splitting_keeps_lines_whole_and_in_order() -> None:
    months = sources.split_by_month(b"id,month,year,x\n1,1,2013,a\n2,12,2012,b\n3,1,2013,\n")
    assert months == {"2013-01": b"id,month,year,x\n1,1,2013,a\n3,1,2013,\n", "2012-12": b"id,month,year,x\n2,12,2012,b\n"}


def test_the_replay_brings_two_days_and_then_three_hours_a_call() -> None:
    first = list(sources.poll_observations(None))
    assert len(first) == 16
    assert (first[0].filename, first[-1].filename) == ("observations-2013-01-01T11Z.jsonl", "observations-2013-01-03T08Z.jsonl")
    (later,) = sources.poll_observations(first[-1].filename)
    assert later.filename == "observations-2013-01-03T11Z.jsonl"
    assert list(sources.poll_observations(first[-1].filename)) == [later]
    assert isinstance(later.content, bytes)
    records = [json.loads(line) for line in later.content.splitlines()]
    assert {record["time_hour"] for record in records} == {f"2013-01-03T{hour:02d}:00:00Z" for hour in range(6, 12)}
    assert (len(records), {record["origin"] for record in records}) == (18, {"EWR", "JFK", "LGA"})


def test_the_replays_values_are_those_of_the_file() -> None:
    rows = list(csv.DictReader(sources._content("weather.csv").decode().splitlines()))
    records = [json.loads(line) for lines in sources._observed().values() for line in lines]
    assert len(records) == len(rows) == 26_115
    wanted = {(row["origin"], row["time_hour"]): row for row in rows}
    for record in records:
        row = wanted[record["origin"], record["time_hour"]]
        assert all(value is None if row[name] == "NA" else value == float(row[name]) for name, value in list(record.items())[2:])


def test_after_the_year_nothing_more_comes() -> None:
    assert list(sources.poll_observations("observations-2013-12-30T21Z.jsonl")) == []
