from __future__ import annotations

import copy
import pickle
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.errors import PartitionError
from lakehouse.partitions import PartitionSpace, month, parse_coverage, parse_months

MONTHS = st.dates(date(1900, 1, 1), date(2100, 1, 1)).map(month.of)
YEAR = PartitionSpace("month", month("2013-01"), month("2013-12"))
OPEN = PartitionSpace("month", month("2013-11"))


@given(MONTHS, st.integers(-600, 600))
def test_shifting_back_returns_to_the_month(start: month, by: int) -> None:
    assert start.shift(by).shift(-by) == start
    assert (start.shift(by) > start) == (by > 0)


@given(MONTHS)
def test_a_month_is_a_string_and_survives_copies(start: month) -> None:
    for again in (pickle.loads(pickle.dumps(start)), copy.deepcopy(start), month(str(start))):
        assert again == start
        assert isinstance(again, month)
    assert month.of(start.first_day) == start


@pytest.mark.parametrize("text", ["2013", "2013-1", "2013-13", "2013-00", "0000-01", "2013-02-01", " 2013-02", "", 201302])
def test_what_is_no_month_is_refused(text: object) -> None:
    with pytest.raises(PartitionError, match="is not a month"):
        month(text)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        pytest.param("2013-02", ["2013-02"], id="one"),
        pytest.param("2013-11..2014-01", ["2013-11", "2013-12", "2014-01"], id="range over the year's end"),
        pytest.param("2013-03, 2013-01", ["2013-03", "2013-01"], id="list, in its own order"),
        pytest.param("2013-01..2013-02,2013-05", ["2013-01", "2013-02", "2013-05"], id="both"),
    ],
)
def test_months_are_read_from_text(text: str, keys: list[str]) -> None:
    assert list(parse_months(text)) == keys


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("2013-03..2013-01", "backwards", id="backwards"),
        pytest.param("2013-01..", "'' is not a month", id="half a range"),
        pytest.param("2012-12", "2012-12 does not exist\nThere are 2013-01 to 2013-12", id="outside"),
        pytest.param("2013-12..2014-02", "2014-01, 2014-02 does not exist", id="half outside"),
    ],
)
def test_text_that_names_no_existing_partition_is_refused(text: str, message: str) -> None:
    with pytest.raises(PartitionError, match=message):
        YEAR.parse(text)


def test_parsed_partitions_are_sorted_and_single() -> None:
    assert YEAR.parse("2013-03,2013-01,2013-03") == ("2013-01", "2013-03")


def test_an_open_space_ends_with_the_last_full_month() -> None:
    assert OPEN.keys(date(2014, 1, 31)) == ("2013-11", "2013-12")
    assert OPEN.keys(date(2014, 2, 1)) == ("2013-11", "2013-12", "2014-01")
    assert OPEN.keys(date(2013, 11, 30)) == ()
    with pytest.raises(PartitionError, match="none yet before 2013-11 is over"):
        OPEN.parse("2013-11", date(2013, 11, 30))


def test_a_space_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(PartitionError, match="before they start"):
        PartitionSpace("month", month("2013-02"), month("2013-01"))


@pytest.mark.parametrize(
    ("coverage", "own", "keys"),
    [
        pytest.param("own", ["2013-02"], ["2013-02"], id="own"),
        pytest.param("own", ["2013-02", "2014-02"], ["2013-02"], id="own, of which one is not there"),
        pytest.param("until", ["2013-02"], ["2013-01", "2013-02"], id="until"),
        pytest.param("until", ["2013-03", "2013-01"], ["2013-01", "2013-02", "2013-03"], id="until the latest"),
        pytest.param("until", [], [], id="until nothing"),
        pytest.param((-1, 0), ["2013-01"], ["2013-01"], id="window clipped at the start"),
        pytest.param((-1, 0), ["2013-03", "2013-05"], ["2013-02", "2013-03", "2013-04", "2013-05"], id="windows joined"),
        pytest.param((1, 1), ["2013-11", "2013-12"], ["2013-12"], id="window clipped at the end"),
        pytest.param((-1, -1), ["2013-01"], [], id="window before all"),
    ],
)
def test_coverage(coverage: object, own: list[str], keys: list[str]) -> None:
    assert list(YEAR.cover(parse_coverage(coverage), own)) == keys


def test_all_covers_the_whole_space() -> None:
    assert YEAR.cover("all", ["2013-02"]) == YEAR.keys()


@pytest.mark.parametrize("value", ["2013-02", "ALL", None, 0, (0,), (1, 0), (0, 1, 2), (True, True), (0.0, 1.0), ("-1", "0")])
def test_a_coverage_that_is_not_understood_is_refused(value: object) -> None:
    with pytest.raises(PartitionError, match="is not understood"):
        parse_coverage(value)
