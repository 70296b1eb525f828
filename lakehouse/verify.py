"""Whether what was recorded still holds: raw files by checksum, table versions by their files, models by digest.

Only reads. The tables' logs are read in plain Python, so neither Spark nor Dagster is started.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from lakehouse import deltafiles, deltalog, holds, raw, record, tables
from lakehouse.deltafiles import DataFile
from lakehouse.errors import LakeError, LakehouseError
from lakehouse.ledger import audit
from lakehouse.names import PROMOTIONS, TableName
from lakehouse.record import Result, RunRecord
from lakehouse.settings import Settings
from lakehouse.streams import checkpoint
from lakehouse.trouble import Trouble

Tell = Callable[[str], None]
_WRITTEN = "written"
DOCTOR = "`lakehouse doctor` says what can be done."


@dataclass
class Verified:
    """How much was looked at; `released` counts versions that a vacuum has let go of since, which is no finding where
    nothing holds them."""

    raw_files: int = 0
    versions: int = 0
    models: int = 0
    runs: int = 0
    released: int = 0
    troubles: list[Trouble] = field(default_factory=list)


def verify(settings: Settings, only: Collection[TableName] | None = None, tell: Tell = lambda what: None) -> Verified:
    """Rechecks all that is recorded, or the raw tables, tables and models in `only` and the runs of these assets.

    `tell` is given what is being looked at, a few words each.
    """
    found = Verified()
    for trouble in _all(settings, only, found, tell):
        found.troubles.append(trouble)
    return found


def _all(settings: Settings, only: Collection[TableName] | None, found: Verified, tell: Tell) -> Iterator[Trouble]:
    yield from _raw(settings.root, only, found, tell)
    named = _Named(settings.root)
    yield from named.read_runs(only, found, tell)
    yield from named.read_commits(tell)
    held = _held(settings)
    for table, versions in sorted(named.versions.items()):
        if only is None or table in only:
            tell(f"versions of {table}")
            yield from _named_versions(settings.root, table, versions)
            if table not in named.unreadable:
                yield from _files(settings.root, table, versions, held, found)
    yield from _models(settings, only, found, tell)
    if only is None or PROMOTIONS in only:
        tell("the ledger of promotions")
        yield from audit.look(settings, alone=False)


def _raw(root: Path, only: Collection[TableName] | None, found: Verified, tell: Tell) -> Iterator[Trouble]:
    for folder in raw.folders(root):
        table = TableName("raw", folder.relative_to(root / raw.FOLDER).parts[0])
        if only is not None and table not in only:
            continue
        tell(f"raw files of {folder.relative_to(root / raw.FOLDER)}")
        try:
            for file in raw.deliveries(folder):
                found.raw_files += 1
                if words := raw.flaw(file):
                    again = f"lakehouse run {table.slashed}" + (f" --partition {file.partition}" if file.partition else "")
                    todo = f"Restore it from a backup, or move it away and land it again: `{again} --force`."
                    if deltalog.latest(tables.lake_path(root, table)) is not None:
                        todo = f"Restore it from a backup; its records stand in {table}, where they were landed."
                    yield Trouble(str(file.path), words, todo, f"received {file.received_at:%Y-%m-%d %H:%M} UTC")
        except LakeError as error:
            yield Trouble(str(folder), error.what, error.hint)


@dataclass
class _Named:
    """Which versions of which tables are named, and by whom: the run that wrote it, else the first that read it."""

    root: Path
    versions: dict[TableName, dict[int, str]] = field(default_factory=dict)
    unreadable: set[TableName] = field(default_factory=set)

    def _name(self, table: str, version: Any, by: str) -> None:
        if isinstance(version, int) and not table.startswith("models."):
            known = self.versions.setdefault(TableName.parse(table), {})
            if version not in known or (by.startswith(_WRITTEN) and not known[version].startswith(_WRITTEN)):
                known[version] = by

    def read_runs(self, only: Collection[TableName] | None, found: Verified, tell: Tell) -> Iterator[Trouble]:
        tell("runs' records")
        for folder in sorted(path for path in (self.root / "runs").glob("*/*/*") if path.is_dir()):
            asset = TableName(folder.parent.parent.name, folder.parent.name)
            if only is not None and asset not in only:
                continue
            found.runs += 1
            for name, kind in ((record.RECORD, RunRecord), (record.RESULT, Result)):
                try:
                    self._read(kind.model_validate_json((folder / name).read_text()))
                except FileNotFoundError:
                    continue
                except ValueError:
                    yield Trouble(str(folder / name), "is torn", DOCTOR, f"run {folder.name}")

    def _read(self, result: Result) -> None:
        for table, facts in result.inputs.items():
            self._name(table, facts.get("version"), f"read by run {result.run_id} of {result.asset}")
        for write in result.writes if result.target == "lake" else []:
            self._name(write.table, write.version, f"{_WRITTEN} by run {result.run_id}")

    def read_commits(self, tell: Tell) -> Iterator[Trouble]:
        for table in tables.tables_under(self.root / "tables"):
            tell(f"commits of {table}")
            path = tables.lake_path(self.root, table)
            self.versions.setdefault(table, {})
            try:
                for commit in deltalog.commits(path):
                    ours = commit.ours or {}
                    self._name(table.dotted, commit.version, f"{_WRITTEN} by run {ours['run_id']}" if "run_id" in ours else "")
                    for name, facts in ours.get("inputs", {}).items():
                        self._name(name, facts.get("version"), f"read by version {commit.version} of {table}")
            except LakeError as error:
                self.unreadable.add(table)
                yield Trouble(str(path), error.what, error.hint)


def _named_versions(root: Path, table: TableName, named: dict[int, str]) -> Iterator[Trouble]:
    path = tables.lake_path(root, table)
    there = set(deltalog.versions(path))
    for version, by in sorted(named.items()):
        if version not in there:
            what = f"version {version} does not exist" + ("" if there else ": there is no such table")
            todo = f"Restore {path} from a backup, or write it again: `lakehouse run {table.slashed} --force`."
            yield Trouble(table.dotted, what, todo, by)


def _held(settings: Settings) -> set[tuple[TableName, int]]:
    """The versions that a vacuum of ours would keep; none where what tells of them cannot be read, which is a finding too."""
    try:
        return {(hold.table, hold.version) for hold in holds.holds(settings, timedelta())}
    except LakehouseError:
        return set()


def _files(
    root: Path, table: TableName, named: dict[int, str], held: set[tuple[TableName, int]], found: Verified
) -> Iterator[Trouble]:
    """Looks at the files of each named version, each file once."""
    path = tables.lake_path(root, table)
    newest = deltalog.latest(path)
    flaws: dict[DataFile, str] = {}
    released = _released(path)
    try:
        for version, files in deltafiles.replay(path):
            if version not in named:
                continue
            found.versions += 1
            for file in files.values():
                if file not in flaws:
                    flaws[file] = deltafiles.flaw(file)
            bad = [file for file in files.values() if flaws[file]]
            let_go = (table, version) not in held
            if bad and let_go and all(flaws[file] == "is gone" and file.path in released for file in bad):
                found.released += 1
            elif bad:
                yield _lost(root, table, version, bad, flaws, named[version], newest=version == newest)
    except LakeError as error:
        yield Trouble(str(path), error.what, error.hint)


def _lost(
    root: Path, table: TableName, version: int, bad: list[DataFile], flaws: dict[DataFile, str], by: str, newest: bool
) -> Trouble:
    more = f" (and {len(bad) - 1} more of its files)" if len(bad) > 1 else ""
    keys = sorted({file.partition.partition("=")[2] for file in bad} - {""})
    part = f" --partition {','.join(keys)}" if keys else ""
    how = checkpoint.anew(root, table) if table.layer == "raw" else f"write it anew: `lakehouse run {table.slashed}{part} --force`"
    again = f", or {how}." if newest else "; a later version stands."
    what = f"version {version} cannot be read: {bad[0].path} {flaws[bad[0]]}{more}"
    return Trouble(table.dotted, what, f"Restore the file from a backup{again}", by)


def _released(table: Path) -> set[Path]:
    """The files that a vacuum deleted on purpose: removed from the table by a commit before it."""
    removed: set[Path] = set()
    released: set[Path] = set()
    try:
        for version in deltalog.versions(table):
            commit = deltalog.commit(table, version)
            if commit.operation.startswith("VACUUM"):
                released |= removed
            removed |= deltafiles.removed(table, version)
    except LakeError:
        return released
    return released


def _models(settings: Settings, only: Collection[TableName] | None, found: Verified, tell: Tell) -> Iterator[Trouble]:
    store = settings.root / "mlflow" / "mlflow.db"
    if not store.exists() or (only is not None and all(name.layer != "models" for name in only)):
        return
    tell("registered models")
    try:
        from lakehouse import models

        for version, words in models.recheck(settings):
            if only is None or TableName.parse(version.name) in only:
                found.models += 1
                if words:
                    what = f"version {version.version} {words}"
                    todo = f"Restore its files from a backup, or train it again: `lakehouse run {version.name} --force`."
                    yield Trouble(version.name, what, todo, f"registered by run {version.run_id}")
    except LakehouseError as error:
        yield Trouble(str(store), error.what, error.hint)
