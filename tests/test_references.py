from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from lakehouse import checks
from lakehouse.contract import Contract
from lakehouse.errors import AuditFailed, ContractError
from lakehouse.record import CheckRecord, Result
from tests.notebooks import MONTHS, contract, notebook
from tests.workspace import Workspace, monthly, rows

CARRIERS = contract("bronze.carriers", {"code": {"type": "string", "nullable": False}, "country": "string"}, key=["code"])
COLUMNS = {"id": "bigint", "carrier": "string", "country": "string"}
VERSIONS = itertools.count(1)
TO_CARRIERS = {"columns": ["carrier"], "to": "bronze.carriers", "to_columns": ["code"]}


def flights(*references: dict[str, Any], table: str = "silver.flights", **more: Any) -> dict[str, Any]:
    return contract(table, COLUMNS, references=list(references), **more)


def writes(select: str, table: str = "silver.flights") -> dict[str, Any]:
    return notebook(table.replace(".", "/"), rows(select), f'lake.write(df, "{table}")')


def publish(place: Workspace, select: str, promise: dict[str, Any]) -> Result:
    """Each contract comes with a new version, as each may break what the one before promised."""
    place.write({"silver/flights": writes(select)}, {"silver.flights": {**promise, "version": next(VERSIONS)}})
    return place.run("silver/flights")


def outcome(done: Result) -> CheckRecord:
    (found,) = [check for check in done.checks if "_is_in_" in check.name]
    return found


@pytest.fixture(scope="module")
def place(new_workspace: Callable[[str], Workspace]) -> Workspace:
    """bronze.carriers with UA of the US and BA of the UK."""
    made = new_workspace("references")
    select = "select * from values ('UA', 'US'), ('BA', 'UK') as (code, country)"
    made.write({"bronze/carriers": writes(select, "bronze.carriers")}, {"bronze.carriers": CARRIERS})
    made.run("bronze/carriers")
    return made


GOOD = "select id, if(id = 3, null, 'UA') as carrier, 'US' as country from range(4)"
LOST = "select id, concat('X', id % 7) as carrier, 'US' as country from range(20)"


def test_values_that_stand_in_the_other_table_pass_and_nulls_do_not_count(place: Workspace) -> None:
    found = outcome(publish(place, GOOD, flights(TO_CARRIERS)))
    assert (found.name, found.column) == ("carrier_is_in_bronze_carriers", "carrier")
    assert (found.passed, found.unexpected, found.severity) == (True, 0, "error")
    assert found.observed == f"against bronze.carriers version {place.version('bronze.carriers')}"


def test_values_that_do_not_publish_nothing_and_are_counted(place: Workspace) -> None:
    before = place.version("silver.flights")
    with pytest.raises(AuditFailed) as caught:
        publish(place, LOST, flights(TO_CARRIERS))
    (result,) = caught.value.results
    assert (result["name"], result["unexpected"]) == ("carrier_is_in_bronze_carriers", 20)
    assert result["examples"] == ["X0", "X1", "X2", "X3", "X4"]
    assert "carrier_is_in_bronze_carriers, 20 rows, as in 'X0', 'X1', 'X2' (against bronze.carriers" in caught.value.what
    assert place.version("silver.flights") == before


def test_a_reference_of_severity_warn_publishes_and_reports(place: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    done = publish(place, LOST, flights({**TO_CARRIERS, "severity": "warn"}))
    assert done.writes and not outcome(done).passed
    assert "warning: carrier_is_in_bronze_carriers, 20 rows" in capsys.readouterr().out


def test_several_columns_refer_together(place: Workspace) -> None:
    both = {"columns": ["carrier", "country"], "to": "bronze.carriers", "to_columns": ["code", "country"]}
    publish(place, GOOD, flights(both))
    with pytest.raises(AuditFailed, match=r"carrier_country_is_in_bronze_carriers, 1 row, as in 'BA, US'"):
        publish(place, GOOD.replace("'UA'", "if(id = 2, 'BA', 'UA')"), flights(both))


def test_personal_values_are_masked(place: Workspace) -> None:
    promise = flights({**TO_CARRIERS, "severity": "warn"})
    promise["columns"]["carrier"]["personal"] = True
    assert outcome(publish(place, LOST, promise)).examples == [checks.MASK]


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        pytest.param({"columns": ["carrier"], "to": "bronze.nothing"}, "Table bronze.nothing has not been built", id="not built"),
        pytest.param({**TO_CARRIERS, "columns": ["id"]}, "id is bigint, bronze.carriers.code is string", id="another type"),
        pytest.param({"columns": ["carrier"], "to": "bronze.carriers"}, "bronze.carriers has no column carrier", id="no column"),
    ],
)
def test_a_reference_that_cannot_be_followed_has_not_passed(place: Workspace, reference: dict[str, Any], said: str) -> None:
    with pytest.raises(AuditFailed, match=rf"could not be computed: {said}"):
        publish(place, GOOD, flights(reference))


