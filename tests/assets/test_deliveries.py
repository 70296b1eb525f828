"""The source's own deliveries, as `lakehouse.ingest` judges them: the twelve real months, in their order and with faults."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from assets import sources
from lakehouse import raw, tables
from lakehouse.ingest import batch, drift, facts, form, kept
from lakehouse.source import Source

ALL = [sources.flights, sources.weather, sources.planes, sources.airports, sources.airlines]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tables.open_root(tmp_path_factory.mktemp("lake"))
    for source in ALL:
        for key in source.partitions.keys() if source.partitions else [None]:
            raw.land(made, source, key)
    return made


@pytest.mark.parametrize("source", ALL, ids=lambda source: source.table)
def test_nothing_is_found_wrong_with_what_is_delivered(root: Path, source: Source) -> None:
    files = raw.files(root, source.name)
    assert batch.findings(root, source, files) == []
    taken = batch.take(root, source, files)
    assert (taken.warnings, taken.misfits) == ((), [])
    assert not any(judged.verdict.copy for judged in taken.files)


def columns_of(root: Path, source: Source) -> list[drift.Columns]:
    how = form.of(source)
    assert how is not None
    return [kept.of(root, file, how).facts for file in raw.files(root, source.name)]


def with_factor(source: Source, month: str, column: str, factor: float) -> drift.Columns:
    """A month's facts, with one column in another unit."""
    (delivery,) = source.fetch(month)
    assert isinstance(delivery.content, bytes)
    names, *rows = list(csv.reader(io.StringIO(delivery.content.decode())))
    place = names.index(column)
    sample = [[str(float(v) * factor) if n == place and v != "NA" else v for n, v in enumerate(row)] for row in rows[::10]]
    return facts.of(names, sample)


@pytest.mark.parametrize(
    ("source", "column", "factor", "words"),
    [
        (sources.flights, "distance", 1.609344, "1.609 times as much (miles to kilometres)"),
        (sources.flights, "air_time", 60, "60 times as much (minutes to seconds)"),
        (sources.weather, "visib", 1.609344, "1.609 times as much (miles to kilometres)"),
        (sources.weather, "wind_speed", 0.44704, "0.447 times as much (m/s to mph, backwards)"),
        (sources.weather, "pressure", 1 / 33.86389, "0.02953 times as much (inHg to hPa, backwards)"),
    ],
)
def test_a_column_in_another_unit_is_seen_in_july_and_nothing_else(
    root: Path, source: Source, column: str, factor: float, words: str
) -> None:
    before = columns_of(root, source)[:6]
    (change,) = drift.of_values(before, with_factor(source, "2013-07", column, factor))
    assert (change.kind, change.column) == ("unit", column)
    assert words in change.words
