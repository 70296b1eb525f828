"""Judges one raw file: can it be read, what are its columns, which of its records do not fit.

One pass over the lines in plain Python. A line without quotes is known by counting its separators (336 thousand lines,
30 MB, take less than a second), so that only lines with quotes are parsed. Where a source says `multiLine`, quoted
values may hold line ends, and all lines are parsed.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lakehouse import atomic
from lakehouse.ingest import facts, textlines
from lakehouse.ingest.form import Form
from lakehouse.ingest.textlines import Flaw
from lakehouse.ingest.verdict import LONGEST, Misfit, Verdict

_BOM = b"\xef\xbb\xbf"
_SAMPLE = 4000
_MOST = 100_000
"""Misfits that a verdict names at most; a file with more is refused."""


def judge(path: Path, form: Form, copy: Path) -> Verdict:
    """The verdict on the file at `path`; where Spark cannot read it as it is, what fits is written to `copy`."""
    try:
        textlines.refuse_others(path, by_lines=form.by_lines)
        found = _Pass(form)
        with textlines.opened(path) as content:
            found.take(textlines.chunks(content, None if form.by_lines else form.encoding))
        verdict = found.verdict()
    except Flaw as flaw:
        return Verdict(flaw=str(flaw))
    hidden_gzip = textlines.is_gzip(path) and not path.name.endswith(".gz")
    if verdict.misfits or found.marked or hidden_gzip or not form.in_utf8:
        _write_copy(path, form, verdict, copy)
        verdict = replace(verdict, copy=copy)
    return verdict


@dataclass
class _Pass:
    """One pass over a file's lines."""

    form: Form
    columns: tuple[str, ...] | None = None
    number: int = 0
    rows: int = 0
    marked: bool = False
    misfits: list[Misfit] = field(default_factory=list)
    sample: list[Any] = field(default_factory=list)
    every: int = 1

    def take(self, chunks: Iterator[list[bytes]]) -> None:
        """Judges all lines. Raises Flaw."""
        if self.form.format == "json" and self.form.multiline:
            self._document(chunks)
            return
        for lines in chunks:
            if self.number == 0 and lines and lines[0].startswith(_BOM):
                self.marked, lines[0] = True, lines[0][len(_BOM) :]
            if self.form.format == "csv" and self.form.multiline:
                self._records(_flat(lines, chunks))
                return
            self._lines(lines)
            self.number += len(lines)
            if len(self.misfits) > _MOST:
                raise Flaw(f"has more than {_MOST:,} lines that do not fit, such as {_told(self.misfits[0])}")

    def verdict(self) -> Verdict:
        """What came of it. Raises Flaw."""
        columns: tuple[str, ...] = self.columns or ()
        sample: list[Sequence[str | None]] = []
        if self.form.format == "csv" and self.columns is None:
            raise Flaw("holds nothing but blank lines")
        if self.form.format == "json":
            rows = [json.loads(line) for line in self.sample]
            columns = tuple(dict.fromkeys(name for row in rows for name in row))
            sample = [[_plain(row.get(name)) for name in columns] for row in rows]
        elif self.form.format == "csv":
            sample = [fields for line in self.sample if len(fields := self._fields(line)) == len(columns)]
        return Verdict(columns=columns, rows=self.rows, misfits=tuple(self.misfits), facts=facts.of(columns, sample))

    def _lines(self, lines: list[bytes]) -> None:
        start = 0
        if self.form.format == "csv" and self.columns is None:
            start = self._header(lines)
            if self.columns is None:
                return
        bad = set(self._undecodable(lines, start))
        if self.form.format == "csv":
            odd = self._odd(lines, start)
        elif self.form.format == "json":
            odd = range(start, len(lines))
        else:
            odd = ()
        blank = 0
        for place in sorted({*odd, *bad}):
            line = lines[place]
            if not line.strip() or (self.form.comment and line.startswith(self.form.comment.encode())):
                blank += 1  # Spark passes over such a line too
                continue
            reason = f"is not in {self.form.encoding}" if place in bad else self._reason(line)
            if reason:
                self._misfit(self.number + place + 1, 1, reason, line)
                bad.add(place)
        self.rows += len(lines) - start - blank - len(bad)
        self._keep([line for place, line in enumerate(lines[start:], start) if place not in bad and line.strip()])

    def _header(self, lines: list[bytes]) -> int:
        """Takes the columns from the first line with words; returns where the rows begin."""
        for place, line in enumerate(lines):
            if line.strip() and not (self.form.comment and line.startswith(self.form.comment.encode())):
                self._name([*self._fields(line)])
                return place + 1 if self.form.header else place
        return len(lines)

    def _name(self, names: list[str]) -> None:
        given = [name or f"_c{number}" for number, name in enumerate(names)] if self.form.header else []
        columns = given or [f"_c{number}" for number in range(len(names))]
        folded = [name.lower() for name in columns]
        twice = sorted({name for name in columns if folded.count(name.lower()) > 1})
        if twice:
            raise Flaw(f"names the column {twice[0]} twice")
        self.columns = tuple(columns)

    def _undecodable(self, lines: list[bytes], start: int) -> Iterator[int]:
        """Where lines stand that are not in the file's encoding."""
        if not self.form.by_lines:
            return  # they have been decoded already
        try:
            b"\n".join(lines).decode(self.form.encoding)
        except UnicodeDecodeError:
            for place, line in enumerate(lines[start:], start):
                try:
                    line.decode(self.form.encoding)
                except UnicodeDecodeError:
                    yield place

    def _odd(self, lines: list[bytes], start: int) -> list[int]:
        """Where lines stand that must be looked at: with quotes, or another number of separators."""
        assert self.columns is not None
        sep, quote, wanted = self.form.sep.encode(), self.form.quote.encode() or b"\0", len(self.columns) - 1
        comment = self.form.comment.encode()
        rest = enumerate(lines[start:], start)
        if wanted == 0 or comment:
            return [place for place, line in rest if line.count(sep) != wanted or quote in line or not line or line[:1] == comment]
        return [place for place, line in rest if line.count(sep) != wanted or quote in line]

    def _reason(self, line: bytes) -> str:
        """Why a line does not fit; empty if it does."""
        if self.form.format == "json":
            try:
                return "" if isinstance(json.loads(line.decode(self._encoding)), dict) else "is no object"
            except ValueError as error:
                return f"is no JSON: {error}"
        try:
            fields = self._fields(line)
        except csv.Error as error:
            return f"is quoted wrongly: {error}"
        return self._ragged(len(fields))

    def _ragged(self, count: int) -> str:
        wanted = len(self.columns or ())
        return "" if count == wanted else f"has {count} field{'s' * (count != 1)}, not {wanted}"

    @property
    def _encoding(self) -> str:
        return self.form.encoding if self.form.by_lines else "utf-8"

    def _fields(self, line: bytes) -> list[str]:
        return next(self._reader([line.decode(self._encoding, "replace")]), [])

    def _reader(self, lines: Any) -> Any:
        form = self.form
        doubled = form.escape == form.quote
        if not form.quote:
            return csv.reader(lines, delimiter=form.sep, quoting=csv.QUOTE_NONE, strict=True)
        escape = None if doubled else form.escape or None
        return csv.reader(lines, delimiter=form.sep, quotechar=form.quote, doublequote=doubled, escapechar=escape, strict=True)

    def _misfit(self, line: int, lines: int, reason: str, text: bytes) -> None:
        self.misfits.append(Misfit(line, lines, reason, text.decode(self._encoding, "backslashreplace")[:LONGEST]))

    def _keep(self, lines: list[bytes]) -> None:
        """Keeps every so many-th line for the facts, so that those kept are spread over the file and few."""
        self.sample += lines[:: self.every]
        while len(self.sample) > _SAMPLE:  # by three: rows often alternate, as by twos
            self.sample, self.every = self.sample[::3], self.every * 3

    def _records(self, lines: Iterator[bytes]) -> None:
        """Records that may take several lines each, because quoted values hold line ends."""
        taken: list[bytes] = []

        def told() -> Iterator[str]:
            for line in lines:
                taken.append(line)
                yield line.decode(self._encoding, "backslashreplace") + "\n"

        reader = self._reader(told())
        while True:
            first, reason, fields = self.number + 1, "", []
            taken.clear()
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                reason = f"is quoted wrongly: {error}"
            self.number += len(taken)
            self._record(first, list(taken), fields, reason)

    def _record(self, first: int, taken: list[bytes], fields: list[str], reason: str) -> None:
        if not fields and not reason:
            return
        text = b"\n".join(taken)
        if self.columns is None:
            if reason:
                raise Flaw(f"has a first line that {reason}")
            self._name(fields)
            if self.form.header:
                return
        if not reason and list(self._undecodable([text], 0)):
            reason = f"is not in {self.form.encoding}"
        reason = reason or self._ragged(len(fields))
        if reason:
            self._misfit(first, len(taken), reason, text)
            return
        self.rows += 1
        if self.rows % 50 == 1 and len(taken) == 1:
            self._keep([text])

    def _document(self, chunks: Iterator[list[bytes]]) -> None:
        """A file that is one JSON document: an object, or a list of them."""
        try:
            found = json.loads(b"\n".join(line for lines in chunks for line in lines).decode(self._encoding))
        except ValueError as error:
            raise Flaw(f"is no JSON: {error}") from None
        rows = found if isinstance(found, list) else [found]
        if not all(isinstance(row, dict) for row in rows):
            raise Flaw("holds no objects")
        self.rows = len(rows)
        self._keep([json.dumps(row).encode() for row in rows[:: 1 + len(rows) // _SAMPLE]])


def _flat(lines: list[bytes], chunks: Iterator[list[bytes]]) -> Iterator[bytes]:
    yield from lines
    for more in chunks:
        yield from more


def _plain(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _told(misfit: Misfit) -> str:
    return f"line {misfit.line}, which {misfit.reason}"


def _write_copy(path: Path, form: Form, verdict: Verdict, copy: Path) -> None:
    """What fits, in UTF-8."""
    out_of = {number for misfit in verdict.misfits for number in range(misfit.line, misfit.line + misfit.lines)}
    copy.parent.mkdir(parents=True, exist_ok=True)
    number = 0
    with atomic.replacing(copy) as beside, beside.open("wb") as out, textlines.opened(path) as content:
        for lines in textlines.chunks(content, None if form.by_lines else form.encoding):
            if number == 0 and lines[0].startswith(_BOM):
                lines[0] = lines[0][len(_BOM) :]
            kept = [line for place, line in enumerate(lines, number + 1) if place not in out_of]
            number += len(lines)
            if form.by_lines and not form.in_utf8:
                kept = [line.decode(form.encoding).encode() for line in kept]
            out.write(b"\n".join([*kept, b""]))
