"""Who takes part in retraining, found in the notebooks' own text."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from lakehouse.errors import LakehouseError
from lakehouse.names import TableName
from lakehouse.project import Project
from lakehouse.retraining import course
from tests.notebooks import notebook, project
from tests.retraining.project import CONTRACTS, NOTEBOOKS

MODEL = TableName("models", "things")


def made(folder: Path, changed: dict[str, Any] | None = None, contracts: dict[str, Any] | None = None) -> Project:
    known = {name: one for name, one in {**NOTEBOOKS, **(changed or {})}.items() if one}
    return Project.load(project(folder, known, {**CONTRACTS, **(contracts or {})}))


def parameters(name: str, text: str) -> dict[str, Any]:
    """A notebook of the project with other parameters."""
    found = copy.deepcopy(NOTEBOOKS[name])
    found["cells"][2]["source"] = text
    return found


def test_the_notebooks_say_who_trains_judges_and_scores(tmp_path: Path) -> None:
    found = course.of(made(tmp_path), MODEL)
    assert (found.trainer.slashed, found.train_parameter) == ("models/things", "until")
    assert (found.judge.slashed, found.judge_parameter) == ("evaluation/things", "through")
    assert [scorer.slashed for scorer in found.scorers] == ["scores/things"]
    assert [(asset.slashed, name) for asset, name in found.moments] == [("evaluation/things", "known_by")]
    assert (found.months, found.first) == (2, "2013-03")


UNJUDGED = {"evaluation/things": None, "scores/things": NOTEBOOKS["scores/things"]}
NO_OUTCOME = {"models.things": {key: value for key, value in CONTRACTS["models.things"].items() if key != "outcome"}}
FAILURES: dict[str, tuple[str, dict[str, Any], dict[str, Any], str]] = {
    "no such model": ("models.thing", {}, {}, "No notebook logs the model models.thing\n.* Did you mean models.things?"),
    "nobody judges it": ("models.things", UNJUDGED, {}, "No notebook judges models.things\nEnd one with lake.promote"),
    "its contract tells no outcome": (
        "models.things",
        {},
        NO_OUTCOME,
        "assets/contracts/models/things.yaml has no section outcome",
    ),
    "its outcome's table is not by month": (
        "models.things",
        {},
        {"features.things": {key: value for key, value in CONTRACTS["features.things"].items() if key != "partitions"}},
        "features.things, in which the outcome of models.things is looked up, has no partitions\nPartition it by month",
    ),
    "two months to train by": (
        "models.things",
        {"models/things": parameters("models/things", 'since: month = "2013-01"\nuntil: month = "2013-02"')},
        {},
        "notebooks/models/things.ipynb has 2 parameters of type month, so retraining does not know which to move\nGive it one",
    ),
    "no month to judge by": (
        "models.things",
        {"evaluation/things": parameters("evaluation/things", "# none")},
        {},
        "notebooks/evaluation/things.ipynb has no parameters of type month",
    ),
}


@pytest.mark.parametrize("model, changed, contracts, message", FAILURES.values(), ids=FAILURES.keys())
def test_what_cannot_be_retrained_is_told(
    model: str, changed: dict[str, Any], contracts: dict[str, Any], message: str, tmp_path: Path
) -> None:
    there = made(tmp_path, changed, contracts)
    with pytest.raises(LakehouseError, match=message):
        course.of(there, TableName.parse(model))
    assert [one.model for one in course.courses(there)] == ([MODEL] if model != "models.things" else [])


def test_a_run_stays_where_the_loop_has_moved_it(tmp_path: Path) -> None:
    there = made(tmp_path)
    trainer, judge = there.notebooks[MODEL], there.notebooks[TableName("evaluation", "things")]
    assert course.moved(there, trainer, {"until": "2013-04", "spoilt": 3}) == {"until": "2013-04"}
    assert course.moved(there, trainer, {"until": "2012-12"}) == {}
    then = {"through": "2013-03", "known_by": "2013-04-02T03:00:00"}
    assert course.moved(there, judge, then) == {"known_by": "2013-04-02T03:00:00"}


def test_a_model_that_nobody_judges_is_moved_by_nobody(tmp_path: Path) -> None:
    there = made(tmp_path, {"evaluation/things": None})
    assert course.moving(there, there.notebooks[MODEL]) == ()
    other = made(tmp_path, {"gold/things": notebook("gold/things", parameters='until: month = "2013-01"')})
    assert course.moving(other, other.notebooks[TableName("gold", "things")]) == ()
