"""`lakehouse models list, rollback, promote, verify` as commands, and the job of Dagster's that approves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lakehouse import ledger
from lakehouse.orchestration import approval
from lakehouse.project import Project
from lakehouse.settings import Settings
from tests import notebooks
from tests.cli.conftest import lakehouse  # noqa: F401 (a fixture)
from tests.ledger.conftest import MODEL, client
from tests.ledger.test_byhand import decide
from tests.workspace import Workspace

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(place: Settings, lakehouse: Command) -> Command:  # noqa: F811
    there = Workspace(place.root.parent, "sc://localhost:1", place.root)  # no server is there, and none is needed
    there.write({}, {})
    return lambda *words: lakehouse(there, *words)


def test_the_list_begins_with_the_newest_and_says_what_was_decided(place: Settings, command: Command) -> None:
    decide(place, ("promoted", None, 1), ("refused", 1, 2))
    code, out, err = command("models", "list")
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines() if "models.m" in line]
    assert [line[1:3] for line in lines] == [["3", "challenger"], ["2", "refused"], ["1", "champion"]]
    told = json.loads(command("models", "list", "--json")[1])
    assert [(one["version"], one["decision"] and one["decision"]["action"]) for one in told] == [
        (3, None), (2, "refused"), (1, "promoted"),
    ]  # fmt: skip


def test_back_and_forward_again(place: Settings, command: Command) -> None:
    decide(place, ("promoted", None, 1), ("promoted", 1, 2))
    code, out, err = command("models", "rollback", "m", "--note", "too slow")
    assert (code, err) == (0, "")
    assert out.startswith(
        "models.m: version 1 is the champion now (before: version 2). Entry 3 of the ledger: rolled back to 1 from 2"
    )
    assert json.loads(command("models", "show", "m@challenger", "--json")[1])["version"] == 3
    code, out, _ = command("models", "promote", "m/2", "--json")
    assert (code, json.loads(out)["action"]) == (0, "promoted")
    assert json.loads(command("models", "show", "m@previous", "--json")[1])["version"] == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(("rollback", "m"), "Model models.m has no champion to go back from", id="no champion"),
        pytest.param(("rollback", "m/2"), "Name the model alone, and the version by --to", id="back to a version"),
        pytest.param(("promote", "m@challenger"), "Version 3 of models.m was never judged", id="not judged"),
        pytest.param(("promote", "m/3", "--force"), "Say so by --note", id="no word"),
        pytest.param(("show", "m@previous"), "Model models.m has no previous", id="no version before"),
    ],
)
def test_what_is_refused_is_told(command: Command, words: tuple[str, ...], message: str) -> None:
    code, _, err = command("models", *words)
    assert (code, message in err, "Traceback" in err) == (2, True, False)


def test_verify_finds_and_repairs(place: Settings, command: Command) -> None:
    decide(place, ("promoted", None, 1))
    assert command("models", "verify")[:2] == (0, "The ledger holds together, and MLflow's aliases follow it.\n")
    client(place).set_registered_model_alias(MODEL.dotted, "champion", "2")
    code, out, _ = command("models", "verify")
    assert code == 1 and "the alias champion stands at version 2 in MLflow" in " ".join(out.split())
    assert command("models", "verify", "--repair")[0] == 0 and command("models", "verify")[0] == 0


def judged(folder: Path) -> Project:
    cells = notebooks.notebook("evaluation/m", 'found = lake.contest("models.m")', 'lake.promote("models.m", found)')
    return Project.load(notebooks.project(folder, {"evaluation/m": cells}))


@pytest.mark.parametrize(("approve", "champion", "action"), [(True, 2, "approved"), (False, 1, "refused")])
def test_dagster_says_yes_or_no(place: Settings, tmp_path: Path, approve: bool, champion: int, action: str) -> None:
    decide(place, ("promoted", None, 1), ("waiting", 1, 2))
    (job,) = approval.jobs(judged(tmp_path / "p"), place)
    said = {"model": "m", "version": 2, "approve": approve, "note": "ann has seen it"}
    done = job.execute_in_process(run_config={"ops": {"decide": {"config": said}}}, raise_on_error=False)
    entry = ledger.entries(place.root)[-1]
    assert done.success and (entry.action, entry.note) == (action, "ann has seen it")
    assert entry.who == f"approve_model in Dagster, run {done.run_id}" and ledger.champion(place.root, MODEL) == champion
    again = job.execute_in_process(run_config={"ops": {"decide": {"config": said}}}, raise_on_error=False)
    (failure,) = again.get_step_failure_events()
    assert "version 2" in str(failure.event_specific_data.error).lower() and len(ledger.entries(place.root)) == 3


def test_a_project_that_judges_nothing_has_no_such_job(place: Settings, tmp_path: Path) -> None:
    assert approval.jobs(Project.load(notebooks.project(tmp_path / "p")), place) == []
