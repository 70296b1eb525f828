"""What runs when something above it failed, and what a backfill in chunks keeps, in real runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from lakehouse import deltalog, tables
from lakehouse.names import TableName
from tests.notebooks import contract, notebook, project
from tests.orchestration.conftest import Place, monthly_contract, place_of
from tests.workspace import COMMAND, Workspace, monthly

pytestmark = pytest.mark.slow

UP = ("df = lake.spark.range(3)", 'lake.write(df, "silver.up")')
BROKEN = ("df = lake.spark.range(1 // 0)", 'lake.write(df, "silver.up")')


def copying(source: str, target: str, *cells: str) -> dict[str, Any]:
    return notebook(target.replace(".", "/"), f'df = lake.read("{source}")', *cells, f'lake.write(df, "{target}")')


def project_of(folder: Path, up: tuple[str, ...] = UP, note: str = "1") -> Path:
    """silver.up → gold.brave (last_good) → gold.below; silver.up → gold.careful. `note` is code of gold/brave."""
    notebooks = {
        "silver/up": notebook("silver/up", *up),
        "gold/brave": copying("silver.up", "gold.brave", note),
        "gold/careful": copying("silver.up", "gold.careful"),
        "gold/below": copying("gold.brave", "gold.below"),
    }
    promises: Mapping[str, dict[str, Any]] = {"gold.brave": {"upstream": "last_good"}}
    names = ("silver.up", "gold.brave", "gold.careful", "gold.below")
    return project(folder, notebooks, {name: contract(name, **promises.get(name, {})) for name in names})


@pytest.fixture(scope="module")
def build(warm_workspace: Callable[[str], Workspace], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Place]:
    """Places with such a project, all on one lake, in which everything was built once."""
    warm = warm_workspace("last good")

    def of(**changes: Any) -> Place:
        folder = project_of(tmp_path_factory.mktemp("last_good") / "project", **changes)
        return place_of(folder, warm.root, LAKEHOUSE_SPARK=warm.environ["LAKEHOUSE_SPARK"])

    first = of().run("silver/up+")["outcomes"]
    assert {outcome["status"] for outcome in first.values()} == {"succeeded"}, first
    return of


def told(outcomes: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {asset: (one["status"], one["cause"].splitlines()[0] if one["cause"] else "") for asset, one in outcomes.items()}


def test_below_a_failed_step_runs_what_its_contract_lets_run_on_the_last_good_version(build: Callable[..., Place]) -> None:
    place = build(up=BROKEN, note="2")
    found = told(place.run("silver/up+")["outcomes"])
    assert found["silver/up"][0] == "failed"
    assert found["gold/brave"] == found["gold/below"] == ("succeeded", "")
    assert found["gold/careful"] == ("skipped", "silver/up did not succeed")
    behind = place.python(BEHIND, "gold/brave").splitlines()[-1]
    marked = json.loads(behind)
    assert marked["behind"]["silver.up"] == "silver/up did not succeed"
    assert marked["checks"]["upstream_is_current"] == [False, "warn"]
    assert marked["input"] == deltalog.latest(tables.lake_path(place.settings.root, TableName("silver", "up")))
    again = told(place.run("silver/up+")["outcomes"])
    cause = "silver/up did not succeed, and nothing else has changed since its last run"
    assert again["gold/brave"] == ("skipped", cause)
    assert again["gold/below"] == again["gold/careful"] == ("skipped", "silver/up did not succeed")


BEHIND = """
    import json, sys
    from lakehouse import record, settings
    from lakehouse.names import TableName
    found = record.latest(settings.load().root, TableName.parse(sys.argv[1]))
    checks = {check.name: [check.passed, check.severity] for check in found.checks}
    print(json.dumps({"behind": found.behind, "checks": checks, "input": found.inputs["silver.up"]["version"]}))
"""

DAGSTER = """
    import json
    import dagster as dg
    from lakehouse import settings
    from lakehouse.orchestration import after_failure, launch
    from lakehouse.orchestration.instance import instance
    from lakehouse.project import Project
    now = settings.load()
    project = Project.load(now.project)
    repository = launch.load_repository(str(now.project), str(now.root))
    with instance(now) as store:
        job = repository.get_job("everything")
        failed = job.execute_in_process(instance=store, raise_on_error=False)
        requests = list(after_failure.requests(project, now, store, failed.dagster_run))
        (request,) = requests
        again = repository.get_job(request.job_name).get_subset(asset_selection=set(request.asset_selection))
        done = again.execute_in_process(instance=store, tags=request.tags, raise_on_error=False)
        events = done.get_asset_materialization_events()
        made = {event.asset_key.to_user_string(): event.materialization.metadata for event in events}
        last = list(after_failure.requests(project, now, store, done.dagster_run))
    (sensor,) = [one for one in repository.sensor_defs if one.name == "on_last_good"]
    shown = made["gold/brave"]["read as published last"].value
    print(json.dumps([failed.success, sorted(made), shown, sensor.default_status.value, len(last)]))
"""


def test_after_a_failed_run_of_dagster_another_runs_what_may(build: Callable[..., Place]) -> None:
    place = build(up=BROKEN, note="3")
    success, made, shown, status, last = json.loads(place.python(DAGSTER).splitlines()[-1])
    assert (success, made, status, last) == (False, ["gold/below", "gold/brave"], "RUNNING", 0)
    assert shown["silver.up"] == "silver/up did not succeed"


WAITS = """
import pathlib, time
if "2013-07" in months and not pathlib.Path("again").exists():
    pathlib.Path("reached").touch()
    time.sleep(600)
"""


def test_a_crash_in_month_seven_of_twelve_keeps_the_six_and_the_next_run_begins_there(
    warm_workspace: Callable[[str], Workspace],
) -> None:
    warm = warm_workspace("chunks")
    made = monthly(
        "silver/chunked",
        WAITS,
        'df = lake.spark.createDataFrame([("", one) for one in months], "id string, month string")',
        'lake.write(df, "silver.chunked")',
    )
    year = [f"2013-{number:02}" for number in range(1, 13)]
    months = {"column": "month", "start": year[0], "end": year[-1]}
    promise = {**monthly_contract("silver.chunked"), "partitions": months, "backfill_chunk": 3, "key": ["month"]}
    warm.write({"silver/chunked": made}, {"silver.chunked": promise})
    run = subprocess.Popen([*COMMAND, "run", "silver/chunked"], cwd=warm.project, env=warm.shell, start_new_session=True)
    deadline = time.monotonic() + 90
    while not (warm.project / "reached").exists():
        assert run.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    table = warm.path("silver.chunked")
    assert [sorted(entry.partition_rows) for entry in deltalog.commits(table)] == [year[:3], year[3:6]]
    (warm.project / "again").touch()
    (step,) = warm.plan("silver/chunked")
    assert list(step.partitions) == year[6:]
    done = warm.command("run", "silver/chunked")
    assert done.returncode == 0, done.stdout + done.stderr
    commits = [sorted(entry.partition_rows) for entry in deltalog.commits(table)]
    assert commits == [year[:3], year[3:6], year[6:9], year[9:]]
