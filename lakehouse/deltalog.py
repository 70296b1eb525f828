"""A Delta table's commits, read from its log in plain Python: what moved, when, by whom, without starting Spark.

Format: https://github.com/delta-io/delta/blob/master/PROTOCOL.md (delta log entries). Tables of the lake keep
their log for years (see `lake.py`), so the JSON commits are all there and checkpoints need not be read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from lakehouse.errors import LakeError

_COMMIT = re.compile(r"^(\d{20})\.json$")
# Operations that rewrite files without changing rows carry dataChange=false and so are not data commits.
_RESTORE = "RESTORE"
_MERGE = "MERGE"


@dataclass(frozen=True)
class Commit:
    """One version of a table. `touched` holds the partition values it changed, None meaning all of them."""

    version: int
    timestamp: int
    operation: str
    data: bool
    touched: frozenset[str] | None
    rows: int
    partition_rows: dict[str, int] = field(hash=False)
    ours: dict[str, Any] | None = field(hash=False)

    @property
    def made(self) -> dict[str, Any] | None:
        """What the run that wrote it knew; None where no notebook wrote it, as by a restore."""
        return None if self.ours is None or self.operation == _RESTORE else self.ours

    def changed(self, partition: str | None) -> bool:
        """Whether it changed rows of `partition` (None: any rows)."""
        return self.data and (partition is None or self.touched is None or partition in self.touched)

    def concerns(self, partition: str | None) -> bool:
        """Whether a run of ours left it for `partition`, also where a merge found all its rows there already, or it changed it."""
        declared = (self.made or {}).get("partitions", ())
        return self.changed(partition) or (self.made is not None and (not declared or partition is None or partition in declared))


def versions(table: Path) -> list[int]:
    """The versions that the log of `table` holds, ascending; empty where there is no table."""
    try:
        names = [entry.name for entry in (table / "_delta_log").iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(int(match[1]) for name in names if (match := _COMMIT.match(name)))


def latest(table: Path) -> int | None:
    """The newest version of `table`, None where there is no table."""
    found = versions(table)
    return found[-1] if found else None


def commits(table: Path) -> list[Commit]:
    """Every commit of `table`, oldest first. Raises LakeError where one is missing or cannot be understood."""
    return [commit(table, version) for version in _without_gaps(table)]


def commit(table: Path, version: int) -> Commit:
    """One commit of `table`. Raises LakeError where it is missing or cannot be understood."""
    path = commit_path(table, version)
    try:
        status = path.stat()
    except FileNotFoundError:
        raise _missing(path) from None
    return _read(path, version, status.st_ino, status.st_mtime_ns)


def commit_path(table: Path, version: int) -> Path:
    return table / "_delta_log" / f"{version:020d}.json"


def actions(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """What a commit's file says, an action at a time ("add", …). Raises LakeError for one that is torn or damaged."""
    with understood(path):
        lines = path.read_text().splitlines()
        if not lines:
            raise ValueError("it is empty")
        for line in lines:
            for kind, facts in json.loads(line).items():
                if not isinstance(facts, dict) or (kind in ("add", "remove") and "path" not in facts):
                    raise ValueError(f"{kind} is {facts!r:.40}")
                yield kind, facts


@contextmanager
def understood(path: Path) -> Iterator[None]:
    """Raises LakeError, naming the commit's file, where what it says makes no sense."""
    try:
        yield
    except FileNotFoundError:
        raise _missing(path) from None
    except OSError as error:
        raise LakeError(f"The commit {path} cannot be read: {error.strerror}", "Check its permissions and the disk.") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        words = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise LakeError(f"The commit {path} is damaged: {words}", "`lakehouse doctor` says what can be done.") from None


def _missing(path: Path) -> LakeError:
    return LakeError(f"The commit {path} is missing", "`lakehouse doctor` says what can be done.")


def _without_gaps(table: Path) -> list[int]:
    """The versions, of which none between the first and the last may lack: its changes would go unseen."""
    found = versions(table)
    if found and found[-1] - found[0] >= len(found):
        raise _missing(commit_path(table, min(set(range(found[0], found[-1])) - set(found))))
    return found


