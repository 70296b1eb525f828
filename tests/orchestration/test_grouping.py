from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse.names import TableName
from lakehouse.orchestration.grouping import groups
from lakehouse.orchestration.run_partitions import month_ranges, range_tags
from lakehouse.plan import Step
from lakehouse.project import Project
from tests.notebooks import project as written
from tests.orchestration.conftest import monthly_contract, small_project

ALL = ("2013-01", "2013-02", "2013-03")

CASES = [
    (
        "one range is one run, whatever has no partitions joins it",
        {"raw/things": ALL, "bronze/things": ALL, "silver/a": ALL, "gold/sums": ()},
        [("2013-01..2013-03", ["raw/things", "bronze/things", "silver/a", "gold/sums"])],
    ),
    (
        "a gap makes two runs, and what reads all waits for both",
        {"silver/a": ("2013-01", "2013-03"), "gold/sums": ()},
        [("2013-01..2013-01", ["silver/a"]), ("2013-03..2013-03", ["silver/a", "gold/sums"])],
    ),
    (
        "each asset runs exactly its planned months",
        {"bronze/things": ("2013-02",), "silver/a": ALL},
        [("2013-02..2013-02", ["bronze/things"]), ("2013-01..2013-03", ["silver/a"])],
    ),
    ("nothing is no run", {}, []),
]


@pytest.mark.parametrize(("planned", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_steps_become_runs(tmp_path: Path, planned: dict[str, tuple[str, ...]], expected: list[tuple[str, list[str]]]) -> None:
    project = Project.load(small_project(tmp_path))
    steps = [Step(TableName.parse(asset), months) for asset, months in planned.items()]
    found = [
        (f"{group.months[0]}..{group.months[-1]}" if group.months else "", [piece.asset.slashed for piece in group.pieces])
        for group in groups(project, steps)
    ]
    assert found == expected


def test_a_contract_cuts_its_steps_and_what_lies_below_waits_only_for_its_own_months(tmp_path: Path) -> None:
    folder = small_project(tmp_path)
    contracts = {
        "silver.a": monthly_contract("silver.a", backfill_chunk=2),
        "silver.b": monthly_contract("silver.b", backfill_chunk=1),
    }
    made = Project.load(written(folder, contracts=contracts))
    planned = {"bronze/things": ALL, "silver/a": ALL, "silver/b": ALL, "gold/sums": ()}
    steps = [Step(TableName.parse(asset), months) for asset, months in planned.items()]
    found = [(group.months, [piece.asset.slashed for piece in group.pieces]) for group in groups(made, steps)]
    assert found == [
        (ALL, ["bronze/things"]),
        (ALL[2:], ["silver/a", "silver/b"]),
        (ALL[:2], ["silver/a", "gold/sums"]),
        (ALL[:1], ["silver/b"]),
        (ALL[1:2], ["silver/b"]),
    ]


def test_months_without_a_gap_are_one_range() -> None:
    assert month_ranges(["2013-01", "2012-12", "2013-03"]) == [["2012-12", "2013-01"], ["2013-03"]]


def test_one_month_is_a_partition_and_several_are_a_range() -> None:
    assert range_tags([]) == {}
    assert range_tags(["2013-01"]) == {"dagster/partition": "2013-01"}
    assert sorted(range_tags(["2013-01", "2013-02"]).values()) == ["2013-01", "2013-02"]
