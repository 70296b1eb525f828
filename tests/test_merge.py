from __future__ import annotations

import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lakehouse import deltafiles, deltalog, merge
from lakehouse.errors import AuditFailed, ContractError, LakeError, LakehouseError
from lakehouse.making import newest
from lakehouse.names import TableName
from lakehouse.project import Project
from tests.notebooks import MONTHS, contract, notebook
from tests.workspace import VALUES, Workspace, monthly, rows

TABLE = "silver.things"
COLUMNS = {"id": {"type": "bigint", "nullable": False}, "value": "double", "tags": "map<string,string>"}
UNIQUE = {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "value"}}
FEW = {"type": "expect_table_row_count_to_be_between", "kwargs": {"max_value": 4}}
POSITIVE = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "value", "min_value": 0}}
START = "select id, id * 10d as value, map('a', 'b') as tags, false as gone from range(3)"


def merged(select: str, *before: str, table: str = TABLE, delete: str = "gone") -> dict[str, Any]:
    """A notebook that merges the rows of a query."""
    said = f', delete="{delete}"' if delete else ""
    return notebook(table.replace(".", "/"), *before, rows(select), f'lake.merge(df, "{table}"{said})')


def row(id: object, value: float | str, gone: str = "false") -> str:
    return f"select {id} as id, {value}d as value, map('a', 'b') as tags, {gone} as gone"


@pytest.fixture(scope="module")
def built(new_workspace: Callable[[str], Workspace]) -> Workspace:
    """silver.things with ids 0, 1 and 2, and ten times as much as values, which are unique; four rows at most."""
    made = new_workspace("merge")
    promise = contract(TABLE, COLUMNS, key=["id"], expectations=[UNIQUE, FEW, POSITIVE])
    made.write({"silver/things": merged(START)}, {TABLE: promise})
    made.run("silver/things")
    return made


@pytest.fixture
def place(built: Workspace, tmp_path: Path) -> Workspace:
    """A copy of it, to be changed."""
    shutil.copytree(built.project, tmp_path / "project")
    shutil.copytree(built.root, tmp_path / "lake")
    return Workspace(tmp_path, built.environ["LAKEHOUSE_SPARK"])


def again(place: Workspace, select: str, **more: Any) -> Any:
    place.write({"silver/things": merged(select, **more)}, {})
    return place.run("silver/things")


def test_rows_are_replaced_added_and_taken_away_and_the_rest_stays(place: Workspace) -> None:
    changes = (row("1L", 5), row("2L", 0, "true"), row("7L", 70), row("9L", 1, "true"))
    result = again(place, " union all ".join(changes))
    assert place.rows(TABLE, "id, value") == [(0, 0.0), (1, 5.0), (7, 70.0)]
    assert [(write.version, write.rows) for write in result.writes] == [(1, 2)]
    commit = deltalog.commit(place.path(TABLE), 1)
    assert (commit.operation, commit.ours and commit.ours["run_id"], commit.data) == ("MERGE", result.run_id, True)
    assert {check.name for check in result.checks if check.passed} >= {
        "not_null_id", "key_is_unique", "column_values_to_be_unique_value", "table_row_count_to_be_between",
        "column_values_to_be_between_value",
    }  # fmt: skip


def test_rows_that_are_equal_already_are_not_rewritten(place: Workspace) -> None:
    files = deltafiles.current(place.path(TABLE))
    result = again(place, START)
    assert (place.version(TABLE), deltafiles.current(place.path(TABLE))) == (1, files)
    assert result.writes[0].rows == 0
    # What reads it is not stale by that, and what made it knows that it looked.
    assert deltalog.identity(place.path(TABLE), None) == {"*": 0}
    made = newest(Project.load(place.project), place.root, TableName.parse(TABLE))
    assert made is not None and made.run_id == result.run_id
    assert made.by == f"run {result.run_id} of silver/things, which changed no row"
    assert place.plan() == []


