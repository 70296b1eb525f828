"""Each measure is what scikit-learn says it is, of the rows themselves and of rows drawn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from lakehouse.evaluation import measures, resample
from lakehouse.evaluation.measures import Scored
from tests.evaluation.conftest import DAYS, MINUTES, Knowing

ORACLES = {
    "auc": roc_auc_score,
    "average_precision": average_precision_score,
    "log_loss": lambda y, p, sample_weight: log_loss(y, p, sample_weight=sample_weight),
    "brier": brier_score_loss,
    "predicted": lambda _, p, sample_weight: np.average(p, weights=sample_weight),
    "base_rate": lambda y, _, sample_weight: np.average(y, weights=sample_weight),
    "acted_on": lambda _, p, sample_weight: np.average(p >= 0.4, weights=sample_weight),
    "minutes": lambda y, p, sample_weight: np.average((p >= 0.4) * np.where(y, 15_000, -5_000), weights=sample_weight),
    "ece": lambda y, p, sample_weight: calibration_error(y, p, sample_weight),
}


def calibration_error(y: np.ndarray, p: np.ndarray, weight: np.ndarray) -> float:
    """By the definition, bin by bin."""
    bins = sum((p > edge).astype(int) for edge in np.quantile(p, np.arange(1, measures.BINS) / measures.BINS))
    parts = [abs(np.sum(weight[bins == one] * (p - y)[bins == one])) for one in np.unique(bins)]
    return float(np.sum(parts) / weight.sum())


@pytest.fixture(scope="module", params=["all different", "many ties"])
def scored(request: pytest.FixtureRequest, rows: pd.DataFrame) -> Scored:
    told = Knowing(1).predict_proba(rows)[:, 1]
    score = told if request.param == "all different" else told.round(1).clip(0.05, 0.95)
    return Scored(rows["came"].to_numpy(dtype=float), score, 0.4, MINUTES)


@pytest.mark.parametrize("name", ORACLES)
def test_a_measure_is_what_it_is_called_in_each_draw(scored: Scored, rows: pd.DataFrame, name: str) -> None:
    draws = resample.draw(rows["day"].to_numpy(), DAYS, 3, seed=1)
    groups = (rows["kind"] == "b").to_numpy().astype(int)
    whole = measures.WHOLE
    found = whole[name](scored, draws, groups, 2) if name in whole else measures.sums(scored, draws, groups, 2)[name]
    assert found.shape == (4, 2)
    for draw, weights in enumerate(draws.weights):
        for group in (0, 1):
            here, weight = groups == group, weights[draws.codes]
            told = ORACLES[name](scored.outcome[here], scored.score[here], sample_weight=weight[here])  # type: ignore[operator]
            assert found[draw, group] == pytest.approx(told, rel=1e-9), (draw, group)


def test_what_cannot_be_measured_is_missing() -> None:
    """One class, or no row at all."""
    draws = resample.draw(np.zeros(3, dtype=int), 1, 2, seed=1)
    one = Scored(np.ones(3), np.array([0.2, 0.5, 0.9]), 0.5, None)
    assert np.isnan(measures.auc(one, draws, np.zeros(3, dtype=int), 1)).all()
    assert np.isnan(measures.sums(one, draws, np.zeros(3, dtype=int), 2)["log_loss"][:, 1]).all()


def test_a_gain_is_positive_where_the_challenger_is_better(scored: Scored, rows: pd.DataFrame) -> None:
    draws = resample.draw(rows["day"].to_numpy(), DAYS, 20, seed=1)
    whole = np.zeros(len(rows), dtype=int)
    clueless = Scored(scored.outcome, np.full(len(rows), 0.5), 0.4, MINUTES)
    both = [
        {**measures.sums(one, draws, whole, 1), **{name: of(one, draws, whole, 1) for name, of in measures.WHOLE.items()}}
        for one in (scored, clueless)
    ]
    found = measures.gains(*both, MINUTES)
    assert set(found) == {f"{name}_gain" for name in ("auc", "average_precision", "log_loss", "brier", "ece", "minutes")}
    assert all((values[0] > 0).all() for values in found.values())
