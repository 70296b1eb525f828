from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lakehouse import deltalog, record
from lakehouse.errors import AuditFailed, ContractError, PartitionError
from lakehouse.names import TableName
from lakehouse.record import CheckRecord, Result
from tests.notebooks import MONTHS, contract, notebook
from tests.workspace import VALUES, Workspace, monthly, rows

TABLE = "silver.things"
BETWEEN = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "value", "min_value": 0, "max_value": 100}}
COUNT = {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 2}}


def promise(table: str = TABLE, **more: Any) -> dict[str, Any]:
    return contract(table, VALUES, **{"key": ["id"], "partitions": MONTHS, **more})


def written(select: str, table: str = TABLE) -> dict[str, Any]:
    """A monthly notebook that writes the rows of a query."""
    return monthly(table.replace(".", "/"), rows(select), f'lake.write(df, "{table}")')


GOOD = "select '2013-01' as month, id, id * 1.5d as value from range(4)"


def checks(found: list[CheckRecord]) -> dict[str, bool]:
    """But for those of profiles, see tests/profiles."""
    return {check.name: check.passed for check in found if not check.name.startswith("profile_")}


@pytest.fixture(scope="module")
def place(new_workspace: Callable[[str], Workspace]) -> Workspace:
    """silver.things with January of four rows and February of one, published by two runs."""
    made = new_workspace("publish")
    listed = [{**BETWEEN, "severity": "error", "reason": "sane"}, {**COUNT, "severity": "warn"}]
    made.write({"silver/things": written(GOOD)}, {TABLE: promise(expectations=listed)})
    made.run("silver/things")
    made.write({"silver/things": written("select '2013-02' as month, 1L as id, 1d as value")}, {})
    made.run("silver/things", months=["2013-02"])
    return made


def runs(place: Workspace) -> list[Result]:
    """What the runs of silver/things left, oldest first."""
    return list(record.results_newest_first(place.root, TableName.parse(TABLE)))[::-1]


def publish(place: Workspace, select: str, *months: str) -> Any:
    place.write({"silver/things": written(select)}, {})
    return place.run("silver/things", months=list(months or ["2013-01"]))


def test_rows_that_keep_the_contract_are_published_in_one_commit(place: Workspace) -> None:
    first = runs(place)[0]
    (write,) = first.writes
    assert (write.table, write.version, write.rows, write.partition_rows) == (TABLE, 0, 4, {"2013-01": 4})
    assert checks(first.checks) == {
        "not_null_month": True,
        "not_null_id": True,
        "key_is_unique": True,
        "partitions_are_requested": True,
        "column_values_to_be_between_value": True,
        "table_row_count_to_be_between": True,
    }
    ours = deltalog.commit(place.path(TABLE), 0).ours
    assert ours is not None
    assert (ours["run_id"], ours["asset"], ours["partitions"]) == (first.run_id, TABLE, ["2013-01"])
    assert ours["code"] == first.code and "contract silver.things" in ours["code"]


