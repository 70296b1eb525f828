from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakehouse import holds, record, tables
from lakehouse.names import TableName
from lakehouse.record import Result, Write
from tests.workspace import Workspace

NOW = datetime.now(UTC)
THINGS = TableName("silver", "things")


def table(root: Path, name: TableName, *days_ago: float) -> None:
    """A table's log, with a commit so many days ago each."""
    log = tables.lake_path(root, name) / "_delta_log"
    log.mkdir(parents=True)
    for version, days in enumerate(days_ago):
        at = int((NOW - timedelta(days=days)).timestamp() * 1000)
        (log / f"{version:020d}.json").write_text(json.dumps({"commitInfo": {"timestamp": at, "operation": "WRITE"}}) + "\n")


def run(root: Path, run_id: str, asset: str = "gold.totals", version: int | None = 3, written: int = 5) -> None:
    result = Result(
        run_id=run_id,
        asset=asset,
        inputs={"silver.things": {"version": version, "seen": {}}, "raw.things": {"version": None}, "models.x": {"version": 1}},
        writes=[Write(table="gold.totals", version=written, rows=1)],
    )
    record.save(record.folder(root, TableName.parse(asset), run_id) / record.RESULT, result)


@pytest.mark.parametrize(
    ("older_than", "held"),
    [
        pytest.param(timedelta(0), [3], id="only what stands"),
        pytest.param(timedelta(days=5), [2, 3], id="what stood when it began"),
        pytest.param(timedelta(days=15), [1, 2, 3], id="replaced since"),
        pytest.param(timedelta(days=400), [0, 1, 2, 3], id="all"),
    ],
)
def test_what_stands_and_stood_is_held(tmp_path: Path, older_than: timedelta, held: list[int]) -> None:
    table(tmp_path, THINGS, 40, 30, 10, 1)
    found = list(holds.standing(tmp_path, NOW - older_than))
    assert sorted(hold.version for hold in found) == held
    assert [hold.version for hold in found if hold.why == "it stands"] == [3]


def test_what_a_run_read_and_wrote_is_held_until_its_record_expires(tmp_path: Path) -> None:
    recent, old = record.new_run_id(), "20200101T000000000-abcd"
    run(tmp_path, recent)
    run(tmp_path, old, version=1, written=0)
    found = list(holds.of_runs(tmp_path, NOW - timedelta(days=90)))
    assert {(hold.table.dotted, hold.version) for hold in found} == {("silver.things", 3), ("gold.totals", 5)}
    assert {hold.why for hold in found} == {f"read by run {recent} of gold.totals", f"written by run {recent} of gold.totals"}
    longer = holds.of_runs(tmp_path, datetime(2019, 1, 1, tzinfo=UTC))
    assert {hold.version for hold in longer if hold.table == THINGS} == {1, 3}


def test_a_run_whose_age_is_not_known_holds(tmp_path: Path) -> None:
    run(tmp_path, "by-hand")
    assert {hold.version for hold in holds.of_runs(tmp_path, NOW)} == {3, 5}


def test_a_models_version_holds_what_it_was_trained_on(scored: Workspace) -> None:
    (hold,) = holds.of_models(scored.settings, live_only=True)
    assert (hold.table.dotted, hold.version) == ("gold.totals", 0)
    assert hold.why == "models.line version 1 (champion) was trained on it"


def test_a_lake_without_models_needs_no_registry(tmp_path: Path, built: Workspace) -> None:
    assert list(holds.of_models(built.settings.model_copy(update={"root": tmp_path}), live_only=False)) == []


def test_a_sandbox_holds_what_it_was_cloned_from(place: Workspace) -> None:
    place.run("silver/things", "sandbox", months=["2013-02"])
    (hold,) = holds.of_sandboxes(place.root)
    assert (hold.table, hold.version) == (THINGS, 0)
    assert hold.why == f"the sandbox of {tables.current_user()} is a clone of it"
