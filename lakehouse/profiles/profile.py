"""The profile of one batch: a few numbers for each column, from which distributions can be compared without its rows."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

LEVELS = tuple(step / 100 for step in range(101))
"""The levels of a column's quantiles: minimum, each percent, maximum."""
WHOLE = "*"
"""The batch of a table without partitions."""
KEPT = 128
"""A text column's most frequent values that are kept, at most."""

Kind = Literal["number", "text", "time", "personal"]


class ColumnProfile(BaseModel):
    """One column of one batch. `distinct` is estimated (standard error 5 percent). NaN and infinite count as missing.

    Numbers have `quantiles` at LEVELS; of text (and booleans) the most frequent values are counted; times, in seconds
    since 1970 (UTC), have `low` and `high` only, and of personal columns no value is kept. `missing_by` counts missing
    values by the value of another column.
    """

    kind: Kind
    missing: int
    distinct: int
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    deviation: float | None = None
    quantiles: list[float] = []
    values: dict[str, int] = {}
    missing_by: dict[str, int] = {}


class Batch(BaseModel):
    """All rows of one partition, or of a whole table."""

    rows: int
    columns: dict[str, ColumnProfile] = {}

    def filled(self, column: str) -> int:
        """Rows in which `column` is not missing."""
        return self.rows - self.columns[column].missing
