"""A model's life on a real lake: the first becomes champion, a better one follows, one that is no better is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from lakehouse import ledger, runner
from lakehouse.cli import compare as command
from lakehouse.errors import LakehouseError
from lakehouse.names import TableName
from lakehouse.project import Project
from lakehouse.promotion import compare, facts, page, probing
from lakehouse.record import Judged, Result
from tests.promotion.project import CONTRACTS, LEAKY, NOTEBOOKS, features
from tests.workspace import Workspace

MODEL, JUDGE, TABLE = TableName("models", "rides"), TableName("evaluation", "rides"), TableName("features", "rides")
Probed = Callable[[], list[str]]


@pytest.fixture(scope="module")
def place(new_workspace: Callable[[str], Workspace]) -> Workspace:
    """Version 1 has seen the drizzle, and is the champion."""
    made = new_workspace("rides")
    made.write(NOTEBOOKS, CONTRACTS)
    for name in ("silver/rides", "features/rides", "models/rides"):
        made.run(name)
    return made


@pytest.fixture
def probe(place: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Probed]:
    """Does what a runner does before it starts a judging notebook; the probes run here. Returns the tables looked at."""
    monkeypatch.setattr(runner, "rehearse", place.rehearse)

    def ensure() -> list[str]:
        project = Project.load(place.project)
        return [one.table for one in probing.ensure(project, place.settings, project.notebook(JUDGE))]

    yield ensure


def judge(place: Workspace, target: str = "lake") -> dict[str, Any]:
    return place.names("evaluation/rides", target)


def meet(place: Workspace, evidence: Any, target: str = "lake") -> Any:
    """What becomes of the newest version by evidence that was measured before."""
    lake = place.open("evaluation/rides", target)
    with place.running(target):
        contest = lake.contest("models.rides")
        return contest, lake.promote("models.rides", evidence)


def decided(place: Workspace) -> list[tuple[str, int | None, int]]:
    return [(one.action, one.from_version, one.to_version) for one in ledger.entries(place.root, MODEL)]


def planned(place: Workspace) -> list[str]:
    return [step.asset.slashed for step in place.plan()]


def test_a_model_that_nobody_looked_at_for_leaks_is_refused(place: Workspace) -> None:
    verdict = judge(place, "sandbox")["verdict"]
    assert verdict.outcome == "refused"
    assert [gate.name for gate in verdict.failed] == ["leaks"], str(verdict)
    assert "look by `lakehouse leaks features.rides`" in verdict.said
    assert decided(place) == [], "a sandbox records nothing"
    with pytest.raises(LakehouseError):
        place.run("scores/rides")  # nobody is the champion


def test_the_first_is_promoted_and_only_then_can_be_scored_with(place: Workspace, probe: Probed) -> None:
    assert planned(place) == ["evaluation/rides", "scores/rides"]
    assert (probe(), probe()) == (["features.rides"], []), "the present code is looked at once"
    found = judge(place)
    assert (found["contest"].challenger.version, found["contest"].champion) == (1, None)
    assert found["verdict"].outcome == "promoted", str(found["verdict"])
    assert decided(place) == [("promoted", None, 1)]
    place.run("scores/rides")
    assert set(place.rows("scores.rides", "model_version")) == {(1,)}
    result = found["lake"]._publisher.result
    assert [(one.model, one.version, one.outcome) for one in result.judged] == [("models.rides", 1, "promoted")]
    assert planned(place) == []


def test_a_better_one_follows_and_is_judged_again_as_it_was(place: Workspace, probe: Probed) -> None:
    place.run("models/rides", seen="rain")
    assert probe() == []
    found = judge(place)
    assert found["verdict"].outcome == "promoted", str(found["verdict"])
    assert decided(place)[1:] == [("promoted", 1, 2)]
    kept = ledger.entries(place.root, MODEL)[-1].evidence
    assert [one["slice"] for one in kept["slices"]["gains"]] == ["black", "blue", "green", "red"]
    assert kept["written"] == {"evaluation.rides": 1}
    contest, _ = meet(place, found["evidence"])
    assert (contest.challenger.version, contest.champion.version) == (2, 1)
    assert len(decided(place)) == 2, "a champion that is judged again is not promoted again"


def test_one_that_is_no_better_is_refused_and_the_champion_goes_on(place: Workspace) -> None:
    place.run("models/rides", seen="rain")
    found = judge(place)
    verdict = found["verdict"]
    assert (verdict.outcome, [gate.name for gate in verdict.failed]) == ("refused", ["better"]), str(verdict)
    meet(place, found["evidence"])
    assert decided(place)[2:] == [("refused", 2, 3)], "the same verdict on the same rows is told once"
    assert ledger.champion(place.root, MODEL) == 2
    place.run("scores/rides")
    assert set(place.rows("scores.rides", "model_version")) == {(2,)}
    checked, said = facts.gather(Project.load(place.project), place.root, MODEL, 3).parity["scores.rides"]
    assert checked is True and "none differs" in said


def test_its_page_tells_who_was_promoted_and_who_refused_and_why(place: Workspace) -> None:
    from matplotlib.figure import Figure

    told = page.history(place.root, MODEL)
    lines = page.markdown(told).splitlines()[2:]
    assert [line.split(" | ")[1:4] for line in lines] == [["3", "refused", "2"], ["2", "promoted", "1"], ["1", "promoted", ""]]
    assert "**better**: log loss" in lines[0] and "not better by more than noise" in lines[0]
    assert page.figures(told[2])["champion"] == 2 and page.figures(told[1])["champion"] == 2
    assert page.figures(told[1])["log loss gain"] > 0.01
    axes = Figure().add_subplot()
    page.plot(told, axes)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["promoted", "refused"]


def test_two_versions_are_compared_where_they_met(place: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    found = compare.compare(Project.load(place.project), place.root, MODEL, 1, 2)
    whole = found.lines[(found.lines["slice_kind"] == "all") & (found.lines["measure"] == "log_loss")].iloc[0]
    assert whole["gain"] < whole["high"] < 0 and whole["sure"]
    assert "log_loss" in set(found.better(2)["measure"]) and found.better(1).empty
    turned = compare.compare(Project.load(place.project), place.root, MODEL, 2, 1)
    assert list(turned.better(2)["gain"]) == list(-found.better(2)["gain"])
    with pytest.raises(LakehouseError, match="version 7 was not measured by evaluation/rides"):
        compare.compare(Project.load(place.project), place.root, MODEL, 1, 7)
    capsys.readouterr()
    with place.running():
        assert command.compare("rides/1", "@champion") == 0
        shown = capsys.readouterr().out
        assert command.card("rides@champion") == 0
    assert "models.rides version 1 beside version 2, on the same rows" in shown
    assert "version 2 is better by more than noise" in shown and "line red" in shown
    assert "Version 1 is better by more than noise on no slice." in shown
    assert "Tells late rides." in capsys.readouterr().out


def test_a_leaky_challenger_is_brilliant_and_refused(place: Workspace, probe: Probed) -> None:
    place.write(features(LEAKY), {})
    place.run("features/rides")
    place.run("models/rides", seen="hint")
    assert probe() == ["features.rides"], "other code is looked at anew"
    found = judge(place)
    verdict = found["verdict"]
    assert [gate.name for gate in verdict.failed] == ["leaks"], str(verdict)
    assert "from what was not yet known: hint" in verdict.said
    assert decided(place)[-1] == ("refused", 2, 4)
    with pytest.raises(LakehouseError, match=r"of version 4 against 3, not of this contest"):
        meet(place, replace(found["evidence"], champion=3), "sandbox")
    # By hand, and taken back.
    ledger.record(place.settings, MODEL, "promoted", from_version=2, to_version=4)
    ledger.record(place.settings, MODEL, "rolled_back", from_version=4, to_version=2, note="it warned of nothing")
    _, again = meet(place, found["evidence"], "sandbox")
    assert {gate.name: gate.said for gate in again.failed}["not_rolled_back"].endswith("it warned of nothing")


def test_a_run_that_judges_nothing_is_no_success(place: Workspace) -> None:
    project = Project.load(place.project)
    spec = project.notebook(JUDGE)
    from lakehouse import record
    from lakehouse.underway import Run

    run = Run(JUDGE, spec, {}, record.new_run_id(), place.root, "", {})
    result = Result(run_id=run.run_id, asset="evaluation.rides", writes=[record.Write(table="evaluation.rides", version=0, rows=1)])
    record.save(run.folder / record.RESULT, result)
    with pytest.raises(LakehouseError, match="ended without judging models"):
        runner._result_of(run)
    judged = Judged(model="models.rides", version=1, outcome="refused")
    record.save(run.folder / record.RESULT, result.model_copy(update={"judged": [judged]}))
    assert runner._result_of(run).judged == [judged]
