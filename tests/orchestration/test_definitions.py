from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from lakehouse import services
from lakehouse.errors import NotebookError
from lakehouse.orchestration.definitions import build_definitions
from tests.notebooks import contract, notebook, project
from tests.orchestration.conftest import PARAMETERS, Place, monthly_contract, place_of, small_project


def load(place: Place) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return build_definitions(place.settings.project, place.settings).get_repository_def()


def node(place: Place, name: str) -> Any:
    return load(place).asset_graph.get(dg.AssetKey(name.split("/")))


def test_every_source_and_notebook_is_an_asset_and_nothing_is_started(place: Place) -> None:
    keys = {key.to_user_string() for key in load(place).asset_graph.executable_asset_keys}
    assert keys == {"raw/things", "bronze/things", "silver/a", "silver/b", "gold/sums"}
    assert services.all(place.settings) == []
    assert not place.settings.root.exists()


def test_an_asset_tells_what_its_notebook_and_contract_say(place: Place) -> None:
    asset = node(place, "silver/a")
    assert asset.group_name == "silver"
    assert asset.kinds == {"jupyter", "spark", "deltalake"}
    assert list(asset.owners) == ["team@example.com"]
    assert asset.tags["lakehouse/layer"] == "silver"
    assert asset.description == "**A**\n\nRows of silver.a.\n\nWhat is in a?"
    assert asset.backfill_policy == dg.BackfillPolicy.single_run()
    assert asset.freshness_policy.fail_window.to_timedelta().days == 2
    assert asset.metadata["dagster/table_name"] == "silver.a"
    columns = {column.name: column for column in asset.metadata["dagster/column_schema"].columns}
    assert (columns["id"].type, columns["id"].constraints.nullable, columns["id"].constraints.unique) == ("string", False, True)
    (reference,) = asset.metadata["dagster/code_references"].code_references
    assert Path(reference.file_path) == place.settings.project / "notebooks/silver/a.ipynb"


def test_a_feature_view_tells_whose_its_rows_are_and_since_when(tmp_path: Path) -> None:
    place = place_of(small_project(tmp_path / "p"), tmp_path / "lake")
    view = {"entity": ["id"], "event_timestamp": "at", "ttl": "36h"}
    columns = {name: {"type": kind, "nullable": False} for name, kind in {"id": "string", "at": "timestamp"}.items()}
    promised = contract("features.seen", columns, key=["id", "at"], feature_view=view)
    seen = notebook("features/seen", 'lake.write(1, "features.seen")')
    project(place.settings.project, {"features/seen": seen}, {"features.seen": promised})
    told = {name: value for name, value in node(place, "features/seen").metadata.items() if name.startswith("feature view")}
    assert told == {
        "feature view: entity": "id",
        "feature view: event timestamp": "at",
        "feature view: known from": "at",
        "feature view: time to live": "36h",
    }


def test_steps_that_more_waits_for_go_first(place: Place) -> None:
    priorities = {node.name: int(node.tags["dagster/priority"]) for node in load(place).get_job("everything").nodes}
    assert priorities == {"raw__things": 4, "bronze__things": 3, "silver__a": 2, "silver__b": 1, "gold__sums": 1}


def test_a_source_is_a_landing(place: Place) -> None:
    asset = node(place, "raw/things")
    assert (asset.group_name, asset.kinds, list(asset.owners)) == ("raw", {"csv"}, ["team:field-team"])
    assert asset.description == "Things, month by month."


def test_each_expectation_is_a_check_and_errors_block(place: Place) -> None:
    graph = load(place).asset_graph
    key = dg.AssetKey(["silver", "b"])
    blocking = {
        spec.name: spec.blocking
        for check in graph.asset_check_keys
        if check.asset_key == key
        for spec in [graph.get_check_spec(check)]
        if not spec.name.startswith("profile_")
    }
    assert blocking == {
        "not_null_id": True,
        "not_null_month": True,
        "key_is_unique": True,
        "partitions_are_requested": True,
        "column_values_to_not_be_in_set_id": False,
    }


def test_a_reference_is_a_dependency_and_a_check(tmp_path: Path) -> None:
    place = place_of(small_project(tmp_path / "p"), tmp_path / "lake")
    references = [{"columns": ["month"], "to": "silver.b", "severity": "warn"}]
    sums = contract("gold.sums", {"month": {"type": "string", "nullable": False}, "n": "bigint"}, references=references)
    project(place.settings.project, contracts={"gold.sums": sums})
    graph = load(place).asset_graph
    assert graph.get(dg.AssetKey(["gold", "sums"])).parent_keys == {dg.AssetKey(["silver", name]) for name in "ab"}
    assert "month_is_in_silver_b" in {key.name for key in graph.asset_check_keys}


