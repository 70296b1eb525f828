from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from lakehouse import raw
from lakehouse.names import TableName
from lakehouse.orchestration import sensors
from lakehouse.orchestration.definitions import build_definitions
from lakehouse.project import Project
from tests.notebooks import contract, project
from tests.orchestration.conftest import Place, monthly, place_of, small_project

THINGS = TableName("raw", "things")


def tick(place: Place, cursor: str | None) -> Any:
    repository = build_definitions(place.settings.project, place.settings).get_repository_def()
    sensor = repository.get_sensor_def("new_raw_files")
    with dg.instance_for_test() as instance:
        return sensor.evaluate_tick(dg.build_sensor_context(instance=instance, cursor=cursor, repository_def=repository))


def land(place: Place, *months: str) -> None:
    source = Project.load(place.settings.project).sources[THINGS]
    for month in months:
        raw.land(place.settings.root, source, month)


def test_new_files_run_what_lies_below_them(place: Place) -> None:
    first = tick(place, None)
    assert not first.run_requests
    land(place, "2013-01", "2013-02")
    second = tick(place, first.cursor)
    (request,) = second.run_requests
    assert {key.to_user_string() for key in request.asset_selection} == {
        "raw/things",
        "bronze/things",
        "silver/a",
        "silver/b",
        "gold/sums",
    }
    assert request.tags["dagster/asset_partition_range_start"] == "2013-01"
    assert request.tags["dagster/asset_partition_range_end"] == "2013-02"
    assert request.tags["lakehouse/skip_unchanged"] == "true"
    assert not tick(place, second.cursor).run_requests


FOLDER_SOURCE = """
    from pathlib import Path

    from lakehouse import Folder, Source
    from lakehouse.partitions import PartitionSpace

    things = Source(
        "raw.things", Folder(Path(__file__).parent.parent / "incoming", "{month}*.csv", settle=0),
        partitions=PartitionSpace("month", "2013-01", "2013-03"), options={"header": True},
    )
"""


def test_files_that_wait_in_a_folder_are_landed_and_run_what_lies_below(place: Place) -> None:
    project(place.settings.project, sources=FOLDER_SOURCE)
    incoming = place.settings.project / "incoming"
    incoming.mkdir()
    first = tick(place, None)
    assert not first.run_requests
    (incoming / "2013-02.csv").write_text("id,month\n1,2013-02\n")
    (incoming / ".2013-03.csv").write_text("id,month\n")  # not yet finished
    second = tick(place, first.cursor)
    (request,) = second.run_requests
    assert request.tags["dagster/partition"] == "2013-02"
    assert request.asset_selection[0].to_user_string() == "raw/things"
    assert not tick(place, second.cursor).run_requests
    land(place, "2013-02")
    third = tick(place, second.cursor)
    assert len(third.run_requests) == 1  # now the landed file is what is new: its step finds nothing to do
    assert not tick(place, third.cursor).run_requests


def test_files_that_wait_before_the_first_look_are_new(place: Place) -> None:
    project(place.settings.project, sources=FOLDER_SOURCE)
    (place.settings.project / "incoming").mkdir()
    (place.settings.project / "incoming" / "2013-01.csv").write_text("id,month\n1,2013-01\n")
    assert len(tick(place, None).run_requests) == 1


def test_months_with_a_gap_are_two_runs(place: Place) -> None:
    land(place, "2013-01", "2013-03")
    requests = tick(place, json.dumps({"raw.things": {}})).run_requests
    assert [request.tags["dagster/partition"] for request in requests] == ["2013-01", "2013-03"]


def test_the_same_bytes_again_are_no_news(place: Place) -> None:
    land(place, "2013-01")
    cursor = tick(place, json.dumps({"raw.things": {}})).cursor
    land(place, "2013-01")
    assert not tick(place, cursor).run_requests


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An address on this machine, and what it was told; paths that end in /broken answer with an error."""
    told: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(500 if self.path.endswith("/broken") else 204)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_webhook_is_told_of_a_failed_run(tmp_path: Path, webhook: tuple[str, list[dict[str, Any]]]) -> None:
    url, told = webhook
    place = place_of(small_project(tmp_path / "p"), tmp_path / "lake", LAKEHOUSE_WEBHOOK=f"{url}/secret")
    sensor = sensors.webhook_sensor(place.settings)
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING

    @dg.op
    def silver__a() -> None:
        raise dg.Failure("cell 5: boom", metadata={"notebook": dg.MetadataValue.notebook("safe.ipynb")})

    @dg.job
    def everything() -> None:
        silver__a()

    with dg.instance_for_test() as instance:
        result = everything.execute_in_process(instance=instance, raise_on_error=False)
        context = dg.build_run_status_sensor_context(
            sensor_name=sensor.name,
            dagster_event=result.get_run_failure_event(),
            dagster_instance=instance,
            dagster_run=result.dagster_run,
        ).for_run_failure()
        sensor(context)
    (message,) = told
    assert message["run"] == result.run_id
    assert message["failures"][0]["step"] == "silver/a"
    assert "boom" in message["failures"][0]["error"]
    assert message["failures"][0]["notebook"] == "safe.ipynb"


def test_without_a_webhook_the_sensor_is_off(place: Place) -> None:
    assert sensors.webhook_sensor(place.settings).default_status == dg.DefaultSensorStatus.STOPPED


def test_what_is_said_of_a_webhook_never_names_it(webhook: tuple[str, list[dict[str, Any]]]) -> None:
    url, _ = webhook
    said = [
        sensors.post(address, {})
        for address in (f"{url}/SECRET", f"{url}/SECRET/broken", "http://127.0.0.1:9/SECRET", "file:///SECRET", "http://[SECRET")
    ]
    assert ["204" in said[0], "500" in said[1], "could not" in said[2], "not an http" in said[3], "could not" in said[4]] == [
        True
    ] * 5
    assert not any("SECRET" in text or "127.0.0.1" in text for text in said)


def test_assets_of_other_partitions_run_in_a_run_of_their_own(tmp_path: Path) -> None:
    later = contract(
        "scores.late",
        {name: {"type": "string", "nullable": False} for name in ("id", "month")},
        partitions={"column": "month", "start": "2013-02", "end": "2013-03"},
    )
    folder = small_project(tmp_path / "p", {"scores/late": monthly("scores/late", "silver.a")})
    project(folder, contracts={"scores.late": later})
    place = place_of(folder, tmp_path / "lake")
    land(place, "2013-02")
    requests = tick(place, json.dumps({"raw.things": {}})).run_requests
    assert [request.job_name for request in requests] == ["everything", "monthly_from_2013_02_to_2013_03"]
    assert [key.to_user_string() for key in requests[1].asset_selection] == ["scores/late"]
