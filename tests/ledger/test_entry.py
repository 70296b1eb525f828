"""An entry's hash is of all it says, and survives being written and read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.ledger.entry import Entry, canonical, plain


@dataclass
class Gate:
    name: str
    passed: bool | None


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        pytest.param(np.float64(0.5), 0.5, id="a number of numpy's"),
        pytest.param(np.bool_(True), True, id="a truth of numpy's"),
        pytest.param(float("nan"), None, id="no number"),
        pytest.param((1, {2}), [1, [2]], id="sequences"),
        pytest.param(Gate("size", None), {"name": "size", "passed": None}, id="a dataclass"),
        pytest.param(np.array([1, 2]), [1, 2], id="an array"),
        pytest.param({1: "a"}, {"1": "a"}, id="keys are text"),
    ],
)
def test_evidence_becomes_plain(value: Any, wanted: Any) -> None:
    assert plain(value) == wanted


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), _VALUES, max_size=4), st.text())
def test_the_hash_is_the_same_after_json(evidence: dict[str, Any], note: str) -> None:
    entry = Entry.after(None, who="a", model="models.m", action="promoted", to_version=1, note=note, evidence=evidence)
    again = entry.model_copy(update={"evidence": json.loads(canonical(entry.evidence))})
    assert again.digest == entry.hash == Entry.model_validate_json(entry.model_dump_json()).digest


@pytest.mark.parametrize("changed", [{"who": "b"}, {"to_version": 2}, {"note": "x"}, {"gates": [{"name": "size"}]}, {"seq": 2}])
def test_each_change_changes_the_hash(changed: dict[str, Any]) -> None:
    entry = Entry.after(None, who="a", model="models.m", action="promoted", to_version=1)
    assert entry.model_copy(update=changed).digest != entry.hash
