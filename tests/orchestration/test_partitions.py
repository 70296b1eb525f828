from __future__ import annotations

import warnings
from collections.abc import Iterator

import dagster as dg
import pytest

from lakehouse.orchestration.partitions import definition, mapping
from lakehouse.partitions import Coverage, PartitionSpace

YEAR = PartitionSpace("month", "2013-01", "2013-12")
LATER = PartitionSpace("month", "2013-02", "2013-12")


@pytest.fixture(autouse=True)
def _beta() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        yield


def test_the_last_month_of_a_contract_is_a_partition() -> None:
    keys = definition(YEAR).get_partition_keys()
    assert (keys[0], keys[-1], len(keys)) == ("2013-01", "2013-12", 12)


def test_without_an_end_the_last_full_month_is_the_last_partition() -> None:
    space = PartitionSpace("month", "2013-01")
    assert definition(space).get_partition_keys() == list(space.keys())


CASES: list[tuple[str, list[Coverage], PartitionSpace, str, list[str]]] = [
    ("its own", ["own"], YEAR, "2013-03", ["2013-03"]),
    ("a window", [(-1, 0)], YEAR, "2013-03", ["2013-02", "2013-03"]),
    ("a window over the edge", [(-1, 0)], YEAR, "2013-01", ["2013-01"]),
    ("all until its own", ["until"], LATER, "2013-03", ["2013-01", "2013-02", "2013-03"]),
    ("two reads", ["own", (-2, -1)], YEAR, "2013-04", ["2013-02", "2013-03", "2013-04"]),
]


@pytest.mark.parametrize(("coverages", "downstream", "own", "expected"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_a_read_covers_the_same_months_in_dagster(
    coverages: list[Coverage], downstream: PartitionSpace, own: str, expected: list[str]
) -> None:
    below, above = definition(downstream), definition(YEAR)
    found = mapping(coverages, YEAR, downstream)
    assert isinstance(found, dg.TimeWindowPartitionMapping)
    covered = found.get_upstream_mapped_partitions_result_for_partitions(below.subset_with_partition_keys([own]), below, above)
    assert sorted(covered.partitions_subset.get_partition_keys()) == expected


def test_all_partitions_and_no_partitions() -> None:
    assert isinstance(mapping(["own", "all"], YEAR, YEAR), dg.AllPartitionMapping)
    assert isinstance(mapping(["own"], YEAR, None), dg.AllPartitionMapping)
    assert mapping(["own"], None, YEAR) is None
