"""What is stale, and why: one pure function over commits, raw files, runs' records and code identity.

The command line, Dagster's sensors and its steps all ask here. Neither Spark nor Dagster is imported, so a graph
in which nothing changed is known to be so within a second.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from lakehouse import code, deltalog, inputs, raw, tables
from lakehouse.errors import PartitionError
from lakehouse.names import TableName
from lakehouse.notebook import NotebookSpec
from lakehouse.parameters import to_injectable
from lakehouse.partitions import month, parse_months
from lakehouse.project import Project
from lakehouse.settings import Settings


@dataclass(frozen=True)
class Step:
    """One asset to run, over these partitions (none where it has none), and why."""

    asset: TableName
    partitions: tuple[str, ...]
    reasons: tuple[str, ...]


@dataclass
class _Planner:
    project: Project
    root: Path
    force: bool
    wanted: Collection[str] | None
    today: date | None
    # What earlier steps of this plan will write: by table, the partitions, or None for all of it.
    moving: dict[TableName, set[str] | None] = field(default_factory=dict)
    codes: dict[TableName, dict[str, str]] = field(default_factory=dict)

    def step(self, asset: TableName) -> Step | None:
        space = self.project.partitions_of(asset)
        if space is None:
            found = self._reasons(asset, None)
            return self._note(asset, None, found)
        keys = [key for key in space.keys(self.today) if self.wanted is None or key in self.wanted]
        stale = {key: why for key in keys if (why := self._reasons(asset, key))}
        reasons = tuple(dict.fromkeys(reason for why in stale.values() for reason in why))
        return self._note(asset, tuple(stale), reasons)

    def _note(self, asset: TableName, partitions: tuple[str, ...] | None, reasons: tuple[str, ...]) -> Step | None:
        if not reasons:
            return None
        spec = self.project.notebooks.get(asset)
        for output in spec.outputs if spec else (asset,):
            self.moving[output] = None if partitions is None else set(partitions)
        return Step(asset, partitions or (), reasons)

    def _reasons(self, asset: TableName, key: month | None) -> tuple[str, ...]:
        if self.force:
            return ("forced",)
        if asset.layer == "raw":
            landed = raw.files(self.root, asset, None if key is None else [key])
            return () if landed else ("not landed yet",)
        spec = self.project.notebooks[asset]
        made = self._made(spec, key)
        if made is None:
            return ("never built",)
        if not made:
            return ("changed by something other than its notebook",)
        return (*self._code(spec, made), *self._parameters(spec, made), *self._inputs(spec, key, made))

    def _made(self, spec: NotebookSpec, key: month | None) -> dict[str, Any] | None:
        """What is known of the run that made what now stands: None for nothing stands, empty for not ours."""
        for output in spec.outputs:
            if output.layer == "models":
                result = inputs.newest_result(self.project, self.root, output)
                made = result.model_dump() if result else None
            else:
                commit = deltalog.written_by(tables.lake_path(self.root, output), key)
                made = None if commit is None else (commit.ours or {})
            if not made or output == spec.name or output == spec.outputs[-1]:
                return made
        return {}

    def _code(self, spec: NotebookSpec, made: dict[str, Any]) -> tuple[str, ...]:
        now, then = self.codes.get(spec.name) or code.explain(self.project, spec), made.get("code", {})
        self.codes[spec.name] = now
        moved = sorted(part for part in {*now, *then} if now.get(part) != then.get(part))
        return (f"code changed: {', '.join(moved)}",) if moved else ()

    def _parameters(self, spec: NotebookSpec, made: dict[str, Any]) -> tuple[str, ...]:
        own = spec.partition_parameter
        samples = {p.name: to_injectable(p.default) for p in spec.parameters if own is None or p.name != own.name}
        then = made.get("parameters", {})
        moved = sorted(name for name in {*samples, *then} if samples.get(name) != then.get(name))
        return (f"parameters differ: {', '.join(moved)}",) if moved else ()

    def _inputs(self, spec: NotebookSpec, key: month | None, made: dict[str, Any]) -> tuple[str, ...]:
        reasons = []
        own = [] if key is None else [key]
        for read in (*spec.reads, *spec.models_read):
            covered = inputs.covered(self.project, read.table, read.coverage, own)
            if self._moves(read.table, covered):
                reasons.append(f"{read.table} is being rebuilt")
                continue
            now = inputs.identity(self.project, self.root, read.table, read.coverage, own)
            then = made.get("inputs", {}).get(read.table.dotted, {}).get("seen", {})
            moved = sorted(part for part in now if now[part] != then.get(part))
            moved += sorted(part for part in (covered or ()) if part in then and part not in now)
            if moved:
                where = "" if moved == [inputs.WHOLE] else f" ({', '.join(moved)})"
                reasons.append(f"{read.table} changed{where}")
        return tuple(dict.fromkeys(reasons))

    def _moves(self, table: TableName, covered: list[str] | None) -> bool:
        if table not in self.moving:
            return False
        moving = self.moving[table]
        return moving is None or covered is None or bool(moving & set(covered))


def plan(
    project: Project,
    settings: Settings,
    selection: Iterable[TableName],
    partitions: Collection[str] | None = None,
    force: bool = False,
    today: date | None = None,
) -> list[Step]:
    """The stale ones among `selection` in the graph's order, each with its stale partitions and the reasons.

    `partitions` narrows partitioned assets to those months; `force` calls everything stale.
    """
    chosen = set(selection)
    planner = _Planner(project, settings.root, force, partitions, today)
    steps = (planner.step(asset) for asset in project.order() if asset in chosen)
    return [step for step in steps if step is not None]


def requested(project: Project, selection: Collection[TableName], text: str, today: date | None = None) -> tuple[str, ...]:
    """`2013-02` or `2013-01..2013-03` as months that at least one of the selected assets has.

    Raises PartitionError for a malformed month, or one that none of them has.
    """
    wanted = tuple(dict.fromkeys(parse_months(text)))
    spaces = [space for asset in selection if (space := project.partitions_of(asset)) is not None]
    known = sorted({key for space in spaces for key in space.keys(today)})
    missing = [key for key in wanted if key not in known]
    if missing:
        there = f"There are {known[0]} to {known[-1]}." if known else "None of the selected assets has partitions."
        raise PartitionError(f"Partition {', '.join(missing)} does not exist", there)
    return wanted
