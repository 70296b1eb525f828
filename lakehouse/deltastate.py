"""What a version of a Delta table is made of: its data files and its columns, by replaying its log in plain Python.

Format: https://github.com/delta-io/delta/blob/master/PROTOCOL.md (delta log entries, schema serialization).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from lakehouse import deltalog
from lakehouse.errors import LakeError

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

    Raises LakeError where the log's first commits are gone, as then nothing can be told of later ones.
    """
    there = deltalog.versions(table)
    if there and there != list(range(len(there))):
        raise LakeError(f"The log of {table} has gaps", "Restore its _delta_log from a backup; nothing of the lake removes it.")
    chosen = set(there if wanted is None else wanted)
    files: dict[Path, int] = {}
    columns: dict[str, str] = {}
    found: dict[int, State] = {}
    for version in there:
        for line in (table / "_delta_log" / f"{version:020d}.json").read_text().splitlines():
            action = json.loads(line)
            if "add" in action:
                files[_located(table, action["add"]["path"])] = int(action["add"]["size"])
            elif "remove" in action:
                files.pop(_located(table, action["remove"]["path"]), None)
            elif "metaData" in action:
                fields = json.loads(action["metaData"]["schemaString"])["fields"]
                columns = {field["name"]: _type(field["type"]) for field in fields}
        if version in chosen:
            found[version] = State(version, dict(files), columns)
    return found


def _located(table: Path, path: str) -> Path:
    """A shallow clone names the files of its source by absolute URIs; all other paths are relative to the table."""
    plain = unquote(path)
    return Path("/" + plain.removeprefix("file:").lstrip("/")) if plain.startswith("file:") else table / plain


def _type(kind: Any) -> str:
    if isinstance(kind, str):
        return _NAMES.get(kind, kind)
    if kind["type"] == "array":
        return f"array<{_type(kind['elementType'])}>"
    if kind["type"] == "map":
        return f"map<{_type(kind['keyType'])},{_type(kind['valueType'])}>"
    fields = ",".join(f"{field['name']}:{_type(field['type'])}" for field in kind["fields"])
    return f"struct<{fields}>"
