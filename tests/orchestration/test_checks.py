from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from lakehouse.names import TableName
from lakehouse.orchestration import checks, describe
from lakehouse.project import Project
from lakehouse.record import CheckRecord
from tests.orchestration.conftest import small_project

TABLE = TableName("silver", "b")
WARN = "column_values_to_not_be_in_set_id"
PROFILES = tuple(f"profile_{kind}" for kind in ("volume", "missing", "distribution", "cardinality", "categories"))
NAMES = ("not_null_id", "not_null_month", "key_is_unique", "partitions_are_requested", WARN, *PROFILES)


def run(folder: Path, records: list[CheckRecord]) -> dg.ExecuteInProcessResult:
    """A step that publishes with these results, and one below it."""
    contract = Project.load(small_project(folder)).contracts[TABLE]

    @dg.multi_asset(specs=[dg.AssetSpec(describe.key(TABLE))], check_specs=list(checks.specs(TABLE, contract)))
    def publish() -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        yield dg.MaterializeResult(asset_key=describe.key(TABLE))
        yield from checks.results(TABLE, contract, records, complete=True)

    @dg.asset(deps=[describe.key(TABLE)])
    def below() -> None: ...

    return dg.materialize([publish, below], raise_on_error=False)


def records(**failed: bool) -> list[CheckRecord]:
    return [
        CheckRecord(
            table=TABLE.dotted, name=name, severity="warn" if name in (WARN, *PROFILES) else "error", passed=name not in failed
        )
        for name in NAMES
    ]


def materialized(result: dg.ExecuteInProcessResult) -> set[str]:
    return {event.asset_key.path[-1] for event in result.get_asset_materialization_events()}


def test_passing_checks_let_the_next_step_run(tmp_path: Path) -> None:
    result = run(tmp_path, records())
    assert result.success
    assert materialized(result) == {"b", "below"}
    assert {(one.check_name, one.passed) for one in result.get_asset_check_evaluations()} == {(name, True) for name in NAMES}


def test_a_failed_error_stops_what_lies_below(tmp_path: Path) -> None:
    result = run(tmp_path, records(key_is_unique=True))
    assert not result.success
    assert materialized(result) == {"b"}


def test_a_failed_warning_does_not(tmp_path: Path) -> None:
    result = run(tmp_path, records(column_values_to_not_be_in_set_id=True))
    assert materialized(result) == {"b", "below"}
    (failed,) = [one for one in result.get_asset_check_evaluations() if not one.passed]
    assert failed.severity == dg.AssetCheckSeverity.WARN


def test_a_failed_check_shows_a_few_rows_as_a_table(tmp_path: Path) -> None:
    found = records(column_values_to_not_be_in_set_id=True)
    seen = {"unexpected": 2, "rows": [{"id": "x", "month": None}, {"id": 7, "month": "2013-01"}]}
    found = [one.model_copy(update=seen) if one.name == WARN else one for one in found]
    (failed,) = [one for one in run(tmp_path, found).get_asset_check_evaluations() if not one.passed]
    shown = [row.data for row in failed.metadata["rows"].records]
    assert shown == [{"id": "x", "month": ""}, {"id": "7", "month": "2013-01"}]
    assert failed.metadata["unexpected rows"].value == 2


def test_a_missing_result_counts_as_failed(tmp_path: Path) -> None:
    result = run(tmp_path, [record for record in records() if record.name != "key_is_unique"])
    assert materialized(result) == {"b"}
    (failed,) = [one for one in result.get_asset_check_evaluations() if not one.passed]
    assert (failed.check_name, failed.description[:10]) == ("key_is_unique", "No result:")


def test_a_run_from_before_tables_were_profiled_lacks_nothing(tmp_path: Path) -> None:
    result = run(tmp_path, [record for record in records() if record.name not in PROFILES])
    assert materialized(result) == {"b", "below"}
    assert {(one.check_name, one.passed) for one in result.get_asset_check_evaluations()} == {(name, True) for name in NAMES}
