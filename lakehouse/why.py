"""Why an asset ran last, or would run now, or would not: each reason with who moved what, and when.

The reasons of a past run are found by holding what it knew against what the run before it knew, so they are there for
every run that left a commit, whoever started it. Neither Spark nor Dagster is imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from lakehouse import deltalog, inputs, ledger, making, plan, raw, reasons, record, tables
from lakehouse.making import Making
from lakehouse.names import TableName
from lakehouse.notebook import NotebookSpec
from lakehouse.partitions import OWN
from lakehouse.project import Project
from lakehouse.reasons import Change, Reason
from lakehouse.record import RunRecord
from lakehouse.settings import Settings


@dataclass(frozen=True)
class Mover:
    """What moved a part of an input: a commit, a model's version, or a raw file that came."""

    what: str
    at: datetime
    by: str


@dataclass(frozen=True)
class Told:
    """A reason and who brought it about."""

    reason: Reason
    movers: tuple[Mover, ...] = ()


@dataclass(frozen=True)
class Explanation:
    """For partitions of an asset (none where it has none) that share their story.

    `last` made what stands (None: nothing does), `because` says why it ran (empty: nothing had moved, it was asked
    for), `run` is its record where a runner kept one, `failed` a newer run that did not succeed. `now` says why it
    would run now (empty: it would not), `above` the same of the assets above it that would run first. `kept` says what
    moved and is no reason to run.
    """

    asset: TableName
    partitions: tuple[str, ...]
    last: Making | None
    because: tuple[Told, ...]
    run: RunRecord | None
    failed: RunRecord | None
    now: tuple[Told, ...]
    above: tuple[tuple[TableName, tuple[Told, ...]], ...]
    kept: tuple[str, ...] = ()


def explain(project: Project, settings: Settings, asset: TableName, partitions: Sequence[str] | None = None) -> list[Explanation]:
    """What is to be said of these partitions of `asset` (None: all), those with the same story together."""
    return _Explainer(project, settings, asset).explain(partitions)


