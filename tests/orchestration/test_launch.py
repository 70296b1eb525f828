"""The whole way: a small project's notebooks, in real kernels on a real Spark server, through Dagster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from lakehouse import deltalog, tables
from lakehouse.names import TableName
from lakehouse.orchestration.instance import instance
from tests.orchestration.conftest import Place, monthly, place_of, small_project

pytestmark = pytest.mark.slow
FOUR = {"raw/things", "bronze/things", "silver/a", "silver/b", "gold/sums"}


@pytest.fixture(scope="module")
def live(live_root: Path) -> Place:
    """The small project on the live lake, everything built once."""
    return place_of(live_root.parent / "project", live_root)


@pytest.fixture(scope="module")
def first(live: Place) -> dict[str, Any]:
    return live.run()


def events(place: Place, run_id: str) -> list[dg.DagsterEvent]:
    with pytest.MonkeyPatch.context() as patch, instance(place.settings) as store:
        patch.setenv("DAGSTER_HOME", "")
        return [entry.dagster_event for entry in store.all_logs(run_id) if entry.dagster_event]


def test_everything_runs_in_one_dagster_run(live: Place, first: dict[str, Any]) -> None:
    outcomes = first["outcomes"]
    assert {asset: outcome["status"] for asset, outcome in outcomes.items()} == dict.fromkeys(FOUR, "succeeded")
    assert {asset: outcome["rows"] for asset, outcome in outcomes.items()} == {
        "raw/things": None, "bronze/things": 6, "silver/a": 6, "silver/b": 6, "gold/sums": 3,
    }  # fmt: skip
    assert len({outcome["run"] for outcome in outcomes.values()} - {None}) == 1
    assert [asset for asset, event in first["events"] if event == "succeeded"].index("raw/things") == 0
    # one commit for the whole range
    assert deltalog.versions(tables.lake_path(live.settings.root, TableName("silver", "a"))) == [0]


def test_the_two_silver_tables_were_built_side_by_side(live: Place, first: dict[str, Any]) -> None:
    told = [(event.step_key, event.event_type_value) for event in events(live, first["outcomes"]["silver/a"]["run"])]
    ends = [told.index((step, "STEP_SUCCESS")) for step in ("silver__a", "silver__b")]
    starts = [told.index((step, "STEP_START")) for step in ("silver__a", "silver__b")]
    assert max(starts) < min(ends)


def test_dagster_is_told_rows_versions_and_the_safe_notebook(live: Place, first: dict[str, Any]) -> None:
    found = events(live, first["outcomes"]["silver/a"]["run"])
    made = {
        event.materialization.partition: event.materialization
        for event in found
        if event.is_step_materialization and event.asset_key == dg.AssetKey(["silver", "a"])
    }
    assert set(made) == {"2013-01", "2013-02", "2013-03"}
    metadata = made["2013-02"].metadata
    assert (metadata["dagster/row_count"].value, metadata["dagster/partition_row_count"].value) == (6, 2)
    assert metadata["delta version"].value == 0
    assert (metadata["rows"].value, metadata["unusual"].value) == (2, 0)
    assert metadata["profile"].value.splitlines()[2].startswith("| id | ")
    assert made["2013-02"].tags["dagster/data_version"] == "0"
    assert Path(metadata["notebook"].value).name == "notebook.safe.ipynb"
    assert {"starting", "spark", "publishing"} <= set(metadata["seconds by phase"].value)
    assert metadata["checks by severity"].value == {
        "error": {"passed": 4, "not passed": 0},
        "warn": {"passed": 5, "not passed": 0},  # the profile's
    }
    lineage = metadata["dagster/column_lineage"].value
    assert lineage.deps_by_column["id"] == [dg.TableColumnDep(dg.AssetKey(["bronze", "things"]), "id")]
    checks = [event for event in found if event.event_type_value == "ASSET_CHECK_EVALUATION"]
    assert sum(event.asset_check_evaluation_data.asset_key == dg.AssetKey(["silver", "b"]) for event in checks) == 10


def test_a_second_time_there_is_nothing_to_do(live: Place, first: dict[str, Any]) -> None:
    assert live.run()["outcomes"] == {}


def test_a_failing_cell_is_told_first_and_only_what_stands_on_it_is_skipped(
    live: Place, first: dict[str, Any], tmp_path: Path
) -> None:
    broken = {
        "silver/a": monthly("silver/a", "bronze.things", "1 / 0  # boom"),
        "silver/b": monthly("silver/b", "bronze.things", "df = df.distinct()"),
        "gold/sums": json.loads((live.settings.project / "notebooks/gold/sums.ipynb").read_text()),
    }
    place = place_of(small_project(tmp_path / "p", broken), live.settings.root)
    outcomes = place.run()["outcomes"]
    assert {asset: outcome["status"] for asset, outcome in outcomes.items()} == {
        "silver/a": "failed", "silver/b": "succeeded", "gold/sums": "skipped",
    }  # fmt: skip
    assert outcomes["gold/sums"]["cause"] == "silver/a did not succeed"
    assert outcomes["silver/a"]["cause"].splitlines()[0].startswith("silver/a, cell 6 (1 / 0  # boom): ZeroDivisionError")
    assert Path(outcomes["silver/a"]["notebook"]).name == "notebook.ipynb"
    (failure,) = [event for event in events(live, outcomes["silver/b"]["run"]) if event.is_step_failure]
    data = failure.step_failure_data
    assert data.error.message.startswith("silver/a, cell 6")
    assert data.error.stack == []
    assert Path(data.user_failure_data.metadata["notebook"].value).name == "notebook.safe.ipynb"


def test_rows_that_break_the_contract_are_failed_checks_and_not_published(
    live: Place, first: dict[str, Any], tmp_path: Path
) -> None:
    doubled = {"silver/b": monthly("silver/b", "bronze.things", "df = df.union(df)")}
    place = place_of(small_project(tmp_path / "p", doubled), live.settings.root)
    before = deltalog.latest(tables.lake_path(live.settings.root, TableName("silver", "b")))
    outcome = place.run("silver/b", partitions="2013-02")["outcomes"]["silver/b"]
    assert outcome["status"] == "failed"
    assert deltalog.latest(tables.lake_path(live.settings.root, TableName("silver", "b"))) == before
    found = events(live, outcome["run"])
    failed = [event.asset_check_evaluation_data for event in found if event.event_type_value == "ASSET_CHECK_EVALUATION"]
    assert [one.check_name for one in failed if not one.passed] == ["key_is_unique"]
    assert not any(event.event_type_value == "STEP_UP_FOR_RETRY" for event in found)


TOLD = """
    from lakehouse import record, settings
    from lakehouse.names import TableName
    from lakehouse.orchestration import launch
    from lakehouse.plan import Step
    from lakehouse.project import Project

    now, sums = settings.load(), TableName("gold", "sums")
    step = Step(sums, (), parameters={"until": "2013-02"})
    (outcome,) = launch.execute(Project.load(now.project), now, [step], lambda *_: None)
    print(outcome.status, outcome.record.parameters)
