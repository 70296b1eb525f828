"""The promises that the flights' project is built on hold for the clinic's, whose name the library does not know."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sklearn.datasets import load_diabetes

from lakehouse import runner
from lakehouse.errors import AuditFailed
from lakehouse.leaks import check as leaks
from lakehouse.names import TableName
from lakehouse.project import Project
from lakehouse.raw import RawFile
from lakehouse.trace import back
from tests.clinic.project import CONTRACTS, NOTEBOOKS, SOURCES
from tests.workspace import Workspace

LATE = "late-2024-02.csv"
HEADER = "patient,month,age,sex,bmi,bp,tc,ldl,hdl,tch,ltg,glu,progression"


@pytest.fixture(scope="module")
def clinic(new_workspace: Callable[[str], Workspace]) -> Workspace:
    """Built once; the tests below change it one after another, and each leaves it up to date."""
    made = new_workspace("clinic")
    made.write(NOTEBOOKS, CONTRACTS, SOURCES)
    record(made, "readings-1", {"patient": 1, "at": "2024-01-05T08:00:00Z", "glucose": 5.5})
    record(made, "register-1", event("r", 1, None, "east"), event("r", 2, None, "west"))
    made.bring_up_to_date()
    return made


def record(place: Workspace, name: str, *records: dict[str, Any]) -> None:
    (place.project / "assets" / f"{name}.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in records))


def event(op: str, patient: int, before: str | None, after: str | None, at: int = 0) -> dict[str, Any]:
    """One event of Debezium's about a patient's ward, at the position `at` of the register's log."""
    rows = [None if ward is None else {"patient": patient, "ward": ward} for ward in (before, after)]
    source = {"file": "log.000001", "pos": at, "ts_ms": 1_700_000_000_000 + at}
    return {"op": op, "before": rows[0], "after": rows[1], "source": source, "ts_ms": 1_700_000_000_000 + at}


def deliver(place: Workspace, *lines: str) -> Path:
    """A file that comes late, for February."""
    late = place.project / "assets" / LATE
    late.write_text("\n".join([HEADER, *lines]) + "\n")
    return late


def test_the_project_has_no_findings(clinic: Workspace) -> None:
    done = clinic.command("check")
    assert done.returncode == 0, done.stdout


def test_every_patient_reaches_every_layer(clinic: Workspace) -> None:
    patients = load_diabetes(scaled=False)
    assert len(clinic.rows("scores.progression")) == len(patients.target) == 442
    weights = dict(clinic.rows("silver.visits", "patient, bmi"))
    assert [weights[number] for number in range(442)] == patients.data[:, 2].tolist()
    assert sum(count for (count,) in clinic.rows("gold.by_age", "patients")) == 442
    assert clinic.plan() == []


def test_a_score_is_traced_to_the_bytes_it_came_from(clinic: Workspace) -> None:
    found = back(Project.load(clinic.project), clinic.settings, TableName.parse("scores.progression"), "patient = 4")
    leaves, branches = [], [branch for one in found for branch in one.back]
    while branches:
        branch = branches.pop()
        branches += branch.branches
        leaves += [branch.what] if isinstance(branch.what, RawFile) else []
    (own,) = {leaf.sha256 for leaf in leaves if leaf.partition == "2024-02" and leaf.filename == "visits-2024-02.csv"}
    assert own == hashlib.sha256((clinic.root / "raw/visits/2024-02/visits-2024-02.csv").read_bytes()).hexdigest()


def test_a_bad_delivery_reaches_no_reader_and_a_corrected_one_its_own_month_only(clinic: Workspace) -> None:
    before = {name: clinic.version(name) for name in ("silver.visits", "gold.by_age", "scores.progression")}
    rows = clinic.rows("silver.visits")
    late = deliver(clinic, "1000,2024-02,40.0,1.0,265.0,90.0,180.0,100.0,50.0,4.0,4.6,90.0,100.0")
    clinic.land("raw.visits", "2024-02")
    with pytest.raises(AuditFailed, match=r"between_bmi.*265"):
        clinic.bring_up_to_date()
    assert {name: clinic.version(name) for name in before} == before
    assert clinic.rows("silver.visits") == rows

    late.write_text(late.read_text().replace("265.0", "26.5"))
    clinic.land("raw.visits", "2024-02")
    stale = {step.asset.slashed: step.partitions for step in clinic.plan()}
    assert stale["silver/visits"] == stale["gold/by_age"] == ("2024-02",)
    clinic.bring_up_to_date()
    assert {row[0] for row in clinic.rows("silver.visits", "patient")} == {*range(442), 1000}
    assert clinic.plan() == []