REFUSED = [
    pytest.param(f"{row('1L', 5)} union all {row('1L', 6)}", "key_is_unique, 1 row, as in '1' (given more than once)", id="twice"),
    pytest.param(f"{row('1L', 5)} union all {row('1L', 6, 'true')}", "key_is_unique, 1 row, as in '1'", id="changed and deleted"),
    pytest.param(row("cast(null as bigint)", 5, "true"), "key_is_unique, 1 row, as in 'None' (null", id="null key"),
    pytest.param(row("1L", -1), "column_values_to_be_between_value, 1 row, as in '-1.0'", id="one row"),
    pytest.param(row("7L", 10), "column_values_to_be_unique_value, 2 rows, as in '10.0'", id="against a row that stays"),
    pytest.param(f"{row('7L', 70)} union all {row('8L', 80)}", "table_row_count_to_be_between (observed 5)", id="too many in all"),
]


@pytest.mark.parametrize(("select", "message"), REFUSED)
def test_what_breaks_the_contract_is_refused(built: Workspace, select: str, message: str) -> None:
    with pytest.raises(AuditFailed) as refused:
        again(built, select)
    assert message in refused.value.what
    assert built.version(TABLE) == 0


def test_a_promise_of_all_rows_is_held_against_those_that_will_stand(place: Workspace) -> None:
    """The value 10 is free as its row takes another; five rows are four as one is taken away."""
    again(place, f"{row('1L', 11)} union all {row('7L', 10)} union all {row('8L', 80)} union all {row('0L', 0, 'true')}")
    assert place.rows(TABLE, "id, value") == [(1, 11.0), (2, 20.0), (7, 10.0), (8, 80.0)]


WRONG = [
    pytest.param("select 1L as id, 1d as value, map('a', 'b') as tags", "gone", "delete='gone' is no boolean column", id="none"),
    pytest.param("select 1L as id, 1d as value, map('a', 'b') as tags, 'x' as gone", "gone", "is no boolean column", id="text"),
    pytest.param(START, "id", "delete='id' is no boolean column of the frame's own", id="of the contract"),
    pytest.param(START, "", "gone is not in the contract", id="not said"),
]


