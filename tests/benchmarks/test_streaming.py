from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

from lakehouse.names import TableName
from lakehouse.streams.landing import Landed
from lakehouse.streams.rounds import Round
from tests.benchmarks import streaming


def test_the_years_hours_come_again_a_year_later_and_never_twice() -> None:
    records = [json.loads(line) for line in islice(streaming._endless(), 60_000)]
    assert len({(record["origin"], record["time_hour"]) for record in records}) == 60_000
    first, again = records[0], records[26_115]
    assert (first["time_hour"], again["time_hour"]) == ("2013-01-01T06:00:00Z", "2014-01-01T06:00:00Z")
    assert {**first, "time_hour": ""} == {**again, "time_hour": ""}


def test_each_file_holds_the_next_records(tmp_path: Path) -> None:
    files = list(streaming._files(tmp_path / "drafts", 3))
    lines = [line for path in files for line in path.read_text().splitlines()]
    assert lines == list(islice(streaming._endless(), 3 * streaming.RECORDS))


def made(rows: int, files: int, landing: float, notebook: float, oldest: float) -> Round:
    table, bronze = TableName("raw", "observations"), TableName("bronze", "observations")
    landed = Landed(rows, files, version=0, seconds=landing)
    return Round(landed={table: landed}, ran={bronze: notebook}, oldest=oldest)


def test_what_is_told_of_a_scale() -> None:
    live = [made(500, 5, 1.0, 4.0, 9.0), made(0, 0, 0.0, 0.0, 0.0), made(300, 3, 1.0, 4.0, 12.0), made(200, 2, 1.0, 4.0, 10.0)]
    figures = streaming._figures(made(6_000, 60, 3.0, 5.0, 60.0), live)
    facts = {"scale": 10, **figures, "memory": {"Spark (Java)": 3 << 30}, "total": 4 << 30}
    assert streaming.row(facts) == ["10x", "1,000", "6,000", "2,000", "1,200", "1,000", "3", "10.0", "12.0", "3.0", "4.0"]