def test_the_code_version_ignores_prose(tmp_path: Path) -> None:
    place = place_of(small_project(tmp_path / "p"), tmp_path / "lake")
    before = node(place, "gold/sums").code_version
    file = place.settings.project / "notebooks/gold/sums.ipynb"
    file.write_text(file.read_text().replace("What is in sums?", "Something else entirely."))
    assert node(place, "gold/sums").code_version == before
    file.write_text(file.read_text().replace("count(*)", "count(id)"))
    assert node(place, "gold/sums").code_version != before


def test_a_notebook_with_a_table_and_a_model_is_one_step(tmp_path: Path) -> None:
    cells = notebook(
        "models/late",
        'df = lake.read("silver.a", partitions="until")',
        'lake.write(df, "monitoring.fit")',
        'lake.log_model(model, "models.late")',
        parameters=PARAMETERS + "\ndepth: int = 3  # of each tree",
        imports="from lakehouse import month\nimport sklearn",
    )
    fit = contract("monitoring.fit", {"month": {"type": "string", "nullable": False}})
    folder = small_project(tmp_path / "p")
    project(folder, {"models/late": cells}, {"monitoring.fit": fit})
    graph = load(place_of(folder, tmp_path / "lake")).asset_graph
    model, table = (graph.get(dg.AssetKey(path)) for path in (["models", "late"], ["monitoring", "fit"]))
    assert model.kinds == {"jupyter", "mlflow", "scikitlearn"}
    assert model.partitions_def is None
    assert model.assets_def is table.assets_def
    assert set(model.assets_def.op.config_schema.config_type.fields) == {"depth"}


def test_jobs_and_a_schedule_that_is_stopped(place: Place) -> None:
    repository = load(place)
    everything, monthly = repository.get_job("everything"), repository.get_job("monthly")
    assert len(everything.asset_layer.executable_asset_keys) == 5
    assert dg.AssetKey(["gold", "sums"]) not in monthly.asset_layer.executable_asset_keys
    schedule = repository.get_schedule_def("monthly_schedule")
    assert (schedule.cron_schedule, schedule.default_status.value) == ("0 6 3 * *", "STOPPED")
    context = dg.build_schedule_context(scheduled_execution_time=__import__("datetime").datetime(2013, 3, 3, 6))
    (request,) = schedule.evaluate_tick(context).run_requests
    assert (request.partition_key, request.tags["lakehouse/skip_unchanged"]) == ("2013-02", "true")


def test_what_ships_loads_whole_as_the_page_loads_it() -> None:
    from assets.definitions import defs

    repository = defs.get_repository_def()
    repository.load_all_definitions()
    assert "new_raw_files" in {sensor.name for sensor in repository.sensor_defs}


def test_a_broken_notebook_is_refused_with_its_place(tmp_path: Path) -> None:
    folder = small_project(tmp_path / "p", {"silver/b": notebook("silver/c", 'lake.write(1, "silver.b")')})
    with pytest.raises(NotebookError, match=r"notebooks/silver/b\.ipynb, cell 4"):
        load(place_of(folder, tmp_path / "lake"))


def test_a_notebook_of_two_tables_is_in_every_job_with_both(tmp_path: Path) -> None:
    writes = ['df = lake.read("bronze.things")', 'lake.write(df, "silver.a")', 'lake.write(df, "silver.counts")']
    both = notebook("silver/a", *writes, parameters=PARAMETERS, imports="from lakehouse import month")
    folder = small_project(tmp_path / "project", {"silver/a": both})
    project(folder, {}, {"silver.counts": monthly_contract("silver.counts")})
    repository = load(place_of(folder, tmp_path / "lake"))
    for job in ("everything", "monthly"):
        names = {key.to_user_string() for key in repository.get_job(job).asset_layer.executable_asset_keys}
        assert {"silver/a", "silver/counts"} <= names, job


def test_a_contract_says_how_much_a_backfill_takes_at_once_and_whether_a_failure_is_looked_after(tmp_path: Path) -> None:
    folder = small_project(tmp_path / "project")
    before = load(place_of(folder, tmp_path / "lake"))
    promise = monthly_contract("silver.a", backfill_chunk=2, upstream="last_good")
    project(folder, {}, {"silver.a": promise})
    after = load(place_of(folder, tmp_path / "lake"))
    key = dg.AssetKey(["silver", "a"])
    chunks = [repository.asset_graph.get(key).backfill_policy.max_partitions_per_run for repository in (before, after)]
    status = [repository.get_sensor_def("on_last_good").default_status.value for repository in (before, after)]
    checks = {check.name for check in after.asset_graph.asset_check_keys if check.asset_key == key}
    assert (chunks, status, "upstream_is_current" in checks) == ([None, 2], ["STOPPED", "RUNNING"], True)
