from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from lakehouse.check import check
from lakehouse.names import TableName
from lakehouse.project import Project
from lakehouse.promotion import contract as contracts
from tests.notebooks import RAW_SOURCE, contract, copies, notebook, project
from tests.promotion.challengers import CONTRACT

VALIDATOR = jsonschema.Draft202012Validator(contracts.schema())
SHIPPED = sorted((Path(__file__).parents[2] / "assets" / "contracts" / "models").glob("*.yaml"))
MODEL = TableName("models", "rides")


def changed(**values: Any) -> dict[str, Any]:
    """The contract with values set by path, as in gates__better; None takes a key away."""
    made = copy.deepcopy(CONTRACT)
    for path, value in values.items():
        *above, last = path.split("__")
        place = made
        for name in above:
            place = place.setdefault(name, {})
        place[last] = value
        if value is None:
            del place[last]
    return made


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_ones_are_understood_and_every_gate_has_its_reason(path: Path) -> None:
    VALIDATOR.validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    found, problems = contracts.examine(path)
    assert problems == [] and found is not None
    assert [name for name in found.gates.model_fields_set if not getattr(found.gates, name).reason] == []


def test_every_key_is_explained_to_the_editor() -> None:
    jsonschema.Draft202012Validator.check_schema(contracts.schema())
    parts = [contracts.schema(), *contracts.schema()["$defs"].values()]
    assert [name for part in parts for name, about in part["properties"].items() if not about.get("description")] == []


def test_without_a_contract_every_gate_is_on() -> None:
    gates = contracts.default(MODEL).gates
    assert all(getattr(gates, name) is not False for name in type(gates).model_fields)


REFUSED = [
    pytest.param({"purpose": None}, "purpose is missing", id="missing"),
    pytest.param({"pourpose": "x"}, "unknown key 'pourpose' | Did you mean purpose", id="unknown key"),
    pytest.param({"model": "silver.rides"}, "silver.rides is no model: write models.rides", id="no model"),
    pytest.param({"gates__beter": {}}, "unknown key 'gates.beter' | Did you mean better", id="unknown gate"),
    pytest.param(
        {"gates__slices__tolerence": 1}, "unknown key 'gates.slices.tolerence' | Did you mean tolerance", id="unknown threshold"
    ),
    pytest.param({"gates__enough": False}, "gates.enough = False", id="enough switched off"),
    pytest.param({"gates__size": {"megabytes": -1}}, "gates.size.megabytes = -1", id="negative"),
    pytest.param({"gates__better__measure": "accuracy"}, "gates.better.measure = 'accuracy'", id="measure"),
    pytest.param({"evaluate__months": 0}, "evaluate.months = 0", id="no months"),
    pytest.param({"evaluate__slices": ["Line"]}, "'Line' is not a plain word", id="slice's name"),
    pytest.param({"approval": "never"}, "approval = 'never'", id="approval"),
    pytest.param({"outcome": {"table": "features.rides", "column": "is_late"}}, "outcome.known_at is missing", id="outcome"),
]


@pytest.mark.parametrize(("values", "words"), REFUSED)
def test_what_is_wrong_is_told_with_its_line(values: dict[str, Any], words: str, tmp_path: Path) -> None:
    content = changed(**values)
    path = tmp_path / "rides.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    assert not VALIDATOR.is_valid(content)
    found, problems = contracts.examine(path, "rides.yaml")
    assert found is None
    told = [f"{one.message} | {one.hint}" for one in problems]
    assert any(words in one for one in told), told
    assert all(one.line >= 1 and one.file == "rides.yaml" for one in problems)


def test_a_threshold_is_told_with_the_line_on_which_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "rides.yaml"
    path.write_text("model: models.rides\npurpose: p\nowner: o\ngates:\n  size:\n    megabytes: many\n")
    (problem,) = contracts.examine(path, "rides.yaml")[1]
    assert (problem.line, problem.message) == (6, problem.message) and "gates.size.megabytes = 'many'" in problem.message


JUDGE = (
    'contest = lake.contest("models.rides")',
    'lake.write(contest, "evaluation.rides")',
    'lake.promote("models.rides", contest)',
)
BASE = {
    "bronze/rides": copies("raw.things", "bronze.rides"),
    "models/rides": notebook("models/rides", 'lake.log_model(lake.read("bronze.rides"), "models.rides")'),
}
OUTCOME = {"table": "bronze.rides", "column": "late", "known_at": "at", "at": "at"}


def judging(*cells: str, name: str = "evaluation/rides") -> dict[str, Any]:
    return {name: notebook(name, *cells)}


CHECKED = [
    pytest.param(judging(*JUDGE), changed(), [], id="nothing"),
    pytest.param(
        judging(*JUDGE), None, ["cell 7, line 1 [no-contract] models.rides is judged by the library's thresholds"], id="no contract"
    ),
    pytest.param(
        {
            **judging(*JUDGE),
            **judging(JUDGE[0], 'lake.write(1, "evaluation.z")\nlake.promote("models.rides", 1)', name="evaluation/z"),
        },
        changed(),
        ["z.ipynb, cell 6, line 2 [two-judges] models.rides is judged by notebooks/evaluation/rides.ipynb already"],
        id="two judges",
    ),
    pytest.param(
        judging('lake.write(1, "evaluation.rides")\nlake.promote("models.rides", 1)'),
        changed(),
        ["cell 5, line 2 [no-contest] models.rides is judged without having met the champion"],
        id="no contest",
    ),
    pytest.param(
        judging('lake.load_model("models.rides")', *JUDGE),
        changed(),
        ["[judge-uses-champion] models.rides is judged here"],
        id="champion",
    ),
    pytest.param(
        judging(*(cell.replace("models.rides", "models.ride") for cell in JUDGE)),
        changed(),
        ["[unknown-model] No notebook logs the model models.ride", "[no-judge] No notebook judges models.rides"],
        id="unknown model",
    ),
    pytest.param({}, changed(), ["models/rides.yaml [no-judge] No notebook judges models.rides"], id="no judge"),
    pytest.param(
        judging(*JUDGE),
        changed(outcome=OUTCOME),
        ["outcome.column: bronze.rides has no column late", "outcome.known_at: bronze.rides has no column at"],
        id="outcome's columns",
    ),
    pytest.param(
        judging(*JUDGE),
        changed(outcome=OUTCOME),
        ["models/rides.yaml [bad-outcome] The outcome is looked up in bronze.rides, which has no partitions"],
        id="outcome's months",
    ),
    pytest.param(
        judging(*JUDGE),
        changed(outcome={**OUTCOME, "table": "bronze.ride"}),
        ["looked up in bronze.ride, which has no contract"],
        id="outcome",
    ),
    pytest.param(
        judging(*JUDGE), changed(evaluate__groups=["town"]), ["evaluate.groups: 'town' is not one of evaluate.slices"], id="group"
    ),
]


@pytest.mark.parametrize(("made", "promised", "expected"), CHECKED)
def test_check_tells_who_judges_blindly(
    made: dict[str, Any], promised: dict[str, Any] | None, expected: list[str], tmp_path: Path
) -> None:
    tables = ["bronze.rides", *(name.replace("/", ".") for name in made)]
    given = {table: contract(table) for table in tables} | ({"models.rides": promised} if promised else {})
    path = project(tmp_path, {**BASE, **made}, given, RAW_SOURCE)
    found = [f"{one.where} [{one.rule}] {one.message}" for one in check(path)]
    for words in expected:
        assert any(words in one for one in found), found
    if not expected:
        assert found == []
    assert set(Project.load(path).contracts) == {TableName.parse(table) for table in tables}, "a model's contract is no table's"
