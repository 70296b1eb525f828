"""Raw files: byte for byte as received, never rewritten, each with an entry in a manifest.

    raw/<table>/[<partition>/]<file>                     the bytes, read-only
    raw/<table>/[<partition>/]_manifest/00000001.json    one entry per delivery, in the order they came

Files and entries are written aside, synced, and linked into place, the entry last: what has no entry isn't there, and
landing it again heals it. Two that land at once compete for an entry's number; the loser looks again.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from lakehouse.errors import LakehouseError, PartitionError, RawError, SourceError
from lakehouse.names import TableName
from lakehouse.partitions import month
from lakehouse.source import Delivery, Skipped, Source

FOLDER = "raw"
WHOLE = "*"
"""Stands for the partition of a table that has none."""

MANIFEST = "_manifest"
_ASIDE = ".landing"
_DAY = 86400


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


@dataclass(frozen=True, slots=True)
class Landing:
    """What one landing brought: `new` deliveries, files that were there already, byte for byte, and what the source did
    not give yet."""

    new: tuple[RawFile, ...] = ()
    unchanged: tuple[RawFile, ...] = ()
    skipped: tuple[Skipped, ...] = ()


def land(root: Path, source: Source, partition: str | None = None) -> Landing:
    """Fetches `source` (one partition of it) into the lake at `root`. The same bytes again change nothing.

    Raises SourceError if the source fails, PartitionError for a partition it does not have, RawError if the lake
    cannot be written.
    """
    key = _own_partition(source, partition)
    what = source.table + (f", partition {key}" if key else "")
    deliveries = given(what, "fetch", lambda: source.fetch(month(key) if key else None))
    return receive(root, Manifest(folder_of(root, source.name, key)), deliveries, key)


class Manifest:
    """A folder's deliveries in the order they came, read once; what others add is seen when they took a number first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.read()

    def read(self) -> None:
        self.entries, self._newest, self._first = [], {}, {}
        for file in _entries(self.folder):
            self.add(file)

    def read_new(self) -> None:
        """What others added."""
        while (path := _entry_path(self.folder, len(self.entries) + 1)).exists():
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


def receive(root: Path, manifest: Manifest, deliveries: Iterable[Delivery | Skipped], partition: str | None = None) -> Landing:
    """Takes deliveries into a folder of the lake at `root`, one after another; those before one that fails are there.

    Raises what `deliveries` raises, and RawError if the lake cannot be written.
    """
    new, unchanged, skipped = [], [], []
    with _writing(manifest.folder):
        _clear_aside(root)
        for delivery in deliveries:
            if isinstance(delivery, Skipped):
                skipped.append(delivery)
                continue
            file, added = _land_one(root, manifest, delivery, partition)
            (new if added else unchanged).append(file)
    return Landing(tuple(new), tuple(unchanged), tuple(skipped))


def files(root: Path, table: TableName, partitions: Iterable[str] | None = None) -> list[RawFile]:
    """The newest delivery of each file of a raw table, by partition and name; `partitions` None means all of it."""
    found: list[RawFile] = []
    for key in _partitions_there(root, table, partitions):
        found.extend(_newest(_entries(folder_of(root, table, key))).values())
    return sorted(found, key=lambda file: (file.partition or "", file.filename))


def received(root: Path, table: TableName) -> list[RawFile]:
    """Every delivery of a raw table, older ones of a file included, by partition in the order they came."""
    return [file for key in _partitions_there(root, table, None) for file in _entries(folder_of(root, table, key))]


def identity(root: Path, table: TableName, partitions: Iterable[str] | None = None) -> dict[str, str]:
    """For each partition that has files (or "*") a hash of their names and bytes."""
    by_partition: dict[str, list[RawFile]] = {}
    for file in files(root, table, partitions):
        by_partition.setdefault(file.partition or WHOLE, []).append(file)
    return {key: _identity(of) for key, of in by_partition.items()}


