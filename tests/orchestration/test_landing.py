"""What Dagster is told of files that are uneven, when they land and when they were read."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from lakehouse.names import TableName
from lakehouse.orchestration import metadata
from lakehouse.orchestration.definitions import build_definitions
from lakehouse.record import RunRecord
from tests.notebooks import project
from tests.orchestration.conftest import place_of, small_project
from tests.orchestration.test_sensors import FOLDER_SOURCE


def test_a_landing_tells_what_was_found_and_what_is_still_being_written(tmp_path: Path) -> None:
    place = place_of(project(small_project(tmp_path / "p"), sources=FOLDER_SOURCE), tmp_path / "lake")
    incoming = place.settings.project / "incoming"
    incoming.mkdir()
    (incoming / "2013-01.csv").write_text("id,month\n1\n2,2013-01\n")
    (incoming / "2013-01.csv.part").write_text("id")
    repository = build_definitions(place.settings.project, place.settings).get_repository_def()
    with dg.instance_for_test() as instance:
        job = repository.get_job("monthly").get_subset(asset_selection={dg.AssetKey(["raw", "things"])})
        result = job.execute_in_process(instance=instance, partition_key="2013-01")
        (event,) = result.get_asset_materialization_events()
        told = [log.user_message for log in instance.all_logs(result.run_id) if "still being written" in log.user_message]
    found = event.materialization.metadata
    assert found["files"].value == 1
    assert found["findings"].value == "- 2013-01.csv, line 2 has 1 field, not 2: '1'"
    assert told == ["2013-01.csv.part is still being written, as its ending .part says: left for the next time"]


def test_a_table_tells_how_many_rows_its_run_set_aside() -> None:
    record = RunRecord(run_id="r", asset="silver.a", status="succeeded", set_aside={"raw.things": 3, "silver.a": 2, "silver.b": 1})
    shown = metadata.of_set_aside(record, TableName("silver", "a"))
    assert {name: value.value for name, value in shown.items()} == {"rows of raw.things in quarantine": 3, "rows in quarantine": 2}
    assert metadata.of_set_aside(None, TableName("silver", "a")) == {}
