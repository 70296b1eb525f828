"""A year's first months, taken one by one on a real lake; notebooks' cells run here, without Dagster and kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from lakehouse import ledger
from lakehouse.orchestration import launch
from lakehouse.orchestration.launch import StepOutcome
from lakehouse.partitions import month
from lakehouse.plan import Step
from lakehouse.project import Project
from lakehouse.retraining import course, due, picture, story, turn
from lakehouse.retraining.course import Course
from lakehouse.retraining.turn import Taken
from tests.notebooks import document
from tests.retraining.project import CONTRACTS, NOTEBOOKS
from tests.retraining.test_course import MODEL
from tests.workspace import Workspace


@pytest.fixture(scope="module")
def place(new_workspace: Callable[[str], Workspace]) -> Workspace:
    """Features of January to May; `ran` lists what the loop ran, and of which it was told to stop before."""
    made = new_workspace("retraining")
    year = document('import lakehouse\nlake = lakehouse.open("explore/year")\nlake.read("features.things")')
    made.write({**NOTEBOOKS, "explore/year": year}, CONTRACTS)
    made.run("features/things", months=[f"2013-0{number}" for number in range(1, 6)])
    return made


@pytest.fixture
def ran(place: Workspace, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """Steps are executed here and listed."""
    found: list[tuple[str, Any]] = []

    def execute(_: Any, __: Any, steps: Sequence[Step], on_event: Any) -> list[StepOutcome]:
        for step in steps:
            found.append((step.asset.slashed, list(step.partitions) or dict(step.parameters)))
            place.run(step.asset.slashed, **({"months": list(step.partitions)} if step.partitions else step.parameters))
        return [StepOutcome(step.asset, step.partitions, "succeeded") for step in steps]

    monkeypatch.setattr(launch, "execute", execute)
    return found


def of(place: Workspace) -> tuple[Project, Course]:
    project = Project.load(place.project)
    return project, course.of(project, MODEL)


def is_due(place: Workspace, **more: Any) -> due.Due:
    project, found = of(place)
    return due.due(project, place.settings, found, apart=False, **more)


def take(place: Workspace, one: due.Turn) -> Taken:
    project, found = of(place)
    return turn.take(project, place.settings, found, one, lambda *_: None)


def test_it_begins_with_the_samples_and_takes_each_month_once(place: Workspace, ran: list[tuple[str, Any]]) -> None:
    told = is_due(place)
    assert [(one.train_until, one.through) for one in told.turns] == [
        ("2013-01", "2013-03"), ("2013-02", "2013-04"), ("2013-03", "2013-05"),
    ]  # fmt: skip
    first = take(place, told.turns[0])
    assert (first.version, first.action, first.champion, first.why) == (1, "promoted", 1, "")
    assert ran == [
        ("models/things", {"until": "2013-01"}),
        ("evaluation/things", {"through": "2013-03", "known_by": "2013-04-02T00:00:00"}),
        ("scores/things", ["2013-04"]),
    ]
    assert [one.through for one in is_due(place).turns] == ["2013-04", "2013-05"]


def test_killed_between_training_and_judging_it_goes_on_with_the_same_version(
    place: Workspace, ran: list[tuple[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    place.run("models/things", until="2013-02")
    (second, _) = is_due(place).turns
    assert second.trained == 2
    with monkeypatch.context() as killed:
        killed.setattr(due, "to_score", lambda *_: [])
        taken = take(place, second)
    assert [name for name, _ in ran] == ["evaluation/things"]
    assert (taken.version, taken.action, taken.champion) == (2, "promoted", 2)


def test_killed_between_judging_and_scoring_it_scores_first(place: Workspace, ran: list[tuple[str, Any]]) -> None:
    project, _ = of(place)
    found = is_due(place)
    assert (found.last, [scorer.slashed for scorer in found.left]) == ("2013-04", ["scores/things"])
    assert [(one.through, one.trained) for one in found.turns] == [("2013-05", None)]
    turn.score(project, place.settings, found.left, month("2013-05"), lambda *_: None)
    assert is_due(place).left == ()
    assert sorted(set(place.rows("scores.things", "month, model_version"))) == [("2013-04", 1), ("2013-05", 2)]


def test_what_was_moved_stays_and_is_not_stale(place: Workspace) -> None:
    """Neither the months that the loop has moved on to, nor June, which is to be built, are a reason to train or judge again."""
    assert {step.asset.slashed: step.partitions for step in place.plan()} == dict.fromkeys(
        ("features/things", "scores/things"), ("2013-06",)
    )


def test_outcomes_that_came_flow_into_the_scores_before_the_champion_may_change(
    place: Workspace, ran: list[tuple[str, Any]]
) -> None:
    place.run("features/things", months=["2013-05"], late="2013-05")
    told = is_due(place)
    assert (told.turns, told.waits) == ((), "2013-05: 192 of 400 rows have an outcome, 90% are needed")
    place.run("features/things", months=["2013-05"])
    (third,) = is_due(place).turns
    taken = take(place, third)
    assert [name for name, _ in ran] == ["scores/things", "models/things", "evaluation/things"]
    assert ran[0][1] == ["2013-05"]
    assert (taken.version, taken.action, taken.champion, taken.scored) == (3, "refused", 2, ())
    assert taken.why.startswith("better: ")
    assert (is_due(place).turns, is_due(place).revised) == ((), ())


def test_outcomes_written_again_after_the_verdict_are_told_and_change_nothing(place: Workspace) -> None:
    place.run("features/things", months=["2013-04"])
    found = is_due(place)
    assert (found.turns, found.last, found.revised) == ((), "2013-05", ("2013-04",))
    assert ledger.champion(place.root, MODEL) == 2


def test_a_month_before_now_only(place: Workspace) -> None:
    project, found = of(place)
    early = due.due(project, place.settings, found, at=datetime(2013, 4, 1, tzinfo=UTC), apart=False)
    assert early.turns == ()


def test_the_year_is_measured_by_who_scored_each_month_and_drawn(place: Workspace) -> None:
    import matplotlib.pyplot as plt
    from sklearn.metrics import log_loss, roc_auc_score

    from lakehouse import models

    lake = place.open("explore/year", target="sandbox")
    decided = story.decisions(story.entries(lake, "models.things"))
    rows = lake.read("features.things", partitions="all").where("came is not null").toPandas()
    rows = rows.assign(came=rows["came"].astype(int), day=rows["asked_at"].dt.date)
    found = story.measured(
        lake, "models.things", rows, decided, outcome="came", resample_by="day", inputs=lambda these: these[["size"]], resamples=20
    ).set_index(["month", "way", "measure"])  # fmt: skip
    assert sorted({month for month, _, _ in found.index}) == ["2013-04", "2013-05", story.MEAN]
    may = rows[rows["month"] == "2013-05"]
    told = models.load(place.settings, MODEL, 2).predict_proba(may[["size"]])[:, 1]
    own = found.loc[("2013-05", "champion", "log_loss")]
    assert (own["version"], own["value"]) == (2, pytest.approx(log_loss(may["came"], told)))
    assert found.loc[("2013-05", "champion", "auc"), "value"] == pytest.approx(roc_auc_score(may["came"], told))
    assert 0 < own["gain_low"] <= own["gain"] <= own["gain_high"]
    assert found.loc[("2013-05", "first", "log_loss"), "gain"] == 0
    figure, axes = plt.subplots(3, 1)
    picture.plot(found.reset_index(), decided, axes)
    assert [label.get_text() for label in axes[-1].get_xticklabels()] == ["2013-04\nchampion 1", "2013-05\nchampion 2"]
    plt.close(figure)
