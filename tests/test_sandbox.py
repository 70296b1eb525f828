from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lakehouse import sandbox, tables
from lakehouse.errors import AuditFailed, UnknownName
from lakehouse.names import TableName
from tests.notebooks import MONTHS, contract, document
from tests.workspace import VALUES, Workspace, monthly, rows

NAME = TableName("silver", "things")
LAKE = "select m as month, id, 1d as value from range(3) cross join (select explode(array('2013-01', '2013-02')) as m)"
MINE = "select '2013-02' as month, id, 2d as value from range(1, 5)"


def things(select: str) -> dict[str, object]:
    return monthly("silver/things", rows(select), "df = df.where(df.month.isin(months))", 'lake.write(df, "silver.things")')


@pytest.fixture(scope="module")
def place(new_workspace: Callable[[str], Workspace]) -> Workspace:
    """The lake has January and February, the sandbox another February."""
    made = new_workspace("sandbox")
    below = monthly("gold/below", 'df = lake.read("silver.things", partitions="all").select("id")', 'lake.write(df, "gold.below")')
    explore = document('import lakehouse\nlake = lakehouse.open("explore/try")')
    made.write(
        {"silver/things": things(LAKE), "gold/below": below, "explore/try": explore},
        {
            "silver.things": contract("silver.things", VALUES, partitions=MONTHS),
            "gold.below": contract("gold.below", {"id": "bigint"}),
        },
    )
    made.run("silver/things", months=["2013-01", "2013-02"])
    made.write({"silver/things": things(MINE)}, {})
    made.run("silver/things", "sandbox", months=["2013-02"])
    return made


def own(place: Workspace, name: TableName = NAME) -> Path:
    return tables.sandbox_path(place.root, name)


def test_the_first_write_clones_without_copying_and_leaves_the_lake_alone(place: Workspace) -> None:
    assert place.version("silver.things") == 0
    assert place.rows("silver.things", "value") == [(1.0,)] * 6
    assert not list((own(place) / "month=2013-01").glob("*.parquet"))  # January's file lies in the lake
    assert sandbox.rows(own(place)) == 7


def test_reads_see_the_sandbox_first_and_the_lake_for_the_rest(place: Workspace) -> None:
    values = (
        place.open("explore/try", target="sandbox").sql("select month, max(value) as v from silver.things group by month").collect()
    )
    assert {row.month: row.v for row in values} == {"2013-01": 1.0, "2013-02": 2.0}
    assert place.open("gold/below", months=["2013-01"]).read("silver.things", partitions="all").count() == 6
    assert place.open("gold/below", "sandbox", months=["2013-01"]).read("silver.things", partitions="all").count() == 7


def test_the_gate_holds_in_the_sandbox_too(place: Workspace) -> None:
    broken = "select '2013-02' as month, cast(null as bigint) as id, 1d as value"
    place.write({"silver/things": things(broken)}, {})
    before = sandbox.rows(own(place))
    with pytest.raises(AuditFailed):
        place.run("silver/things", "sandbox", months=["2013-02"])
    assert sandbox.rows(own(place)) == before


def test_a_sandbox_is_compared_with_the_lake_row_by_row(place: Workspace) -> None:
    found = sandbox.compare(place.settings, NAME)
    assert (found.same, found.only_in_sandbox, found.only_in_lake) == (3, 4, 3)
    assert set(found.examples["in"]) == {"sandbox", "lake"}
    assert found.examples.columns.tolist() == ["in", "month", "id", "value"]


def test_no_run_is_remembered_of_a_sandbox(place: Workspace) -> None:
    assert len(list((place.root / "runs" / "silver" / "things").iterdir())) == 1


@pytest.mark.parametrize("target", ["lake", "sandbox"])
def test_exploring_writes_to_the_sandbox_whatever_started_it(place: Workspace, target: str) -> None:
    lake = place.open("explore/try", target=target)
    lake.write(lake.spark.sql("select 1 as anything"), "gold.scratch")
    scratch = TableName("gold", "scratch")
    assert sandbox.rows(own(place, scratch)) == 1
    assert place.version("gold.scratch") is None
    assert lake.read("gold.scratch").collect()[0].anything == 1
    lake.write(lake.spark.sql(LAKE.replace("1d", "9d")), "silver.things")
    assert place.version("silver.things") == 0
    lake.write(lake.spark.sql(MINE), "silver.things")


@pytest.mark.parametrize(
    ("table", "message", "hint"),
    [
        pytest.param("silver.thing", r"Your sandbox has no table silver\.thing", "Did you mean silver.things", id="misspelt"),
        pytest.param("gold.below", r"Your sandbox has no table gold\.below", "lakehouse sandbox list", id="in the lake only"),
    ],
)
def test_a_table_that_is_not_there_is_named(place: Workspace, table: str, message: str, hint: str) -> None:
    for use in (lambda name: sandbox.compare(place.settings, name), lambda name: sandbox.drop(place.settings, [NAME, name])):
        with pytest.raises(UnknownName, match=message) as caught:
            use(TableName.parse(table))
        assert hint in caught.value.hint
    assert own(place).exists()


def test_what_is_dropped_is_gone_from_the_sandbox_only(new_workspace: Callable[[str], Workspace]) -> None:
    place = new_workspace("drop")
    words = {"silver.things": contract("silver.things", VALUES, partitions=MONTHS)}
    place.write({"silver/things": things(LAKE)}, words)
    place.run("silver/things", months=["2013-01"])
    place.run("silver/things", "sandbox", months=["2013-01"])
    assert sandbox.drop(place.settings, []) == [NAME]
    assert not own(place).exists()
    assert len(place.rows("silver.things")) == 3
    assert sandbox.drop(place.settings, []) == []
