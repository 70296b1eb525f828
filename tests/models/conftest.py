"""A small model that is logged, and the rows that it was fitted to."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(scope="module")
def rows() -> Any:
    import pandas as pd

    return pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0], "y": [1.0, 0.0, 1.0, 0.0]})


@pytest.fixture(scope="module")
def fitted(rows: Any) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression().fit(rows, [0, 0, 1, 1])
