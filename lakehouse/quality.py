"""What is wrong with the lake's data now, since when, and how far down it reaches.

From contracts, commits and runs' records; neither Spark nor Dagster is asked. The last run of each partition says what
is wrong with it; the runs before it, since when without a break.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse import checks as checks_of
from lakehouse import deltalog, making, record, tables, upstream
from lakehouse.inputs import WHOLE
from lakehouse.leaks import outcome as leaks
from lakehouse.lineage import Lineage, Node
from lakehouse.names import TableName
from lakehouse.profiles import reference
from lakehouse.project import Project
from lakehouse.quarantine import table as quarantine
from lakehouse.record import CheckRecord, RunRecord

if TYPE_CHECKING:
    import pandas as pd

    from lakehouse.lake import Lake

RUN, FRESHNESS, UPSTREAM, QUARANTINE, LEAKS = "run", "freshness", "upstream", "quarantine", "leaks"
_RUNS = 400  # of an asset that are looked back at
_PARTITIONS = 36  # of a table whose profiles are shown


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. `what` is a check's name, or run, freshness, upstream, quarantine, leaks.

    `published`: readers see what is wrong; else the version before stands, and it is only missing. `reaches` are the
    tables and models that were made of it, or that wait for it. `rows` counts those that do not fit, where that is known.
    """

    table: TableName
    partitions: tuple[str, ...]
    what: str
    severity: str
    since: datetime
    said: str
    published: bool
    reaches: tuple[TableName, ...]
    run_id: str | None = None
    rows: int | None = None
    examples: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Standing:
    """How one table stands: `passed`, `warned` and `failed` count the checks of the last run of any of its partitions."""

    table: TableName
    owner: str
    rows: int
    version: int
    published: datetime
    allowed: timedelta | None
    passed: int
    warned: int
    failed: int


