from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lakehouse import record, upstream
from lakehouse.names import TableName
from lakehouse.project import Project
from lakehouse.record import RunRecord
from tests.notebooks import MONTHS, contract
from tests.things import COLUMNS
from tests.workspace import Workspace

LATER = datetime.now(UTC) + timedelta(days=8, hours=1)


def noted(place: Workspace, asset: str, status: str, *partitions: str, cause: str = "") -> None:
    """A record of a run that just ended."""
    name, run_id = TableName.parse(asset), record.new_run_id()
    time.sleep(0.002)  # runs are ordered by their names, which have milliseconds
    made = RunRecord(run_id=run_id, asset=name.dotted, status=status, partitions=list(partitions), cause=cause)
    record.save(record.folder(place.root, name, run_id) / record.RECORD, made)


def behind(place: Workspace, asset: str, *partitions: str, now: datetime | None = None) -> dict[str, str]:
    project = Project.load(place.project)
    return dict(upstream.behind(project, place.root, project.notebook(asset), partitions, now))


def test_nothing_is_behind_where_all_went_well(place: Workspace) -> None:
    assert behind(place, "gold/totals") == behind(place, "features/recent", "2013-02") == {}


def test_a_parent_whose_last_run_failed_is_behind_for_the_months_it_was_to_write(place: Workspace) -> None:
    noted(place, "silver/things", "succeeded", "2013-02")
    noted(place, "silver/things", "failed", "2013-01", cause="silver/things, cell 5: no\nmore")
    noted(place, "silver/things", "succeeded", "2013-03")
    found = behind(place, "features/recent", "2013-02")  # reads January and February
    assert list(found) == ["silver.things"] and found["silver.things"].endswith("did not succeed: silver/things, cell 5: no")
    assert behind(place, "features/recent", "2013-03") == {}  # reads February and March
    noted(place, "silver/things", "succeeded", "2013-01")
    assert behind(place, "features/recent", "2013-02") == {}


def test_a_parent_older_than_its_contract_allows_is_behind(place: Workspace) -> None:
    place.write({}, {"silver.things": contract("silver.things", COLUMNS, partitions=MONTHS, freshness="2d")})
    assert behind(place, "gold/totals") == {}
    found = behind(place, "gold/totals", now=LATER)["silver.things"]
    assert found.endswith("UTC, 8 days old; 2 days are allowed"), found


@pytest.mark.parametrize("said", [None, "wait", "last_good"])
def test_a_run_on_a_last_good_version_is_marked_and_warned_of_where_the_contract_speaks_of_it(place: Workspace, said: Any) -> None:
    more = {"upstream": said} if said else {}
    place.write({}, {"gold.totals": contract("gold.totals", {"month": "string", "id": "bigint"}, **more)})
    noted(place, "silver/things", "failed", "2013-01", cause="no")
    result = place.run("gold/totals")
    assert list(result.behind) == ["silver.things"]
    found = {check.name: check for check in result.checks}
    assert ("upstream_is_current" in found) == bool(said)
    if said:
        check = found["upstream_is_current"]
        assert (check.severity, check.passed) == ("warn", False) and "silver.things: the run of" in check.observed
        noted(place, "silver/things", "succeeded", "2013-01", "2013-02", "2013-03")
        again = {check.name: check for check in place.run("gold/totals").checks}["upstream_is_current"]
        assert again.passed and again.observed == ""


def test_what_the_runner_knows_is_told_to_the_kernel(place: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    with place.running(LAKEHOUSE_BEHIND='{"silver.things": "raw/things did not succeed"}'):
        assert upstream.told() == {"silver.things": "raw/things did not succeed"}
    assert upstream.told() == {}


def test_there_is_no_last_good_version_of_what_was_never_published(place: Workspace) -> None:
    project = Project.load(place.project)
    spec = project.notebook("features/recent")
    assert upstream.missing(project, place.root, spec, ["2013-02"]) == []
    assert upstream.missing(project, place.root / "other", spec, ["2013-02"]) == ["silver.things"]
