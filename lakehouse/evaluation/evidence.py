"""The evidence of a contest: challenger and champion on the same rows, and all that was measured there."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import pandas as pd

from lakehouse.evaluation.behaviour import Outcome
from lakehouse.evaluation.words import ALL, GAIN, NOT_SLICES


class Figure(NamedTuple):
    """A value, its interval of 95 percent, its standard error; of a gain how likely it is as far from zero by chance (`p`), and
    that corrected for the number of slices (`q`)."""

    value: float
    low: float
    high: float
    error: float
    p: float
    q: float
    rows: int
    days: int


@dataclass(frozen=True)
class Evidence:
    """What a challenger and its opponent were measured by. `champion` is None where the opponent is the base rate.

    `table` has a line by version, slice and measure (see `Sheet`); `against` is 0 for what is measured of one version, and
    where the opponent is the base rate. `days` are the clusters that were drawn, `at_least` the rows that a slice had to have,
    `looked_at` the pairs of slices searched; `trained_until` (the last month learnt from, of those that were told of),
    `size_bytes`, `seconds_per_1000` rows (scored on one thread) and `thresholds` are by version.
    """

    challenger: int
    champion: int | None
    months: list[str]
    rows: int
    positives: int
    days: int
    base_rate: float
    table: pd.DataFrame
    at_least: int = 0
    looked_at: int = 0
    trained_until: dict[int, str] = field(default_factory=dict)
    size_bytes: dict[int, int] = field(default_factory=dict)
    seconds_per_1000: dict[int, float] = field(default_factory=dict)
    thresholds: dict[int, float] = field(default_factory=dict)
    behaviour: list[Outcome] = field(default_factory=list)
    edge_cases: list[Outcome] = field(default_factory=list)

    @property
    def through(self) -> str:
        """The last month."""
        return self.months[-1] if self.months else ""

    def find(self, version: int, slice_kind: str, slice_: str, measure: str) -> Figure | None:
        """One line; of a gain `version` is the challenger's. None where it could not be measured."""
        here = self.table
        wanted = {"model_version": version, "slice_kind": slice_kind, "slice": slice_, "measure": measure}
        for column, value in wanted.items():
            here = here[here[column] == value]
        return None if here.empty else Figure(*here.iloc[0][list(Figure._fields)])

    def plain(self, sliced_by: str = "log_loss") -> dict[str, Any]:
        """As JSON, for the ledger: of slices the gain by one measure, the rest of them is in the table."""
        whole = self.table[self.table["slice_kind"] == ALL]
        return {
            "challenger": self.challenger,
            "champion": self.champion,
            "months": self.months,
            "rows": self.rows,
            "positives": self.positives,
            "days": self.days,
            "base_rate": self.base_rate,
            "measures": [
                {name: line[name] for name in ("model_version", "measure", "value", "low", "high")}
                for line in whole.to_dict("records")
            ],
            "slices": {"measure": f"{sliced_by}{GAIN}", "gains": self._gains(f"{sliced_by}{GAIN}")},
            "looked_at": self.looked_at,
            "trained_until": {str(key): value for key, value in self.trained_until.items()},
            "size_bytes": {str(key): value for key, value in self.size_bytes.items()},
            "seconds_per_1000": {str(key): value for key, value in self.seconds_per_1000.items()},
            "thresholds": {str(key): value for key, value in self.thresholds.items()},
            "behaviour": [asdict(one) for one in self.behaviour],
            "edge_cases": [asdict(one) for one in self.edge_cases],
        }

    def _gains(self, measure: str) -> list[dict[str, Any]]:
        """A line for each slice of a declared kind."""
        lines = self.table[(self.table["measure"] == measure) & ~self.table["slice_kind"].isin(NOT_SLICES)]
        return lines[["slice_kind", "slice", "value", "low", "high", "rows", "q"]].to_dict("records")
