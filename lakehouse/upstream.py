"""Whether what a notebook reads is as it should be: no run above it failed, and no table is older than it promises.

A contract says by `upstream` what its notebook does otherwise: `wait`, or `last_good` to run on the version that was
published last. However it runs, its record and Dagster tell what was behind.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from lakehouse import checks, deltalog, inputs, record, tables
from lakehouse.contract import Contract, Upstream
from lakehouse.names import TableName
from lakehouse.notebook import NotebookSpec
from lakehouse.project import Project
from lakehouse.record import CheckRecord

Behind = Mapping[str, str]
"""By table, in words, why what it holds is not the newest that could be."""

TOLD = "LAKEHOUSE_BEHIND"
_RUNS = 20  # of an asset that are looked back at


def policy(project: Project, asset: TableName) -> Upstream | None:
    """What the contracts of an asset's tables say of it; `wait` where they differ."""
    spec = project.notebooks.get(asset)
    said = {project.contracts[table].upstream for table in (spec.outputs if spec else ()) if table in project.contracts}
    named = said - {None}
    return "wait" if len(named) > 1 else next(iter(named), None)


def behind(project: Project, root: Path, spec: NotebookSpec, partitions: Iterable[str], now: datetime | None = None) -> Behind:
    """Of what a run of `spec` for `partitions` reads, the tables that are behind. Only commits and records are read."""
    own, now = list(partitions), now or datetime.now(UTC)
    found: dict[str, str] = {}
    for read in spec.reads:
        if read.table.layer != "raw":
            covered = inputs.covered(project, read.table, read.coverage, own)
            why = _failed(project, root, read.table, covered) or _overdue(project, root, read.table, now)
            if why:
                found.setdefault(read.table.dotted, why)
    return found


def told() -> dict[str, str]:
    """What whoever started this run knows to be behind: a source that could not deliver leaves no record."""
    return dict(json.loads(os.environ.get(TOLD, "{}")))


def audit(contract: Contract, behind: Behind) -> list[CheckRecord]:
    """The outcome of the check that nothing above was behind, for a contract that asks for it."""
    return [
        checks.outcome(
            contract,
            check,
            passed=not behind,
            observed="; ".join(f"{table}: {why}" for table, why in sorted(behind.items())),
        )
        for check in checks.of(contract)
        if check.type == checks.UPSTREAM
    ]


def missing(project: Project, root: Path, spec: NotebookSpec, partitions: Iterable[str]) -> list[str]:
    """What such a run reads and that was never published, so that there is no last good version."""
    own = list(partitions)
    absent = []
    for read in spec.reads:
        there = inputs.identity(project, root, read.table, read.coverage, own)
        if not there or inputs.missing(project, root, read.table, read.coverage, own):
            absent.append(read.table.dotted)
    return absent


def _failed(project: Project, root: Path, table: TableName, covered: list[str] | None) -> str:
    """In words, if the last run that was to write these partitions did not succeed."""
    asset = project.writer_of(table)
    waiting = None if covered is None else set(covered)
    for run in islice(record.newest_first(root, asset), _RUNS) if asset else ():
        if waiting is not None and run.partitions and not waiting & set(run.partitions):
            continue
        if run.status in ("failed", "cancelled"):
            cause = (run.cause.splitlines() or [run.status])[0]
            return f"the run of {run.started:%Y-%m-%d %H:%M} UTC did not succeed: {cause}"
        if waiting is None or not run.partitions or not (waiting := waiting - set(run.partitions)):
            break
    return ""


def _overdue(project: Project, root: Path, table: TableName, now: datetime) -> str:
    """In words, if the newest data of the table are older than its contract allows."""
    contract, newest = project.contracts.get(table), published(root, table)
    if contract is None or contract.freshness is None or newest is None or now - newest <= contract.freshness:
        return ""
    return overdue(newest, contract.freshness, now)


def overdue(newest: datetime, allowed: timedelta, now: datetime) -> str:
    """How old the newest data are and may be, in words."""
    return f"its newest data are of {newest:%Y-%m-%d %H:%M} UTC, {_days(now - newest)} old; {_days(allowed)} are allowed"


def published(root: Path, table: TableName) -> datetime | None:
    """When the data of a table last changed."""
    commits = deltalog.commits(tables.lake_path(root, table))
    newest = next((entry for entry in reversed(commits) if entry.data), None)
    return datetime.fromtimestamp(newest.timestamp / 1000, UTC) if newest else None


def _days(span: timedelta) -> str:
    hours = int(span.total_seconds() // 3600)
    return f"{hours // 24} days" if hours >= 48 else f"{hours} hours"
