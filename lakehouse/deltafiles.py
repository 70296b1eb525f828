"""The files that a Delta table's versions are made of, and whether they still are what they were when written.

Hadoop leaves beside each file that it writes a hidden one with a checksum of each 512 bytes, so a changed byte is found
without reading Parquet. `count`, `min` and `max` answer from the log after files are gone: only looking at them tells.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from lakehouse import deltalog
from lakehouse.errors import LakeError

_PARQUET = b"PAR1"
_CHECKSUMS = b"crc\0"
_BATCH = 4096


@dataclass(frozen=True, slots=True)
class DataFile:
    """A data file as its commit names it: `size` in bytes, `partition` as `month=2013-02`, empty where there is none."""

    path: Path
    size: int
    partition: str
    version: int


def replay(table: Path) -> Iterator[tuple[int, Mapping[str, DataFile]]]:
    """Each version of `table` with the files it is made of; the mapping is the same one, changed in place.

    Raises LakeError where a commit is missing or damaged.
    """
    live: dict[str, DataFile] = {}
    for position, version in enumerate(deltalog.versions(table)):
        if position != version:
            deltalog.commit(table, position)  # raises: it is not there
        commit = deltalog.commit_path(table, version)
        with deltalog.understood(commit):
            for kind, facts in deltalog.actions(commit):
                if kind == "add":
                    live[facts["path"]] = _file(table, facts, version)
                elif kind == "remove":
                    live.pop(facts["path"], None)
        yield version, live


def removed(table: Path, version: int) -> set[Path]:
    """The files that a version no longer has. Raises LakeError."""
    actions = deltalog.actions(deltalog.commit_path(table, version))
    return {_file(table, facts, version).path for kind, facts in actions if kind == "remove"}


def appended(table: Path, version: int) -> list[Path] | None:
    """The files whose rows a version added; None where it did anything else to rows or columns. Raises LakeError."""
    found = []
    for kind, facts in deltalog.actions(deltalog.commit_path(table, version)):
        if kind in ("add", "remove") and not facts.get("dataChange", True):
            continue  # the same rows, laid out anew
        if kind in ("remove", "metaData", "cdc") or facts.get("deletionVector") or facts.get("operation") == "RESTORE":
            return None
        if kind == "add":
            found.append(_file(table, facts, version).path)
    return found


def current(table: Path) -> list[DataFile]:
    """The files of the newest version. Raises LakeError."""
    live: Mapping[str, DataFile] = {}
    for _, live in replay(table):  # noqa: B007 (the last one is wanted)
        pass
    return list(live.values())


def _file(table: Path, add: dict[str, Any], version: int) -> DataFile:
    path = unquote(add["path"])
    if path.startswith("file:"):  # a shallow clone's files lie in the table it was cloned from
        path = urlsplit(path).path
    partition = "/".join(f"{name}={value}" for name, value in (add.get("partitionValues") or {}).items())
    return DataFile(table / path, int(add.get("size", 0)), partition, version)


def flaw(file: DataFile, deep: bool = False) -> str:
    """What is wrong with a data file, in words; empty is good. `deep` reads all of it."""
    try:
        size = file.path.stat().st_size
    except FileNotFoundError:
        return "is gone"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if size != file.size:
        return f"has {size:,} bytes, its commit says {file.size:,}"
    return parquet_flaw(file.path) or (contents_flaw(file.path) if deep else "")


def parquet_flaw(path: Path) -> str:
    """Whether the file begins and ends as Parquet does."""
    with path.open("rb") as content:
        begin, size = content.read(4), content.seek(0, 2)
        if size < 12:
            return f"has {size} bytes, too few for a Parquet file"
        content.seek(size - 8)
        footer, end = struct.unpack("<I4s", content.read(8))
    if begin != _PARQUET or end != _PARQUET or footer > size - 12:
        return "does not begin and end as a Parquet file does"
    return ""


def contents_flaw(path: Path) -> str:
    """Reads the whole file: against its checksums where they lie beside it, else as Parquet."""
    try:
        same = matches_checksums(path)
        if same is None:
            _read_parquet(path)
        return "" if same is not False else "was changed: it does not match the checksums beside it"
    except Exception as error:  # pyarrow says many things of a damaged file, as OSError too
        if isinstance(error, OSError) and error.errno:
            return f"cannot be read: {error.strerror}"
        return f"cannot be read as Parquet: {(str(error).splitlines() or [type(error).__name__])[0][:200]}"


def _read_parquet(path: Path) -> None:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as content:
        for _ in content.iter_batches():
            pass


def checksums(path: Path) -> Path:
    """Where Hadoop keeps the checksums of `path`."""
    return path.with_name(f".{path.name}.crc")


def matches_checksums(path: Path) -> bool | None:
    """Whether `path` is byte for byte what was written; None where no (readable) checksums lie beside it."""
    try:
        told = checksums(path).read_bytes()
    except OSError:
        return None
    if told[:4] != _CHECKSUMS or len(told) < 8 or len(told) % 4:
        return None
    each = struct.unpack(">I", told[4:8])[0]
    wanted = struct.unpack(f">{len(told) // 4 - 2}I", told[8:])
    if not each or each > 1 << 24:
        return None
    seen = 0
    with path.open("rb") as content:
        while block := content.read(each * _BATCH):
            for start in range(0, len(block), each):
                if seen >= len(wanted) or zlib.crc32(block[start : start + each]) != wanted[seen]:
                    return False
                seen += 1
    return seen == len(wanted)


def first_flaw(table: Path, deep: bool = False) -> LakeError | None:
    """What a reader of the newest version of `table` stumbles over, if anything."""
    try:
        for version in deltalog.versions(table):
            path = deltalog.commit_path(table, version)
            for _ in deltalog.actions(path):
                pass
            if matches_checksums(path) is False:
                return _found(path, "was changed: it does not match the checksums beside it")
        for file in current(table):
            if words := flaw(file, deep):
                return _found(file.path, words)
    except LakeError as error:
        return error
    return None


def _found(path: Path, words: str) -> LakeError:
    return LakeError(f"{path} {words}", "`lakehouse doctor` says what can be done.")
