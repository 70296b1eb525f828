from __future__ import annotations

import json
from collections.abc import Callable

import dagster as dg
import pytest

from lakehouse.orchestration import leaks
from lakehouse.orchestration.instance import instance
from tests.leaks import trips
from tests.workspace import Workspace

Command = Callable[..., tuple[int, str, str]]
KEY = dg.AssetCheckKey(dg.AssetKey(["features", "trip"]), leaks.NAME)


@pytest.fixture(scope="module")
def place(warm_workspace: Callable[[str], Workspace]) -> Workspace:
    """features.trip with leaks, in a lake with kernels."""
    made = warm_workspace("leaky trips")
    made.write(trips.sources() | trips.features(trips.EVENTS, trips.FEATURES), trips.promises() | trips.promise(trips.COLUMNS))
    for name in ("silver/trips", "silver/lines", "features/trip"):
        made.run(name)
    return made


def test_leaks_are_told_by_column_and_seen_in_dagster(place: Workspace, lakehouse: Command) -> None:
    code, out, _ = lakehouse(place, "leaks", "features/trip", DAGSTER_HOME="")
    assert code == 1
    lines = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert set(trips.LEAKS) <= lines.keys() and "mean_delay" not in lines
    assert "from what was not yet known: hour_mean" in out and "(personal)" in lines["driver"] and "Ada" not in out
    with instance(place.settings) as store:
        told = store.event_log_storage.get_latest_asset_check_execution_by_key([KEY])[KEY]
    assert told.status.value == "FAILED"
    code, out, _ = lakehouse(place, "quality", "--json")
    assert [one["what"] for one in json.loads(out) if one["table"] == "features.trip"] == ["leaks"]


def test_a_table_without_moments_is_refused(place: Workspace, lakehouse: Command) -> None:
    code, _, err = lakehouse(place, "leaks", "silver.trips")
    assert (code, "silver.trips does not say when its rows are known" in err) == (2, True)
