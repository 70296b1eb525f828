"""A breaking change without a new version: told by the check, refused at the write, against git and the lake."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lakehouse import record
from lakehouse.check import check
from lakehouse.contracts import before, review
from lakehouse.errors import ContractError, UnknownName
from lakehouse.names import TableName
from lakehouse.project import Project
from tests.contracts.test_before import commit
from tests.notebooks import RAW_SOURCE, contract, copies, document, notebook, project
from tests.workspace import Workspace, rows

TABLE = TableName("silver", "t")


def promise(unit: str = "miles", **more: Any) -> dict[str, Any]:
    return contract("silver.t", {"id": {"type": "bigint", "unit": unit}}, **more)


def graph(folder: Path) -> Path:
    """raw.things → bronze.things → silver.t → gold.t → gold.u, and a tour that reads silver.t; committed."""
    made = {"bronze/things": copies("raw.things", "bronze.things"), "silver/t": copies("bronze.things", "silver.t")}
    made |= {"gold/t": copies("silver.t", "gold.t"), "gold/u": copies("gold.t", "gold.u")}
    made["explore/tour"] = document('import lakehouse\nlake = lakehouse.open("explore/tour")\nlake.read("silver.t")')
    tables = {name: contract(name) for name in ("bronze.things", "gold.t", "gold.u")}
    return commit(project(folder, made, {**tables, "silver.t": promise()}, RAW_SOURCE))


def found(folder: Path) -> list[str]:
    return [f"{one.where} [{one.rule}] {one.message} | {one.hint}" for one in check(folder, root=folder / "lake")]


def test_a_breaking_change_since_the_last_commit_is_a_finding(tmp_path: Path) -> None:
    folder = graph(tmp_path)
    assert found(folder) == []
    project(folder, contracts={"silver.t": promise("km")})
    assert found(folder) == [
        "assets/contracts/silver/t.yaml [breaking-change] silver.t breaks what git's HEAD promises, with no new version: "
        "columns.id unit from miles to km | Write version: 2 in assets/contracts/silver/t.yaml if readers and writers are "
        "ready for it, or undo the change. `lakehouse contract diff silver.t` tells more."
    ]
    assert check(folder) == []  # without a lake's root only the files themselves


@pytest.mark.parametrize("changed", [promise("km", version=2), promise(owner="other@example.com")])
def test_a_new_version_or_a_compatible_change_is_none(tmp_path: Path, changed: dict[str, Any]) -> None:
    assert found(project(graph(tmp_path), contracts={"silver.t": changed})) == []


def test_a_project_without_git_is_checked_for_the_rest(tmp_path: Path) -> None:
    assert found(project(tmp_path, {"bronze/things": copies("raw.things", "bronze.things")}, ["bronze.things"], RAW_SOURCE)) == []


def test_the_notebooks_that_read_it_and_what_lies_below_are_named(tmp_path: Path) -> None:
    folder = project(graph(tmp_path), contracts={"silver.t": promise("km"), "gold.u": contract("gold.u", owner="p")})
    u, t = review.against_git(Project.load(folder), "HEAD")
    assert (u.table.dotted, u.breaking, u.refused, u.readers) == ("gold.u", False, False, ())
    assert (t.table, t.breaking, t.refused, t.versions) == (TABLE, True, True, (1, 1))
    assert (t.readers, t.below) == (("notebooks/explore/tour.ipynb", "notebooks/gold/t.ipynb"), ("notebooks/gold/u.ipynb",))
    assert [one.table for one in review.against_git(Project.load(folder), "HEAD", TABLE)] == [TABLE]


def test_a_contract_that_is_gone_breaks_those_who_read_it(tmp_path: Path) -> None:
    folder = graph(tmp_path)
    for name in ("silver/t", "gold/u"):
        (folder / "assets" / "contracts" / f"{name}.yaml").unlink()
    u, t = review.against_git(Project.load(folder), "HEAD")
    assert (t.changes[0].said, t.changes[0].breaks, t.refused) == ("removed", "readers", True)
    assert (u.changes[0].said, u.changes[0].breaks, u.refused) == ("removed", "", False)


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        pytest.param("silver.tt", UnknownName, "silver.tt has no contract", id="unknown table"),
        pytest.param("gold.t", ContractError, "The contract .*gold/t.yaml is wrong", id="a contract that is wrong now"),
        pytest.param("gold.u", ContractError, "The contract of gold.u in HEAD is not understood", id="that was wrong then"),
    ],
)
def test_what_cannot_be_compared_is_refused(tmp_path: Path, table: str, error: type[Exception], message: str) -> None:
    folder = commit(project(graph(tmp_path), contracts={"gold.u": "table: gold.u\n"}))
    project(folder, contracts={"gold.t": "table: gold.t\n", "gold.u": contract("gold.u")})
    with pytest.raises(error, match=message):
        review.against_git(Project.load(folder), "HEAD", TableName.parse(table))


def test_a_project_of_many_changed_contracts_is_checked_quickly(tmp_path: Path) -> None:
    names = [f"gold.n{number}" for number in range(12)]
    made = {name.replace(".", "/"): copies("raw.things", name) for name in names}
    folder = commit(project(tmp_path, made, names, RAW_SOURCE))
    project(folder, contracts={name: contract(name, {"id": "string"}) for name in names})
    start = time.perf_counter()
    assert {one.rule for one in check(folder, root=folder / "lake")} == {"breaking-change"}
    assert time.perf_counter() - start < 1.5


@pytest.fixture(scope="module")
def place(new_workspace: Callable[[str], Workspace]) -> Workspace:
    """silver.t, published under version 1 of its contract."""
    made = new_workspace("versions")
    write = notebook("silver/t", rows("select id from range(3)"), 'lake.write(df, "silver.t")')
    made.write({"silver/t": write}, {"silver.t": promise()})
    made.run("silver/t")
    return made


def test_the_runs_record_carries_the_contract(place: Workspace) -> None:
    noted = next(record.results_newest_first(place.root, TABLE)).contracts
    assert noted["silver.t"]["columns"] == {"id": {"type": "bigint", "unit": "miles"}}
    published = before.published(place.root, TABLE)
    assert published is not None and published.columns["id"].unit == "miles"
    assert before.published(place.root, TableName("silver", "other")) is None


def test_a_breaking_change_is_refused_at_the_write_until_it_has_a_version(place: Workspace) -> None:
    version = place.version("silver.t")
    place.write({}, {"silver.t": promise("km")})
    with pytest.raises(ContractError) as caught:
        place.run("silver/t")
    assert "breaks what the published table promises, with no new version: columns.id unit from miles to km" in caught.value.what
    assert "Write version: 2 in assets/contracts/silver/t.yaml" in caught.value.hint
    assert place.version("silver.t") == version
    (finding,) = check(place.project, root=place.root)
    assert "breaks what the published table promises" in finding.message
    (difference,) = review.against_published(Project.load(place.project), place.root, TABLE)
    assert difference.refused
    place.write({}, {"silver.t": promise("km", version=2)})
    place.run("silver/t")
    assert review.against_published(Project.load(place.project), place.root, TABLE) == []
    place.write({}, {"silver.t": promise("km")})
    with pytest.raises(ContractError, match="version from 2 to 1"):
        place.run("silver/t")


def test_a_sandbox_may_try_it_and_says_so(place: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    place.write({}, {"silver.t": promise("miles", version=1)})
    done = place.run("silver/t", target="sandbox")
    assert done.writes
    assert "warning: the lake would refuse this. silver.t: its contract breaks" in capsys.readouterr().out


def test_a_table_that_was_not_published_cannot_be_compared_with(place: Workspace) -> None:
    place.write({}, {"gold.never": contract("gold.never")})
    with pytest.raises(UnknownName, match=r"gold\.never was not published yet"):
        review.against_published(Project.load(place.project), place.root, TableName("gold", "never"))
