"""What a model must do whatever its figures are: tests on altered copies of rows, and on rows of a special kind.

Directional and invariance tests as Ribeiro et al. 2020, Beyond Accuracy: Behavioral Testing of NLP Models with CheckList
(ACL, 4902-4912), call them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

Change = Callable[[pd.DataFrame], pd.DataFrame]
Score = Callable[[pd.DataFrame], np.ndarray]
MOST_ROWS = 2000


@dataclass(frozen=True)
class Outcome:
    """Whether it `passed`, None where there were too few rows to tell; what was seen, in words."""

    name: str
    passed: bool | None
    said: str
    rows: int


@dataclass(frozen=True)
class Directional:
    """After `change` (rows to altered copies) no score falls by more than `tolerance`, but for a share of rows (`at_most`);
    with `falls`, none rises."""

    name: str
    change: Change
    falls: bool = False
    tolerance: float = 0.05
    at_most: float = 0.01

    def run(self, score: Score, rows: pd.DataFrame) -> Outcome:
        moved = score(self.change(rows)) - score(rows)
        against = moved if self.falls else -moved
        share = float((against > self.tolerance).mean())
        word = "rose" if self.falls else "fell"
        said = (
            f"{share:.1%} of scores {word} by more than {self.tolerance:g} (at most {self.at_most:.1%}); mean {moved.mean():+.4f}"
        )
        return Outcome(self.name, share <= self.at_most, said, len(rows))


@dataclass(frozen=True)
class Invariance:
    """`change` (rows to altered copies) moves no score by more than `tolerance`."""

    name: str
    change: Change
    tolerance: float = 1e-9

    def run(self, score: Score, rows: pd.DataFrame) -> Outcome:
        most = float(np.abs(score(self.change(rows)) - score(rows)).max())
        said = f"no score moved by more than {most:.2g} (at most {self.tolerance:g})"
        return Outcome(self.name, most <= self.tolerance, said, len(rows))


@dataclass(frozen=True)
class EdgeCase:
    """On `rows` (all rows to those of a special kind, or to altered copies) the model is of use: its log loss is at most that
    of the base rate, known before, and `tolerance` more. Of less than `at_least` rows nothing is said."""

    name: str
    rows: Change
    tolerance: float = 0.02
    at_least: int = 30

    def run(self, score: Score, rows: pd.DataFrame, outcome: str, base_rate: float) -> Outcome:
        chosen = self.rows(rows)
        if len(chosen) < self.at_least:
            return Outcome(self.name, None, f"{len(chosen)} such rows, too few to tell", len(chosen))
        came = chosen[outcome].to_numpy(dtype=float)
        told, known = _log_loss(came, score(chosen)), _log_loss(came, np.full(len(chosen), base_rate))
        said = f"log loss {told:.4f}, the base rate's {known:.4f}, {came.mean():.1%} of {len(chosen):,} rows"
        return Outcome(self.name, told <= known + self.tolerance, said, len(chosen))


def sample(rows: pd.DataFrame) -> pd.DataFrame:
    """Every n-th row, 2,000 at most."""
    return rows.iloc[:: max(1, -(-len(rows) // MOST_ROWS))]


def _log_loss(outcome: np.ndarray, score: np.ndarray) -> float:
    sure = np.clip(score, np.finfo(float).eps, 1 - np.finfo(float).eps)
    return float(-np.log(np.where(outcome == 1, sure, 1 - sure)).mean())