def test_the_version_is_the_one_that_the_run_pinned(workspace: Workspace) -> None:
    """A carrier that is written after the run opened its lake is not seen by it."""
    workspace.write({"bronze/carriers": writes("select 'UA' as code, 'US' as country", "bronze.carriers")}, {})
    cells = ['lake.read("bronze.carriers")', rows(GOOD.replace("'UA'", "'BA'")), 'lake.write(df, "silver.flights")']
    promises = {"bronze.carriers": CARRIERS, "silver.flights": flights({**TO_CARRIERS, "severity": "warn"})}
    workspace.write({"silver/flights": notebook("silver/flights", *cells)}, promises)
    workspace.run("bronze/carriers")
    early = workspace.open("silver/flights")
    workspace.write({"bronze/carriers": writes("select 'BA' as code, 'UK' as country", "bronze.carriers")}, {})
    workspace.run("bronze/carriers")
    early.write(early.spark.sql(GOOD.replace("'UA'", "'BA'")), "silver.flights")
    found = outcome(early._publisher.result)
    assert (found.unexpected, found.observed) == (3, "against bronze.carriers version 0")
    assert outcome(workspace.run("silver/flights")).unexpected == 0


BOSSES = contract(
    "silver.staff",
    {"id": "bigint", "boss": "bigint"},
    references=[{"columns": ["boss"], "to": "silver.staff", "to_columns": ["id"]}],
    partitions=MONTHS,
)


def test_a_table_that_refers_to_itself_is_held_against_what_will_stand(workspace: Workspace) -> None:
    """February's rows refer to January's, which stay, and January's to rows that are being replaced."""
    january = "select '2013-01' as month, id, nullif(0L, id) as boss from range({})"
    workspace.write({"silver/staff": monthly("silver/staff", rows(january.format(3)), 'lake.write(df, "silver.staff")')}, {})
    workspace.write({}, {"silver.staff": BOSSES})
    workspace.run("silver/staff")
    february = "select '2013-02' as month, 9L as id, 2L as boss"
    workspace.write({"silver/staff": monthly("silver/staff", rows(february), 'lake.write(df, "silver.staff")')}, {})
    assert outcome(workspace.run("silver/staff", months=["2013-02"])).observed.startswith("against the rows of this run and")
    replaced = "select '2013-01' as month, 7L as id, 1L as boss"
    workspace.write({"silver/staff": monthly("silver/staff", rows(replaced), 'lake.write(df, "silver.staff")')}, {})
    with pytest.raises(AuditFailed, match=r"boss_is_in_silver_staff, 1 row, as in '1'"):
        workspace.run("silver/staff")


PAIR = {
    "silver.main": contract("silver.main", {"id": "bigint"}, references=[{"columns": ["id"], "to": "silver.side"}]),
    "silver.side": contract("silver.side", {"id": "bigint"}),
}
MAIN = [rows("select id from range(2)"), 'lake.write(df, "silver.main")']
SIDE = [rows("select id from range(3)"), 'lake.write(df, "silver.side")']


def test_what_one_notebook_writes_is_held_against_what_it_has_computed(workspace: Workspace) -> None:
    workspace.write({"silver/main": notebook("silver/main", *SIDE, *MAIN)}, PAIR)
    assert outcome(workspace.run("silver/main")).observed == "against the rows of this run"


def test_what_it_writes_later_cannot_be_referred_to(workspace: Workspace) -> None:
    workspace.write({"silver/main": notebook("silver/main", *MAIN, *SIDE)}, PAIR)
    with pytest.raises(ContractError, match=r"silver\.main refers to silver\.side, which this notebook writes later"):
        workspace.run("silver/main")


def test_two_references_of_one_name_have_two_names() -> None:
    promise = flights(TO_CARRIERS, {**TO_CARRIERS, "to_columns": ["country"]})
    names = [check.name for check in checks.of(Contract.model_validate(promise)) if check.type == checks.REFERENCE]
    assert names == ["carrier_is_in_bronze_carriers", "carrier_is_in_bronze_carriers_2"]
