"""Rides of two months, of which some are late, and models that tell which: one to beat, a good one, and bad ones on purpose.

A ride is late the more likely the more it rains, and on days of storm; the line `red` has as many rides as each other line.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
import pandas as pd

from lakehouse.evaluation import Directional, Evidence, evaluate
from lakehouse.promotion.contract import Business, ModelContract

MONTHS = ("2013-03", "2013-04")
LINES = ("red", "blue", "green", "black")
CONTRACT: dict[str, Any] = {
    "model": "models.rides",
    "purpose": "Tells late rides.",
    "owner": "rides@example.com",
    "evaluate": {
        "slices": ["line"],
        "groups": ["line"],
        "business": {"name": "minutes_saved", "right": 15, "wrong": -5},
    },
    "gates": {
        "enough": {"rows": 2000, "positives": 200, "units": 28},
        "slices": {"tolerance": 0.02, "reason": "Nobody is told worse for the good of others."},
        "speed": {"seconds": 0.05},
        "size": {"megabytes": 1},
        "fairness": {"gap": 0.3},
    },
}


def contract(**changes: Any) -> ModelContract:
    """The contract of the rides' model; `gates` are merged into its own."""
    gates = {**CONTRACT["gates"], **changes.pop("gates", {})}
    return ModelContract.model_validate({**CONTRACT, "gates": gates, **changes})


@cache
def rides(days: int = 60, a_day: int = 60) -> pd.DataFrame:
    """A row for each ride: day, month, line, rain, drizzle (which says less than the rain) and is_late."""
    draw = np.random.default_rng(7)
    day = np.repeat(np.arange(days), a_day)
    rain, storm = draw.normal(size=len(day)), np.repeat(draw.normal(scale=0.3, size=days), a_day)
    drizzle = rain + draw.normal(scale=1.5, size=len(day))
    late = (draw.random(len(day)) < _chance(-0.8 + 1.2 * rain + storm)).astype(int)
    line = np.asarray(LINES)[np.arange(len(day)) % len(LINES)]
    month = np.where(day < days / 2, *MONTHS)
    return pd.DataFrame({"day": day, "month": month, "line": line, "rain": rain, "drizzle": drizzle, "is_late": late})


def _chance(odds: Any) -> Any:
    return 1 / (1 + np.exp(-odds))


@dataclass(frozen=True)
class Told:
    """A version that tells what `odds` says of rows."""

    version: int
    odds: Callable[[pd.DataFrame], Any]
    size_bytes: int = 10_000
    sleeps: float = 0.0

    def predict_proba(self, rows: pd.DataFrame) -> np.ndarray:
        time.sleep(self.sleeps)
        late = _chance(np.asarray(self.odds(rows), dtype=float))
        return np.column_stack([1 - late, late])


@dataclass(frozen=True)
class Meeting:
    challenger: Told
    champion: Told | None


def good(rows: pd.DataFrame) -> Any:
    return -0.8 + 1.2 * rows["rain"]


def weak(rows: pd.DataFrame) -> Any:
    """Calibrated, but it sees little of the rain."""
    return -0.7 + 0.32 * rows["drizzle"]


CHAMPION = Told(3, weak)
GOOD = Told(5, good)
NOISE = Told(5, lambda rows: weak(rows) + 0.02 * np.sin(1000 * rows["rain"]))
OVERSURE = Told(5, lambda rows: 1.6 * good(rows) + 0.5)
BAD_ON_RED = Told(5, lambda rows: np.where(rows["line"] == "red", -0.7 - 0.04 * rows["rain"], good(rows)))
SLOW = Told(5, good, sleeps=0.5)
LARGE = Told(5, good, size_bytes=5_000_000)
UNFAIR = Told(5, lambda rows: good(rows) + np.where(rows["line"] == "red", 1.1, 0.0))
FOND_OF_STORMS = Told(5, lambda rows: good(rows) - 1.8 * (rows["rain"] > 1.5))


@lru_cache
def measured(challenger: Told, champion: Told | None = CHAMPION) -> Evidence:
    """What the evaluation finds of a challenger on all rides."""
    return evidence(challenger, champion, rides())


def evidence(challenger: Told, champion: Told | None, seen: pd.DataFrame, **given: Any) -> Evidence:
    """What is given replaces what is usual."""
    usual = {
        "outcome": "is_late",
        "month": "month",
        "resample_by": "day",
        "inputs": lambda some: some,
        "base_rate": 0.35,
        "slices": {"line": seen["line"]},
        "groups": ["line"],
        "business": Business(name="minutes_saved", right=15, wrong=-5),
        "behaviour": [Directional("more rain never helps", lambda some: some.assign(rain=some["rain"] + 1))],
        "trained_until": {one.version: "2013-02" for one in (challenger, champion) if one},
        "resamples": 80,
    }
    return evaluate(Meeting(challenger, champion), seen, **{**usual, **given})
