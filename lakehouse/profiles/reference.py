"""Which batches a new one is compared with: the nearest that stand in the lake's table, or those of a pinned version."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, time
from itertools import islice
from pathlib import Path

from lakehouse import deltalog, record, tables
from lakehouse.contract import Contract
from lakehouse.contracts.profiling import Pinned, Profiling
from lakehouse.deltalog import Commit
from lakehouse.names import TableName
from lakehouse.partitions import month, parse_months
from lakehouse.profiles import kept
from lakehouse.profiles.kept import TableProfile
from lakehouse.profiles.profile import WHOLE, Batch


def standing(root: Path, contract: Contract, rules: Profiling, *, whole: bool = False) -> dict[str, Batch]:
    """The profiles of what stands in each partition of the lake's table, or stood at the pinned version; where it has
    none, or with `whole`, of its last versions. What was written without a profile is left out."""
    pinned = rules.reference if isinstance(rules.reference, Pinned) else None
    history = _history(root, contract.table, pinned.version if pinned else None)
    if contract.partitions is None or whole:
        there = ((entry, _batch(root, contract.table, entry, WHOLE)) for entry in history)
        several = islice(((entry, batch) for entry, batch in there if batch), 1 if pinned else rules.batches)
        return {f"version {entry.version}": batch for entry, batch in several}
    wanted = set(parse_months(pinned.partitions)) if pinned and pinned.partitions else None
    return {key: batch for key, batch in _by_partition(root, contract.table, history) if wanted is None or key in wanted}


def _history(root: Path, table: TableName, upto: int | None) -> Iterator[Commit]:
    """The commits that made what stands (at version `upto`), the newest first; from a restore on, those before the
    version that it went back to."""
    for entry in reversed(deltalog.commits(tables.lake_path(root, table))):
        if not entry.data or (upto is not None and entry.version > upto):
            continue
        if entry.ours and "restored" in entry.ours:
            upto = int(entry.ours["restored"])
        else:
            yield entry


def _by_partition(root: Path, table: TableName, history: Iterable[Commit]) -> Iterator[tuple[str, Batch]]:
    """Of each partition the newest commit that wrote it."""
    seen: set[str] = set()
    for entry in history:
        if entry.touched is None:
            return  # a foreign commit: what it left in each partition is not known
        for key in sorted(entry.touched - seen):
            seen.add(key)
            if batch := _batch(root, table, entry, key):
                yield key, batch


def of_commit(root: Path, table: TableName, entry: Commit) -> TableProfile | None:
    """The profile of what a commit of ours published; None where it left none."""
    if entry.made is None:
        return None
    try:
        folder = record.folder(root, TableName.parse(entry.made["asset"]), entry.made["run_id"])
    except KeyError:
        return None
    found = kept.read(folder)
    return found.tables.get(table.dotted) if found else None


def _batch(root: Path, table: TableName, entry: Commit, key: str) -> Batch | None:
    found = of_commit(root, table, entry)
    return found.batches.get(key) if found else None


def near(key: str, there: Mapping[str, Batch], rules: Profiling) -> dict[str, Batch]:
    """Of the partitions `there`, those nearest in time to the partition `key`, itself left out; of a pinned reference all.

    For the newest partition these are the last before it; one that is written again is held against both sides.
    """
    others = [name for name in there if name != key]
    if rules.reference != "recent" or not is_month(key):
        return {name: there[name] for name in others}
    number = _months(key)
    nearest = sorted(others, key=lambda name: (abs(_months(name) - number), name))
    return {name: there[name] for name in nearest[: rules.batches]}


def is_month(key: str) -> bool:
    """Whether a batch is a partition, and not a whole table or a version of one."""
    return key[:1].isdigit()


def _months(key: str) -> int:
    return int(key[:4]) * 12 + int(key[5:])


def end(key: str) -> float:
    """When the partition's month was over, in seconds since 1970."""
    return datetime.combine(month(key).shift(1).first_day, time(), UTC).timestamp()
