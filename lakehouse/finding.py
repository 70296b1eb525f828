"""What is wrong in a project's files, found by reading them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, order=True, slots=True)
class Finding:
    """One thing to mend. `file` is relative to the project; `cell` and `line` count from 1, 0 where there is none.

    In a notebook, `line` is the line within the cell; in any other file, the line of the file.
    """

    file: str
    cell: int
    line: int
    rule: str
    message: str
    hint: str = ""

    @property
    def where(self) -> str:
        cell = f", cell {self.cell}" if self.cell else ""
        return f"{self.file}{cell}" + (f", line {self.line}" if self.line else "")

    def __str__(self) -> str:
        return f"{self.where}: {self.message.rstrip('.')}." + (f" {self.hint}" if self.hint else "")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Findings:
    """Collects what is wrong with one file."""

    file: str
    found: list[Finding] = field(default_factory=list)

    def add(self, cell: int, line: int, rule: str, message: str, hint: str = "") -> None:
        self.found.append(Finding(self.file, cell, line, rule, message, hint))

    def has(self, *rules: str) -> bool:
        """Whether something is wrong by one of these rules."""
        return any(finding.rule in rules for finding in self.found)