class Quality:
    """The findings of one lake at the moment `now`."""

    def __init__(self, project: Project, root: Path, now: datetime | None = None) -> None:
        self._project, self._root, self.now = project, root, now or datetime.now(UTC)
        self._known: dict[TableName, list[RunRecord]] = {}

    @cached_property
    def findings(self) -> list[Finding]:
        """All that is wrong, errors first, the oldest first."""
        found = [one for table in self._tables for one in (*self._of_runs(table), *self._freshness(table), *self._leaks(table))]
        found += self._quarantine()
        return sorted(found, key=lambda one: (one.severity != "error", one.since, one.table))

    @cached_property
    def standing(self) -> list[Standing]:
        """Every table of the project that was published, in the graph's order."""
        return [one for table in self._tables if (one := self._stands(table)) is not None]

    def checks(self) -> Iterator[tuple[TableName, str, CheckRecord]]:
        """For each partition of each table ("*" where it has none) the results of the run that it was published by."""
        for table in self._tables:
            for run, keys in self._last_runs(table):
                for key in keys if run.status == "succeeded" else ():
                    yield from ((table, key, check) for check in run.checks if check.table == table.dotted)

    def profiled(self) -> Iterator[tuple[str, str, int, str, float]]:
        """Of the last partitions that stand of each table: their rows, and each column's share of missing values."""
        for table in self._tables:
            contract = self._project.contracts[table]
            rules = checks_of.profiled(contract)
            if rules and contract.partitions:
                there = reference.standing(self._root, contract, rules.model_copy(update={"reference": "recent"}))
                for key, batch in sorted(there.items())[-_PARTITIONS:]:
                    shares = {name: column.missing / max(batch.rows, 1) for name, column in batch.columns.items()}
                    yield from ((str(table), key, batch.rows, name, share) for name, share in shares.items())

    @cached_property
    def _outputs(self) -> list[TableName]:
        specs = (self._project.notebooks.get(asset) for asset in self._project.order())
        return list(dict.fromkeys(output for spec in specs if spec for output in spec.outputs))

    @property
    def _tables(self) -> list[TableName]:
        return [table for table in self._outputs if table in self._project.contracts]

    @cached_property
    def _lineage(self) -> Lineage:
        return Lineage(self._project, self._root)

    def _runs(self, table: TableName) -> list[RunRecord]:
        asset = self._project.writer_of(table)
        if asset is not None and asset not in self._known:
            self._known[asset] = list(islice(record.endings_newest_first(self._root, asset), _RUNS))
        return self._known[asset] if asset else []

    def _last_runs(self, table: TableName) -> Iterator[tuple[RunRecord, list[str]]]:
        """Runs with the partitions of which each was the last: those that published, and those that failed since."""
        published: set[str] = set()
        failed: set[str] = set()
        for run in self._runs(table):
            keys = run.partitions or [WHOLE]
            done = published if run.status == "succeeded" else published | failed
            last = [key for key in keys if key not in done]
            (published if run.status == "succeeded" else failed).update(keys)
            if last:
                yield run, last

    def _of_runs(self, table: TableName) -> Iterator[Finding]:
        for run, keys in self._last_runs(table):
            ok = run.status == "succeeded"
            broken = [check for check in run.checks if check.table == table.dotted and not check.passed]
            reaches = self._made_of(table, keys) if ok else self._below(table)
            facts = {"table": table, "partitions": _named(keys), "published": ok, "reaches": reaches, "run_id": run.run_id}
            for check in broken:
                said = check.observed or check.description
                rows, few = check.unexpected, tuple(check.examples)
                since = self._since(table, keys, run, check.name)
                grave = "warn" if check.severity == "warn" else "error"
                yield Finding(what=check.name, severity=grave, since=since, said=said, rows=rows, examples=few, **facts)
            if not ok and not any(check.severity != "warn" for check in broken):
                said = (run.cause.splitlines() or [run.status])[0]
                grave = "error" if run.status == "failed" else "warn"
                yield Finding(what=RUN, severity=grave, since=self._since(table, keys, run, RUN), said=said, **facts)
            if run.behind:
                said = "; ".join(f"{name}: {why}" for name, why in run.behind.items())
                yield Finding(what=UPSTREAM, severity="warn", since=run.started, said=said, **facts)

    def _since(self, table: TableName, keys: list[str], last: RunRecord, what: str) -> datetime:
        """When the first of the runs began that all had it, up to the last, without one in between that had not."""
        since = last.started
        for run in self._runs(table):
            if run.run_id >= last.run_id or not set(run.partitions or [WHOLE]) & set(keys):
                continue
            names = {check.name for check in run.checks if check.table == table.dotted and not check.passed}
            if what not in names and not (what == RUN and run.status != "succeeded"):
                break
            since = run.started
        return since

    def _quarantine(self) -> Iterator[Finding]:
        """Rows that were set aside and that nobody has released, by table."""
        for (name, key), held in quarantine.standing(self._root).items():
            if held.open:
                table, since = TableName.parse(name), held.since or self.now
                said = "rows that do not fit were left out (`lakehouse quarantine`)"
                yield Finding(table, _named([key]), QUARANTINE, "warn", since, said, True, self._below(table), rows=held.open)

    def _freshness(self, table: TableName) -> Iterator[Finding]:
        contract, newest = self._project.contracts[table], upstream.published(self._root, table)
        if contract.freshness and newest and self.now - newest > contract.freshness:
            said = upstream.overdue(newest, contract.freshness, self.now)
            yield Finding(table, (), FRESHNESS, "warn", newest + contract.freshness, said, True, self._below(table))

    def _leaks(self, table: TableName) -> Iterator[Finding]:
        """Leaks that the newest check of a partition found, where what it looked at stands still."""
        for key, outcome in leaks.newest(self._root, table).items():
            stands = making.newest(self._project, self._root, table, key)
            if not outcome.passed and stands is not None and stands.run_id == outcome.made_by:
                keys = [key or WHOLE]
                facts = {"published": True, "reaches": self._made_of(table, keys), "run_id": outcome.made_by}
                yield Finding(table, _named(keys), LEAKS, "error", outcome.at, outcome.said, **facts)

    def _made_of(self, table: TableName, keys: list[str]) -> tuple[TableName, ...]:
        """What was made of these partitions as they stand, and of that again."""
        waiting = [one for node in self._lineage.standing(table, _named(keys) or None) for one in node.split()]
        seen: set[Node] = set()
        while waiting:
            for below in self._lineage.outputs.get(waiting.pop(), ()):
                if below not in seen:
                    seen.add(below)
                    waiting.append(below)
        return self._in_order({node.table for node in seen} - {table})

    def _below(self, table: TableName) -> tuple[TableName, ...]:
        asset = self._project.writer_of(table)
        below = self._project.descendants(asset) if asset else set()
        return self._in_order({output for one in below for output in self._project.notebooks[one].outputs})

    def _in_order(self, chosen: set[TableName]) -> tuple[TableName, ...]:
        return tuple(output for output in self._outputs if output in chosen)

    def _stands(self, table: TableName) -> Standing | None:
        path, contract = tables.lake_path(self._root, table), self._project.contracts[table]
        newest, version = upstream.published(self._root, table), deltalog.latest(path)
        if newest is None or version is None:
            return None
        run = next(iter(self._runs(table)), None)
        checks = [check for check in run.checks if check.table == table.dotted] if run else []
        failed = sum(not check.passed and check.severity != "warn" for check in checks)
        passed = sum(check.passed for check in checks)
        rows = sum(deltalog.current_rows(path).values())
        warned = len(checks) - passed - failed
        return Standing(table, contract.owner, rows, version, newest, contract.freshness, passed, warned, failed)


