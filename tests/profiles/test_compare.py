from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from lakehouse.contracts.profiling import DISTANCES, Profiling
from lakehouse.profiles.compare import compare
from lakehouse.profiles.measured import Measured
from lakehouse.profiles.profile import Batch, ColumnProfile
from tests.profiles.batches import batch, moments, number, text

MONTHS = [f"2013-{month:02d}" for month in range(1, 13)]
DAY = 86_400.0


def usual(seed: int, rows: int = 3000, **changed: ColumnProfile) -> Batch:
    """A batch like any other: a number, a few codes, an identifier, a time."""
    random = np.random.default_rng(seed)
    codes = {name: int(rows * share) for name, share in (("UA", 0.5), ("B6", 0.3), ("HA", 0.2))}
    columns = {
        "miles": number(random.normal(1000, 300, rows), missing=round(rows * (0.01 + 0.002 * (seed % 3)))),
        "code": text(codes),
        "id": text({str(number): 1 for number in range(128)}, distinct=rows),
        "at": moments(high=seed * 30 * DAY - DAY / 2),
    }
    return batch(rows, **{**columns, **changed})


REFERENCE = {key: usual(seed) for seed, key in enumerate(MONTHS[:-1], start=1)}
ENDS = {key: seed * 30 * DAY for seed, key in enumerate(MONTHS, start=1)}


def unusual(own: Batch, others: Mapping[str, Batch] = REFERENCE, **rules: Any) -> list[Measured]:
    return [one for one in compare("2013-12", own, others, Profiling.model_validate(rules), ENDS) if one.unusual]


SHIFTED = ("distribution", "miles")


def kinds(found: list[Measured]) -> set[tuple[str, str | None]]:
    return {(one.kind, one.column) for one in found}


def test_batches_of_one_kind_are_usual_beside_each_other() -> None:
    everything = {**REFERENCE, "2013-12": usual(12)}
    for key, own in everything.items():
        assert [one.said for one in compare(key, own, everything, Profiling(by="code"), ENDS) if one.unusual] == []


def miles(change: Callable[[Any], Any], missing: int = 30, rows: int = 3000) -> Batch:
    return usual(12, rows, miles=number(change(np.random.default_rng(12).normal(1000, 300, rows)), missing))


