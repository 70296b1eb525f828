"""Deletes data files that no held version of a table needs. Nothing else in the lake deletes any.

Plain VACUUM knows no holds, so it is given an inventory: only files that may go. The order matters beside writers:
first the files are listed, then the log is read for what is held. So a file that is committed in between is in no
version that was read, counts as part of a write under way, and stays, as such files do for a week.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from lakehouse import holds, tables
from lakehouse.deltastate import State, states
from lakehouse.errors import LakeError
from lakehouse.holds import Hold
from lakehouse.names import TableName
from lakehouse.settings import Settings

UNCOMMITTED = timedelta(days=7)
"""A file that no commit names is a write under way until it is so old."""


@dataclass(frozen=True)
class Sweep:
    """Of one table: the holds on it, `files` that go (bytes by path), `lost` versions that cannot be read then.

    `broken` are holds that cannot be honoured: their version, or files of it, had gone before.
    """

    table: TableName
    path: Path
    holds: list[Hold]
    files: Mapping[Path, int]
    lost: list[int]
    broken: list[Hold]
    states: Mapping[int, State]

    @property
    def kept(self) -> dict[int, list[Hold]]:
        """The versions that stay, each with its holds."""
        found: dict[int, list[Hold]] = {}
        for hold in self.holds:
            found.setdefault(hold.version, []).append(hold)
        return found

    @property
    def bytes(self) -> int:
        return sum(self.files.values())


def vacuum(
    settings: Settings,
    table: TableName | None,
    older_than: timedelta,
    *,
    live_models_only: bool = False,
    dry_run: bool = False,
) -> list[Sweep]:
    """Deletes what is held by nothing from `table` (None: from all) and reads every held version again; says what went.

    Raises UnknownName for a table that is not there, LakeError where a held version cannot be read afterwards.
    """
    root = settings.root
    names = [table] if table else tables.tables_under(root / "tables")
    paths = {name: tables.Resolver(root).path(name) for name in names}
    with holds.deciding(root):
        listed = {name: _data_files(path) for name, path in paths.items()}
        held = holds.holds(settings, older_than, live_models_only=live_models_only)
        swept = [
            sweep(name, path, listed[name], [hold for hold in held if hold.table == name], older_than)
            for name, path in paths.items()
        ]
        if not dry_run and any(one.files for one in swept):
            _delete(settings, [one for one in swept if one.files], listed)
    return swept


def sweep(table: TableName, path: Path, listed: Mapping[Path, tuple[int, float]], held: list[Hold], older_than: timedelta) -> Sweep:
    """What may go of the `listed` files (size in bytes, time of change in seconds) beside these holds. Deletes nothing."""
    kept = {hold.version for hold in held}
    known = {version: state for version, state in states(path).items() if version <= max(kept)}
    broken = [hold for hold in held if hold.version not in known or known[hold.version].gone()]
    needed = {file for version in kept if version in known for file in known[version].files}
    named = {file for state in known.values() for file in state.files}
    limit = time.time() - max(older_than, UNCOMMITTED).total_seconds()
    going = {file: size for file, (size, changed) in listed.items() if file not in needed and (file in named or changed < limit)}
    lost = [version for version, state in known.items() if version not in kept and not going.keys().isdisjoint(state.files)]
    return Sweep(table, path, held, going, lost, broken, {v: state for v, state in known.items() if v in kept})


def _data_files(path: Path) -> dict[Path, tuple[int, float]]:
    found = {}
    for file in path.rglob("*.parquet"):
        inside = file.relative_to(path).parts
        if not any(part.startswith(("_", ".")) for part in inside):
            status = file.stat()
            found[file] = status.st_size, status.st_mtime
    return found


def _delete(settings: Settings, swept: list[Sweep], listed: Mapping[TableName, Mapping[Path, tuple[int, float]]]) -> None:
    from lakehouse.spark.ask import in_words
    from lakehouse.spark.session import connect

    spark = connect(settings)
    try:
        # What Delta checks here is how long ago files were removed; the holds have decided that with more knowledge.
        spark.conf.set("spark.databricks.delta.retentionDurationCheck.enabled", "false")
        for one in swept:
            with in_words(f"The vacuum of {one.table}", "Some files may be gone, none that is held. Run it again."):
                _vacuum(spark, one, listed[one.table])
                _read_again(spark, one)
    finally:
        spark.stop()


def _vacuum(spark: Any, one: Sweep, listed: Mapping[Path, tuple[int, float]]) -> None:
    # Delta looks for its own spelling of the table's folder at the beginning of each path: no host, nothing encoded.
    rows = [(f"file:{file}", size, False, int(listed[file][1] * 1000)) for file, size in one.files.items()]
    # A folder that is not listed itself, with one file to go, would be deleted too, whatever else is held in it.
    folders = {folder for file in one.files for folder in file.parents if one.path in folder.parents}
    rows += [(f"file:{folder}", 0, True, 0) for folder in folders]
    schema = "path string, length bigint, isDir boolean, modificationTime bigint"
    spark.createDataFrame(rows, schema).createOrReplaceTempView("inventory")
    # Any other span than 0 hours is ignored for the table's own retention, which is ten years.
    spark.sql(f"vacuum {tables.at(one.path)} using inventory (select * from inventory) retain 0 hours").collect()
    left = [file for file in one.files if file.exists()]
    if left:
        raise LakeError(f"{one.table}: {len(left)} of {len(one.files)} files were not deleted, such as {left[0]}", "Run it again.")


def _read_again(spark: Any, one: Sweep) -> None:
    """Reads all rows and columns: a count is answered from statistics, also after the files are gone."""
    whole = {hold.version for hold in one.broken}
    for version in _that_cover(state for version, state in one.states.items() if version not in whole):
        rows = spark.sql(f"select * from {tables.at(one.path)} version as of {version}")
        rows.write.format("noop").mode("overwrite").save()


def _that_cover(held: Iterable[State]) -> list[int]:
    """As few versions as hold every file of all, roughly: a file shared by many versions need not be read for each."""
    left = list(held)
    chosen: list[int] = []
    seen: set[Path] = set()
    for state in sorted(left, key=lambda state: state.version, reverse=True):
        if not state.files.keys() <= seen:
            chosen.append(state.version)
            seen.update(state.files)
    return chosen
