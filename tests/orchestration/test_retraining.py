"""Retraining as Dagster shows it: job, schedule and sensor of a project whose lake nothing has run in."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from lakehouse import ledger, tables
from lakehouse.errors import LakeError
from lakehouse.ledger import Entry, chain
from lakehouse.names import TableName
from lakehouse.orchestration import retraining
from lakehouse.orchestration.definitions import build_definitions
from lakehouse.partitions import month
from lakehouse.project import Project
from lakehouse.promotion.contract import Outcome
from lakehouse.retraining import course, mature
from lakehouse.retraining.alone import alone
from lakehouse.retraining.mature import Labels
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


def tick(instance: dg.DagsterInstance, made: dg.RepositoryDefinition) -> dg.SensorExecutionData:
    return made.get_sensor_def("mature_months").evaluate_tick(dg.build_sensor_context(instance=instance, repository_def=made))


def test_the_sensor_asks_for_the_newest_month_whose_outcomes_have_come(place: Place) -> None:
    made = repository(place)
    with dg.instance_for_test() as instance:
        told = tick(instance, made)
    (request,) = told.run_requests
    assert (request.job_name, request.partition_key, request.run_key) == ("retrain_things", "2013-04", None)


def ended(instance: dg.DagsterInstance, made: dg.RepositoryDefinition, told: dg.SensorExecutionData, status: str) -> None:
    """The runs that a tick asked for, as they ended (or are)."""
    for one in told.run_requests:
        instance.create_run_for_job(made.get_job(one.job_name), tags=dict(one.tags), status=dg.DagsterRunStatus(status))


UNDER_WAY = "models.things: it is being retrained"
FAILED = "models.things: 2013-04 was tried 3 times without success; once that is mended, `lakehouse models retrain things` tries"
UNDECIDED = "models.things: 2013-04 is still due after a run that succeeded; `lakehouse models retrain things` tries it again"
TICKS: dict[str, tuple[list[str], str | None]] = {
    "failed: it is tried again": (["FAILURE"], None),
    "cancelled: it is tried again": (["CANCELED"], None),
    "failed three times": (["FAILURE", "CANCELED", "FAILURE"], FAILED),
    "done, and yet undecided": (["FAILURE", "SUCCESS"], UNDECIDED),
    "starting": (["STARTING"], UNDER_WAY),
    "running once more": (["FAILURE", "STARTED"], UNDER_WAY),
}


@pytest.mark.parametrize("runs, waits", TICKS.values(), ids=TICKS.keys())
def test_the_sensor_asks_again_for_what_failed_and_not_for_ever(place: Place, runs: list[str], waits: str | None) -> None:
    made = repository(place)
    with dg.instance_for_test() as instance:
        for status in runs:
            ended(instance, made, tick(instance, made), status)
        told = tick(instance, made)
    assert [one.partition_key for one in told.run_requests] == ([] if waits else ["2013-04"])
    assert (told.skip_message or "").startswith(waits or "")


def test_once_something_was_decided_the_same_month_is_asked_for_anew(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a rollback: the month after is due to be scored by another champion."""
    made = repository(place)
    with dg.instance_for_test() as instance:
        for _ in range(3):
            ended(instance, made, tick(instance, made), "FAILURE")
        facts = {"model": "models.things", "who": "test", "action": "rolled_back", "to_version": 1}
        monkeypatch.setattr(ledger, "standing", lambda *_: chain.of([Entry.after(None, **facts)], TableName("models", "things")))
        told = tick(instance, made)
    assert [one.partition_key for one in told.run_requests] == ["2013-04"]


@pytest.mark.parametrize("beside", [True, False], ids=["beside another", "alone"])
def test_a_model_whose_outcomes_cannot_be_read_holds_up_no_other(
    place: Place, beside: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own,) = course.courses(Project.load(place.settings.project))
    theirs = own.outcome.model_copy(update={"table": TableName("gold", "bad")})
    other = replace(own, model=TableName("models", "bad"), outcome=theirs)
    read = mature.read

    def failing(root: Path, outcome: Outcome) -> dict[month, Labels]:
        if outcome == theirs:
            raise LakeError("gold.bad has rows of no month", "Write it again.")
        return read(root, outcome)

    monkeypatch.setattr(mature, "read", failing)
    monkeypatch.setattr(course, "courses", lambda _: [other, own] if beside else [other])
    with dg.instance_for_test() as instance:
        told = tick(instance, repository(place))
    assert [one.job_name for one in told.run_requests] == (["retrain_things"] if beside else [])
    assert told.skip_message == (None if beside else "models.bad: gold.bad has rows of no month. Write it again.")


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


def test_the_command_tells_what_is_due_and_what_it_waits_for_also_beside_one_that_retrains(place: Place) -> None:
    code = "import sys; from lakehouse.cli import main; sys.exit(main())"
    with alone(place.settings.root, TableName("models", "things"), print):
        done = place.python(code, "models", "retrain", "things", "--dry-run")
    assert done.splitlines() == [
        "2013-03  train until 2013-01; judge by the 2 months up to it (outcomes known by 2013-04-02 00:00 UTC)",
        "2013-04  train until 2013-02; judge by the 2 months up to it (outcomes known by 2013-05-02 00:00 UTC)",
        "Not yet due: 2013-05: 5 of 10 rows have an outcome, 90% are needed",
    ]
