"""Rows set aside by a run's raw files and by its contract: kept once, gone when they fit, released for good."""

from __future__ import annotations

from typing import Any

import pytest

from lakehouse import deltalog
from lakehouse.errors import AuditFailed, BatchRefused
from lakehouse.names import TableName
from lakehouse.quarantine import table as quarantine
from tests.notebooks import contract, notebook
from tests.quarantine.scene import JANUARY, TOO_LARGE, deliver, run, silver, write
from tests.workspace import Workspace, rows


@pytest.fixture
def place(workspace: Workspace) -> Workspace:
    """January with a ragged row and an id that is none; silver says that a row is too large."""
    write(workspace)
    return workspace


def held(place: Workspace, columns: str = "table_name, partition_key, reason, line, row_text") -> list[tuple[Any, ...]]:
    return place.rows("monitoring.quarantine", columns)


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
    place: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    bronze, typed = run(place)
    assert (ids(place, "bronze.things"), ids(place, "silver.things")) == (["1", "3", "5"], ["1", "5"])
    assert held(place) == ASIDE
    assert (bronze.set_aside, typed.set_aside) == ({"raw.things": 1, "bronze.things": 1}, {"silver.things": 1})
    (check,) = [one for one in typed.checks if one.severity == "quarantine"]
    assert (check.passed, check.unexpected, check.observed, check.examples) == (True, 1, "1 of 3 rows set aside", ["3000.0"])
    assert "raw.things: 1 rows do not fit and are left out" in capsys.readouterr().out
    files = held(place, "raw_file, sha256 is not null")
    assert sorted(files, key=str) == [("things/2013-01/things-2013-01.csv", True)] * 2 + [(None, False)]


def test_a_repeat_doubles_nothing_and_what_fits_now_is_gone(place: Workspace) -> None:
    run(place)
    first = held(place, "id, noted_at, state")
    run(place)
    assert held(place, "id, noted_at, state") == first
    deliver(place, "2013-01", JANUARY.replace("2,20\n", "2,20,Eve\n").replace("x4", "4"))
    run(place)
    assert [row[0] for row in held(place)] == ["silver.things"]
    assert ids(place, "bronze.things") == ["1", "2", "3", "4", "5"]
    place.write({}, {"silver.things": silver(version=2)})
    place.run("silver/things", months=["2013-01"])
    assert held(place) == []
    assert quarantine.standing(place.root) == {}


def test_another_month_is_left_alone(place: Workspace) -> None:
    run(place)
    deliver(place, "2013-02", "id,size,owner\n6,60,Fay\n7,7000,Gus\n")
    run(place, "2013-02")
    assert quarantine.standing(place.root) == {
        ("raw.things", "2013-01"): 1,
        ("bronze.things", "2013-01"): 1,
        ("silver.things", "2013-01"): 1,
        ("silver.things", "2013-02"): 1,
    }


def test_a_run_that_sets_nothing_aside_makes_no_quarantine(place: Workspace) -> None:
    deliver(place, "2013-01", "id,size,owner\n1,10,Ada\n")
    run(place)
    assert deltalog.latest(quarantine.path(place.root)) is None


def test_more_than_the_stated_share_publishes_nothing(place: Workspace) -> None:
    place.write({}, {"silver.things": silver(TOO_LARGE, at_most=0.2)})
    place.run("bronze/things", months=["2013-01"])
    with pytest.raises(AuditFailed) as caught:
        place.run("silver/things", months=["2013-01"])
    assert "column_values_to_be_between_size, 1 row, as in '3000.0' (1 of 3 rows set aside: with all checks 1, more than 20%)" in (
        caught.value.what
    )
    assert place.version("silver.things") is None
    assert not [row for row in held(place) if row[0] == "silver.things"]
    deliver(place, "2013-02", "id,size,owner\n1\n2,20,Ada\n")
    with pytest.raises(BatchRefused, match=r"1 of 2 rows do not fit, more than 30%: things-2013-02\.csv, line 2 has 1 field"):
        place.run("bronze/things", months=["2013-02"])


def test_a_rule_that_cannot_be_computed_publishes_nothing(place: Workspace) -> None:
    against_text = {**TOO_LARGE, "kwargs": {"column": "owner", "max_value": 100}}
    place.write({}, {"silver.things": silver(against_text)})
    place.run("bronze/things", months=["2013-01"])
    with pytest.raises(AuditFailed, match=r"column_values_to_be_between_owner \(could not be computed: \(personal\)\)"):
        place.run("silver/things", months=["2013-01"])


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


def test_exploring_keeps_its_rows_to_itself(place: Workspace) -> None:
    place.run("bronze/things", "sandbox", months=["2013-01"])
    assert deltalog.latest(quarantine.path(place.root)) is None


def test_the_table_can_be_asked_by_its_name(place: Workspace) -> None:
    run(place)
    lake = place.open("silver/things", months=["2013-01"])
    assert TableName("monitoring", "quarantine") in lake._resolver.tables()
