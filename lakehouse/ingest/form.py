"""How a source's text files are written, from the options with which Spark is to read them."""

from __future__ import annotations

import codecs
import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from lakehouse.errors import SourceError
from lakehouse.source import Source

VERSION = 1
"""Raised when files are judged in another way, so that they are judged again."""

_TEXT = ("csv", "json", "text")


@dataclass(frozen=True)
class Form:
    """`escape` is what makes a quote within quotes a character: the quote itself, as RFC 4180 has it, unless the source
    names another (Spark's default is a backslash, with which it misreads such files)."""

    format: str
    encoding: str = "utf-8"
    sep: str = ","
    quote: str = '"'
    escape: str = '"'
    comment: str = ""
    header: bool = False
    multiline: bool = False

    @property
    def in_utf8(self) -> bool:
        return codecs.lookup(self.encoding).name in ("utf-8", "ascii")

    @property
    def by_lines(self) -> bool:
        """Whether a line of bytes can be told before it is decoded."""
        return not codecs.lookup(self.encoding).name.startswith(("utf-16", "utf-32"))

    @property
    def key(self) -> str:
        """Names what a verdict depends on beside the file's bytes."""
        return hashlib.sha256(json.dumps([VERSION, asdict(self)]).encode()).hexdigest()[:12]


def of(source: Source) -> Form | None:
    """The form of the source's files; None where the format describes itself. Raises SourceError for an unknown encoding."""
    if source.format not in _TEXT:
        return None
    given = {name.lower(): value for name, value in source.options.items()}
    form = Form(
        format=source.format,
        encoding=str(given.get("encoding", given.get("charset", "utf-8"))),
        sep=str(given.get("sep", given.get("delimiter", ","))),
        quote=str(given.get("quote", '"')),
        escape=str(given.get("escape", given.get("quote", '"'))),
        comment=str(given.get("comment", "")),
        header=_true(given.get("header")),
        multiline=_true(given.get("multiline")),
    )
    try:
        codecs.lookup(form.encoding)
    except LookupError:
        message = f"Source {source.table}: unknown encoding {form.encoding!r}"
        raise SourceError(message, "Name one such as utf-8 or cp1252.") from None
    if source.format == "csv" and len(form.sep) != 1:
        raise SourceError(f"Source {source.table}: sep = {form.sep!r} is not one character", "Only such files can be judged.")
    return form


def _true(value: Any) -> bool:
    return str(value).lower() == "true"
