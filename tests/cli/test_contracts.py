from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contracts.test_before import commit
from tests.notebooks import RAW_SOURCE, contract, copies, project
from tests.workspace import Workspace

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    """A committed project; nothing here starts Spark."""
    made = Workspace(tmp_path, "sc://localhost:1")
    made.write({"bronze/things": copies("raw.things", "bronze.things")}, ["bronze.things"], RAW_SOURCE)
    commit(made.project)
    return made


def test_the_schema_is_json(place: Workspace, lakehouse: Command) -> None:
    code, out, _ = lakehouse(place, "contract", "schema")
    assert code == 0
    assert json.loads(out)["required"] == ["table", "description", "owner", "columns"]


def test_no_difference(place: Workspace, lakehouse: Command) -> None:
    assert lakehouse(place, "contract", "diff") == (0, "No contract differs from HEAD.\n", "")
    assert lakehouse(place, "contract", "diff", "--json")[:2] == (0, "[]\n")


@pytest.mark.parametrize(
    ("changed", "code", "said"),
    [
        pytest.param({"owner": "other@example.com"}, 0, "compatible", id="compatible"),
        pytest.param({"key": []}, 1, "refused: this breaks what was promised: raise version to 2 or undo it", id="breaking"),
        pytest.param({"key": [], "version": 2}, 0, "version 1 → 2", id="breaking with a version"),
    ],
)
def test_the_exit_code_says_whether_it_breaks_without_a_version(
    place: Workspace, lakehouse: Command, changed: dict[str, object], code: int, said: str
) -> None:
    promise = {**contract("bronze.things"), **changed}
    project(place.project, {"silver/a": copies("bronze.things", "silver.a")}, {"bronze.things": promise})
    found, out, _ = lakehouse(place, "contract", "diff", "bronze.things")
    assert (found, said in out) == (code, True), out
    assert "read by notebooks/silver/a.ipynb" in out
    found, out, _ = lakehouse(place, "contract", "diff", "--json")
    (one,) = json.loads(out)
    assert (found, one["table"], one["readers"]) == (code, "bronze.things", ["notebooks/silver/a.ipynb"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["diff", "bronze.thing"], "bronze.thing has no contract"),
        (["diff", "--against", "nothing"], "git knows no such contracts"),
        (["diff", "bronze.things", "--published"], "bronze.things was not published yet"),
        (["infer", "bronze.things", "--write"], "assets/contracts/bronze/things.yaml is there already"),
        (["infer", "things"], "'things' is not a name of a table"),
    ],
)
def test_wrong_input_is_told_without_a_traceback(place: Workspace, lakehouse: Command, words: list[str], message: str) -> None:
    code, _, err = lakehouse(place, "contract", *words)
    assert (code, message in err) == (2, True), err


def test_a_draft_is_printed_and_written_once(workspace: Workspace, lakehouse: Command) -> None:
    workspace.write({"bronze/things": copies("raw.things", "bronze.things")}, {}, RAW_SOURCE)
    workspace.land("raw.things")
    code, out, _ = lakehouse(workspace, "contract", "infer", "raw.things")
    assert code == 0 and out.startswith("# Drafted from raw.things, 1 files as landed: 3 rows.")
    code, said, _ = lakehouse(workspace, "contract", "infer", "raw.things", "--write")
    assert (code, said.split(":")[0]) == (0, "Written to assets/contracts/bronze/things.yaml")
    assert (workspace.project / "assets/contracts/bronze/things.yaml").read_text() == out
    assert lakehouse(workspace, "check")[0] == 0
    assert lakehouse(workspace, "contract", "infer", "raw.things", "--write")[0] == 2
