"""A raw file's lines as bytes, a few megabytes at a time, out of gzip where it is one."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_CHUNK = 4 << 20
_GZIP = b"\x1f\x8b"
_ARCHIVES = {b"PK\x03\x04": "a zip archive", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"(\xb5/\xfd": "zstd"}
_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


class Flaw(Exception):
    """Why a file cannot be read at all, in words."""


def is_gzip(path: Path) -> bool:
    with path.open("rb") as content:
        return content.read(2) == _GZIP


def refuse_others(path: Path, *, by_lines: bool) -> None:
    """Raises Flaw for a file that holds no lines of text, by its first bytes."""
    with path.open("rb") as content:
        first = content.read(8)
    if not first:
        raise Flaw("is empty")
    for magic, what in _ARCHIVES.items():
        if first.startswith(magic):
            raise Flaw(f"is {what}: the source must give the files in it")
    if by_lines and first[:2] in _MARKS:
        raise Flaw(f'is in {_MARKS[first[:2]]}: say options={{"encoding": "utf-16"}}')
    if path.name.endswith(".gz") and not first.startswith(_GZIP):
        raise Flaw("is called .gz but is no gzip")


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The file's bytes. Reading them raises Flaw where a gzip is cut off or damaged."""
    try:
        if is_gzip(path):
            with gzip.open(path) as content:
                yield content
        else:
            with path.open("rb") as content:
                yield content
    except EOFError:
        raise Flaw("is a truncated gzip: it ends before its end") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise Flaw(f"is a broken gzip: {error}") from None


def chunks(content: BinaryIO, encoding: str | None = None) -> Iterator[list[bytes]]:
    """Lines without their ends, as UTF-8 where `encoding` says to decode them from it. Raises Flaw if that fails."""
    if encoding is None:
        while data := content.read(_CHUNK):
            yield (data + content.readline()).splitlines()
        return
    text = io.TextIOWrapper(content, encoding=encoding, errors="strict")
    try:
        while found := text.readlines(_CHUNK):
            yield [line.rstrip("\n").encode() for line in found]
    except UnicodeError as error:
        raise Flaw(f"is not in {encoding}: {error}") from None
    finally:
        text.detach()  # else it would close what is not its own
