from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.errors import UnknownName
from lakehouse.names import LAYERS, TableName, did_you_mean, nearest

NAMES = st.builds(TableName, st.sampled_from(LAYERS), st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True))


@given(NAMES)
def test_both_spellings_are_read_back(name: TableName) -> None:
    assert TableName.parse(name.dotted) == TableName.parse(name.slashed) == name
    assert pickle.loads(pickle.dumps(name)) == name


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("flights", id="no layer"),
        pytest.param("silver.flights.x", id="three parts"),
        pytest.param("sliver.flights", id="unknown layer"),
        pytest.param("explore/tour", id="a folder, not a layer"),
        pytest.param("silver/../flights", id="path traversal"),
        pytest.param("silver/..", id="the folder above"),
        pytest.param("/silver/flights", id="absolute path"),
        pytest.param("silver.Flights", id="upper case"),
        pytest.param("silver.1st", id="digit first"),
        pytest.param("silver.a-b", id="odd character"),
        pytest.param("silver.flüge", id="not ASCII"),
        pytest.param("silver.flights\n", id="line feed"),
        pytest.param("silver.", id="empty name"),
        pytest.param("silver." + "a" * 101, id="too long"),
        pytest.param("", id="empty"),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UnknownName):
        TableName.parse(text)


def test_an_unknown_layer_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean silver"):
        TableName.parse("sliver.flights")


def test_a_notebook_may_be_exploring() -> None:
    assert TableName.parse_notebook("explore/tour").slashed == "explore/tour"


def test_nearest_ignores_the_spelling_with_a_slash() -> None:
    assert nearest("silver/flight", ["silver.flights", "gold.carriers"]) == ["silver.flights"]
    assert did_you_mean("silver.flight", [TableName("silver", "flights")]) == " Did you mean silver.flights?"
    assert did_you_mean("xyz", ["silver.flights"]) == ""
