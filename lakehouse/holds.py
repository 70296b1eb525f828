"""Holds: versions of tables that something still needs. `lakehouse vacuum` deletes no file of theirs.

Needed are the version that stands (and those that stood a short while ago, which somebody may still be reading), what
a run read and wrote while its record is unexpired, what registered models were trained on, and what a sandbox was
cloned from.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from lakehouse import deltalog, record, tables
from lakehouse.names import TableName
from lakehouse.settings import Settings

_LOCK = ".holds.lock"

Kind = Literal["stands", "recent", "run", "model", "sandbox"]


@dataclass(frozen=True, order=True)
class Hold:
    """`table` at `version` is needed: `kind` says by what sort of thing, `why` by which."""

    table: TableName
    version: int
    kind: Kind
    why: str


@contextmanager
def deciding(root: Path) -> Iterator[None]:
    """Keeps what looks for old versions to bring them back, and what deletes them, apart from each other."""
    with (tables.open_root(root) / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def holds(settings: Settings, older_than: timedelta, *, live_models_only: bool = False) -> list[Hold]:
    """Every hold of the lake, sorted. Versions that stood within `older_than` are held; with `live_models_only` a
    model's version holds only while it has an alias such as champion."""
    now = datetime.now(UTC)
    found = {
        *standing(settings.root, now - older_than),
        *of_runs(settings.root, now - timedelta(days=settings.keep_versions_days)),
        *of_sandboxes(settings.root),
        *of_models(settings, live_models_only),
    }
    return sorted(found)


def standing(root: Path, since: datetime) -> Iterator[Hold]:
    """Of each table the version that stands, and those that stood at `since` or later."""
    for table in tables.tables_under(root / "tables"):
        replaced: float = float("inf")
        for entry in reversed(deltalog.commits(tables.lake_path(root, table))):
            if replaced < since.timestamp() * 1000:
                break
            if replaced == float("inf"):
                yield Hold(table, entry.version, "stands", "it stands")
            else:
                yield Hold(table, entry.version, "recent", f"it stood after {since:%Y-%m-%d %H:%M} UTC")
            replaced = entry.timestamp


def of_runs(root: Path, since: datetime) -> Iterator[Hold]:
    """What runs begun at `since` or later read and wrote, also where they failed."""
    for file in (root / "runs").glob(f"*/*/*/{record.RESULT}"):
        result = record.read_result(file.parent)
        if result is None or _expired(result.run_id, since):
            continue
        name = f"run {result.run_id} of {result.asset}"
        for table, facts in result.inputs.items():
            yield from _held(table, facts.get("version"), "run", f"read by {name}")
        for write in result.writes:
            yield from _held(write.table, write.version, "run", f"written by {name}")


def _expired(run_id: str, since: datetime) -> bool:
    try:
        return record.started(run_id) < since
    except ValueError:  # not a name of ours: nobody knows how old it is
        return False


def of_sandboxes(root: Path) -> Iterator[Hold]:
    """The versions that sandboxes, of any user, were cloned from: a shallow clone has none of its files itself."""
    for log in (root / "sandbox").glob("*/*/*/_delta_log"):
        table = TableName(log.parent.parent.name, log.parent.name)
        user = log.parent.parent.parent.name
        for kind, info in deltalog.actions(deltalog.commit_path(log.parent, 0)):
            if kind == "commitInfo" and info.get("operation") == "CLONE":
                version = info["operationParameters"]["sourceVersion"]
                yield from _held(table.dotted, int(version), "sandbox", f"the sandbox of {user} is a clone of it")


def of_models(settings: Settings, live_only: bool) -> Iterator[Hold]:
    """What registered versions of models were trained on."""
    if not (settings.root / "mlflow").is_dir():
        return
    from lakehouse import models

    for trained in models.registered(settings):
        if trained.aliases or not live_only:
            called = f" ({', '.join(trained.aliases)})" if trained.aliases else ""
            for table, version in trained.inputs.items():
                yield from _held(table, version, "model", f"{trained.name} version {trained.version}{called} was trained on it")


def _held(table: str, version: int | None, kind: Kind, why: str) -> Iterator[Hold]:
    name = TableName.parse(table)
    if version is not None and name.layer != "models":
        yield Hold(name, version, kind, why)
