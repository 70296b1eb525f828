"""Retraining as Dagster shows it: job, schedule and sensor of a project whose lake nothing has run in."""

from __future__ import annotations

import sys
from pathlib import Path

import dagster as dg
import pytest

from lakehouse import tables
from lakehouse.orchestration import retraining
from lakehouse.orchestration.definitions import build_definitions
from tests.notebooks import project
from tests.orchestration.conftest import Place, place_of
from tests.retraining.project import CONTRACTS, NOTEBOOKS
from tests.retraining.test_mature import asked, write


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """The things' project; the outcomes of January to April have come, half of May's are missing."""
    made = place_of(project(tmp_path / "project", NOTEBOOKS, CONTRACTS), tmp_path / "lake")
    tables.open_root(made.settings.root)
    months = {f"2013-0{number}": [asked(key=f"2013-0{number}")] for number in range(1, 5)}
    rows = asked(key="2013-05")
    write(made.settings.root, {**months, "2013-05": [[*rows[:5], *((at, None) for at, _ in rows[5:])]]})
    return made


def repository(place: Place) -> dg.RepositoryDefinition:
    return build_definitions(place.settings.project, place.settings).get_repository_def()


def test_a_model_has_a_job_with_a_partition_for_each_month_it_can_be_judged_by(place: Place) -> None:
    made = repository(place)
    job = made.get_job("retrain_things")
    assert job.partitions_def is not None
    assert list(job.partitions_def.get_partition_keys()) == ["2013-03", "2013-04", "2013-05", "2013-06"]
    schedule = made.get_schedule_def("retrain_things_schedule")
    assert (schedule.job_name, schedule.cron_schedule) == ("retrain_things", "0 8 3 * *")


def test_the_sensor_asks_for_the_newest_month_whose_outcomes_have_come(place: Place) -> None:
    made = repository(place)
    sensor = made.get_sensor_def("mature_months")
    with dg.instance_for_test() as instance:
        told = sensor.evaluate_tick(dg.build_sensor_context(instance=instance, repository_def=made))
    (request,) = told.run_requests
    assert (request.job_name, request.partition_key, request.run_key) == ("retrain_things", "2013-04", "models.things 2013-04")


def test_a_project_without_a_judge_has_neither(tmp_path: Path) -> None:
    without = {name: one for name, one in NOTEBOOKS.items() if name != "evaluation/things"}
    made = repository(place_of(project(tmp_path / "project", without, CONTRACTS), tmp_path / "lake"))
    assert not [job.name for job in made.get_all_jobs() if job.name.startswith("retrain_")]
    assert not made.has_sensor_def("mature_months")


SAYS = "import sys; print('2013-04', *sys.argv[1:]); print('it stopped'); sys.exit({code})"
ENDINGS: dict[str, tuple[int, bool]] = {"done": (0, True), "stopped": (1, False)}


@pytest.mark.parametrize("code, success", ENDINGS.values(), ids=ENDINGS.keys())
def test_a_run_is_the_command_up_to_its_month(place: Place, code: int, success: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retraining, "_COMMAND", [sys.executable, "-c", SAYS.format(code=code)])
    with dg.instance_for_test() as instance:
        job = repository(place).get_job("retrain_things")
        done = job.execute_in_process(instance=instance, partition_key="2013-04", raise_on_error=False)
        logged = [entry.user_message for entry in instance.all_logs(done.run_id)]
        assert "2013-04 models retrain things --through 2013-04" in logged
        failures = [event.step_failure_data.error.message for event in done.get_step_failure_events()]
    assert done.success == success
    assert [told.splitlines()[-2:] for told in failures] == ([] if success else [["it stopped", HINT]])


HINT = "`lakehouse models retrain things --through 2013-04` goes on where it was."


def test_the_command_tells_what_is_due_and_what_it_waits_for(place: Place) -> None:
    done = place.python("import sys; from lakehouse.cli import main; sys.exit(main())", "models", "retrain", "things", "--dry-run")
    assert done.splitlines() == [
        "2013-03  train until 2013-01; judge by the 2 months up to it (outcomes known by 2013-04-02 00:00 UTC)",
        "2013-04  train until 2013-02; judge by the 2 months up to it (outcomes known by 2013-05-02 00:00 UTC)",
        "Not yet due: 2013-05: 5 of 10 rows have an outcome, 90% are needed",
    ]
