"""What was found when a raw file was judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lakehouse.ingest.facts import Facts

LONGEST = 2000
"""Characters that are kept of a record's text."""


@dataclass(frozen=True, slots=True)
class Misfit:
    """A record that does not fit: the line it begins on (the first is 1), how many it takes, why, its text (bounded)."""

    line: int
    lines: int
    reason: str
    text: str


@dataclass(frozen=True)
class Verdict:
    """`flaw` says why the file cannot be read at all (empty: it can); `rows` counts those that fit.

    `copy` is where the rows that fit stand in UTF-8, for a file that Spark cannot read as it is.
    """

    flaw: str = ""
    columns: tuple[str, ...] = ()
    rows: int = 0
    misfits: tuple[Misfit, ...] = ()
    facts: Mapping[str, Facts] = field(default_factory=dict)
    copy: Path | None = None

    @property
    def left_out(self) -> int:
        """Lines that are left out."""
        return sum(misfit.lines for misfit in self.misfits)