def test_a_warning_publishes_and_reports(place: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    second = runs(place)[1]
    assert second.writes[0].version == 1
    (warned,) = [check for check in second.checks if not check.passed]
    assert (warned.name, warned.severity, warned.observed) == ("table_row_count_to_be_between", "warn", "observed 1")
    publish(place, "select '2013-02' as month, 1L as id, 1d as value", "2013-02")
    assert "warning: table_row_count_to_be_between (observed 1)" in capsys.readouterr().out


REFUSED = [
    pytest.param(
        "select '2013-01' as month, id, if(id = 2, 1e9d, 1d) as value from range(4)",
        "silver.things: column_values_to_be_between_value, 1 row, as in '1000000000.0'",
        id="an expectation of severity error",
    ),
    pytest.param(
        "select '2013-01' as month, id % 3 as id, 1d as value from range(4)",
        "key_is_unique, 2 rows, as in '0'",
        id="duplicate key",
    ),
    pytest.param(
        "select '2013-01' as month, nullif(id, 3) as id, 1d as value from range(4)",
        "not_null_id, 1 row",
        id="null in a key",
    ),
    pytest.param(
        "select if(id = 1, '2013-02', '2013-01') as month, id, 1d as value from range(4)",
        "partitions_are_requested, 1 row, as in '2013-02'",
        id="rows outside the asked partitions",
    ),
    pytest.param(
        "select cast(null as string) as month, id, 1d as value from range(4)", "not_null_month, 4 rows", id="no partition at all"
    ),
]


@pytest.mark.parametrize(("select", "message"), REFUSED)
def test_rows_that_break_the_contract_publish_nothing(place: Workspace, select: str, message: str) -> None:
    version = place.version(TABLE)
    with pytest.raises(AuditFailed) as caught:
        publish(place, select)
    assert message in caught.value.what
    assert "nothing was published" in caught.value.hint
    assert all(result["severity"] == "error" and not result["passed"] for result in caught.value.results)
    assert place.version(TABLE) == version


@pytest.mark.parametrize(
    ("select", "message"),
    [
        pytest.param("select '2013-01' as month, 1L as id", "silver.things: value is missing", id="missing column"),
        pytest.param("select *, 1 as extra from (" + GOOD + ")", "extra is not in the contract", id="extra column"),
        pytest.param("select month, id, '1' as value from (" + GOOD + ")", "value is string, the contract says double", id="type"),
        pytest.param("select month, id, value as Value from (" + GOOD + ")", "value is missing; Value is not in", id="case"),
        pytest.param("select 1 as a, 2 as b", "month is missing; id is missing; value is missing; a is not", id="all at once"),
    ],
)
def test_other_columns_than_the_contracts_are_refused_before_any_work(place: Workspace, select: str, message: str) -> None:
    version = place.version(TABLE)
    with pytest.raises(ContractError) as caught:
        publish(place, select)
    assert message in caught.value.what
    assert "assets/contracts/silver/things.yaml" in caught.value.hint
    assert place.version(TABLE) == version


def test_columns_come_in_the_contracts_order_with_its_descriptions(workspace: Workspace) -> None:
    described = {"id": {"type": "bigint", "description": "what it's called"}, "value": {"type": "double"}}
    cells = [rows("select 2.5d as value, 1L as id"), 'lake.write(df, "gold.one")']
    workspace.write({"gold/one": notebook("gold/one", *cells)}, {"gold.one": contract("gold.one", described)})
    workspace.run("gold/one")
    assert workspace.rows("gold.one") == [(1, 2.5)]
    schema = (workspace.path("gold.one") / "_delta_log" / f"{0:020d}.json").read_text()
    assert "what it's called" in schema


def test_writing_a_partition_again_leaves_its_rows_once_and_others_alone(place: Workspace) -> None:
    publish(place, GOOD)
    before, february = place.rows(TABLE), deltalog.identity(place.path(TABLE), ["2013-02"])
    publish(place, GOOD)
    assert place.rows(TABLE) == before
    assert deltalog.identity(place.path(TABLE), ["2013-02"]) == february
    publish(place, GOOD + " where id < 2")
    assert [row for row in place.rows(TABLE, "month, id") if row[0] == "2013-01"] == [("2013-01", 0), ("2013-01", 1)]


def test_an_empty_partition_is_published_as_such(place: Workspace) -> None:
    done = publish(place, GOOD + " where false", "2013-03")
    assert done.writes[0].rows == 0
    assert deltalog.identity(place.path(TABLE), ["2013-03"]) == {"2013-03": done.writes[0].version}


def test_several_partitions_go_in_one_commit(place: Workspace) -> None:
    version = place.version(TABLE)
    both = "select concat('2013-0', 1 + id % 2) as month, id, 1d as value from range(5)"
    done = publish(place, both, "2013-01", "2013-02")
    assert done.writes[0].partition_rows == {"2013-01": 3, "2013-02": 2}
    assert version is not None and place.version(TABLE) == version + 1


def test_a_frame_of_pandas_can_be_written(workspace: Workspace) -> None:
    cells = ["import pandas as pd", 'lake.write(pd.DataFrame({"id": [1, 2]}), "gold.frame")']
    workspace.write({"gold/frame": notebook("gold/frame", *cells)}, ["gold.frame"])
    workspace.run("gold/frame")
    assert workspace.rows("gold.frame") == [(1,), (2,)]


def test_a_table_without_partitions_is_replaced_whole_and_may_change_its_columns(workspace: Workspace) -> None:
    workspace.write({"gold/t": notebook("gold/t", rows("select id from range(3)"), 'lake.write(df, "gold.t")')}, ["gold.t"])
    workspace.run("gold/t")
    wider = contract("gold.t", {"id": "bigint", "name": "string"}, version=2)
    cells = [rows("select 7L as id, 'x' as name"), 'lake.write(df, "gold.t")']
    workspace.write({"gold/t": notebook("gold/t", *cells)}, {"gold.t": wider})
    workspace.run("gold/t")
    assert workspace.rows("gold.t") == [(7, "x")]


def test_examples_are_few_and_personal_ones_are_masked(workspace: Workspace) -> None:
    columns = {"name": {"type": "string", "personal": True, "nullable": False}, "n": "bigint"}
    listed = [
        {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "name", "value_set": ["x"]}},
        {"type": "expect_column_values_to_be_between", "kwargs": {"column": "n", "max_value": -1}},
        {"type": "expect_column_pair_values_to_be_equal", "kwargs": {"column_A": "n", "column_B": "name"}},
    ]
    cells = [rows("select concat('Ada ', id) as name, id as n from range(50)"), 'lake.write(df, "gold.people")']
    promise = contract("gold.people", columns, key=["name"], expectations=listed)
    workspace.write({"gold/people": notebook("gold/people", *cells)}, {"gold.people": promise})
    with pytest.raises(AuditFailed) as caught:
        workspace.run("gold/people")
    names, numbers, pair = caught.value.results
    assert (names["unexpected"], names["examples"]) == (50, ["(personal)"])
    assert (numbers["unexpected"], numbers["examples"]) == (50, ["0", "1", "2", "3", "4"])
    assert len(numbers["rows"]) == 5 and all(row == {"name": "(personal)", "n": row["n"]} for row in numbers["rows"])
    assert pair["observed"] == "could not be computed: [CAST_INVALID_INPUT]"
    assert "Ada" not in f"{caught.value}{caught.value.results}"


