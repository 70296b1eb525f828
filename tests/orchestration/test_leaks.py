from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from lakehouse.leaks import check
from lakehouse.leaks.compare import Difference
from lakehouse.leaks.outcome import Answer, Outcome
from lakehouse.orchestration import leaks
from lakehouse.orchestration.definitions import build_definitions
from tests.leaks import trips
from tests.notebooks import project
from tests.orchestration.conftest import Place, place_of

KEY = dg.AssetCheckKey(dg.AssetKey(["features", "trip"]), leaks.NAME)

LEAK = Difference(column="own", rows=2, first="a", last="b", key={"id": "7"}, published="1")


@pytest.fixture
def trips_place(tmp_path: Path) -> Place:
    cell = "df = asked.selectExpr('id', 'bus', 'asked_at')"
    folder = project(tmp_path / "project", trips.sources() | trips.features(cell), trips.promises() | trips.promise({}))
    return place_of(folder, tmp_path / "lake")


def definitions(place: Place) -> dg.Definitions:
    return build_definitions(place.settings.project, place.settings)


def test_a_table_of_features_has_a_check_that_only_its_own_job_runs(trips_place: Place) -> None:
    repository = definitions(trips_place).get_repository_def()
    assert KEY in repository.asset_graph.asset_check_keys
    steps = {name: {node.name for node in repository.get_job(name).nodes} for name in ("everything", leaks.JOB)}
    assert steps["everything"] == {"silver__trips", "silver__lines", "features__trip"}
    assert steps[leaks.JOB] == {f"features__trip_{leaks.NAME}"}


@pytest.mark.parametrize("found", [[], [LEAK]], ids=["none", "a leak"])
def test_its_outcome_is_shown(trips_place: Place, monkeypatch: pytest.MonkeyPatch, found: list[Difference]) -> None:
    answers = [Answer(moment="2024-01-02 10:00:00", rows=90, altered={"silver.trips": 110}, differences=found)]
    made = Outcome(table="features.trip", partition=None, version=0, made_by="r", answers=answers, leaks=found)
    monkeypatch.setattr(check, "look", lambda *_, **__: made)
    done = definitions(trips_place).resolve_job_def(leaks.JOB).execute_in_process(instance=dg.DagsterInstance.ephemeral())
    (told,) = done.get_asset_check_evaluations()
    assert (told.asset_check_key, told.passed, told.severity) == (KEY, not found, dg.AssetCheckSeverity.ERROR)
    assert told.metadata["rows compared"].value == 90
    assert ("leaks" in told.metadata) == bool(found)
    if found:
        assert told.description == "from what was not yet known: own (2 rows)"
        (row,) = told.metadata["leaks"].records
        assert (row.data["column"], row.data["key"], row.data["probed"]) == ("own", "7", "null")