FAULTS = [
    pytest.param(usual(12, rows=1400), {("volume", None)}, "has 1,400 rows, usual 3,000 to 3,000", id="half"),
    pytest.param(usual(12, rows=6000), {("volume", None)}, "has 6,000 rows", id="twice"),
    pytest.param(batch(0), {("volume", None)}, "has 0 rows", id="empty"),
    pytest.param(
        miles(lambda values: values * 1.609), {("distribution", "miles"), ("categories", "miles")}, "1.61 times", id="kilometres"
    ),
    pytest.param(miles(lambda values: values, missing=300), {("missing", "miles")}, "missing in 10 % of 2013-12", id="missing"),
    pytest.param(
        usual(12, code=text({str(number): 23 for number in range(128)}, distinct=2900)),
        {("cardinality", "code"), ("categories", "code"), ("distribution", "code")},
        "about 2,900 distinct values in 2013-12, usual 3 to 3",
        id="thousands of codes",
    ),
    pytest.param(
        usual(12, code=text({"UA": 1440, "B6": 900, "HA": 600, "XX": 60})),
        {("categories", "code")},
        "2 % of 2013-12 have values not seen before, such as 'XX'",
        id="a new code",
    ),
    pytest.param(
        usual(12, at=moments(high=12 * 30 * DAY - 12 * DAY)),
        {("freshness", "at")},
        "the newest of 2013-12 is 12 days older than usual",
        id="ends early",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("own", "expected", "said"), FAULTS)
def test_a_fault_is_found_and_told(own: Batch, expected: set[tuple[str, str | None]], said: str) -> None:
    found = unusual(own)
    assert kinds(found) == expected
    assert any(said in one.said for one in found), [one.said for one in found]


@pytest.mark.parametrize("measure", DISTANCES)
def test_every_distance_finds_another_unit(measure: str) -> None:
    own = miles(lambda values: values * 1.609)
    assert SHIFTED in kinds(unusual(own, distribution={"measure": measure}))
    assert unusual(usual(12), distribution={"measure": measure}) == []


def test_what_moves_with_the_seasons_is_usual_when_it_moves_again() -> None:
    def season(month: int) -> Batch:
        warm = 50 - 25 * np.cos(2 * np.pi * month / 12)
        return batch(3000, temperature=number(np.random.default_rng(month).normal(warm, 8, 3000)))

    year = {key: season(month) for month, key in enumerate(MONTHS)}
    for key, own in year.items():
        assert [one.said for one in compare(key, own, year, Profiling()) if one.unusual] == []
    hot = {**year, "2013-12": batch(3000, temperature=number(np.random.default_rng(0).normal(300, 8, 3000)))}
    (found,) = [one for one in compare("2013-12", hot["2013-12"], hot, Profiling()) if one.unusual]
    assert (found.kind, found.column) == ("categories", "temperature")
    assert found.said.startswith("100 % of 2013-12 have values not seen before, beyond -")


def test_one_odd_batch_before_does_not_make_the_next_one_usual() -> None:
    odd = miles(lambda values: values * 1.609)
    assert SHIFTED in kinds(unusual(odd, {**REFERENCE, "2013-11": odd}))


def test_one_part_with_missing_values_is_found_where_the_whole_does_not_show_it() -> None:
    def with_parts(seed: int, of_ha: int) -> Batch:
        column = number(np.arange(3000), missing=40 + of_ha, missing_by={"UA": 25, "B6": 15, "HA": of_ha})
        return usual(seed, miles=column)

    reference = {key: with_parts(seed, 5) for seed, key in enumerate(MONTHS[:-1])}
    (found,) = unusual(with_parts(12, 45), reference, by="code")
    assert (found.kind, found.column, found.of) == ("missing", "miles", "HA")
    assert found.said == "missing in 7.5 % of 2013-12 where code is HA, usual 0.83 % to 0.83 %"
    assert unusual(with_parts(12, 45), reference) == []


def test_a_storm_that_meets_every_part_is_not_told_of_each() -> None:
    def with_parts(seed: int, share: float) -> Batch:
        parts = {"UA": round(1500 * share), "B6": round(900 * share), "HA": round(600 * share)}
        return usual(seed, miles=number(np.arange(3000), missing=sum(parts.values()), missing_by=parts))

    reference = {key: with_parts(seed, 0.01) for seed, key in enumerate(MONTHS[:-1])}
    assert [one.of for one in unusual(with_parts(12, 0.06), reference, by="code")] == [None]


@pytest.mark.parametrize("rules", [{}, {"least": 3}], ids=["six by default", "or as many as the contract says"])
def test_too_few_batches_say_nothing_of_what_is_usual(rules: dict[str, Any]) -> None:
    few = dict(list(REFERENCE.items())[: Profiling(**rules).least - 1])
    assert compare("2013-12", usual(12, rows=10), few, Profiling(**rules)) == []
    enough = dict(list(REFERENCE.items())[: Profiling(**rules).least])
    assert kinds(unusual(usual(12, rows=1000), enough, **rules)) == {("volume", None)}


def test_a_pinned_reference_may_be_a_single_batch() -> None:
    pinned = {"reference": {"version": 3}}
    one = {"2013-01": REFERENCE["2013-01"]}
    assert unusual(usual(12), one, **pinned) == []
    assert SHIFTED in kinds(unusual(miles(lambda values: values * 1.609), one, **pinned))


SETTINGS = [
    pytest.param({"distribution": False}, id="off"),
    pytest.param({"columns": {"miles": False}}, id="the column off"),
    pytest.param({"columns": {"miles": {"distribution": False}}}, id="off for the column"),
    pytest.param({"columns": {"miles": {"distribution": 5.0}}}, id="another threshold for the column"),
    pytest.param({"distribution": {"threshold": 5.0}}, id="another threshold"),
]


@pytest.mark.parametrize("rules", SETTINGS)
def test_the_contract_may_say_otherwise(rules: dict[str, Any]) -> None:
    own = miles(lambda values: values * 1.609)
    assert SHIFTED in kinds(unusual(own))
    assert SHIFTED not in kinds(unusual(own, **rules))


def test_a_column_that_is_new_or_of_another_kind_is_not_compared() -> None:
    assert unusual(usual(12, new=number([1.0, 2.0]))) == []
    assert [one for one in unusual(usual(12, miles=text({"1000": 3000}))) if one.kind == "distribution"] == []


def test_few_rows_are_not_judged_by_chance() -> None:
    def few(seed: int) -> Batch:
        values = np.random.default_rng(seed).normal(0, 1, 16)
        return batch(16, rate=number(values), code=text({chr(97 + letter): 1 for letter in range(16)}))

    year = {key: few(seed) for seed, key in enumerate(MONTHS)}
    assert [one.said for key, own in year.items() for one in compare(key, own, year, Profiling()) if one.unusual] == []