@pytest.mark.parametrize(
    ("expectation", "message"),
    [
        pytest.param(
            {"type": "expect_rows_to_be_nice", "kwargs": {}},
            "expectation expect_rows_to_be_nice cannot be used",
            id="unknown",
        ),
        pytest.param(
            {"type": "expect_column_values_to_be_between", "kwargs": {"column": "id", "mini": 0}},
            "expectation expect_column_values_to_be_between cannot be used",
            id="unknown argument",
        ),
    ],
)
def test_an_expectation_that_does_not_exist_is_named(workspace: Workspace, expectation: dict[str, Any], message: str) -> None:
    cells = [rows("select id from range(1)"), 'lake.write(df, "gold.t")']
    promise = contract("gold.t", {"id": "bigint"}, expectations=[expectation])
    workspace.write({"gold/t": notebook("gold/t", *cells)}, {"gold.t": promise})
    with pytest.raises(ContractError, match=message) as caught:
        workspace.run("gold/t")
    assert "assets/contracts/gold/t.yaml" in caught.value.hint
    assert workspace.version("gold.t") is None


def test_an_expectation_that_cannot_be_computed_counts_as_failed(workspace: Workspace) -> None:
    cells = [rows("select id, 'x' as word from range(1)"), 'lake.write(df, "gold.t")']
    listed = [{"type": "expect_column_mean_to_be_between", "kwargs": {"column": "word", "max_value": 1}}]
    promise = contract("gold.t", {"id": "bigint", "word": "string"}, expectations=listed)
    workspace.write({"gold/t": notebook("gold/t", *cells)}, {"gold.t": promise})
    with pytest.raises(AuditFailed, match=r"column_mean_to_be_between_word \(could not be computed"):
        workspace.run("gold/t")
    assert workspace.version("gold.t") is None


PAIR = ["gold.main", "gold.side"]


def pair(side: str) -> dict[str, Any]:
    cells = [rows("select id from range(2)"), 'lake.write(df, "gold.main")', rows(side), 'lake.write(df, "gold.side")']
    return {"gold/main": notebook("gold/main", *cells)}


def test_of_two_tables_none_is_published_when_the_second_fails(workspace: Workspace) -> None:
    workspace.write(pair("select 1L as id from range(2)"), PAIR)
    with pytest.raises(AuditFailed, match=r"gold\.side: key_is_unique"):
        workspace.run("gold/main")
    assert (workspace.version("gold.main"), workspace.version("gold.side")) == (None, None)


def test_of_two_tables_the_notebooks_own_is_published_last(workspace: Workspace) -> None:
    workspace.write(pair("select id from range(3)"), PAIR)
    done = workspace.run("gold/main")
    assert [write.table for write in done.writes] == ["gold.side", "gold.main"]
    assert {check.table for check in done.checks} == set(PAIR)


def test_a_table_without_a_contract_is_not_written(workspace: Workspace) -> None:
    workspace.write({"gold/t": notebook("gold/t", rows("select 1 as id"), 'lake.write(df, "gold.t")')}, {})
    with pytest.raises(ContractError, match=r"Table gold\.t has no contract") as caught:
        workspace.run("gold/t")
    assert "assets/contracts/gold/t.yaml" in caught.value.hint


def test_a_table_with_partitions_is_not_written_by_a_run_without(workspace: Workspace) -> None:
    workspace.write({"silver/things": notebook("silver/things", rows(GOOD), f'lake.write(df, "{TABLE}")')}, {TABLE: promise()})
    with pytest.raises(PartitionError, match="has partitions, but this run names none"):
        workspace.run("silver/things")
    assert workspace.version(TABLE) is None
