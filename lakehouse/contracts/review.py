"""The working tree's contracts beside what they were, and the notebooks that each difference reaches."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakehouse import contract as form
from lakehouse.contract import Contract
from lakehouse.contracts import before, diff
from lakehouse.contracts.diff import Change
from lakehouse.errors import ContractError, UnknownName
from lakehouse.names import TableName, did_you_mean
from lakehouse.project import Project


@dataclass(frozen=True)
class Difference:
    """What changed in one table's contract. `versions` before and after, None for no contract; `readers` are the
    notebooks that read the table, `below` those that read what these make; both as files of the project."""

    table: TableName
    versions: tuple[int, int | None]
    changes: tuple[Change, ...]
    readers: tuple[str, ...]
    below: tuple[str, ...]

    @property
    def breaking(self) -> bool:
        return any(change.breaks for change in self.changes)

    @property
    def refused(self) -> bool:
        """Whether it breaks without a new version; a table that is gone breaks whoever still reads it."""
        old, new = self.versions
        return self.breaking and (new is None or new <= old)

    def to_dict(self) -> dict[str, Any]:
        return {
            "table": self.table.dotted,
            "version": {"before": self.versions[0], "after": self.versions[1]},
            "changes": [change.to_dict() for change in self.changes],
            "breaking": self.breaking,
            "refused": self.refused,
            "readers": list(self.readers),
            "below": list(self.below),
        }


def against_git(project: Project, revision: str, table: TableName | None = None) -> list[Difference]:
    """The contracts (that of `table`) that differ from `revision`, sorted; one that is new since is no difference.

    Raises UnknownName for a table or revision that does not exist, ContractError for a contract not understood.
    """
    _known(project, table)
    found = before.in_git(project.path, revision)
    for name in found:
        if found[name] is None and table in (None, name):
            raise ContractError(f"The contract of {name} in {revision} is not understood", "Compare with another revision.")
    return _differences(project, {name: old for name, old in found.items() if old is not None and table in (None, name)})


def against_published(project: Project, root: Path, table: TableName | None = None) -> list[Difference]:
    """The contracts (that of `table`) that differ from those by which the lake's tables were last published, sorted.

    Raises UnknownName for a table that does not exist, or was not published with its contract noted.
    """
    _known(project, table)
    found = {name: old for name in project.contracts if (old := before.published(root, name)) is not None}
    if table is not None and table not in found:
        hint = f"To publish it: lakehouse run {table.slashed}. To compare with git, leave out --published."
        raise UnknownName(f"{table} was not published yet, or by a version that did not note its contract", hint)
    return _differences(project, {name: old for name, old in found.items() if table in (None, name)})


def _known(project: Project, table: TableName | None) -> None:
    if table is not None and not (project.path / form.FOLDER / f"{table.slashed}.yaml").exists():
        near = did_you_mean(table, project.contracts)
        raise UnknownName(f"{table} has no contract", f"It would be {form.FOLDER}/{table.slashed}.yaml.{near}")


def _differences(project: Project, olds: dict[TableName, Contract]) -> list[Difference]:
    found = (_difference(project, old) for _, old in sorted(olds.items()))
    return [one for one in found if one.changes]


def _difference(project: Project, old: Contract) -> Difference:
    path = project.path / form.FOLDER / f"{old.table.slashed}.yaml"
    new = project.contracts.get(old.table) or (form.load(path) if path.exists() else None)
    specs = [spec for spec in (*project.notebooks.values(), *project.explore.values()) if old.table in spec.inputs]
    readers = tuple(sorted(spec.file for spec in specs))
    further = {below for spec in specs if not spec.explore for below in project.descendants(spec.name)}
    below = {project.notebooks[asset].file for asset in further if asset in project.notebooks} - set(readers)
    changes = diff.compare(old, new) if new else [Change("table", "removed", "readers" if readers else "")]
    return Difference(old.table, (old.version, new.version if new else None), tuple(changes), readers, tuple(sorted(below)))
