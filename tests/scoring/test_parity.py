from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from lakehouse import models
from lakehouse.errors import AuditFailed
from lakehouse.models import StoredModel
from lakehouse.names import TableName
from lakehouse.project import Project
from lakehouse.record import CheckRecord, Result
from lakehouse.scoring import scores
from lakehouse.scoring.parity import audit
from tests.scoring.conftest import JANUARY
from tests.workspace import Workspace


def parity(result: Result) -> CheckRecord:
    (found,) = (check for check in result.checks if check.name == "parity")
    return found


def refused(place: Workspace, **values: Any) -> CheckRecord:
    """The check of parity of a run that publishes nothing because of it."""
    before = place.version("scores.things")
    with pytest.raises(AuditFailed) as caught:
        place.run("scores/things", months=[JANUARY], **values)
    assert place.version("scores.things") == before
    (found,) = caught.value.results
    assert found["name"] == "parity"
    return CheckRecord.model_validate(found)


def test_the_same_entities_are_looked_at_each_time_and_none_differs(things: Workspace) -> None:
    found = [parity(things.run("scores/things", months=[JANUARY])) for _ in range(2)]
    assert [(one.passed, one.observed, one.unexpected) for one in found] == [(True, "50 entities, none differs", 0)] * 2


def test_a_feature_altered_on_the_way_is_named_with_both_values(things: Workspace) -> None:
    found = refused(things, seen="size + 40")
    assert found.unexpected in range(40, 50)  # a tenth has no size
    row = found.rows[0]
    assert (row["column"], row["scored"] - row["table"]) == ("size", 40)
    told = f"{row['entity']}: size {row['scored']}, by the table {row['table']}"
    assert f"{found.unexpected} of 50 entities differ: {told}" in found.observed


def test_a_value_that_became_missing_on_the_way_is_named(things: Workspace) -> None:
    found = refused(things, seen="if(pmod(id, 5) = 0, null, size)")
    assert found.unexpected
    assert {(row["column"], row["scored"]) for row in found.rows if row["column"] == "size"} == {("size", None)}


def test_a_score_that_is_not_the_models_is_named(things: Workspace) -> None:
    found = refused(things, say="score / 2")
    assert found.unexpected == 50
    assert all(row["column"] == "score" and row["scored"] == pytest.approx(row["table"] / 2) for row in found.rows)


def test_scores_by_another_models_files_are_caught(things: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    things.run("models/things", rounds=13)
    first, compute = models.locate(things.settings, TableName("models", "things"), 1), scores.compute

    def by_another(model: StoredModel, *given: Any, **named: Any) -> scores.Scored:
        return compute(dataclasses.replace(model, files=first.files, digest=first.digest), *given, **named)

    monkeypatch.setattr(scores, "compute", by_another)
    assert {row["column"] for row in refused(things).rows} == {"score"}


def test_scores_of_which_nothing_is_known_have_not_passed(things: Workspace) -> None:
    lake = things.open("scores/things", months=[JANUARY])
    promise = Project.load(things.project).contracts[TableName("scores", "things")]
    assert promise.parity is not None
    (found,) = audit(lake, lake.read("features.things"), promise, promise.parity)
    assert (found.passed, found.observed) == (False, "could not be computed: the run did not make its scores by lake.score")