def seen_as(root: Path, table: TableName, partition: str, identity: str) -> list[RawFile]:
    """The files of a partition (or "*") as they were when that was their identity; empty where they never were."""
    entries = _entries(folder_of(root, table, None if partition == WHOLE else partition))
    for end in range(len(entries), 0, -1):
        there = list(_newest(entries[:end]).values())
        if _identity(there) == identity:
            return there
    return []


def verify(root: Path) -> list[str]:
    """Reads every raw file again, older deliveries too. Returns what is wrong, a sentence each; empty is good."""
    problems = []
    for folder in folders(root):
        try:
            for file in deliveries(folder):
                words = flaw(file)
                when = f"; it was received {file.received_at:%Y-%m-%d %H:%M} UTC" if words == "is gone" else ""
                if words:
                    problems.append(f"{file.path.relative_to(root)} {words}{when}.")
        except RawError as error:
            problems.append(error.what)
    return problems


def _identity(of: Iterable[RawFile]) -> str:
    names = sorted((file.filename, file.sha256) for file in of)
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()


def folders(root: Path) -> list[Path]:
    """Every folder that has a manifest."""
    return sorted(manifest.parent for manifest in (root / FOLDER).rglob(MANIFEST))


def deliveries(folder: Path) -> list[RawFile]:
    """Every file that a folder's manifest names, once. Raises RawError for an entry that is torn."""
    return list({entry.path: entry for entry in _entries(folder)}.values())


def flaw(file: RawFile) -> str:
    """Reads the file again: what is wrong with it, in words; empty is good."""
    try:
        found = sha256(file.path)
    except FileNotFoundError:
        return "is gone"
    same = found == file.sha256
    return "" if same else f"was changed: its SHA-256 is {found[:12]}…, received was {file.sha256[:12]}…"


def _own_partition(source: Source, partition: str | None) -> str | None:
    if source.partitions is None:
        if partition is not None:
            raise PartitionError(f"{source.table} has no partitions, so it has no {partition}", "Land it whole.")
        return None
    if partition is None:
        raise PartitionError(f"{source.table} lands month by month", "Name the partition, for example 2013-02.")
    try:
        return str.__str__(source.partitions.existing([partition])[0])
    except PartitionError as error:
        raise PartitionError(f"{source.table}: {error.what}", error.hint) from None


def given(what: str, function: str, call: Callable[[], Iterable[Delivery | Skipped]]) -> Iterator[Delivery | Skipped]:
    """What a source's `function` gives, or raises SourceError for `what`, as for its own failures."""
    try:
        for delivery in call():
            if not isinstance(delivery, (Delivery, Skipped)) or not delivery.filename:
                raise SourceError(f"{what}: the source gave {delivery!r:.80}", "It must give Delivery(filename, content).")
            yield delivery
    except LakehouseError:
        raise
    except Exception as error:
        hint = f"Mend the source's {function} function in assets/sources.py, or try again later."
        raise SourceError(f"{what} could not be fetched: {type(error).__name__}: {error}", hint) from error


def _land_one(root: Path, manifest: Manifest, delivery: Delivery, key: str | None) -> tuple[RawFile, bool]:
    """The delivery as it stands in the lake now, and whether that is new."""
    folder = manifest.folder
    with _aside(root, delivery) as (aside, digest):
        while True:
            same = manifest.standing(delivery.filename, digest)
            if same is not None:
                with suppress(FileExistsError):
                    os.link(aside, same.path)  # its file was lost
                return same, False
            received = datetime.now(UTC)
            origin = str(delivery.content) if isinstance(delivery.content, Path) else delivery.filename
            file = RawFile(folder, delivery.filename, origin, key, received, aside.stat().st_size, digest)
            # Bytes that came before and were replaced since: the delivery is new, its file is there.
            file = replace(file, path=manifest.path_of(digest) or _place(aside, folder, file))
            if _add_entry(root, folder, len(manifest.entries) + 1, file):
                manifest.add(file)
                return file, True
            manifest.read()


