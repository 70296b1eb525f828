from __future__ import annotations

import json
from pathlib import Path

import pytest

from lakehouse.errors import ScoringError
from lakehouse.scoring import signature

TAKES = {"kind": "string", "size": "double", "count": "bigint"}


def stored(folder: Path, inputs: object) -> Path:
    (folder / "MLmodel").write_text(json.dumps({"signature": {"inputs": json.dumps(inputs)}} if inputs else {"flavors": {}}))
    return folder


def test_a_models_columns_are_those_of_its_signature_in_their_order(tmp_path: Path) -> None:
    given = [{"name": "size", "type": "double"}, {"name": "kind", "type": "string"}, {"name": "count", "type": "long"}]
    found = signature.inputs(stored(tmp_path, given), "models.x version 1")
    assert list(found.items()) == [("size", "double"), ("kind", "string"), ("count", "bigint")]


@pytest.mark.parametrize(
    "inputs",
    [
        pytest.param(None, id="no signature"),
        pytest.param([{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}}], id="an array without names"),
        pytest.param([{"name": "at", "type": "datetime"}], id="a time"),
    ],
)
def test_a_model_that_does_not_say_what_it_takes_is_refused(tmp_path: Path, inputs: object) -> None:
    with pytest.raises(ScoringError, match="version 1 does not say which columns it takes") as caught:
        signature.inputs(stored(tmp_path, inputs), "models.x version 1")
    assert "example=" in caught.value.hint


@pytest.mark.parametrize(
    "there",
    [
        pytest.param({"kind": "string", "size": "double", "count": "bigint"}, id="the same"),
        pytest.param({"kind": "string", "size": "decimal(5,2)", "count": "int", "more": "date"}, id="numbers that fit, and more"),
        pytest.param({"kind": "string", "size": "bigint", "count": "smallint"}, id="whole numbers"),
    ],
)
def test_a_frame_that_has_the_columns_is_taken(there: dict[str, str]) -> None:
    signature.hold(TAKES, there, "models.x version 1")


@pytest.mark.parametrize(
    ("there", "message"),
    [
        pytest.param({"kind": "string", "count": "int"}, "size is missing", id="missing"),
        pytest.param({"kinds": "string", "size": "int", "count": "int"}, "kind is missing Did you mean kinds?", id="misspelt"),
        pytest.param({"kind": "string", "size": "string", "count": "int"}, "size is string, it takes double", id="text"),
        pytest.param({"kind": "int", "size": "float", "count": "int"}, "kind is int, it takes string", id="number for a text"),
        pytest.param({"kind": "string", "size": "float", "count": "double"}, "count is double, it takes bigint", id="fractions"),
        pytest.param({"kind": "string", "size": "boolean", "count": "int"}, "size is boolean, it takes double", id="yes or no"),
    ],
)
def test_what_a_model_cannot_take_is_named(there: dict[str, str], message: str) -> None:
    with pytest.raises(ScoringError) as caught:
        signature.hold(TAKES, there, "models.x version 1")
    assert caught.value.what == f"models.x version 1 cannot score these rows: {message}"
