"""Commits of a Delta table written in plain Python, for the few rows that the library itself keeps.

A session's first commit of few rows takes Spark a second and this some hundredths, and no server is needed. A commit is
there whole or not at all, and of two that would be the same version one is told that it was second.
Format: https://github.com/delta-io/delta/blob/master/PROTOCOL.md (actions; reader version 1, writer version 2).
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse import deltalog

if TYPE_CHECKING:
    import pyarrow

Action = dict[str, Any]
_KEEP = {"delta.logRetentionDuration": "interval 3650 days", "delta.deletedFileRetentionDuration": "interval 3650 days"}


def put(table: Path, version: int, actions: Iterable[Action]) -> bool:
    """Makes `version` of the table of these actions; False where another writer has made it already."""
    target = deltalog.commit_path(table, version)
    draft = target.with_name(f".{target.name}.{uuid.uuid4()}")
    draft.parent.mkdir(parents=True, exist_ok=True)
    try:
        with draft.open("w") as file:
            file.write("".join(json.dumps(action) + "\n" for action in actions))
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, target)  # fails where the version is there
        return True
    except FileExistsError:
        return False
    finally:
        draft.unlink(missing_ok=True)


def appended(version: int, partition_by: Iterable[str] = (), **more: Any) -> Action:
    """What a commit says of itself that only adds rows; `more` are other entries of Delta's `commitInfo`."""
    return {
        "commitInfo": {
            "timestamp": int(time.time() * 1000),
            "operation": "WRITE",
            "operationParameters": {"mode": "Append", "partitionBy": json.dumps(list(partition_by))},
            "isBlindAppend": True,
            "engineInfo": "lakehouse",
            "readVersion": version - 1,
            **more,
        }
    }


def created(
    description: str, columns: Mapping[str, tuple[Any, str]], partition_by: Iterable[str] = (), **configuration: str
) -> list[Action]:
    """The actions that a table begins with: `columns` by name, each with its type in Delta's JSON and what it says."""
    fields = [
        {"name": name, "type": kind, "nullable": True, "metadata": {"comment": said}} for name, (kind, said) in columns.items()
    ]
    about = {
        "id": str(uuid.uuid4()),
        "description": description,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": json.dumps({"type": "struct", "fields": fields}),
        "partitionColumns": list(partition_by),
        "configuration": {**_KEEP, **configuration},
        "createdTime": int(time.time() * 1000),
    }
    return [{"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}, {"metaData": about}]


def file(table: Path, relative: str, rows: pyarrow.Table, partition: Mapping[str, str] | None = None) -> Action:
    """Writes a data file of a table; returns the action that adds it."""
    from pyarrow import parquet

    path = table / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as content:
        parquet.write_table(rows, content, compression="snappy")
        content.flush()
        os.fsync(content.fileno())
    return {
        "add": {
            "path": relative,
            "partitionValues": dict(partition or {}),
            "size": path.stat().st_size,
            "modificationTime": int(time.time() * 1000),
            "dataChange": True,
            "stats": json.dumps({"numRecords": rows.num_rows}),
        }
    }