def _place(aside: Path, folder: Path, file: RawFile) -> Path:
    """Links the bytes under a name of their own: the delivery's, or when that is taken, one with the time and hash."""
    plain = _safe(file.filename)
    stem, dot, suffixes = plain.partition(".")
    marked = f"{stem}.{file.received_at:%Y%m%dT%H%M%SZ}-{file.sha256[:12]}{dot}{suffixes}"
    for name in (plain, marked):
        path = folder / name
        with suppress(FileExistsError):
            os.link(aside, path)
            _sync(folder)
            return path
        if sha256(path) == file.sha256:
            return path  # left by a landing that was cut off before its entry, or another at work
    raise RawError(f"{folder / marked} is there with other bytes", "Move it away: it did not come from here.")


def _add_entry(root: Path, folder: Path, number: int, file: RawFile) -> bool:
    """Writes the manifest's entry `number`; False if another has taken the number meanwhile."""
    content = {**asdict(file), "path": file.path.name, "received_at": file.received_at.isoformat()}
    manifest = folder / MANIFEST
    manifest.mkdir(exist_ok=True)
    aside = root / FOLDER / _ASIDE / uuid.uuid4().hex
    try:
        with aside.open("xb") as out:
            out.write(json.dumps(content, indent=1).encode())
            _sync(out)
        os.link(aside, _entry_path(folder, number))
    except FileExistsError:
        return False
    finally:
        aside.unlink(missing_ok=True)
    _sync(manifest)
    return True


def _entry_path(folder: Path, number: int) -> Path:
    return folder / MANIFEST / f"{number:08d}.json"


def _entries(folder: Path) -> list[RawFile]:
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


def _newest(entries: Iterable[RawFile]) -> dict[str, RawFile]:
    return {entry.filename: entry for entry in entries}


def folder_of(root: Path, table: TableName, partition: str | None = None) -> Path:
    """Where the files of a raw table (of one partition) lie."""
    folder = root / FOLDER / table.name
    return folder / partition if partition else folder


def _partitions_there(root: Path, table: TableName, wanted: Iterable[str] | None) -> list[str | None]:
    folder = root / FOLDER / table.name
    if (folder / MANIFEST).is_dir():
        return [None]
    there = sorted(path.parent.name for path in folder.glob(f"*/{MANIFEST}"))
    chosen = there if wanted is None else sorted(set(there) & {str(key) for key in wanted})
    return list(chosen)


def _safe(filename: str) -> str:
    """A plain file name: no separators, nothing that Spark or a shell reads a meaning into."""
    plain = re.sub(r"[^A-Za-z0-9.-]+", "_", Path(filename.replace("\\", "/")).name).lstrip("._-")
    stem, dot, suffixes = plain.partition(".")
    return f"{stem[:100] or 'file'}{dot}{suffixes[-50:]}".rstrip(".")


@contextmanager
def _aside(root: Path, delivery: Delivery) -> Iterator[tuple[Path, str]]:
    """The delivery's bytes in a read-only file aside, and their SHA-256."""
    path = root / FOLDER / _ASIDE / uuid.uuid4().hex
    try:
        with path.open("xb") as out:
            if isinstance(delivery.content, Path):
                try:
                    with delivery.content.open("rb") as content:
                        shutil.copyfileobj(content, out, 1 << 20)
                except OSError as error:
                    if out.closed or error.filename != str(delivery.content):
                        raise
                    message = f"{delivery.content} cannot be read: {error.strerror}"
                    raise SourceError(message, "The source must give files that are there.") from None
            else:
                out.write(delivery.content)
            _sync(out)
        path.chmod(0o444)
        yield path, sha256(path)
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise RawError(
            f"{error.filename or folder} cannot be written: {error.strerror}", "Check its permissions and the disk."
        ) from error


def _clear_aside(root: Path) -> None:
    """Removes what a landing that was killed left aside, a day later."""
    aside = root / FOLDER / _ASIDE
    aside.mkdir(exist_ok=True)
    for path in aside.iterdir():
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _DAY:
                path.unlink()


def _sync(target: BinaryIO | Path) -> None:
    """To the disk: an open file's bytes, or a folder's names."""
    if not isinstance(target, Path):
        target.flush()
        os.fsync(target.fileno())
        return
    descriptor = os.open(target, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
