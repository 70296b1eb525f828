"""What Spark's checkpoint of a stream says, read in plain Python, and whether it is the table's own.

Format: Spark's org.apache.spark.sql.execution.streaming (HDFSMetadataLog, FileStreamSourceLog): a version's line, then
one JSON object a line; `<batch>.compact` holds all batches before it too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from lakehouse import deltalog, raw, tables
from lakehouse.errors import LakeError
from lakehouse.names import TableName
from lakehouse.raw import RawFile
from lakehouse.streams import deliveries


def folder(root: Path, table: TableName) -> Path:
    return deliveries.folder(root, table) / "checkpoint"


def refuse_foreign(root: Path, table: TableName) -> None:
    """Raises LakeError where checkpoint and table are not each other's: rows would be lost, or come twice."""
    own, path = folder(root, table), tables.lake_path(root, table)
    known, landed = _query(own), _landed(path)
    todo = f"Restore both from one backup, or {anew(root, table)}."
    if known is None and landed is not None:
        raise LakeError(f"{table} has rows, but the checkpoint that says which have landed is gone ({own})", todo)
    if known is not None and landed is None and any((own / "commits").glob("[0-9]*")):
        raise LakeError(f"{table} has a checkpoint ({own}), but the table is gone", todo)
    if known is not None and landed is not None and landed[0] != known:
        raise LakeError(f"{table} was landed by another checkpoint than the one in {own}", todo)


def anew(root: Path, table: TableName) -> str:
    """How all that came is landed anew, in words."""
    path, own = tables.lake_path(root, table), deliveries.folder(root, table)
    return f"land all anew: move {path} and {own} away, then `lakehouse run {table.slashed}`"


def files(root: Path, table: TableName, version: int) -> list[RawFile]:
    """The raw files of which a stream's table is made as of `version`, in the order they came."""
    landed = _landed(tables.lake_path(root, table), version)
    if landed is None:
        return []
    read = {link: batch for log in _batches(root, table) for link, batch in log.items()}
    links = sorted(link for link, batch in read.items() if batch <= landed[1])
    return list(deliveries.delivered(links, raw.received(root, table)))


def left(root: Path, table: TableName, links: Iterable[str]) -> set[str]:
    """Which of these links no committed batch has read, whatever became of the query that was to land them."""
    committed = max((int(path.name) for path in (folder(root, table) / "commits").glob("[0-9]*")), default=-1)
    waiting = set(links)
    for log in _batches(root, table) if waiting else ():
        waiting -= {link for link, batch in log.items() if batch <= committed}
        if not waiting:
            break
    return waiting


def _query(checkpoint: Path) -> str | None:
    """The query's name, the same as long as the checkpoint lives; None where there is none."""
    try:
        return str(json.loads((checkpoint / "metadata").read_text())["id"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        raise LakeError(f"The checkpoint {checkpoint / 'metadata'} is torn", "Restore it from a backup.") from None


def _landed(table: Path, version: int | None = None) -> tuple[str, int] | None:
    """The query and the batch that were committed last, as of `version`; None where none was."""
    for number in reversed(deltalog.versions(table)):
        if version is None or number <= version:
            for kind, facts in deltalog.actions(deltalog.commit_path(table, number)):
                if kind == "txn":
                    return str(facts["appId"]), int(facts["version"])
    return None


def _batches(root: Path, table: TableName) -> Iterator[dict[str, int]]:
    """The name of each link that Spark has read, and in which batch: a log at a time, the newest first."""
    logs = (folder(root, table) / "sources" / "0").glob("[0-9]*")
    for path in sorted(logs, key=lambda path: int(path.stem), reverse=True):
        entries = map(json.loads, path.read_text().splitlines()[1:])
        yield {entry["path"].rpartition("/")[2]: int(entry["batchId"]) for entry in entries}
        if path.suffix == ".compact":
            return