@dataclass(frozen=True)
class Frames:
    """The same as tables: `findings` and `tables` a row each, `checks` a row for each partition's check (see `Quality`).

    `quarantine` counts the rows that are set aside, and those of them that are still open, by table and partition.
    `profiles` has for each column of a table's last partitions its share of missing values, and the partition's rows.
    """

    findings: pd.DataFrame
    tables: pd.DataFrame
    checks: pd.DataFrame
    quarantine: pd.DataFrame
    profiles: pd.DataFrame


def frames(lake: Lake) -> Frames:
    """What is wrong with the lake that a notebook has opened, as pandas shows it."""
    import pandas as pd

    found = Quality(lake._project, lake._root)
    findings = [{**vars(one), "reaches": ", ".join(map(str, one.reaches))} for one in found.findings]
    checks = [{"table": str(table), "partition": key, **check.model_dump()} for table, key, check in found.checks()]
    shown = pd.DataFrame(findings, columns=[field.name for field in fields(Finding)])
    shown["table"] = shown["table"].map(str)
    tables = pd.DataFrame([vars(one) for one in found.standing], columns=[field.name for field in fields(Standing)])
    tables["table"] = tables["table"].map(str)
    tables["age"] = found.now - pd.to_datetime(tables["published"], utc=True)
    tables["allowed"] = pd.to_timedelta(tables["allowed"])
    columns = ["table", "partition", *CheckRecord.model_fields]
    checked = pd.DataFrame(checks, columns=list(dict.fromkeys(columns)))
    aside = [(*at, held.rows, held.open, held.since) for at, held in quarantine.standing(lake._root).items()]
    held = pd.DataFrame(sorted(aside, key=lambda row: row[:2]), columns=["table", "partition", "rows", "open", "since"])
    profiled = pd.DataFrame(found.profiled(), columns=["table", "partition", "rows", "column", "missing"])
    return Frames(shown, tables, checked, held, profiled)


def _named(keys: list[str]) -> tuple[str, ...]:
    return tuple(key for key in sorted(keys) if key != WHOLE)
