"""A registered model is trained again from its record: equal to the last bit, or what differs is named."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lakehouse import deltafiles, models, raw, record, runner, tables
from lakehouse.cli import models as commands
from lakehouse.errors import KernelDied, UnknownName
from lakehouse.manifest import Manifest
from lakehouse.models import Registered
from lakehouse.names import TableName
from lakehouse.source import Delivery
from lakehouse.training import reproduce as reproducing
from lakehouse.training.keep import artifacts
from lakehouse.training.reproduce import Verdict, reproduce
from lakehouse.training.source import code_of
from lakehouse.training.which import Which
from tests.notebooks import notebook
from tests.training.points import PARAMETERS, TRAIN, commit
from tests.workspace import Workspace

ASSET = TableName("models", "points")
KILLER = """
    import os, signal
    from matplotlib.figure import Figure

    class Killer(Figure):
        def savefig(self, *args, **more):
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module", autouse=True)
def a_runner() -> Iterator[None]:
    """This process starts kernels as a runner does, whatever tests before have imported: a JupyterLab's get the sandbox."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(sys.modules, "jupyter_server", raising=False)
        yield


@pytest.fixture(scope="module")
def trained(a_runner: None, points: Workspace) -> Workspace:
    """Two versions, trained in two kernels."""
    with points.running():
        for _ in range(2):
            runner.run(ASSET, {"trees": 4, "most": 600}, points.settings)
    return points


@pytest.fixture
def place(trained: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    for name, value in trained.shell.items():
        monkeypatch.setenv(name, value)
    yield trained


def versions(place: Workspace) -> list[Registered]:
    return [one for one in models.registered(place.settings) if one.name == "models.points"]


def again(place: Workspace, version: int | str = 1, **how: Any) -> tuple[Verdict, list[str]]:
    told: list[str] = []
    return reproduce(place.settings, Which(ASSET, version), tell=told.append, **how), told


def differences(verdict: Verdict) -> list[tuple[str, str]]:
    return [(one.kind, one.what) for one in verdict.differences]


def test_two_trainings_are_equal_to_the_last_bit(place: Workspace) -> None:
    first, second = (models.facts_of(place.settings, one) for one in versions(place)[:2])
    assert first["metrics"] == second["metrics"] and 0.6 < first["metrics"]["accuracy"] < 1
    assert first["training"]["kept"] == second["training"]["kept"]
    assert first["training"]["left_to_chance"] == []
    assert (first["training"]["sets"][0]["rows"], first["training"]["sets"][0]["of"]) == (600, 800)


def test_the_executed_notebook_stays_with_the_model(place: Workspace) -> None:
    kept = artifacts(place.root, "models.points") / versions(place)[0].run / "artifacts" / record.NOTEBOOK
    assert json.loads(kept.read_text())["metadata"]["lakehouse"]["asset"] == "models/points"


def state(root: Path) -> set[str]:
    """Every file of tables, runs and MLflow's artifacts, and every commit."""
    return {str(path.relative_to(root)) for part in ("tables", "runs", "mlflow", "raw") for path in (root / part).rglob("*")}


def test_it_is_reproduced_and_nothing_is_written(place: Workspace) -> None:
    place.run("features/points")  # the newest version is another one than was trained on
    before = state(place.root)
    left = place.root / ".reproduce-killed"
    left.mkdir()
    (left / "process").write_text(f"{2**22 + 1}-1")  # a process that is gone
    verdict, told = again(place)
    assert (verdict.equal, differences(verdict)) == (True, [])
    assert verdict.equal_parts == ["1 metrics", "predictions on 600 training rows"]
    assert "training models.points again" in told[0]
    assert state(place.root) == before
    assert not list(place.root.glob(".reproduce-*"))


