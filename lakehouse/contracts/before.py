"""What a contract was before: in git, and when its table was last published. Plain Python, as quick as `check` is."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lakehouse import contract as form
from lakehouse import deltalog, record, tables, yamllines
from lakehouse.contract import Contract
from lakehouse.errors import ContractError, LakehouseError, UnknownName
from lakehouse.names import TableName

_SECONDS = 10.0


def plain(contract: Contract) -> dict[str, Any]:
    """A contract as a run's record holds it; what is left out has its default."""
    return contract.model_dump(mode="json", exclude_defaults=True)


def published(root: Path, table: TableName) -> Contract | None:
    """The contract by which the newest rows of `table` were published, from their run's record.

    None where the table was not published, or the record is of a version that did not note it.
    """
    path = tables.lake_path(root, table)
    for version in reversed(deltalog.versions(path)):
        ours = deltalog.commit(path, version).ours
        if ours is not None:
            return _recorded(root, table, ours)
    return None


def _recorded(root: Path, table: TableName, ours: dict[str, Any]) -> Contract | None:
    try:
        result = record.read_result(record.folder(root, TableName.parse(ours["asset"]), ours["run_id"]))
        noted = result.contracts.get(table.dotted) if result else None
        return Contract.model_validate(noted) if noted else None
    except (KeyError, LakehouseError, ValidationError):
        return None  # a record of another version of the form


def in_git(project: Path, revision: str = "HEAD") -> dict[TableName, Contract | None]:
    """The contracts that differ from those of `revision` as they were there, None for one that was not understood.

    Contracts that are new since are left out. Raises UnknownName where there is no such revision, or no git.
    """
    names = _git(project, "diff", "--name-only", "--relative", "-z", "--end-of-options", revision, "--", form.FOLDER)
    found: dict[TableName, Contract | None] = {}
    for name in filter(None, names.split("\0")):
        table = _table(name)
        if table is not None and (text := _shown(project, revision, name)) is not None:
            found[table] = _understood(text)
    return found


def _table(name: str) -> TableName | None:
    path = Path(name)
    try:
        table = TableName(path.parent.name, path.stem) if path.suffix in (".yaml", ".yml") else None
        return None if table is None or table.layer == "models" else table  # a model's contract is another form
    except UnknownName:
        return None


def _shown(project: Path, revision: str, name: str) -> str | None:
    try:
        return _git(project, "show", "--end-of-options", f"{revision}:./{name}")
    except UnknownName:
        return None  # it was not there


def _understood(text: str) -> Contract | None:
    try:
        return Contract.model_validate(yamllines.parse(text)[0])
    except (ContractError, ValidationError):
        return None


def _git(project: Path, *words: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(project), *words], capture_output=True, text=True, check=True, timeout=_SECONDS, encoding="utf-8"
        )
    except subprocess.CalledProcessError as error:
        said = (error.stderr.strip().splitlines() or ["git failed"])[0].removeprefix("fatal: ")
        raise UnknownName(f"git knows no such contracts: {said}", "Name a revision such as HEAD, main or v1.2.") from None
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError) as error:
        raise UnknownName(f"git cannot be asked: {error}", "Compare with the lake instead: --published.") from None
    return done.stdout
