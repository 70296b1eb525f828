"""What Dagster shows of a judged model: who waits for whom, each gate as a check, the model's page."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from lakehouse import tables
from lakehouse.ledger import Entry
from lakehouse.ledger import table as written
from lakehouse.names import TableName
from lakehouse.orchestration import checks, verdicts
from lakehouse.orchestration.definitions import build_definitions
from lakehouse.project import Project
from lakehouse.record import GateResult, Judged, RunRecord
from tests.notebooks import contract, notebook, project
from tests.orchestration.conftest import Place, place_of
from tests.promotion.challengers import CONTRACT

JUDGE, MODEL = TableName("evaluation", "rides"), TableName("models", "rides")
NOTEBOOKS = {
    "gold/rides": notebook("gold/rides", 'lake.write(1, "gold.rides")'),
    "models/rides": notebook("models/rides", 'lake.log_model(lake.read("gold.rides"), "models.rides")'),
    "evaluation/rides": notebook(
        "evaluation/rides", 'lake.write(lake.contest("models.rides"), "evaluation.rides")\nlake.promote("models.rides", 1)'
    ),
    "scores/rides": notebook(
        "scores/rides", 'lake.write(lake.score(lake.read("gold.rides"), "models.rides", keep=[]), "scores.rides")'
    ),
}
BETTER = GateResult(name="better", passed=False, said="log loss 0.56, 0.001 better than version 1: not better by more than noise")
ENOUGH = GateResult(name="enough", passed=True, said="4,800 rows")
SLICES = GateResult(name="slices", passed=None, said="there is no champion to be worse than")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    promised = {**CONTRACT, "gates": {**CONTRACT["gates"], "speed": False}}
    contracts = {name.replace("/", "."): contract(name.replace("/", ".")) for name in NOTEBOOKS if "models" not in name}
    folder = project(tmp_path / "project", NOTEBOOKS, {**contracts, "models.rides": promised})
    return place_of(folder, tmp_path / "lake")


def graph(place: Place) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return build_definitions(place.settings.project, place.settings).get_repository_def().asset_graph


def judged(*gates: GateResult, outcome: str) -> RunRecord:
    told = Judged(model="models.rides", version=2, against=1, outcome=outcome, gates=list(gates))
    return RunRecord(run_id="run", asset="evaluation.rides", status="succeeded", judged=[told])


def test_scores_wait_for_the_verdict_and_the_verdict_for_the_model(place: Place) -> None:
    found = graph(place)
    assert found.get(dg.AssetKey(["evaluation", "rides"])).parent_keys == {dg.AssetKey(["models", "rides"])}
    above = {key.to_user_string() for key in found.get(dg.AssetKey(["scores", "rides"])).parent_keys}
    assert above == {"evaluation/rides", "gold/rides", "models/rides"}


def test_each_gate_is_a_check_that_blocks_nothing(place: Place) -> None:
    names = {key.name for key in graph(place).asset_check_keys if key.asset_key == dg.AssetKey(["evaluation", "rides"])}
    assert {"rides__verdict", "rides__better", "rides__slices", "rides__leaks"} <= names
    assert "rides__speed" not in names, "the contract switches it off"
    loaded = Project.load(place.settings.project)
    assert not any(check.blocking for check in verdicts.specs(loaded, loaded.notebook(JUDGE)))
    assert {key.name for key in checks.keys(loaded, [JUDGE])} == names


def test_a_refusal_is_told_gate_by_gate(place: Place) -> None:
    loaded = Project.load(place.settings.project)
    done = judged(ENOUGH, BETTER, SLICES, outcome="refused")
    told = {one.check_name.removeprefix("rides__"): one for one in verdicts.results(loaded, loaded.notebook(JUDGE), done)}
    assert (told["verdict"].passed, told["verdict"].description) == (False, "version 2: refused (better)")
    assert (told["better"].passed, told["better"].description, told["better"].severity.value) == (False, BETTER.said, "WARN")
    assert (told["enough"].passed, told["enough"].description) == (True, "4,800 rows")
    assert told["slices"].description == "Nothing to judge: there is no champion to be worse than"
    assert told["leaks"].passed is False, "a gate that was not asked is not passed"
    assert list(verdicts.results(loaded, loaded.notebook(JUDGE), None)) == []


def test_too_little_evidence_is_never_green(place: Place) -> None:
    loaded = Project.load(place.settings.project)
    done = judged(ENOUGH.model_copy(update={"passed": False}), outcome="not enough evidence")
    told = {one.check_name: one.passed for one in verdicts.results(loaded, loaded.notebook(JUDGE), done)}
    assert told["rides__verdict"] is False and told["rides__enough"] is False


def test_a_models_page_has_its_decisions_and_figures_that_are_plotted(place: Place) -> None:
    root = tables.open_root(place.settings.root)
    gain = {"model_version": 1, "measure": "log_loss_gain", "value": 0.02, "low": 0.01, "high": 0.03}
    first = Entry.after(
        None, who="ada", model="models.rides", action="promoted", from_version=None, to_version=1, gates=[ENOUGH.model_dump()],
        evidence={"months": ["2013-03", "2013-04"], "rows": 4800, "measures": [gain]},
    )  # fmt: skip
    second = Entry.after(
        first, who="ada", model="models.rides", action="refused", from_version=1, to_version=2, gates=[BETTER.model_dump()]
    )
    assert [written.append(root, version, entry) for version, entry in enumerate((first, second))] == [True, True]
    loaded = Project.load(place.settings.project)
    (shown,) = verdicts.pages(root, loaded.notebook(JUDGE))
    assert shown.asset_key == dg.AssetKey(["models", "rides"])
    assert shown.description == f"version 2 refused; better: {BETTER.said}"
    lines = str(shown.metadata["decisions"].value).splitlines()[2:]
    assert [line.split(" | ")[1:4] for line in lines] == [["2", "refused", "1"], ["1", "promoted", ""]]
    assert "2013-03 to 2013-04, 4,800 rows | +0.0200 (+0.0100 to +0.0300)" in lines[1]
    assert {name: one.value for name, one in shown.metadata.items() if name != "decisions"} == {
        "champion": 1.0,
        "gates failed": 1.0,
    }
