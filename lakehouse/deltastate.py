"""What a version of a Delta table is made of: its data files and its columns, by replaying its log in plain Python.

Format: https://github.com/delta-io/delta/blob/master/PROTOCOL.md (delta log entries, schema serialization).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakehouse import deltafiles, deltalog

_NAMES = {"long": "bigint", "integer": "int", "short": "smallint", "byte": "tinyint"}


@dataclass(frozen=True)
class State:
    """One version: `files` by absolute path with their sizes in bytes, `columns` with their types as Spark SQL's names."""

    version: int
    files: Mapping[Path, int]
    columns: Mapping[str, str]

    def gone(self) -> list[Path]:
        """Those of its files that are no longer there, or no longer of their size."""
        return [path for path, size in self.files.items() if not path.is_file() or path.stat().st_size != size]


def states(table: Path, wanted: Iterable[int] | None = None) -> dict[int, State]:
    """The `wanted` versions of the table at `table` (None: all) that its log has.

    Raises LakeError where a commit is missing or damaged, as then nothing can be told of later ones.
    """
    chosen = None if wanted is None else set(wanted)
    columns: dict[str, str] = {}
    found: dict[int, State] = {}
    for version, live in deltafiles.replay(table):
        columns = _columns(table, version) or columns
        if chosen is None or version in chosen:
            found[version] = State(version, {file.path: file.size for file in live.values()}, columns)
    return found


def _columns(table: Path, version: int) -> dict[str, str]:
    """The columns that a commit declares; none where it leaves them as they were."""
    for kind, facts in deltalog.actions(deltalog.commit_path(table, version)):
        if kind == "metaData":
            return {field["name"]: _type(field["type"]) for field in json.loads(facts["schemaString"])["fields"]}
    return {}


def _type(kind: Any) -> str:
    if isinstance(kind, str):
        return _NAMES.get(kind, kind)
    if kind["type"] == "array":
        return f"array<{_type(kind['elementType'])}>"
    if kind["type"] == "map":
        return f"map<{_type(kind['keyType'])},{_type(kind['valueType'])}>"
    fields = ",".join(f"{field['name']}:{_type(field['type'])}" for field in kind["fields"])
    return f"struct<{fields}>"