def test_code_that_changed_is_taken_from_its_commit(place: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    file = place.project / "assets/transforms/learning.py"
    text = file.read_text()
    file.write_text(text.replace("max_depth=4", "max_depth=1"))
    try:
        assert commands.reproduce("points/1", as_json=True) == 0
        (found,) = json.loads(capsys.readouterr().out)["differences"]
        assert found["kind"] == "code" and not found["matters"]
        assert found["what"].startswith("assets/transforms/learning.py changed since; run as commit ")
    finally:
        file.write_text(text)


@pytest.mark.parametrize(
    ("git", "why"),
    [
        pytest.param({}, "outside a git checkout", id="no git"),
        pytest.param({"commit": "0" * 40, "clean": False}, "held changes that were never committed", id="not clean"),
        pytest.param({"commit": "0" * 40, "clean": True}, "git knows no commit 000000000000", id="no such commit"),
    ],
)
def test_code_that_cannot_be_had_is_named(place: Workspace, tmp_path: Path, git: dict[str, Any], why: str) -> None:
    facts = models.facts_of(place.settings, versions(place)[0])
    changed = {**facts, "git": git, "code": {**facts["code"], "code cell 3": "other"}}
    found = code_of(place.project, changed, tmp_path)
    assert found.project is None and found.moved == ("code cell 3",)
    assert why in found.why


def test_data_that_is_gone_is_named(place: Workspace) -> None:
    path = tables.lake_path(place.root, TableName("features", "points"))
    _, files = next(deltafiles.replay(path))
    file = next(iter(files.values())).path
    aside = file.rename(file.with_suffix(".aside"))
    try:
        verdict, _ = again(place)
    finally:
        aside.rename(file)
    assert (verdict.ran, verdict.equal) == (False, False)
    assert differences(verdict) == [("data", "features.points version 0 can no longer be read: 1 of its 3 files are gone")]
    assert reproducing._gone(path, 99) == "there is no such version (any more)"


def test_what_differs_is_named() -> None:
    from lakehouse.training.again import Found

    facts = {"metrics": {"auc": 0.75, "loss": 0.5}, "training": {"kept": {"inputs": "a", "predictions": "b"}}}
    found = Found(metrics={"auc": 0.75, "loss": 0.25}, inputs="x", predictions="y", rows=600, differing=3, largest=0.125)
    verdict = Verdict("models.points", 1)
    reproducing._compare(facts, found, verdict, close=0.0)
    assert not verdict.equal
    assert differences(verdict) == [
        ("metrics", "loss was 0.5, is 0.25"),
        ("rows", "the rows that are trained on are others"),
        ("predictions", "3 of the predictions on 600 training rows differ, by up to 0.125"),
    ]


def test_from_raw_makes_the_training_set_anew_of_what_had_come_by_then(place: Workspace) -> None:
    manifest = Manifest(raw.folder_of(place.root, TableName("raw", "points")))
    raw.receive(place.root, manifest, [Delivery("points.csv", b"id,x,y,late\n1,1,1,1\n")])
    verdict, told = again(place, from_raw=True)
    assert (verdict.equal, differences(verdict)) == (True, [])
    assert [words.split(",")[0] for words in told] == [
        "raw.points: 1 files as they were",
        "features/points: 900 rows",
        "training models.points again",
    ]
    assert not list(place.root.glob(".reproduce-*"))


def test_the_command_line_lists_and_shows(place: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.listing() == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if "champion" in line and "models.points" in line)
    assert "features.points@0" in line and "accuracy 0." in line
    assert commands.show("points/1") == 0
    said = capsys.readouterr().out
    for words in ("models.points version 1", "trees = 4", "600 rows of 800 (75.0%", "commit ", "Python 3", "peak memory mib"):
        assert words in said
    with pytest.raises(UnknownName, match=r"models\.points has no version 99"):
        commands.show("points/99")


def test_killed_while_it_is_logged_nothing_is_registered(place: Workspace) -> None:
    import mlflow

    before = len(versions(place))
    cells = ["figures = {'x': killer.Killer()}", *TRAIN]
    imports = "from assets.transforms import killer, learning"
    place.write({"models/points": notebook("models/points", *cells, parameters=PARAMETERS, imports=imports)}, {})
    place.write({}, {}, files={"assets/transforms/killer.py": KILLER})
    with pytest.raises(KernelDied, match="killed"):
        runner.run(ASSET, {}, place.settings)
    assert len(versions(place)) == before
    client = mlflow.MlflowClient(models.tracking_uri(place.settings))
    experiment = client.get_experiment_by_name("models.points").experiment_id
    assert [run.info.status for run in client.search_runs([experiment])].count("FAILED") == 1
    assert client.search_runs([experiment], "attributes.status = 'RUNNING'") == []
    commit(place)
