"""What made what stands: for a table or a partition of it the commits that changed it, for a model its versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lakehouse import deltalog, record, tables
from lakehouse.deltalog import Commit
from lakehouse.inputs import WHOLE
from lakehouse.names import TableName
from lakehouse.project import Project
from lakehouse.reasons import Change, Kind, Reason


@dataclass(frozen=True)
class Making:
    """One version of a table or model. `facts` is what its run knew (inputs, parameters, code); None: no run of ours.

    `changed` is False for a merge that found all its rows in the table already.
    """

    table: TableName
    version: int
    at: datetime
    operation: str
    facts: Mapping[str, Any] | None
    note: Mapping[str, Any]
    changed: bool = True

    @property
    def run_id(self) -> str | None:
        return (self.facts or {}).get("run_id")

    @property
    def asset(self) -> TableName | None:
        """The notebook that made it."""
        name = (self.facts or {}).get("asset")
        return TableName.parse_notebook(name) if name else None

    @property
    def intrusion(self) -> Reason:
        """The reason to run again where no run of ours made it."""
        kind: Kind = "restored" if self.operation == "RESTORE" else "foreign"
        return Reason(kind, self.table, (Change(WHOLE, None, self.version),))

    @property
    def by(self) -> str:
        """Who made it, in words."""
        if self.facts is not None:
            run = f"run {self.run_id} of {self.asset.slashed}" if self.asset else f"run {self.run_id}"
            return run if self.changed else f"{run}, which changed no row"
        if self.note.get("operation") == "restore":
            why = f": {self.note['because']}" if self.note.get("because") else ""
            return f"`lakehouse restore` to version {self.note.get('restored')} by {self.note.get('by')}{why}"
        return "something other than its notebook"


def makings(project: Project, root: Path, table: TableName, partition: str | None = None) -> Iterator[Making]:
    """The commits that changed `partition` of a table (None: any of it), or by which a run of ours found nothing to
    change there, or a model's versions, the newest first."""
    if table.layer == "models":
        yield from _versions(project, root, table)
        return
    for entry in reversed(deltalog.commits(tables.lake_path(root, table))):
        if entry.concerns(partition):
            yield of_commit(table, entry)


def newest(project: Project, root: Path, table: TableName, partition: str | None = None) -> Making | None:
    """What made what now stands; None where nothing does."""
    return next(makings(project, root, table, partition), None)


def of_commit(table: TableName, entry: Commit) -> Making:
    at = datetime.fromtimestamp(entry.timestamp / 1000, UTC)
    return Making(table, entry.version, at, entry.operation, entry.made, entry.ours or {}, entry.data)


def _versions(project: Project, root: Path, name: TableName) -> Iterator[Making]:
    """The highest number first, whichever run began first (see `inputs.newest_model`)."""
    results = record.results_newest_first(root, project.writer_of(name) or name)
    found = [(model, result) for result in results for model in result.models if model.name == name.dotted and model.version]
    for model, result in sorted(found, key=lambda one: one[0].version, reverse=True):
        yield Making(name, model.version, record.started(result.run_id), "REGISTER", result.model_dump(), {})
