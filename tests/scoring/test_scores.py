"""Scores over a real server. Tests share a lake, and each brings what it needs to another version or month."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.errors import PySparkException

from lakehouse import ledger, models
from lakehouse.errors import LakehouseError, ScoringError, UntrustedModel
from lakehouse.ledger import byhand
from lakehouse.lineage import Node
from lakehouse.models import StoredModel
from lakehouse.names import TableName
from lakehouse.project import Project
from lakehouse.scoring import scores as scoring
from lakehouse.trace import Branch, back
from lakehouse.why import explain
from tests.scoring.conftest import FEBRUARY, JANUARY
from tests.workspace import Workspace

MODEL = TableName("models", "things")
COLUMNS = "id, month, score, model_version, features_version, run_id, scored_at, outcome, outcome_known_at"


def scores(place: Workspace, month: str = FEBRUARY) -> dict[tuple[int, int], Any]:
    """The rows of a month by thing and version of the model."""
    rows = place.rows("scores.things", COLUMNS)
    return {(row[0], row[3]): row for row in rows if row[1] == month}


def test_every_row_is_scored_as_a_notebook_would_and_says_by_what(things: Workspace) -> None:
    found = scores(things, JANUARY)
    with things.running():
        lake = things.open("scores/things", months=[JANUARY])
        rows = lake.read("features.things").orderBy("id").toPandas()
    bare = models.load(things.settings, MODEL, 1).predict_proba(rows[["kind", "size"]])[:, 1]
    assert len(rows) == 100
    assert [found[int(id), 1][2] for id in rows["id"]] == bare.tolist()
    features, run, at = found[int(rows["id"][0]), 1][4:7]
    assert (features, (things.root / "runs" / "scores" / "things" / run).is_dir()) == ("features.things@1", True)
    assert at is not None


def test_an_outcome_is_null_until_it_is_known(things: Workspace) -> None:
    assert {None in row[-2:] for row in scores(things, JANUARY).values()} == {False}
    assert {row[-2:] for row in scores(things, FEBRUARY).values()} == {(None, None)}


def test_scoring_again_with_the_same_model_changes_no_row(things: Workspace) -> None:
    things.run("scores/things", months=[FEBRUARY])
    before = scores(things)
    (write,) = things.run("scores/things", months=[FEBRUARY]).writes
    assert scores(things) == before
    assert (write.rows, write.version) == (0, things.version("scores.things"))


def trained_on(place: Workspace, where: str) -> list[int]:
    """The versions of the model that the way back of the scores meets."""

    def walk(branches: tuple[Branch, ...]) -> list[int]:
        own = [branch.what.version for branch in branches if isinstance(branch.what, Node) and branch.model]
        return own + [version for branch in branches for version in walk(branch.branches)]

    found = back(Project.load(place.project), place.settings, TableName("scores", "things"), where)
    return [version for one in found for version in walk(one.back)]


def test_another_model_keeps_what_was_told_and_late_outcomes_reach_both(things: Workspace) -> None:
    old = scores(things)
    things.run("models/things", rounds=9)
    things.run("features/things", months=[FEBRUARY])  # by now it is known
    things.run("scores/things", months=[FEBRUARY])
    new = scores(things)
    (second,) = {version for _, version in new} - {version for _, version in old}
    for key, row in old.items():
        assert new[key][:7] == row[:7]
        assert new[key][-2:] == new[key[0], second][-2:]
        assert None not in new[key][-2:]
    assert {row[2] for (_, version), row in new.items() if version == second} != {row[2] for row in old.values()}
    assert trained_on(things, "id = 2003 and model_version = 1") == [1]
    assert trained_on(things, f"id = 2003 and model_version = {second}") == [second]


def test_a_run_ends_with_the_version_that_it_began_with(things: Workspace) -> None:
    """Also where it has not met the model yet when another becomes champion, and when the one before does again."""
    lake, began = things.open("scores/things", months=[JANUARY]), ledger.champion(things.root, MODEL)
    features = lake.read("features.things")
    things.run("models/things", rounds=7)
    assert models.load(things.settings, MODEL).version == began + 1
    (first,) = lake.score(features, "models.things", keep=["id"]).select("model_version").distinct().collect()
    assert first.model_version == began
    late = things.open("scores/things", months=[JANUARY])
    assert byhand.roll_back(things.settings, MODEL).to_version == began
    (second,) = late.score(features, "models.things", keep=["id"]).select("model_version").distinct().collect()
    assert second.model_version == late.load_model("models.things").version == began + 1
    assert lake._publisher.result.inputs["models.things"]["version"] == began


def test_another_champion_tells_no_score_anew(things: Workspace) -> None:
    """Only what was never scored is; why the rest is not is told."""
    things.run("scores/things", months=[JANUARY])
    then = ledger.champion(things.root, MODEL)
    things.run("models/things", rounds=5)
    assert [reason for step in things.plan("scores/things") for reason in step.reasons if "models" in reason] == []
    (found,) = explain(Project.load(things.project), things.settings, TableName("scores", "things"), (JANUARY,))
    (said,) = found.kept
    assert said.startswith(f"models.things version {then} told these scores, version {ledger.champion(things.root, MODEL)} is")
    assert "a score is told once" in said


def test_odd_values_are_scored_as_in_pandas(things: Workspace) -> None:
    lake = things.open("scores/things", months=[JANUARY])
    odd = lake.spark.sql(
        "select * from values (1, 'never seen', 5.0d), (2, null, null), (3, 'a', double('NaN')), (4, 'b', double('infinity')), "
        "(5, 'c', double('-infinity')), (6, '', 1e300d) as t(id, kind, size)"
    )
    found = lake.score(odd, "models.things", keep=["id"]).orderBy("id").toPandas()
    rows = odd.orderBy("id").toPandas()
    assert np.array_equal(found["score"], lake.load_model("models.things").predict_proba(rows[["kind", "size"]])[:, 1])


def test_no_rows_have_no_scores(things: Workspace) -> None:
    lake = things.open("scores/things", months=[JANUARY])
    found = lake.score(lake.read("features.things").limit(0), "models.things", keep=["id", "month"])
    assert found.collect() == []
    assert found.columns == ["id", "month", "score", "model_version", "features_version", "run_id", "scored_at"]


@pytest.mark.parametrize(
    ("select", "keep", "message"),
    [
        pytest.param("id, kind", ["id"], "cannot score these rows: size is missing", id="missing"),
        pytest.param("id, kind, string(size) as size", ["id"], "size is string, it takes double", id="type"),
        pytest.param("id, kind, size", ["flight"], "flight is to be kept beside the scores of models.things", id="keep"),
    ],
)
def test_rows_that_are_not_what_the_model_takes_are_refused(things: Workspace, select: str, keep: list[str], message: str) -> None:
    lake = things.open("scores/things", months=[JANUARY])
    with pytest.raises(ScoringError) as caught:
        lake.score(lake.read("features.things").selectExpr(*select.split(", ")), "models.things", keep=keep)
    assert message in caught.value.what


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        pytest.param("alter", "are not those that were registered", id="altered"),
        pytest.param("remove", "are gone: ", id="gone"),
        pytest.param("hide", "cannot be read where Spark's workers run", id="gone meanwhile"),
    ],
)
def test_a_model_whose_files_are_not_as_registered_scores_nothing(
    things: Workspace, monkeypatch: pytest.MonkeyPatch, harm: str, message: str
) -> None:
    things.run("models/things", rounds=11)
    stored, before = models.locate(things.settings, MODEL), things.version("scores.things")
    beside = stored.files.with_name("beside")
    shutil.copytree(stored.files, beside)
    harm_files(stored, monkeypatch, harm)
    try:
        with pytest.raises((UntrustedModel, ScoringError), match=message) as caught:
            things.run("scores/things", months=[JANUARY])
    finally:
        shutil.rmtree(stored.files, ignore_errors=True)
        beside.rename(stored.files)
    assert isinstance(caught.value, LakehouseError) and caught.value.hint
    assert str(stored.version) in caught.value.what
    assert things.version("scores.things") == before


@pytest.mark.parametrize(
    ("said", "kind", "message"),
    [
        pytest.param("ModuleNotFoundError: No module named 'lakehouse'", ScoringError, "No module named 'lakehouse'", id="module"),
        pytest.param("lakehouse.errors.UntrustedModel: It was altered\nRestore it.", UntrustedModel, "It was altered", id="ours"),
        pytest.param("ZeroDivisionError: division by zero", PySparkException, "division by zero", id="not ours"),
        pytest.param("lakehouse.errors.os: x\ny", PySparkException, "errors.os", id="no error's name"),
    ],
)
def test_what_a_worker_raises_is_raised_here(said: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=re.escape(message)), scoring.in_words():
        raise PySparkException(f"Job aborted:\nTraceback (most recent call last):\n  File …\n{said}\n")


def harm_files(stored: StoredModel, monkeypatch: pytest.MonkeyPatch, harm: str) -> None:
    from lakehouse.scoring import signature

    if harm == "alter":
        path = stored.files / "model.skops"
        path.write_bytes(path.read_bytes() + b"\0")
    elif harm == "remove":
        shutil.rmtree(stored.files)
    else:
        known = signature.inputs

        def then_remove(files: Path, whose: str) -> dict[str, str]:
            found = known(files, whose)
            shutil.rmtree(files)
            return found

        monkeypatch.setattr(signature, "inputs", then_remove)
