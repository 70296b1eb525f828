from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from lakehouse.contract import Contract
from lakehouse.errors import UnknownName
from lakehouse.features.imputation import imputer
from lakehouse.models import TRUSTED_TYPES
from lakehouse.names import TableName

TABLE = TableName("features", "things")
DECLARED: dict[str, dict[str, Any]] = {
    "mean": {"type": "double", "impute": "mean"},
    "median": {"type": "int", "impute": "median"},
    "frequent": {"type": "bigint", "impute": "most_frequent"},
    "constant": {"type": "decimal(9,2)", "impute": {"constant": -1.5}},
    "word": {"type": "string", "impute": "most_frequent"},
    "other": {"type": "string", "impute": {"constant": "none"}},
    "flag": {"type": "boolean", "impute": {"constant": False}},
    "free": {"type": "double"},
}
NAN = np.nan


def fill(*columns: str) -> ColumnTransformer:
    facts = {"table": TABLE.dotted, "description": "d", "owner": "o", "columns": DECLARED}
    return imputer({TABLE: Contract.model_validate(facts)}, TABLE, columns)


@pytest.mark.parametrize(
    ("column", "training", "asked", "filled"),
    [
        pytest.param("mean", [1.0, 3.0, 5.0, NAN], [NAN, 9.0], [3.0, 9.0], id="mean"),
        pytest.param("median", [1.0, 2.0, 9.0, NAN], [NAN], [2.0], id="median"),
        pytest.param("median", [1, 2, 9], [NAN], [2.0], id="none missing in training"),
        pytest.param("frequent", [4, 4, 9, NAN], [NAN, 5], [4.0, 5.0], id="most frequent"),
        pytest.param("constant", [1.0, 2.0], [NAN, 3.0], [-1.5, 3.0], id="constant"),
        pytest.param("word", ["b", "a", "b", None], [None, "never seen"], ["b", "never seen"], id="text"),
        pytest.param("other", ["b", None], [None, "a"], ["none", "a"], id="constant text"),
        pytest.param("flag", [True, None, True], [None, True], [False, True], id="boolean"),
        pytest.param("free", [1.0, NAN], [NAN, 2.0], [NAN, 2.0], id="not declared"),
        pytest.param("mean", [NAN, NAN], [NAN, 2.0], [0.0, 2.0], id="no value in training"),
        pytest.param("constant", [NAN, NAN], [NAN], [-1.5], id="no value in training, constant"),
        pytest.param("other", [None, None], [None, "a"], ["none", "a"], id="no text in training, constant"),
        pytest.param("mean", [1.0, 3.0], [NAN, NAN], [2.0, 2.0], id="no value in scoring"),
    ],
)
def test_what_is_missing_is_filled_as_declared(column: str, training: list[Any], asked: list[Any], filled: list[Any]) -> None:
    fitted = fill(column).fit(pd.DataFrame({column: training}))
    found = fitted.transform(pd.DataFrame({column: asked})).ravel().tolist()
    assert found == filled or np.array_equal(found, filled, equal_nan=True)


def test_columns_keep_the_order_in_which_they_are_asked_for_and_others_are_dropped() -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0], "free": [5.0, NAN], "mean": [NAN, 4.0], "median": [8.0, NAN]})
    fitted = fill("median", "free", "mean").fit(frame)
    assert np.array_equal(fitted.transform(frame), [[8, 5, 4], [8, NAN, 4]], equal_nan=True)
    assert list(fitted.get_feature_names_out()) == ["median", "free", "mean"]


def test_it_is_stored_with_its_model_and_fills_by_the_training_rows_wherever_it_is_loaded() -> None:
    words = make_pipeline(fill("word", "other"), OneHotEncoder(handle_unknown="ignore"))
    numbers = fill("mean", "median", "constant")
    columns = ColumnTransformer([("words", words, ["word", "other"]), ("numbers", numbers, ["mean", "median", "constant"])])
    training = pd.DataFrame(
        {
            "mean": [1.0, NAN, 3.0, 8.0],
            "median": [1, 2, 3, 4],
            "constant": [NAN] * 4,
            "word": ["a", "b", None, "b"],
            "other": [None] * 4,
        }
    )
    model = Pipeline([("columns", columns), ("regression", LogisticRegression())]).fit(training, [0, 1, 0, 1])
    loaded = skops.io.loads(skops.io.dumps(model), trusted=TRUSTED_TYPES)
    strange = pd.DataFrame({"mean": [NAN], "median": [NAN], "constant": [NAN], "word": ["never seen"], "other": ["nor this"]})
    assert np.array_equal(loaded.predict_proba(strange), model.predict_proba(strange))
    usual = strange.assign(mean=4.0, median=2.5, constant=-1.5)
    assert np.allclose(loaded.predict_proba(strange), loaded.predict_proba(usual), rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    "table, column, message",
    [
        pytest.param("features.thing", "mean", "features.thing has no contract", id="no contract"),
        pytest.param("features.things", "maen", "features.things has no column 'maen'", id="no column"),
    ],
)
def test_what_no_contract_knows_is_refused_with_the_nearest(table: str, column: str, message: str) -> None:
    facts = Contract.model_validate({"table": TABLE.dotted, "description": "d", "owner": "o", "columns": DECLARED})
    with pytest.raises(UnknownName, match=message) as caught:
        imputer({TABLE: facts}, TableName.parse(table), [column])
    assert "Did you mean" in caught.value.hint
