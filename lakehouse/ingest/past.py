"""What a source delivered before, and how a delivery differs from that."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lakehouse import raw
from lakehouse.ingest import drift, kept
from lakehouse.ingest.drift import Change
from lakehouse.ingest.form import Form
from lakehouse.ingest.verdict import Verdict
from lakehouse.raw import RawFile
from lakehouse.source import Source

_COMPARED = 12
"""Earlier deliveries that a file is compared with at most: a year of months."""


@dataclass(frozen=True)
class Compared:
    """A delivery, what changed in it, and the last delivery before in which nothing had changed."""

    file: RawFile
    changes: tuple[Change, ...]
    last: RawFile | None

    @property
    def since(self) -> str:
        """What it was compared with, to be put after what changed."""
        return f" (since {self.last.filename}, received {self.last.received_at:%Y-%m-%d %H:%M} UTC)" if self.last else ""


@dataclass(frozen=True)
class Past:
    """The deliveries of one source."""

    root: Path
    source: Source
    form: Form

    def compare(self, files: Collection[RawFile]) -> list[Compared]:
        """How each of `files` differs from the deliveries before it.

        A delivery in which something had changed is none that others are compared with: a change is told again with
        every delivery, until the source says that it is to stay.
        """
        wanted = {(file.path, file.received_at) for file in files}
        recent = {(file.path, file.received_at) for file in self._received[-2 * _COMPARED :]}
        settled: list[tuple[RawFile, Verdict]] = []
        found = []
        for file in self._received:
            key = (file.path, file.received_at)
            verdict = kept.look(self.root, file, self.form) if key in wanted | recent else None
            if verdict is None or verdict.flaw:
                continue
            changes = tuple(self._changes(verdict, settled))
            if key in wanted:
                found.append(Compared(file, changes, settled[-1][0] if settled else None))
            if not changes:
                settled = [*settled[1 - _COMPARED :], (file, verdict)]
        return found

    @cached_property
    def _received(self) -> list[RawFile]:
        return sorted(raw.received(self.root, self.source.name), key=lambda file: file.received_at)

    @cached_property
    def _given(self) -> tuple[tuple[str, ...], str]:
        """The columns that the source says, else those of the first delivery that could be read; and by whose word."""
        if self.source.columns:
            return self.source.columns, "as the source says"
        for file in self._received:
            verdict = kept.of(self.root, file, self.form)
            if not verdict.flaw:
                return verdict.columns, f"as in the first delivery, {file.filename}"
        return (), ""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of what is read: those expected, and the optional ones."""
        return tuple(dict.fromkeys((*self._given[0], *self.source.optional)))

    @property
    def told(self) -> str:
        """What every file must have, and by whose word."""
        return f"{', '.join(self._expected)} ({self._given[1]})"

    @property
    def _expected(self) -> list[str]:
        return [name for name in self._given[0] if name not in self.source.optional]

    def _changes(self, verdict: Verdict, settled: list[tuple[RawFile, Verdict]]) -> Iterator[Change]:
        names = list(self._changed_names(verdict, settled[-1][1] if settled else Verdict()))
        if names:
            yield from names
        else:
            changed = drift.of_values([before.facts for _, before in settled], verdict.facts)
            yield from (change for change in changed if change.column not in self.source.varying)

    def _changed_names(self, verdict: Verdict, last: Verdict) -> Iterator[Change]:
        if self.form.format == "text":
            return
        expected, given = self._expected, [name for name in verdict.columns if name not in self.source.optional]
        if self.form.format == "json" and not self.source.columns:
            # Records of JSON need not have the same keys, so only those count that most had, or have now.
            expected = [name for name in last.columns if name in given or last.facts[name].nulls < 0.5]
            given = [name for name in given if name in last.columns or verdict.facts[name].nulls < 0.5] if last.columns else []
            expected = expected if verdict.columns else []
        if set(expected) == set(given):
            return
        if self.form.header and len(given) == len(expected) and not set(given) & set(expected):
            yield Change("gone", "", f"has no header line: its first is {','.join(verdict.columns)[:80]!r}")
            return
        yield from drift.of_names(expected, given, last.facts, verdict.facts)
