"""Rows that nothing can be learnt from are refused, with what is wrong and what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lakehouse.errors import TrainingError
from lakehouse.training.examine import examine

ROWS = 40


def inputs(**changed: Any) -> pd.DataFrame:
    good = {"wind": np.arange(ROWS) / 7, "carrier": ["UA", "AA"] * (ROWS // 2), "seats": [np.nan, 5.0] * (ROWS // 2)}
    return pd.DataFrame({**good, **changed})


OUTCOME = pd.Series([0, 1] * (ROWS // 2), name="is_late")


def test_missing_values_are_no_reason_to_refuse() -> None:
    assert examine(inputs(), OUTCOME, at_least=ROWS) == []


def test_a_constant_feature_is_told() -> None:
    assert examine(inputs(wind=1.0, carrier="UA"), OUTCOME, at_least=10) == [
        "wind has one value only in all 40 rows",
        "carrier has one value only in all 40 rows",
    ]


def test_one_value_beside_missing_ones_still_tells_something() -> None:
    assert examine(inputs(wind=[1.0, np.nan] * (ROWS // 2)), OUTCOME, at_least=10) == []


@pytest.mark.parametrize(
    ("features", "outcome", "message", "hint"),
    [
        pytest.param(inputs().head(12), OUTCOME.head(12), "12 rows to train on are not enough: at least 20", "at_least", id="few"),
        pytest.param(inputs(), OUTCOME * 0, r"outcome is_late is 0 in all 40 rows", "longer past", id="one class"),
        pytest.param(
            inputs(), OUTCOME.where(OUTCOME.index > 2), r"is_late is missing in 3 of 40 rows", "Leave out", id="no outcome"
        ),
        pytest.param(inputs(), OUTCOME.head(3), "40 rows of features and 3 outcomes", "Give one", id="other lengths"),
        pytest.param(inputs(wind=[np.inf, *range(39)]), OUTCOME, "wind hold infinite values", "zero", id="infinity"),
        pytest.param(inputs(wind=[-np.inf, *range(39)]), OUTCOME, "wind hold infinite values", "zero", id="minus infinity"),
        pytest.param(
            inputs(wind=np.nan, carrier=None), OUTCOME, "wind, carrier hold no value in any of 40 rows", "mend", id="vanished"
        ),
        pytest.param(inputs(), OUTCOME.replace(1, np.inf), "is_late holds infinite values", "leave", id="infinite outcome"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(features: pd.DataFrame, outcome: pd.Series, message: str, hint: str) -> None:
    with pytest.raises(TrainingError, match=message) as caught:
        examine(features, outcome, at_least=20)
    assert hint in caught.value.hint
