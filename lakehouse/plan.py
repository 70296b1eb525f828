"""What is stale, and why: one pure function over commits, raw files, runs' records and code identity.

The command line, Dagster's sensors and its steps all ask here. Neither Spark nor Dagster is imported, so a graph
in which nothing changed is known to be so within a second.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from lakehouse import code, inputs, making, reasons
from lakehouse.errors import PartitionError
from lakehouse.ingest import folder
from lakehouse.inputs import WHOLE
from lakehouse.making import Making
from lakehouse.names import TableName
from lakehouse.notebook import NotebookSpec
from lakehouse.parameters import to_injectable
from lakehouse.partitions import OWN, month, parse_months
from lakehouse.project import Project
from lakehouse.reasons import Reason
from lakehouse.retraining import course
from lakehouse.settings import Settings


@dataclass(frozen=True)
class Step:
    """One asset to run, over these partitions (none where it has none); `causes` says why, by partition or "*".

    `parameters` are those of its notebook that are not to be its samples.
    """

    asset: TableName
    partitions: tuple[str, ...]
    causes: Mapping[str, tuple[Reason, ...]] = field(default_factory=dict, hash=False)
    parameters: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why, in words, each reason once."""
        return tuple(dict.fromkeys(str(reason) for why in self.causes.values() for reason in why))

    @property
    def forced(self) -> bool:
        """Whether it is to run because it was asked for, whatever stands."""
        return any(reason.kind == "forced" for why in self.causes.values() for reason in why)


@dataclass
class _Planner:
    project: Project
    root: Path
    force: bool
    wanted: Collection[str] | None
    following: Collection[TableName]
    asked: Collection[TableName]
    today: date | None
    # What earlier steps of this plan will write: by table, the partitions, or None for all of it.
    moving: dict[TableName, set[str] | None] = field(default_factory=dict)
    codes: dict[TableName, dict[str, str]] = field(default_factory=dict)

    def step(self, asset: TableName) -> Step | None:
        space = self.project.partitions_of(asset)
        if space is None:
            found = self._reasons(asset, None)
            return self._note(asset, None, {WHOLE: found} if found else {})
        stale = {key: why for key in space.keys(self.today) if (why := self._asked(asset, key))}
        return self._note(asset, tuple(stale), stale)

    def _asked(self, asset: TableName, key: month) -> tuple[Reason, ...]:
        """The reasons for a partition that is wanted; one that is not may still follow what this plan rebuilds."""
        if self.wanted is None or key in self.wanted:
            return self._reasons(asset, key)
        return self._upstream(self.project.notebooks[asset], key) if asset in self.following else ()

    def _upstream(self, spec: NotebookSpec, key: month) -> tuple[Reason, ...]:
        reads = (*spec.reads, *(read for read in spec.models_read if not read.scored))
        covered = {read: inputs.covered(self.project, read.table, read.coverage, [key]) for read in reads}
        return tuple(dict.fromkeys(Reason("upstream", read.table) for read in reads if self._moves(read.table, covered[read])))

    def _note(self, asset: TableName, partitions: tuple[str, ...] | None, causes: dict[str, tuple[Reason, ...]]) -> Step | None:
        if not causes:
            return None
        spec = self.project.notebooks.get(asset)
        for output in spec.outputs if spec else (asset,):
            self.moving[output] = None if partitions is None else set(partitions)
        for judged in spec.models_judged if spec else ():
            self.moving[judged.table] = None
        return Step(asset, partitions or (), causes)

    def _reasons(self, asset: TableName, key: month | None) -> tuple[Reason, ...]:
        if self.force:
            return (Reason("forced"),)
        if asset in self.asked:
            return (Reason("asked"),)
        if asset.layer == "raw":
            landed = inputs.identity(self.project, self.root, asset, OWN, [] if key is None else [key])
            if not landed:
                return (Reason("not landed"),)
            return reasons.arrived(folder.news(self.root, self.project.sources[asset], key))
        spec = self.project.notebooks[asset]
        made = self._made(spec, key)
        if made is None:
            return (Reason("never built"),)
        if made.facts is None:
            return (made.intrusion,)
        then = made.facts.get("parameters", {})
        now = self.codes.get(spec.name) or code.explain(self.project, spec)
        self.codes[spec.name] = now
        return (
            *reasons.code(made.facts.get("code", {}), now),
            *reasons.parameters(then, _samples(spec) | course.moved(self.project, spec, then)),
            *self._inputs(spec, key, made.facts.get("inputs", {})),
        )

    def _made(self, spec: NotebookSpec, key: month | None) -> Making | None:
        """Of the first output that does not stand, or that another changed; else of its own table."""
        found = None
        for output in spec.outputs:
            found = making.newest(self.project, self.root, output, key)
            if found is None or found.facts is None:
                return found
        return found

    def _inputs(self, spec: NotebookSpec, key: month | None, known: Mapping[str, Any]) -> tuple[Reason, ...]:
        found: list[Reason] = []
        own = [] if key is None else [key]
        for read in (*spec.reads, *spec.models_read):
            if read.scored and known.get(read.table.dotted, {}).get("seen"):
                continue  # a score is told once, by the champion of then
            covered = inputs.covered(self.project, read.table, read.coverage, own)
            then = known.get(read.table.dotted, {}).get("seen", {})
            now = inputs.seen(self.project, self.root, spec, read, own)
            if then and inputs.WHOLE not in then and course.moving(self.project, spec):
                # Partitions that came since, or are about to, are for the loop to take up.
                covered, now = [*then], {part: stands for part, stands in now.items() if part in then}
            if self._moves(read.table, covered):
                found.append(Reason("upstream", read.table))
                continue
            found += reasons.moved(read.table, then, now, covered)
        return tuple(dict.fromkeys(found))

    def _moves(self, table: TableName, covered: list[str] | None) -> bool:
        if table not in self.moving:
            return False
        moving = self.moving[table]
        return moving is None or covered is None or bool(moving & set(covered))


def _samples(spec: NotebookSpec) -> dict[str, Any]:
    own = spec.partition_parameter
    return {p.name: to_injectable(p.default) for p in spec.parameters if own is None or p.name != own.name}


def plan(
    project: Project,
    settings: Settings,
    selection: Iterable[TableName],
    partitions: Collection[str] | None = None,
    force: bool = False,
    today: date | None = None,
    moving: Mapping[TableName, set[str] | None] | None = None,
    following: Collection[TableName] = (),
    asked: Collection[TableName] = (),
) -> list[Step]:
    """The stale ones among `selection` in the graph's order, each with its stale partitions and the reasons.

    `partitions` narrows partitioned assets to those months, and those among `following` to them and what this plan
    rebuilds by them; `force` calls everything stale. `moving` are tables (and which partitions of them, None for all)
    that are about to change by other means; `asked` are streams that are to land what came, whatever stands.
    """
    chosen = set(selection)
    planner = _Planner(project, settings.root, force, partitions, following, asked, today, dict(moving or {}))
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