class _Explainer:
    def __init__(self, project: Project, settings: Settings, asset: TableName) -> None:
        self._project, self._root, self._asset = project, settings.root, asset
        steps = plan.plan(project, settings, {asset, *project.ancestors(asset)})
        self._steps = {step.asset: step for step in steps}
        self._records = {one.run_id: one for one in record.newest_first(self._root, asset)}
        self._lasts: dict[str | None, tuple[Making | None, tuple[Reason, ...]]] = {}

    def explain(self, partitions: Sequence[str] | None) -> list[Explanation]:
        space = self._project.partitions_of(self._asset)
        if space is None:
            return [self._explanation([None])]
        keys = filter(lambda key: partitions is None or key in partitions, space.keys())
        return [self._explanation(list(alike)) for _, alike in groupby(keys, self._story)]

    def _story(self, key: str | None) -> tuple[Any, ...]:
        """What tells one partition's story from another's."""
        last, why = self._last(key)
        now = self._causes(key)
        return last and (last.run_id, last.at), *([(one.kind, one.table) for one in of] for of in (why, now))

    def _explanation(self, keys: list[str | None]) -> Explanation:
        last = self._last(keys[0])[0]
        because = reasons.merged(reason for key in keys for reason in self._last(key)[1])
        now = reasons.merged(reason for key in keys for reason in self._causes(key))
        newest = next(iter(self._records.values()), None)
        failed = newest if newest and newest.status != "succeeded" and (last is None or newest.run_id != last.run_id) else None
        rebuilt = any(reason.kind == "upstream" for reason in now)
        return Explanation(
            asset=self._asset,
            partitions=tuple(str.__str__(key) for key in keys if key is not None),
            last=last,
            because=self._told(because),
            run=self._records.get(last.run_id or "") if last else None,
            failed=failed if failed and (last is None or failed.started > last.at) else None,
            now=self._told(now),
            above=tuple(self._above()) if rebuilt else (),
            kept=tuple(self._kept(last)),
        )

    def _kept(self, last: Making | None) -> Iterator[str]:
        """Scores that another version told than the champion that there is now."""
        spec = self._project.notebooks.get(self._asset)
        scored = {read.table for read in spec.models_read if read.scored} if spec else set()
        for model in sorted(scored) if last is not None else ():
            known = (last.facts or {}).get("inputs", {}).get(model.dotted, {}).get("seen", {})
            then, now = known.get(inputs.WHOLE), ledger.standing(self._root, model)
            if then is not None and now.last is not None and then != now.champion:
                since = f"version {now.champion} is the champion now ({now.last.said})"
                yield f"{model} version {then} told these scores, {since}: a score is told once, unless by --force"

    def _last(self, key: str | None) -> tuple[Making | None, tuple[Reason, ...]]:
        """What made what stands, and what had moved since the run before it."""
        if key not in self._lasts:
            spec = self._project.notebooks.get(self._asset)
            self._lasts[key] = self._landed(key) if spec is None else self._ran(spec, key)
        return self._lasts[key]

    def _landed(self, key: str | None) -> tuple[None, tuple[Reason, ...]]:
        seen = inputs.identity(self._project, self._root, self._asset, OWN, [] if key is None else [key])
        changes = tuple(Change(part, None, identity) for part, identity in seen.items())
        return None, (Reason("landed", self._asset, changes),) if changes else ()

    def _ran(self, spec: NotebookSpec, key: str | None) -> tuple[Making | None, tuple[Reason, ...]]:
        made = making.makings(self._project, self._root, spec.outputs[-1], key)
        last, before = next(made, None), next(made, None)
        if last is None or last.facts is None:
            return last, () if last is None else (last.intrusion,)
        if before is None:
            return last, (Reason("never built"),)
        return last, (before.intrusion,) if before.facts is None else tuple(self._between(spec, key, before.facts, last.facts))

    def _between(self, spec: NotebookSpec, key: str | None, then: Any, now: Any) -> Iterator[Reason]:
        yield from reasons.code(then.get("code", {}), now.get("code", {}))
        yield from reasons.parameters(then.get("parameters", {}), now.get("parameters", {}))
        for name in sorted(now.get("inputs", {})):
            table = TableName.parse(name)
            seen = [facts.get("inputs", {}).get(name, {}).get("seen", {}) for facts in (then, now)]
            parts = inputs.parts_read(self._project, spec, table, key)
            if parts is not None:
                seen = [{part: what for part, what in of.items() if part in parts} for of in seen]
            yield from reasons.moved(table, seen[0], seen[1], parts)

    def _causes(self, key: str | None) -> tuple[Reason, ...]:
        step = self._steps.get(self._asset)
        return step.causes.get(key or inputs.WHOLE, ()) if step else ()

    def _above(self) -> Iterator[tuple[TableName, tuple[Told, ...]]]:
        """Those above that do not merely follow others."""
        for step in self._steps.values():
            found = reasons.merged(reason for why in step.causes.values() for reason in why if reason.kind != "upstream")
            if step.asset != self._asset and found:
                yield step.asset, self._told(found)

    def _told(self, found: Iterable[Reason]) -> tuple[Told, ...]:
        return tuple(Told(reason, tuple(self._movers(reason))) for reason in found)

    def _movers(self, reason: Reason) -> Iterator[Mover]:
        if reason.table is None or reason.kind not in ("input", "landed", "foreign", "restored"):
            return
        found = [mover for change in reason.changes for mover in self._moves(reason.table, change)]
        yield from sorted(dict.fromkeys(found), key=lambda mover: (mover.at, mover.what))

    def _moves(self, table: TableName, change: Change) -> Iterator[Mover]:
        """Who brought a part of an input from what it was to what it is."""
        if self._project.is_of_files(table):
            yield from self._deliveries(table, change)
        elif table.layer == "models":
            for made in making.makings(self._project, self._root, table):
                if made.version == change.now:
                    yield Mover(f"{table} version {made.version}", made.at, made.by)
        elif isinstance(change.now, int):
            path, part = tables.lake_path(self._root, table), None if change.part == inputs.WHOLE else change.part
            then = change.then if isinstance(change.then, int) and change.then < change.now else change.now - 1
            for version in deltalog.versions(path):
                if then < version <= change.now and (entry := deltalog.commit(path, version)).changed(part):
                    made = making.of_commit(table, entry)
                    yield Mover(f"{table} version {version} ({entry.operation})", made.at, made.by)

    def _deliveries(self, table: TableName, change: Change) -> Iterator[Mover]:
        then, now = (
            {(file.filename, file.sha256): file for file in raw.seen_as(self._root, table, change.part, identity or "")}
            for identity in (change.then, change.now)
        )
        for known in sorted(set(now) - set(then)):
            file = now[known]
            where = file.path.relative_to(self._root).as_posix()
            yield Mover(f"{where} (SHA-256 {file.sha256[:12]}…)", file.received_at, f"received as {file.filename}")