@pytest.mark.parametrize(("select", "delete", "message"), WRONG)
def test_a_column_that_cannot_say_what_to_delete_is_refused(built: Workspace, select: str, delete: str, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        again(built, select, delete=delete)


def test_a_table_without_a_key_and_one_with_other_columns_are_refused(place: Workspace) -> None:
    place.write({}, {TABLE: contract(TABLE, COLUMNS, version=2)})
    with pytest.raises(ContractError, match=r"silver\.things has no key by which rows could be merged"):
        again(place, START)
    place.write({}, {TABLE: contract(TABLE, {**COLUMNS, "value": "string"}, key=["id"], version=3)})
    with pytest.raises(ContractError, match="does not know so: value is double there"):
        again(place, "select 1L as id, 'x' as value, map('a', 'b') as tags, false as gone")


def test_a_column_that_the_contract_adds_is_added(place: Workspace) -> None:
    place.write({}, {TABLE: contract(TABLE, {**COLUMNS, "more": "string"}, key=["id"])})
    again(place, "select 7L as id, 1d as value, map('a', 'b') as tags, 'x' as more, false as gone")
    assert place.rows(TABLE, "id, more") == [(0, None), (1, None), (2, None), (7, "x")]


def test_with_partitions_only_those_of_the_run_are_merged_into(workspace: Workspace) -> None:
    promise = contract(TABLE, VALUES, key=["id"], partitions=MONTHS)
    cell = f'lake.merge(df, "{TABLE}")'

    def run(select: str, *months: str) -> None:
        workspace.write({"silver/things": monthly("silver/things", rows(select), cell)}, {TABLE: promise})
        workspace.run("silver/things", months=list(months))

    run("select '2013-01' as month, id, 1d as value from range(2)", "2013-01")
    run("select '2013-02' as month, id, 2d as value from range(5, 7)", "2013-02")
    path = workspace.path(TABLE)
    assert deltalog.current_rows(path) == {"2013-01": 2, "2013-02": 2}
    assert deltalog.commit(path, 1).touched == {"2013-02"}
    assert deltalog.identity(path, ["2013-01", "2013-02", "2013-03"]) == {"2013-01": 0, "2013-02": 1}
    for elsewhere in ("select '2013-02' as month, 1L as id, 2d as value", "select '2013-03' as month, 5L as id, 2d as value"):
        with pytest.raises(AuditFailed, match=r"elsewhere in the table too|partitions_are_requested"):
            run(elsewhere, "2013-02")
    # Within the run's months a row may move from one to another; a run that finds nothing new says so of its months.
    moved = "select '2013-02' as month, 1L as id, 2d as value"
    run(moved, "2013-01", "2013-02")
    assert deltalog.current_rows(path) == {"2013-01": 1, "2013-02": 3}
    run(moved, "2013-01", "2013-02", "2013-03")
    assert deltalog.identity(path, ["2013-01", "2013-02", "2013-03"]) == {"2013-01": 2, "2013-02": 2, "2013-03": 3}


def test_merges_at_once_cannot_pass_a_promise_of_all_rows(place: Workspace) -> None:
    """Three rows stand and four may: of three merges that each add one, audited side by side, one is published."""

    def add(number: int) -> str:
        environ["LAKEHOUSE_SESSION"] = str(uuid.uuid4())
        lake = place.open("silver/things")
        frame = lake.spark.sql(row(f"{number}L", number))

        def run() -> str:
            try:
                lake.merge(frame, TABLE, delete="gone")
            except LakehouseError as error:
                return type(error).__name__
            return "published"

        return run  # type: ignore[return-value]

    environ = place.environ
    runs = [add(number) for number in range(41, 44)]
    with ThreadPoolExecutor(len(runs)) as together:
        ended = list(together.map(lambda run: run(), runs))
    assert sorted(ended) == ["AuditFailed", "AuditFailed", "published"]
    assert deltalog.current_rows(place.path(TABLE)) == {"*": 4}


def test_what_was_audited_before_another_merge_is_audited_again(place: Workspace) -> None:
    """A notebook with two tables: the first is audited, then another run comes between."""
    place.write(
        {"silver/things": notebook("silver/things", 'lake.merge(df, "silver.things")', 'lake.merge(df, "silver.others")')},
        {"silver.others": contract("silver.others", COLUMNS, key=["id"])},
    )
    first = place.open("silver/things")
    frame = first.spark.sql(row("7L", 70)).drop("gone")
    first.merge(frame, TABLE)
    second = place.open("silver/things")
    for table in (TABLE, "silver.others"):
        second.merge(second.spark.sql(row("8L", 70)).drop("gone"), table)
    with pytest.raises(AuditFailed, match="column_values_to_be_unique_value"):
        first.merge(frame, "silver.others")
    assert place.rows("silver.others", "id") == [(8,)]


def test_what_was_made_of_the_standing_rows_is_refused_when_they_moved(place: Workspace) -> None:
    first, second = place.open("silver/things"), place.open("silver/things")
    standing = first.standing(TABLE)
    assert standing is not None and standing.count() == 3
    second.merge(second.spark.sql(row("1L", 80)), TABLE, delete="gone")
    with pytest.raises(LakeError, match="changed by another run while this one was at work on it"):
        first.merge(first.spark.sql(row("9L", 90)), TABLE, delete="gone")


def test_in_the_sandbox_a_merge_goes_into_a_clone(place: Workspace) -> None:
    lake = place.open("silver/things", "sandbox")
    lake.merge(lake.spark.sql(row("7L", 70)), TABLE, delete="gone")
    assert lake.tables().set_index("table").loc[TABLE, ["rows", "place"]].tolist() == [4, "sandbox"]
    assert place.version(TABLE) == 0


def test_a_killed_process_keeps_no_table_to_itself(tmp_path: Path) -> None:
    table = tmp_path / "silver" / "things"
    holds = (
        "import time; from pathlib import Path; from lakehouse import merge\n"
        f"with merge.alone(Path({str(table)!r})): print(1, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", holds], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"1\n"
        with ThreadPoolExecutor(1) as other:
            waiting = other.submit(lambda: merge.alone(table).__enter__())
            with pytest.raises(TimeoutError):
                waiting.result(0.2)
            process.kill()
            waiting.result(10)
