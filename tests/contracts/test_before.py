from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lakehouse.contract import Contract
from lakehouse.contracts import before
from lakehouse.errors import UnknownName
from lakehouse.names import TableName
from tests.contracts.test_diff import BEFORE
from tests.notebooks import contract, project


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True)


def commit(folder: Path) -> Path:
    """All that stands in `folder`, in a repository of its own."""
    if not (folder / ".git").exists():
        git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=state")
    return folder


def test_a_contract_comes_back_from_a_record_as_it_was() -> None:
    made = Contract.model_validate({**BEFORE, "freshness": "36h", "retention": "2w", "version": 3})
    noted = before.plain(made)
    assert (noted["freshness"], noted["retention"], noted["table"]) == ("36h", "14d", "silver.flights")
    assert "backfill_chunk" not in noted
    assert Contract.model_validate(noted) == made


def test_only_contracts_that_differ_come_from_git(tmp_path: Path) -> None:
    folder = project(commit(project(tmp_path, contracts=["gold.a", "gold.b", "gold.c"])), contracts=["gold.new"])
    project(folder, contracts={"gold.b": contract("gold.b", {"id": "bigint", "more": "int"})})
    (folder / "assets" / "contracts" / "gold" / "c.yaml").unlink()
    found = before.in_git(folder)
    assert sorted(map(str, found)) == ["gold.b", "gold.c"]
    old = found[TableName("gold", "b")]
    assert old is not None and list(old.columns) == ["id"]


def test_an_older_revision_and_a_project_within_a_repository(tmp_path: Path) -> None:
    inner = project(tmp_path / "inner", contracts=["gold.a"])
    commit(tmp_path)
    project(inner, contracts={"gold.a": contract("gold.a", {"id": "bigint"}, description="Other.")})
    commit(tmp_path)
    assert before.in_git(inner) == {}
    assert list(map(str, before.in_git(inner, "HEAD~1"))) == ["gold.a"]


def test_what_was_no_contract_is_said_to_be_none(tmp_path: Path) -> None:
    folder = commit(project(tmp_path, contracts={"gold.a": "table: gold.a\n", "gold.b": "- no\n"}))
    project(folder, contracts=["gold.a", "gold.b"])
    assert before.in_git(folder) == {TableName("gold", "a"): None, TableName("gold", "b"): None}


@pytest.mark.parametrize("revision", ["no-such-branch", "HEAD~5", "--help"])
def test_an_unknown_revision_is_refused(tmp_path: Path, revision: str) -> None:
    with pytest.raises(UnknownName, match="git knows no such contracts"):
        before.in_git(commit(project(tmp_path, contracts=["gold.a"])), revision)


def test_a_folder_without_git_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="git knows no such contracts"):
        before.in_git(project(tmp_path, contracts=["gold.a"]))
