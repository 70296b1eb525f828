from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lakehouse import record
from lakehouse.names import TableName
from lakehouse.project import Project
from lakehouse.quality import Finding, Quality, frames
from lakehouse.record import RunRecord
from tests.notebooks import MONTHS, contract
from tests.things import COLUMNS
from tests.workspace import Workspace

SMALL = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "id", "max_value": 3}}
CHECK = "column_values_to_be_between_id"


def quality(place: Workspace, now: datetime | None = None) -> Quality:
    return Quality(Project.load(place.project), place.root, now)


def promise(place: Workspace, severity: str, **more: Any) -> None:
    expectations = [{**SMALL, "severity": severity, "reason": "ids are small"}]
    place.write({}, {"silver.things": contract("silver.things", COLUMNS, partitions=MONTHS, expectations=expectations, **more)})


def failed(place: Workspace, cause: str, *partitions: str) -> RunRecord:
    name, run_id = TableName("silver", "things"), record.new_run_id()
    time.sleep(0.002)  # runs are ordered by their names, which have milliseconds
    made = RunRecord(run_id=run_id, asset=name.dotted, status="failed", partitions=list(partitions), cause=cause)
    record.save(record.folder(place.root, name, run_id) / record.RECORD, made)
    return made


def named(found: list[Finding]) -> list[tuple[str, str, tuple[str, ...], str, bool]]:
    return [(str(one.table), one.what, one.partitions, one.severity, one.published) for one in found]


def test_a_lake_in_order_has_no_findings(built: Workspace) -> None:
    found = quality(built)
    assert found.findings == []
    tables = {str(one.table): (one.rows, one.passed, one.warned, one.failed) for one in found.standing}
    assert tables["silver.things"][0] == 3 and tables["silver.things"][2:] == (0, 0) and next(iter(tables)) == "bronze.things"
    assert ("silver.things", "2013-03") in {(str(table), key) for table, key, _ in found.checks()}


def test_a_warning_is_told_with_rows_since_when_and_what_was_made_of_it(place: Workspace) -> None:
    promise(place, "warn")
    first = place.run("silver/things", months=["2013-02"])  # id 4
    place.run("silver/things", months=["2013-01"])  # id 2
    place.run("silver/things", months=["2013-02", "2013-03"])  # ids 4 and 6
    place.run("gold/totals")
    (found,) = [one for one in quality(place).findings if one.what == CHECK]
    assert named([found]) == [("silver.things", CHECK, ("2013-02", "2013-03"), "warn", True)]
    assert (found.rows, sorted(found.examples), found.since) == (2, ["4", "6"], record.started(first.run_id))
    assert [str(one) for one in found.reaches] == ["gold.totals"]


def test_a_refused_batch_is_told_until_a_run_succeeds_and_reaches_what_waits_for_it(place: Workspace) -> None:
    one = failed(place, "silver/things, cell 5: no\nmore", "2013-01")
    failed(place, "silver/things, cell 6: no", "2013-01", "2013-02")
    (found,) = quality(place).findings
    assert named([found]) == [("silver.things", "run", ("2013-01", "2013-02"), "error", False)]
    assert (found.since, found.said) == (one.started, "silver/things, cell 6: no")
    assert [str(at) for at in found.reaches] == ["features.recent", "gold.totals"]
    place.run("silver/things", months=["2013-01", "2013-02"])
    assert quality(place).findings == []


def test_overdue_data_are_told_from_when_they_were(place: Workspace) -> None:
    promise(place, "error", freshness="2d")
    (found,) = quality(place, datetime.now(UTC) + timedelta(days=5)).findings
    assert found.what == "freshness" and "2 days are allowed" in found.said
    assert timedelta(days=1, hours=23) < found.since - datetime.now(UTC) < timedelta(days=2, seconds=1)


def test_a_notebook_has_it_as_tables(place: Workspace) -> None:
    promise(place, "warn")
    place.run("silver/things", months=["2013-02"])
    found = frames(place.open("gold/totals"))
    assert found.findings[["table", "what", "severity"]].values.tolist() == [["silver.things", CHECK, "warn"]]
    checks = found.checks[(found.checks["table"] == "silver.things") & ~found.checks["passed"]]
    assert checks[["partition", "name", "unexpected"]].values.tolist() == [["2013-02", CHECK, 1]]
    assert set(found.tables["table"]) >= {"silver.things", "gold.totals"} and found.tables["age"].notna().all()
    of_things = found.profiles[found.profiles["table"] == "silver.things"]
    last = of_things[of_things["partition"] == "2013-03"]
    assert last[["rows", "column", "missing"]].values.tolist() == [[1, "id", 0]]
    assert found.quarantine.empty


def test_the_shipped_notebook_shows_a_lake_in_order_and_one_that_is_not(place: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")
    shipped = Path(__file__).parent.parent / "notebooks" / "explore" / "data_quality.ipynb"
    place.write({"explore/data_quality": shipped.read_text()}, {})
    place.run("explore/data_quality", target="sandbox")
    promise(place, "warn", freshness="2d")
    place.run("silver/things", months=["2013-02"])
    failed(place, "no", "2013-03")
    place.run("explore/data_quality", target="sandbox")


def test_the_command_says_it_and_its_exit_code_whether_anything_is_an_error(place: Workspace) -> None:
    assert place.command("quality", "--json").stdout == "[]\n"
    failed(place, "no [bold] idea", "2013-01")
    done = place.command("quality")
    assert done.returncode == 1 and "Wrong now" in done.stdout and "no [bold] idea" in done.stdout
