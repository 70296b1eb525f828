"""What a probe is asked and answers, and what is kept of a leak check: one JSON file beside its executed notebooks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, Field

from lakehouse import record
from lakehouse.leaks.compare import Difference
from lakehouse.names import TableName

FILE = "leaks.json"
VARIABLE = "LAKEHOUSE_PROBE"
"""In a probe's kernel, what it is asked (`Asked`)."""


class Asked(BaseModel):
    """What a probe's kernel is told: of which rows of which version to ask, and what its notebook had read.

    `share` is the share of these rows that were asked up to the moment that is taken; None alters nothing.
    """

    table: str
    version: int
    share: float | None
    seed: int
    inputs: dict[str, int]
    answer: Path


class Answer(BaseModel):
    """What one probe found: `moment` (UTC), up to which `rows` rows stand, `altered` rows of each input, the differences."""

    moment: str
    rows: int
    altered: dict[str, int] = {}
    differences: list[Difference] = []


class Outcome(BaseModel):
    """What a leak check found of one partition of a table (None: of all of it), at `version` by the run `made_by`.

    `code` is the identity of the notebook's code that was run for it (empty where that was not kept yet).
    `unsteady` are the columns that differ even if nothing is altered, so that nothing can be said of them.
    """

    table: str
    partition: str | None
    version: int
    made_by: str | None
    code: str = ""
    at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    seconds: float = 0.0
    answers: list[Answer] = []
    leaks: list[Difference] = []
    unsteady: list[str] = []
    notebook: Path | None = None

    @property
    def passed(self) -> bool:
        return not self.leaks

    @property
    def said(self) -> str:
        """In one line: which columns, or how much was looked at."""
        if self.leaks:
            listed = [f"{one.column} ({one.rows:,} row{'s' if one.rows > 1 else ''})" for one in self.leaks]
            return f"from what was not yet known: {', '.join(listed)}"
        rows = sum(answer.rows for answer in self.answers)
        altered = sum(sum(answer.altered.values()) for answer in self.answers)
        unsteady = f"; differs by itself, so not judged: {', '.join(self.unsteady)}" if self.unsteady else ""
        return f"{rows:,} rows stay the same with {altered:,} rows of what came later altered{unsteady}"


def folder(root: Path, table: TableName) -> Path:
    return root / "leaks" / table.layer / table.name


def newest_first(root: Path, table: TableName) -> Iterator[Outcome]:
    """Every check of `table`, the newest first; what is torn or under way is left out."""
    for path in sorted(folder(root, table).glob(f"*/{FILE}"), reverse=True):
        try:
            yield Outcome.model_validate_json(path.read_text())
        except (OSError, ValueError):
            continue


def newest(root: Path, table: TableName) -> dict[str | None, Outcome]:
    """The newest check of each partition."""
    found: dict[str | None, Outcome] = {}
    for outcome in newest_first(root, table):
        found.setdefault(outcome.partition, outcome)
    return found


def save(where: Path, outcome: Outcome) -> None:
    record.save(where / FILE, outcome)
