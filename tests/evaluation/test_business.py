from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from lakehouse.errors import ContractError
from lakehouse.evaluation import best_threshold, carry, threshold_of
from lakehouse.names import TableName
from lakehouse.project import Project
from lakehouse.promotion.contract import Business, ModelContract, default
from lakehouse.training.verbs import Training

RIDES = TableName("models", "rides")


@pytest.mark.parametrize(("right", "wrong"), [(15, -5), (10, -10), (5, -15)])
def test_of_calibrated_scores_the_best_threshold_is_what_theory_says(right: float, wrong: float) -> None:
    random = np.random.default_rng(1)
    score = random.random(200_000)
    came = (random.random(len(score)) < score).astype(int)
    found = best_threshold(came, score, Business(name="minutes", right=right, wrong=wrong))
    assert found == pytest.approx(-wrong / (right - wrong), abs=0.03)


def test_where_no_warning_is_worth_anything_none_is_given() -> None:
    assert best_threshold(np.zeros(3), np.array([0.1, 0.5, 0.9]), Business(name="minutes", right=1, wrong=-1)) > 0.9


def test_a_model_carries_its_threshold_and_tells_the_same_probabilities() -> None:
    rows = pd.DataFrame({"x": np.arange(20.0)})
    came = (rows["x"] > 9).astype(int)
    model = LogisticRegression().fit(rows, came)
    carried = carry(model, 0.2, rows, came)
    told = model.predict_proba(rows)
    assert np.array_equal(carried.predict_proba(rows), told)
    assert np.array_equal(carried.predict(rows), (told[:, 1] >= 0.2).astype(int))
    assert (threshold_of(carried), threshold_of(model)) == (0.2, 0.5)


@pytest.mark.parametrize("contract", [None, default(RIDES)], ids=["no contract", "no worth"])
def test_a_threshold_is_asked_for_where_nothing_says_what_acting_is_worth(contract: ModelContract | None) -> None:
    training = Training()
    known = {RIDES: contract} if contract else {}
    training._project = Project(Path("."), {}, {}, {}, known)
    with pytest.raises(ContractError, match=r"Nothing says what acting on models\.rides is worth") as caught:
        training.best_threshold("models.rides", pd.Series([0, 1]), np.array([0.1, 0.9]))
    assert "assets/contracts/models/rides.yaml" in caught.value.hint