def test_a_month_forced_again_leaves_the_same_rows(clinic: Workspace) -> None:
    before = {name: clinic.rows(name) for name in ("silver.visits", "gold.by_age", "features.patient")}
    for name in before:
        clinic.run(name.replace(".", "/"), months=["2024-01"])
    assert {name: clinic.rows(name) for name in before} == before


def test_a_row_that_breaks_a_promise_of_its_own_is_set_aside_and_told(clinic: Workspace) -> None:
    before = clinic.rows("silver.visits")
    late = clinic.project / "assets" / LATE
    late.write_text(f"{late.read_text()}1001,2024-02,50.0,2.0,25.0,900.0,180.0,100.0,50.0,4.0,4.6,90.0,100.0\n")
    clinic.land("raw.visits", "2024-02")
    clinic.bring_up_to_date()
    assert clinic.rows("silver.visits") == before
    told = clinic.command("quarantine", "explain", "silver.visits")
    assert told.returncode == 0 and "1001" in told.stdout and "Mean arterial pressure" in told.stdout, told.stdout + told.stderr


def test_a_stream_lands_what_came_and_the_last_reading_counts(clinic: Workspace) -> None:
    record(
        clinic,
        "readings-2",
        {"patient": 1, "at": "2024-01-05T08:00:00Z", "glucose": 5.9},
        {"patient": 2, "at": "2024-01-05T09:00:00Z", "glucose": 7.0},
    )
    clinic.land("raw.readings")
    clinic.bring_up_to_date()
    assert clinic.rows("bronze.readings", "patient, glucose") == [(1, 5.9), (2, 7.0)]
    assert len(clinic.rows("raw.readings")) == 3
    clinic.land("raw.readings")
    assert clinic.plan() == []


def test_changes_in_any_order_leave_the_register_as_it_is_and_as_it_was(clinic: Workspace) -> None:
    moved, gone = event("u", 1, "east", "north", at=20), event("d", 2, "west", None, at=30)
    record(clinic, "register-2", gone, event("u", 1, "north", "south", at=40), gone)
    record(clinic, "register-3", moved, event("c", 3, None, "east", at=10))
    clinic.land("raw.register")
    clinic.bring_up_to_date()
    assert clinic.rows("bronze.register", "patient, ward") == [(1, "south"), (3, "east")]
    history = clinic.rows("bronze.register_history", "patient, ward, valid_to is null")
    assert [row[1:] for row in history if row[0] == 1] == [("east", False), ("north", False), ("south", True)]


def test_what_is_known_of_a_patient_does_not_change_with_who_came_later(clinic: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "rehearse", clinic.rehearse)
    table = TableName.parse("features.patient")
    found = leaks.look(Project.load(clinic.project), clinic.settings, table, "2024-01")
    assert (found.leaks, found.unsteady, found.answers[0].rows > 20) == ([], [], True)
    shipped = clinic.project / "notebooks" / "features" / "patient.ipynb"
    text = shipped.read_text()
    shipped.write_text(text.replace("tc / hdl as ratio", "tc / avg(hdl) over () as ratio"))
    clinic.run("features/patient", months=["2024-01"])
    found = leaks.look(Project.load(clinic.project), clinic.settings, table, "2024-01")
    assert [one.column for one in found.leaks] == ["ratio"]
    shipped.write_text(text)
    clinic.run("features/patient", months=["2024-01"])


def test_each_published_month_has_a_profile(clinic: Workspace) -> None:
    found = clinic.command("profile", "silver.visits", "--partition", "2024-03", "--column", "bmi", "--json")
    assert found.returncode == 0 and "bmi" in found.stdout, found.stdout + found.stderr