@lru_cache(maxsize=20_000)
def _read(path: Path, version: int, _inode: int, _mtime: int) -> Commit:
    with understood(path):
        return _parsed(path, version)


def _parsed(path: Path, version: int) -> Commit:
    info: dict[str, Any] = {}
    adds: list[dict[str, Any]] = []
    removes: list[dict[str, Any]] = []
    for kind, facts in actions(path):
        if kind == "commitInfo":
            info = facts
        elif kind == "add":
            adds.append(facts)
        elif kind == "remove":
            removes.append(facts)
    changes = [entry for entry in adds + removes if entry.get("dataChange", True)]
    ours = _metadata(info)
    operation = info.get("operation", "")
    declared = set(ours.get("partitions", ())) if ours else set()
    foreign = ours is None or operation == _RESTORE
    moved = {value for entry in changes for value in _values(entry)}
    merged = operation == _MERGE and ours is not None
    rows = _partition_rows(adds)
    return Commit(
        version=version,
        timestamp=int(info.get("timestamp", 0)),
        operation=operation,
        # A write of no row says so of its partitions; a merge that finds every row there already changes nothing.
        data=bool(changes) or (ours is not None and not merged),
        touched=None if foreign else frozenset(moved if merged else declared | moved) or None,
        rows=_merged(info) if operation == _MERGE else sum(_records(entry) for entry in adds),
        partition_rows=rows,
        ours=ours,
    )


def _metadata(info: dict[str, Any]) -> dict[str, Any] | None:
    try:
        metadata = json.loads(info.get("userMetadata") or "null")
    except json.JSONDecodeError:
        return None
    return metadata if isinstance(metadata, dict) and "lakehouse" in metadata else None


def _values(entry: dict[str, Any]) -> Iterable[str]:
    return [str(value) for value in (entry.get("partitionValues") or {}).values()]


def _records(entry: dict[str, Any]) -> int:
    stats = entry.get("stats")
    return int(json.loads(stats).get("numRecords", 0)) if stats else 0


def _merged(info: dict[str, Any]) -> int:
    """The rows that a merge added or changed; its files also hold those that merely lie beside them."""
    metrics = info.get("operationMetrics", {})
    return sum(int(metrics.get(f"numTargetRows{kind}", 0)) for kind in ("Inserted", "Updated"))


def _partition_rows(adds: list[dict[str, Any]]) -> dict[str, int]:
    rows: dict[str, int] = {}
    for entry in adds:
        for value in _values(entry):
            rows[value] = rows.get(value, 0) + _records(entry)
    return rows


def identity(table: Path, partitions: Iterable[str] | None) -> dict[str, int]:
    """What stands in each of `partitions`: the last data-changing version that touched it; for the whole table
    (None) the key is "*". A partition never written is absent. OPTIMIZE does not count, nor does a merge that changed
    nothing (but where nothing else was ever written); a commit that is not ours, or a RESTORE, counts for every partition."""
    history = commits(table)
    found = {"*" if key is None else key: _standing(history, key) for key in ([None] if partitions is None else partitions)}
    return {key: version for key, version in found.items() if version is not None}


def _standing(history: list[Commit], key: str | None) -> int | None:
    changed = next((entry.version for entry in reversed(history) if entry.changed(key)), None)
    return next((entry.version for entry in history if entry.concerns(key)), None) if changed is None else changed


def written_by(table: Path, partition: str | None) -> Commit | None:
    """The commit that left what now stands in `partition` (None: in the whole table), None where nothing does."""
    return next((entry for entry in reversed(commits(table)) if entry.changed(partition)), None)


def current_rows(table: Path) -> dict[str, int]:
    """Rows by partition value as of the newest version ("*" for a table without partitions)."""
    live: dict[str, tuple[str, int]] = {}
    for version in _without_gaps(table):
        path = commit_path(table, version)
        with understood(path):
            for kind, facts in actions(path):
                if kind == "add":
                    values = list(_values(facts))
                    live[facts["path"]] = (values[0] if values else "*", _records(facts))
                elif kind == "remove":
                    live.pop(facts["path"], None)
    rows: dict[str, int] = {}
    for value, count in live.values():
        rows[value] = rows.get(value, 0) + count
    return rows
