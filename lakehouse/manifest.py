"""A raw folder's manifest: one entry for each delivery, numbered in the order they came.

<folder>/_manifest/00000001.json
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lakehouse.errors import RawError

MANIFEST = "_manifest"


@dataclass(frozen=True, slots=True)
class RawFile:
    """One delivery: `filename` and `origin` as the source named them, `path` where its bytes lie, `size` in bytes."""

    path: Path
    filename: str
    origin: str
    partition: str | None
    received_at: datetime
    size: int
    sha256: str


class Manifest:
    """A folder's deliveries in the order they came, read once; what others add is seen when they took a number first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.read()

    def read(self) -> None:
        self.entries, self._newest, self._first = [], {}, {}
        for file in entries_of(self.folder):
            self.add(file)

    def read_new(self) -> None:
        """What others added."""
        while (path := entry_path(self.folder, len(self.entries) + 1)).exists():
            self.add(entry(path))

    def add(self, file: RawFile) -> None:
        self.entries.append(file)
        self._newest[file.filename] = file
        self._first.setdefault(file.sha256, file)

    def standing(self, filename: str, digest: str) -> RawFile | None:
        """The newest delivery of that name, or of another, if these are its bytes."""
        known = self._newest.get(filename)
        if known is not None or digest not in self._first:
            return known if known and known.sha256 == digest else None
        return next((file for file in self._newest.values() if file.sha256 == digest), None)

    def path_of(self, digest: str) -> Path | None:
        """Where these bytes lie, if they ever came."""
        return self._first[digest].path if digest in self._first else None


def entry_path(folder: Path, number: int) -> Path:
    return folder / MANIFEST / f"{number:08d}.json"


def entries_of(folder: Path) -> list[RawFile]:
    """All deliveries of a folder in the order they came."""
    return [entry(path) for path in sorted((folder / MANIFEST).glob("*.json"))]


def entry(path: Path) -> RawFile:
    """What one entry of a manifest says. Raises RawError for one that is torn."""
    try:
        content = json.loads(path.read_bytes())
        content["path"] = path.parent.parent / content["path"]
        content["received_at"] = datetime.fromisoformat(content["received_at"])
        return RawFile(**content)
    except (ValueError, KeyError, TypeError):
        raise RawError(f"The manifest {path} cannot be understood", "`lakehouse doctor` says what can be done.") from None


def newest_of(entries: Iterable[RawFile]) -> dict[str, RawFile]:
    return {entry.filename: entry for entry in entries}
