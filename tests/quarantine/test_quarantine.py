"""Rows set aside by a run's raw files and by its contract: kept once, gone when they fit, released for good."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lakehouse import deltalog
from lakehouse.errors import AuditFailed, BatchRefused
from lakehouse.project import Project
from lakehouse.quality import QUARANTINE, Quality
from lakehouse.quarantine import table as quarantine
from lakehouse.record import Result
from lakehouse.tables import Resolver
from tests.notebooks import contract, notebook
from tests.quarantine.scene import TOO_LARGE, deliver, run, silver, write
from tests.workspace import Workspace, rows


@pytest.fixture(scope="module")
def ran(new_workspace: Callable[[str], Workspace]) -> tuple[Workspace, Result, Result]:
    """January with a ragged row and an id that is none; silver says that a row is too large. Both have run."""
    place = new_workspace("quarantine")
    write(place)
    return place, *run(place)


@pytest.fixture
def place(ran: tuple[Workspace, Result, Result]) -> Workspace:
    return ran[0]


def held(place: Workspace, columns: str = "table_name, partition_key, reason, line, row_text") -> list[tuple[Any, ...]]:
    return place.rows("monitoring.quarantine", columns)


def standing(place: Workspace) -> dict[tuple[str, str], int]:
    return {scope: held.open for scope, held in quarantine.standing(place.root).items()}


def ids(place: Workspace, table: str) -> list[str]:
    return [str(row[0]) for row in place.rows(table, "id")]


ASIDE = [
    ("bronze.things", "2013-01", "an id is a number", None, '{"month":"2013-01","id":"x4","size":"40","owner":"Cy"}'),
    ("raw.things", "2013-01", "has 2 fields, not 3", 3, "2,20"),
    (
        "silver.things",
        "2013-01",
        "nothing is larger than the shelf",
        None,
        '{"month":"2013-01","id":3,"size":3000.0,"owner":"(personal)"}',
    ),
]


def test_rows_that_do_not_fit_are_left_out_and_kept_with_the_reason_and_the_place(
    ran: tuple[Workspace, Result, Result],
) -> None:
    place, bronze, typed = ran
    assert (ids(place, "bronze.things"), ids(place, "silver.things")) == (["1", "3", "5"], ["1", "5"])
    assert held(place) == ASIDE
    assert (bronze.set_aside, typed.set_aside) == ({"raw.things": 1, "bronze.things": 1}, {"silver.things": 1})
    (check,) = [one for one in typed.checks if one.severity == "quarantine"]
    assert (check.passed, check.unexpected, check.observed, check.examples) == (True, 1, "1 of 3 rows set aside", ["3000.0"])
    files = held(place, "raw_file, sha256 is not null")
    assert sorted(files, key=str) == [("things/2013-01/things-2013-01.csv", True)] * 2 + [(None, False)]
    assert quarantine.TABLE in Resolver(place.root).tables()


def test_what_is_open_is_told_beside_all_else_that_is_wrong(place: Workspace) -> None:
    found = [one for one in Quality(Project.load(place.project), place.root).findings if one.what == QUARANTINE]
    assert sorted((str(one.table), one.partitions, one.rows, list(map(str, one.reaches))) for one in found) == [
        ("bronze.things", ("2013-01",), 1, ["silver.things"]),
        ("raw.things", ("2013-01",), 1, ["bronze.things", "silver.things"]),
        ("silver.things", ("2013-01",), 1, []),
    ]
    assert all(timedelta(0) < datetime.now(UTC) - one.since < timedelta(hours=1) for one in found)


def test_a_repeat_doubles_nothing(place: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    first = held(place, "id, noted_at, state")
    run(place)
    assert held(place, "id, noted_at, state") == first
    told = capsys.readouterr().out
    assert "raw.things: 1 rows do not fit and are left out" in told
    assert "silver.things: 1 rows are set aside" in told


def test_what_fits_now_is_gone_and_another_month_is_left_alone(place: Workspace) -> None:
    january = {("raw.things", "2013-01"): 1, ("bronze.things", "2013-01"): 1, ("silver.things", "2013-01"): 1}
    deliver(place, "2013-02", "id,size,owner\n6,60,Fay\n7,70\nx,80,Gus\n8,8000,Hal\n")
    run(place, "2013-02")
    february = {("raw.things", "2013-02"): 1, ("bronze.things", "2013-02"): 1, ("silver.things", "2013-02"): 1}
    assert standing(place) == {**january, **february}
    deliver(place, "2013-02", "id,size,owner\n6,60,Fay\n7,70,Gus\n8,80,Hal\n")
    run(place, "2013-02")
    assert standing(place) == january
    assert ids(place, "silver.things") == ["1", "5", "6", "7", "8"]


def test_more_than_the_stated_share_publishes_nothing(place: Workspace) -> None:
    version = place.version("silver.things")
    place.write({}, {"silver.things": silver(TOO_LARGE, at_most=0.2)})
    with pytest.raises(AuditFailed) as caught:
        place.run("silver/things", months=["2013-01"])
    assert "column_values_to_be_between_size, 1 row, as in '3000.0' (1 of 3 rows set aside: with all checks 1, more than 20%)" in (
        caught.value.what
    )
    assert place.version("silver.things") == version
    assert held(place) == ASIDE
    deliver(place, "2013-03", "id,size,owner\n1\n2,20,Ada\n")
    with pytest.raises(BatchRefused, match=r"1 of 2 rows do not fit, more than 30%: things-2013-03\.csv, line 2 has 1 field"):
        place.run("bronze/things", months=["2013-03"])


def test_a_rule_that_cannot_be_computed_publishes_nothing(place: Workspace) -> None:
    against_text = {**TOO_LARGE, "kwargs": {"column": "owner", "max_value": 100}}
    place.write({}, {"silver.things": silver(against_text, version=2)})
    with pytest.raises(AuditFailed, match=r"column_values_to_be_between_owner \(could not be computed: \(personal\)\)"):
        place.run("silver/things", months=["2013-01"])
    assert held(place) == ASIDE


def test_a_merge_adds_to_what_stands_and_leaves_the_row_that_was_there(workspace: Workspace) -> None:
    columns = {"id": {"type": "bigint", "nullable": False}, "size": "double"}
    promise = contract("silver.stock", columns, key=["id"], expectations=[TOO_LARGE], quarantine={"at_most": 0.9})

    def merged(values: str) -> None:
        cells = [rows(f"select * from values {values} as t(id, size)"), 'lake.merge(df, "silver.stock")']
        workspace.write({"silver/stock": notebook("silver/stock", *cells)}, {"silver.stock": promise})
        workspace.run("silver/stock")

    merged("(1L, 10d), (2L, 2000d)")
    merged("(1L, 1000d), (3L, 30d)")
    merged("(1L, 1000d), (3L, 31d)")
    assert workspace.rows("silver.stock") == [(1, 10.0), (3, 31.0)]
    assert held(workspace, "row_text") == [('{"id":1,"size":1000.0}',), ('{"id":2,"size":2000.0}',)]


def test_where_nothing_is_set_aside_or_one_explores_no_quarantine_is_made(workspace: Workspace) -> None:
    write(workspace)
    workspace.run("bronze/things", "sandbox", months=["2013-01"])
    deliver(workspace, "2013-01", "id,size,owner\n1,10,Ada\n")
    workspace.run("bronze/things", months=["2013-01"])
    assert deltalog.latest(quarantine.path(workspace.root)) is None
