"""A folder as a source: files that something else puts there.

sales = Source("raw.sales", Folder("/data/incoming", "sales-{month}.csv"), partitions=MONTHS)
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import translate
from pathlib import Path

from lakehouse import raw
from lakehouse.errors import SourceError
from lakehouse.source import Delivery, Skipped, Source, Stream

_UNFINISHED = (".part", ".partial", ".tmp", ".temp", ".crdownload", ".filepart", ".download", ".swp", "~")
_MONTH = "{month}"


@dataclass(frozen=True)
class Folder:
    """The files of the folder `path` whose names match `pattern` (`*` and `?` as in a shell).

    For a source by month, `{month}` stands in the pattern for 2013-02 or 201302. A file that is being written is not
    given yet: one whose name says so, one that is hidden, and one that changed within the last `settle` seconds and
    changes again while they pass. Raises SourceError where the folder cannot be read.
    """

    path: str | Path
    pattern: str = "*"
    settle: float = 2.0
    _regex: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        month = r"(?P<month>[0-9]{4}-?(0[1-9]|1[0-2]))"
        parts = self.pattern.split(_MONTH)
        if len(parts) > 2:
            raise SourceError(f"Folder {self.path}: {self.pattern!r} names {_MONTH} twice", "Once is enough.")
        # translate() closes each part with \Z, which belongs to the end alone.
        plain = [translate(part).removeprefix("(?s:").removesuffix(r")\Z") for part in parts]
        object.__setattr__(self, "_regex", re.compile(month.join(plain), re.DOTALL))

    def __call__(self, partition: str | None) -> Iterator[Delivery | Skipped]:
        """The files, oldest first, and those that are not given yet."""
        for path, before in self._matching(partition):
            why = self._unfinished(path) or self._moving(path, before)
            if why:
                yield Skipped(path.name, why)
            else:
                yield Delivery(path.name, path)

    def finished(self, partition: str | None) -> list[tuple[Path, os.stat_result]]:
        """The files that are not being written, oldest first, without waiting for those of which that cannot be told."""
        found = self._matching(partition)
        return [one for one in found if not self._unfinished(one[0]) and time.time() - one[1].st_mtime >= self.settle]

    def _matching(self, partition: str | None) -> list[tuple[Path, os.stat_result]]:
        folder, found = Path(self.path).expanduser(), []
        try:
            for entry in os.scandir(folder):
                if self._is_of(entry.name, partition) and entry.is_file():
                    with suppress(FileNotFoundError):  # it went meanwhile
                        found.append((Path(entry.path), entry.stat()))
        except OSError as error:
            raise SourceError(f"The folder {folder} cannot be read: {error.strerror}", "Correct the source's path.") from None
        return sorted(found, key=lambda one: (one[1].st_mtime, one[0].name))

    def _is_of(self, name: str, partition: str | None) -> bool:
        """Whether a file's name matches, also while it still bears the ending of an unfinished one."""
        ending = next((ending for ending in _UNFINISHED if name.lower().endswith(ending)), "")
        match = self._regex.fullmatch(name) or self._regex.fullmatch(name[: len(name) - len(ending)].lstrip("."))
        if match is None:
            return False
        if partition is None or "month" not in match.groupdict():
            return True
        return match["month"].replace("-", "") == partition.replace("-", "")

    def _unfinished(self, path: Path) -> str:
        if path.name.startswith("."):
            return "is hidden"
        ending = next((ending for ending in _UNFINISHED if path.name.lower().endswith(ending)), "")
        return f"is still being written, as its ending {ending} says" if ending else ""

    def _moving(self, path: Path, before: os.stat_result) -> str:
        """Whether a file that changed a moment ago changes while one waits; its words, empty if not."""
        rest = self.settle - (time.time() - before.st_mtime)
        if rest > 0:
            time.sleep(min(rest, self.settle))
        try:
            now = path.stat()
        except FileNotFoundError:
            return "went away"
        same = (now.st_size, now.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
        return "" if same else f"is still being written: it grew from {before.st_size:,} to {now.st_size:,} bytes"


def news(root: Path, source: Source | Stream, partition: str | None) -> list[str]:
    """Names of finished files of a source's folder that have not landed with these bytes; of other sources none is known.

    Of a folder that cannot be read, that: the landing will tell why.
    """
    if isinstance(source, Stream) or not isinstance(source.fetch, Folder):
        return []
    try:
        there = source.fetch.finished(partition)
    except SourceError as error:
        return [error.what]
    known = raw.files(root, source.name, None if partition is None else [partition])
    by_name = {file.filename: file for file in known}
    found = []
    for path, status in there:
        file = by_name.get(path.name)
        if file and file.size == status.st_size and status.st_mtime <= file.received_at.timestamp():
            continue
        # Read only where size or time leave it open: it may have been delivered under another name.
        if status.st_size not in {one.size for one in known} or raw.sha256(path) not in {one.sha256 for one in known}:
            found.append(path.name)
    return found
