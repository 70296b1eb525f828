"""Where in which raw file a row in quarantine stands."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakehouse import raw
from lakehouse.ingest import form, textlines
from lakehouse.ingest.form import Form
from lakehouse.names import TableName
from lakehouse.project import Project
from lakehouse.quarantine.look import Row
from lakehouse.raw import RawFile


@dataclass(frozen=True)
class Origin:
    """The delivery, and the line (counted from 1; None where it is not known) with what stands there."""

    file: RawFile
    line: int | None
    text: str


def find(root: Path, project: Project, row: Row) -> Origin | None:
    """Where a row came from; None for one that came from no raw file. A line that was not noted is looked for by the
    row's values."""
    if not row.raw_file:
        return None
    table = TableName("raw", row.raw_file.split("/")[0])
    path = root / raw.FOLDER / row.raw_file  # what a stream landed says no more
    received = raw.received(root, table)
    file = next((one for one in received if (one.sha256 == row.sha256 if row.sha256 else one.path == path)), None)
    if file is None:
        return None
    source = project.sources.get(table)
    how = form.of(source) if source else None
    if how is None:
        return Origin(file, row.line, "")
    found = _line(file.path, how, row)
    return Origin(file, *found) if found else Origin(file, row.line, "")


def _line(path: Path, how: Form, row: Row) -> tuple[int, str] | None:
    if row.line:
        return next(((number, text) for number, text in _lines(path, how) if number == row.line), None)
    return _by_values(path, how, json.loads(row.row_text)) if how.format == "csv" and how.header else None


def _by_values(path: Path, how: Form, values: Mapping[str, Any]) -> tuple[int, str] | None:
    """The first line with these values in the columns that the file has."""
    header: list[str] = []
    for number, text in _lines(path, how):
        fields = next(csv.reader([text], delimiter=how.sep), [])
        if not header:
            header = fields
            continue
        given = dict(zip(header, fields, strict=False))
        if all(given[name] == (values[name] or "") for name in header if name in values and name in given):
            return number, text
    return None


def _lines(path: Path, how: Form) -> Iterator[tuple[int, str]]:
    """The file's lines by their numbers, as far as it can be read."""
    with suppress(textlines.Flaw), textlines.opened(path) as content:
        chunks = textlines.chunks(content, None if how.by_lines else how.encoding)
        for number, line in enumerate((line for lines in chunks for line in lines), 1):
            yield number, line.decode(how.encoding if how.by_lines else "utf-8", "backslashreplace")
