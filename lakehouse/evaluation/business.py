"""The business measure: what acting on a score is worth, and the threshold from which it is acted on.

The threshold is chosen on validation rows, where the model is trained, and is a part of the model from then on
(scikit-learn's FixedThresholdClassifier), so that no evaluation can choose it by the rows it judges on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.model_selection import FixedThresholdClassifier

PER = 1000
"""Rows for which the measure is told."""


@dataclass(frozen=True)
class Business:
    """What acting on a row is worth, in `unit`: `right` where the outcome comes, `wrong` (negative) where it does not;
    not acting is worth nothing. The measure `name` is its sum for 1,000 rows."""

    name: str
    right: float
    wrong: float
    unit: str = ""
    reason: str = ""

    def worth(self, outcome: np.ndarray, acted: np.ndarray) -> np.ndarray:
        """By row, for 1,000 rows like it; of 0/1 outcomes and whether it was acted on, both (rows,)."""
        return PER * acted * np.where(outcome == 1, self.right, self.wrong)


def best_threshold(outcome: np.ndarray, score: np.ndarray, business: Business) -> float:
    """The score from which acting is worth most on these rows: validation rows, which the model did not learn from.

    With well calibrated scores it is near -wrong / (right - wrong) (Elkan 2001, IJCAI, equation 2). Scores are looked at
    in steps of 0.01, and of several best ones the middle is taken, as one row more or less must not matter.
    """
    steps = np.arange(1, 100) / 100
    worth = business.worth(np.asarray(outcome, dtype=float), np.ones(len(score)))
    place = np.searchsorted(steps, score, side="right")  # how many steps it reaches
    reached = np.bincount(place, worth, len(steps) + 1)[::-1].cumsum()[::-1][1:]
    best = np.flatnonzero(reached == reached.max())
    return float(steps[best[len(best) // 2]])


def carry(model: Any, threshold: float, rows: pd.DataFrame, outcome: pd.Series) -> FixedThresholdClassifier:
    """A fitted model of two classes that says "the second" from this threshold on; some `rows` tell it the classes.

    `predict_proba` is as it was.
    """
    from sklearn.frozen import FrozenEstimator
    from sklearn.model_selection import FixedThresholdClassifier

    return FixedThresholdClassifier(FrozenEstimator(model), threshold=threshold, response_method="predict_proba").fit(rows, outcome)


def threshold_of(model: Any) -> float:
    """The threshold that a model, or the estimator in a loaded one, carries; 0.5 where it carries none."""
    told = getattr(getattr(model, "estimator", model), "threshold", None)
    return float(told) if isinstance(told, (int, float)) else 0.5
