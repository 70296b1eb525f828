"""Rows whose outcome is known to depend on `x` and `z`, days that have their own luck, and models that know more or less."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lakehouse.evaluation import Evidence, evaluate
from lakehouse.promotion.contract import Business

DAYS, EACH = 60, 100
MINUTES = Business(name="minutes", right=15, wrong=-5)


@dataclass(frozen=True)
class Knowing:
    """Tells a row's probability from `x`, and from `z` as far as it knows of it; `shift` makes all of it too high."""

    version: int
    of_z: float = 1.0
    shift: float = 0.0
    size_bytes: int = 1000

    def predict_proba(self, rows: pd.DataFrame) -> np.ndarray:
        told = 1 / (1 + np.exp(1 - rows["x"].to_numpy() - self.of_z * rows["z"].to_numpy() - self.shift))
        return np.column_stack([1 - told, told])


@dataclass(frozen=True)
class Meeting:
    challenger: Any
    champion: Any = None


@pytest.fixture(scope="session")
def rows() -> pd.DataFrame:
    """6,000 of two months of 30 days; where `kind` is a and `side` is left, the outcome depends on z the other way round."""
    random = np.random.default_rng(5)
    size = DAYS * EACH
    frame = pd.DataFrame({"x": random.normal(size=size), "z": random.normal(size=size)})
    frame["day"] = np.repeat(np.arange(DAYS), EACH)
    frame["month"] = np.where(frame["day"] < DAYS // 2, "2013-03", "2013-04")
    frame["kind"] = random.choice(["a", "b", "c"], size)
    frame["side"] = random.choice(["left", "right"], size)
    luck = random.normal(scale=0.5, size=DAYS)[frame["day"]]
    other = np.where((frame["kind"] == "a") & (frame["side"] == "left"), -1, 1)
    frame["came"] = (random.random(size) < 1 / (1 + np.exp(1 - frame["x"] - other * frame["z"] - luck))).astype(int)
    return frame


@pytest.fixture(scope="session")
def judge(rows: pd.DataFrame) -> Callable[..., Evidence]:
    """Evaluates on these rows; what is given replaces what is usual."""

    def made(challenger: Any, champion: Any = None, **given: Any) -> Evidence:
        some = given.pop("rows", rows)
        usual = {
            "outcome": "came",
            "month": "month",
            "resample_by": "day",
            "inputs": lambda frame: frame[["x", "z"]],
            "base_rate": 0.3,
            "slices": {"kind": some["kind"], "side": some["side"]},
            "business": MINUTES,
        }
        return evaluate(Meeting(challenger, champion), some, **{**usual, **given})

    return made


@pytest.fixture(scope="session")
def evidence(judge: Callable[..., Evidence]) -> Evidence:
    """Of a challenger that knows z and a champion that does not."""
    return judge(Knowing(2), Knowing(1, of_z=0), groups=["side"])
