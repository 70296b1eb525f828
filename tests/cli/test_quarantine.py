from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.quarantine.scene import run, write
from tests.workspace import Workspace

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def place(new_workspace: Callable[[str], Workspace]) -> Workspace:
    made = new_workspace("quarantined")
    write(made)
    run(made)
    return made


def test_an_empty_quarantine_needs_no_server(workspace: Workspace, lakehouse: Command) -> None:
    workspace.write({}, {})
    assert lakehouse(workspace, "quarantine", LAKEHOUSE_SPARK="sc://localhost:9")[:2] == (0, "Nothing is in quarantine.\n")


def test_rows_are_listed_by_table_reason_and_file(place: Workspace, lakehouse: Command) -> None:
    code, out, err = lakehouse(place, "quarantine")
    assert (code, err) == (0, "")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert any(line.startswith("raw.things 2013-01 has 2 fields, not 3 things/2013-01/things-2013-01.csv 1 2") for line in lines)
    assert any(line.startswith("silver.things 2013-01 nothing is larger than the shelf 1 2") for line in lines)
    assert lines[-1].startswith("3 rows. `lakehouse quarantine explain ")
    found = json.loads(lakehouse(place, "quarantine", "list", "bronze/things", "--json")[1])
    assert [(one["table"], one["check"], one["rows"], one["partitions"]) for one in found] == [
        ("bronze.things", "column_values_to_match_regex_id", 1, ["2013-01"])
    ]


def test_a_row_is_explained_down_to_its_line(place: Workspace, lakehouse: Command) -> None:
    code, out, _ = lakehouse(place, "quarantine", "explain", "bronze.things")
    assert code == 0
    assert "bronze.things, partition 2013-01: column_values_to_match_regex_id, an id is a number" in out
    assert "raw/things/2013-01/things-2013-01.csv, line 5" in out
    assert "there: x4,40,Cy" in out
    code, out, _ = lakehouse(place, "quarantine", "explain", "raw.things")
    assert "readable, has 2 fields, not 3" in out and "things-2013-01.csv, line 3" in out
    (row,) = json.loads(lakehouse(place, "quarantine", "explain", "silver.things", "--json")[1])
    code, out, _ = lakehouse(place, "quarantine", "explain", row["id"][:8])
    assert (code, "`lakehouse trace` walks rows of silver.things back" in out, "(personal)" in out) == (0, True, True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("explain", "gold.none"), "No row of gold.none is in quarantine"),
        (("explain", "zz"), "'zz' is neither a table nor a row's id"),
        (("release", "silver.thing"), "No row of silver.thing is in quarantine"),
        (("replay", "gold.none"), "No row of gold.none is open in quarantine"),
    ],
)
def test_what_is_not_there_is_told(place: Workspace, lakehouse: Command, words: tuple[str, ...], message: str) -> None:
    code, _, err = lakehouse(place, "quarantine", *words)
    assert (code, message in err) == (2, True)


def test_a_replay_runs_what_set_rows_aside_and_what_follows(place: Workspace, lakehouse: Command) -> None:
    code, out, _ = lakehouse(place, "quarantine", "replay", "raw.things", "--dry-run")
    lines = [[part.strip() for part in line.split("│")[1:-1]] for line in out.splitlines() if "│" in line]
    assert (code, [line[:3] for line in lines]) == (
        0,
        [
            ["raw/things", "2013-01", "forced"],
            ["bronze/things", "2013-01", "forced"],
            ["silver/things", "2013-01 … 2013-03 (3)", lines[2][2]],
        ],
    )


def test_released_rows_no_longer_count_and_stay_released(place: Workspace, lakehouse: Command) -> None:
    assert lakehouse(place, "quarantine", "release", "silver.things", "--because", "it's known")[:2] == (
        0,
        "1 row released: known, and left out for good.\n",
    )
    run(place)
    assert [one["table"] for one in json.loads(lakehouse(place, "quarantine", "list", "--json")[1])] == [
        "bronze.things",
        "raw.things",
    ]
    assert "released" in lakehouse(place, "quarantine", "list", "--all")[1]
    assert "released by " in lakehouse(place, "quarantine", "explain", "silver.things")[1]
    assert lakehouse(place, "quarantine", "release", "silver.things")[0] == 1
