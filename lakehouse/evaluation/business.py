"""The business measure: what acting on a score is worth, and the threshold from which it is acted on.

The threshold is chosen on validation rows, where the model is trained, and is a part of the model from then on
(scikit-learn's FixedThresholdClassifier), so that no evaluation can choose it by the rows it judges on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.model_selection import FixedThresholdClassifier

    from lakehouse.promotion.contract import Business

PER = 1000
"""Rows for which the measure is told."""


def worth(business: Business, outcome: np.ndarray, acted: np.ndarray) -> np.ndarray:
    """By row, for 1,000 rows like it, in the contract's unit; of 0/1 outcomes and whether it was acted on, both (rows,)."""
    return PER * acted * np.where(outcome == 1, business.right, business.wrong)


def best_threshold(outcome: np.ndarray, score: np.ndarray, business: Business) -> float:
    """The score from which acting is worth most on these rows: validation rows, which the model did not learn from.

    With well calibrated scores it is near -wrong / (right - wrong) (Elkan 2001, IJCAI, equation 2). Scores are looked at
    in steps of 0.01, and of several best ones the middle is taken.
    """
    steps = np.arange(1, 100) / 100
    gained = worth(business, np.asarray(outcome, dtype=float), np.ones(len(score)))
    place = np.searchsorted(steps, score, side="right")  # how many steps a score reaches
    reached = np.bincount(place, gained, len(steps) + 1)[::-1].cumsum()[::-1][1:]
    best = np.flatnonzero(reached == reached.max())
    return float(steps[best[len(best) // 2]])


def carry(model: Any, threshold: float, rows: pd.DataFrame, outcome: pd.Series) -> FixedThresholdClassifier:
    """A fitted model of two classes that says "the second" from this threshold on; `rows` with their `outcome`, a few of each
    class, tell it which classes there are. `predict_proba` is as it was."""
    from sklearn.frozen import FrozenEstimator
    from sklearn.model_selection import FixedThresholdClassifier

    return FixedThresholdClassifier(FrozenEstimator(model), threshold=threshold, response_method="predict_proba").fit(rows, outcome)


def threshold_of(model: Any) -> float:
    """The threshold that a model, or the estimator in a loaded one, carries; 0.5 where it carries none."""
    told = (getattr(one, "threshold", None) for one in (model, getattr(model, "estimator", None)))
    return next((float(one) for one in told if isinstance(one, (int, float))), 0.5)