"""


def test_a_step_says_its_notebooks_parameters(live: Place, first: dict[str, Any], tmp_path: Path) -> None:
    sums = json.loads((live.settings.project / "notebooks/gold/sums.ipynb").read_text())
    sums["cells"][1]["source"] += "\nfrom lakehouse import month"
    sums["cells"][2]["source"] = 'until: month = "2013-03"'
    place = place_of(small_project(tmp_path / "p", {"gold/sums": sums}), live.settings.root)
    assert place.python(TOLD).splitlines()[-1] == "succeeded {'until': '2013-02'}"


SKIP = """
    import json, sys
    import dagster as dg
    from lakehouse import settings
    from lakehouse.orchestration import launch
    from lakehouse.orchestration.instance import instance
    now = settings.load()
    repository = launch.load_repository(str(now.project), str(now.root))
    with instance(now) as store:
        result = repository.get_job("monthly").get_subset(asset_selection={dg.AssetKey(["silver", "b"])}).execute_in_process(
            instance=store, partition_key="2013-01", tags={"lakehouse/skip_unchanged": "true"}
        )
    (made,) = result.get_asset_materialization_events()
    told = made.materialization
    checks = result.get_asset_check_evaluations()
    print(json.dumps([told.metadata["skipped"].value, told.tags["dagster/data_version"], len(checks)]))
"""


def test_an_unchanged_step_of_a_schedule_tells_its_result_again(live: Place, first: dict[str, Any]) -> None:
    live.run("silver/b")  # as this project has it, whatever the tests above left
    table = tables.lake_path(live.settings.root, TableName("silver", "b"))
    version = deltalog.latest(table)
    assert json.loads(live.python(SKIP).splitlines()[-1]) == [True, str(version), 10]
    assert deltalog.latest(table) == version


SHARED = """
    import dagster as dg
    from lakehouse.orchestration.spark import SharedSpark

    @dg.asset
    def counted(context: dg.AssetExecutionContext, spark: SharedSpark) -> None:
        context.log.info("counting")
        print("rows", spark.spark_session.range(7).count(), spark.spark_session.conf.get("spark.sql.shuffle.partitions"))

    resource = SharedSpark(spark_config={"spark.sql.shuffle.partitions": 3})
    assert resource._spark_session is None
    dg.materialize([counted], resources={"spark": resource})
"""


def test_python_assets_share_the_lakes_spark(live: Place, first: dict[str, Any]) -> None:
    assert live.python(SHARED).splitlines()[-1] == "rows 7 3"
