"""What came for a stream: taken into the lake's raw files, and linked for Spark until it is landed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from lakehouse import atomic, raw
from lakehouse.errors import RawError, SourceError
from lakehouse.names import TableName
from lakehouse.raw import RawFile
from lakehouse.settings import Settings
from lakehouse.source import Delivery, Stream

FOLDER = "streams"
DIGITS = 8


def folder(root: Path, table: TableName) -> Path:
    """Where a stream keeps what it knows of its landings."""
    return root / FOLDER / table.name


class Deliveries:
    """The files of one stream. Used by one landing at a time; kept between rounds, it reads the manifest only once."""

    def __init__(self, settings: Settings, stream: Stream) -> None:
        self._settings, self._stream = settings, stream
        self._folder = folder(settings.root, stream.name)
        self._manifest = raw.Manifest(raw.folder_of(settings.root, stream.name))
        # When a file was put into the inbox; what a poll brings has come when it is received.
        self._came: dict[str, float] = {}
        self.waiting = self._folder / "waiting"

    def take(self) -> None:
        """Takes what came since; what came before a failure is taken. Raises SourceError, RawError."""
        self._manifest.read_new()
        raw.receive(self._settings.root, self._manifest, raw.given(self._stream.table, "poll", self._deliveries))

    def link(self) -> dict[Path, float]:
        """Links what is not known to be landed: each link with when its file came (seconds since 1970). Raises RawError."""
        self.waiting.mkdir(parents=True, exist_ok=True)
        landed, links = self._landed(), {}
        for number, file in enumerate(self._manifest.entries[landed:], start=landed + 1):
            link = self.waiting / f"{number:0{DIGITS}d}-{file.path.name}"
            try:
                os.link(file.path, link)
            except FileExistsError:
                pass
            except FileNotFoundError:
                raise RawError(f"{file.path} is gone, and not landed yet", "Restore it from a backup.") from None
            links[link] = self._came.get(file.filename, file.received_at.timestamp())
        for left in set(self.waiting.iterdir()) - set(links):
            left.unlink(missing_ok=True)  # a landing was cut off while it did so
        return links

    def done(self, links: Iterable[Path]) -> None:
        """All that was linked is landed."""
        with atomic.replacing(self._folder / "landed") as beside:
            beside.write_text(str(len(self._manifest.entries)))
        for link in links:
            link.unlink(missing_ok=True)
        self._came.clear()

    def _landed(self) -> int:
        try:
            return int((self._folder / "landed").read_text())
        except (FileNotFoundError, ValueError):
            return 0

    def _deliveries(self) -> Iterable[Delivery]:
        if self._stream.inbox is not None:
            return self._put(self._settings.project / self._stream.inbox)
        assert self._stream.poll is not None
        newest = self._manifest.entries[-1] if self._manifest.entries else None
        return self._stream.poll(newest.filename if newest else None)

    def _put(self, inbox: Path) -> Iterator[Delivery]:
        """The files of the inbox, the oldest first. Each is removed there once it is in the lake."""
        if not inbox.is_dir():
            raise SourceError(f"{self._stream.table}: its inbox {inbox} is not there", "Make the folder, or correct the name.")
        whole = [entry for entry in os.scandir(inbox) if entry.is_file() and not entry.name.startswith((".", "_"))]
        for entry in sorted(whole, key=lambda entry: (entry.stat().st_mtime_ns, entry.name)):
            self._came[entry.name] = entry.stat().st_ctime
            yield Delivery(entry.name, Path(entry.path))
            try:
                os.unlink(entry.path)
            except OSError as error:
                what = f"{self._stream.table}: {entry.path} is in the lake, but cannot be taken from the inbox: {error.strerror}"
                raise SourceError(what, f"Let this user remove files from {inbox}.") from None


def delivered(links: Iterable[str], received: Sequence[RawFile]) -> Iterator[RawFile]:
    """The raw files behind names of links."""
    for link in links:
        number = int(Path(link).name[:DIGITS])
        if number <= len(received):
            yield received[number - 1]
