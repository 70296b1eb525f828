from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from assets.sources import _content, split_by_month
from tests.benchmarks import larger

Rows = list[dict[str, str]]


@pytest.fixture(scope="module")
def original() -> bytes:
    """A month of real flights: February, which has the most cancelled ones."""
    return split_by_month(_content("flights.csv.zip"))["2013-02"]


@pytest.fixture(scope="module")
def copies(original: bytes, tmp_path_factory: pytest.TempPathFactory) -> list[Rows]:
    """The rows of three copies, apart."""
    target = larger.flights(original, 3, tmp_path_factory.mktemp("larger") / "flights.csv")
    rows = _rows(target.read_bytes())
    third = len(rows) // 3
    return [rows[start : start + third] for start in range(0, len(rows), third)]


def _rows(content: bytes) -> Rows:
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_once_is_the_file_as_it_was(original: bytes, tmp_path: Path) -> None:
    assert larger.flights(original, 1, tmp_path / "flights.csv").read_bytes() == original
    assert larger.planes(b"tailnum,year\nN1,2004\n", 1) == b"tailnum,year\nN1,2004\n"


def test_each_copy_has_flights_and_planes_of_its_own(original: bytes, copies: list[Rows]) -> None:
    assert [len(rows) for rows in copies] == [len(_rows(original))] * 3
    assert copies[0] == _rows(original)
    for number, rows in enumerate(copies[1:], start=1):
        assert {int(row["flight"]) // larger.NUMBERS_APART for row in rows} == {number}
        assert all(row["tailnum"] == "NA" or row["tailnum"].endswith(f"-{number}") for row in rows)
    assert larger.planes(b"tailnum,year\nN1,2004\n", 2) == b"tailnum,year\nN1,2004\nN1-1,2004\n"


def test_a_copy_s_schedule_moves_within_the_hour_and_what_happened_stays(copies: list[Rows]) -> None:
    moves = set()
    for before, after in zip(copies[0], copies[1], strict=True):
        moved = int(after["sched_dep_time"]) - int(before["sched_dep_time"])
        moves.add(moved)
        assert int(after["sched_arr_time"]) - int(before["sched_arr_time"]) == moved
        assert int(after["minute"]) - int(before["minute"]) == moved
        assert int(after["sched_dep_time"]) % 100 < 60 and int(after["sched_arr_time"]) % 100 < 60
        for delay in ("dep_delay", "arr_delay"):
            assert after[delay] == ("NA" if before[delay] == "NA" else str(int(before[delay]) - moved))
    assert moves == set(range(-larger.FURTHEST, larger.FURTHEST + 1))


def test_the_same_rows_come_out_each_time(original: bytes, copies: list[Rows], tmp_path: Path) -> None:
    again = _rows(larger.flights(original, 3, tmp_path / "flights.csv").read_bytes())
    assert again == [row for rows in copies for row in rows]
    assert [row["sched_dep_time"] for row in copies[1]] != [row["sched_dep_time"] for row in copies[2]]


def test_a_flight_at_the_day_s_end_is_not_moved(tmp_path: Path) -> None:
    names = "month,flight,tailnum,sched_dep_time,sched_arr_time,minute,dep_delay,arr_delay"
    row = b"2,1,N1,2130,2400,30,0,0\n"
    made = _rows(larger.flights(names.encode() + b"\n" + row * 40, 2, tmp_path / "flights.csv").read_bytes())
    assert {made[index]["sched_arr_time"] for index in range(80)} == {"2400"}
