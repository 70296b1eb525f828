"""A change that breaks readers or writers needs a higher `version`: told by `lakehouse check`, refused at the write."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lakehouse import contract as form
from lakehouse.contract import Contract
from lakehouse.contracts import before, diff
from lakehouse.contracts.diff import Change
from lakehouse.errors import ContractError, UnknownName
from lakehouse.finding import Finding
from lakehouse.project import Project

RULE = "breaking-change"
_TOLD = 4


def findings(project: Project, root: Path) -> Iterator[Finding]:
    """One for each contract that breaks, without a new version, what its published table was written by.

    A table that was not published (here) is held against the last commit in git.
    """
    try:
        committed = before.in_git(project.path)
    except UnknownName:
        committed = {}
    for table, contract in sorted(project.contracts.items()):
        old, where = before.published(root, table), "the published table"
        if old is None:
            old, where = committed.get(table), "git's HEAD"
        broken = diff.refused(old, contract) if old else []
        if old is not None and broken:
            message = f"{table} breaks what {where} promises, with no new version: {told(broken)}"
            hint = f"{_mend(old)} `lakehouse contract diff {table}` tells more."
            yield Finding(f"{form.FOLDER}/{table.slashed}.yaml", 0, 0, RULE, message, hint)


def hold(contract: Contract, root: Path) -> None:
    """Raises ContractError if `contract` breaks, without a new version, what its table was last published by."""
    old = before.published(root, contract.table)
    broken = diff.refused(old, contract) if old else []
    if old is not None and broken:
        raise ContractError(
            f"{contract.table}: its contract breaks what the published table promises, with no new version: {told(broken)}",
            f"{_mend(old)} `lakehouse contract diff {contract.table} --published` names the notebooks that read it.",
        )


def told(changes: list[Change]) -> str:
    """Changes in a line, the first few of them."""
    rest = f"; and {len(changes) - _TOLD} more" if len(changes) > _TOLD else ""
    return "; ".join(f"{change.what} {change.said}" for change in changes[:_TOLD]) + rest


def _mend(old: Contract) -> str:
    file = f"{form.FOLDER}/{old.table.slashed}.yaml"
    return f"Write version: {old.version + 1} in {file} if readers and writers are ready for it, or undo the change."
