"""The promises that the flights' project is built on hold for the clinic's, whose name the library does not know."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from sklearn.datasets import load_diabetes

from lakehouse.errors import AuditFailed
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
    made.bring_up_to_date()
    return made


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
