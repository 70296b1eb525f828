from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from lakehouse.evaluation import Evidence, resample, slices
from lakehouse.evaluation.words import CHANCE


def test_small_slices_are_left_out_and_nulls_are_in_none() -> None:
    draws = resample.draw(np.arange(6) % 3, 3, 2, seed=1)
    made = slices.cut("kind", pd.Series(["b", "a", None, "a", "c", "b"]), draws, at_least=2)
    assert (made.labels, made.groups.tolist(), made.rows.tolist()) == (["a", "b"], [1, 0, -1, 0, -1, 1], [2, 2])
    assert slices.cut("kind", pd.Series(["b", "a", None, "a", "a", "b"]), draws, clusters=2).labels == ["a", "b"]
    assert slices.cut("kind", pd.Series(list("aabbab")), draws, clusters=4).labels == []


def test_pairs_are_crossed_but_not_those_that_say_nothing_new() -> None:
    random = np.random.default_rng(1)
    draws = resample.draw(np.arange(1000) % 20, 20, 2, seed=1)
    one = slices.cut("kind", pd.Series(random.choice(["a", "b"], 1000)), draws)
    same = slices.cut("letter", pd.Series(np.array(["x", "y"])[one.groups]), draws)
    side = slices.cut("side", pd.Series(random.choice(["left", "right"], 1000, p=[0.9, 0.1])), draws)
    both, with_side, _ = slices.pairs([one, same, side], at_least=80)
    assert both.labels == []
    assert with_side.labels == ["kind a, side left", "kind b, side left"]
    assert with_side.rows[0] == ((one.groups == 0) & (side.groups == 0)).sum()


@pytest.mark.parametrize("missing", [False, True], ids=["all told", "some missing"])
def test_many_looks_are_corrected_for(missing: bool) -> None:
    """The example of Benjamini and Hochberg 1995, section 3: of 15, four hold at 0.05."""
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]
    given = np.array([np.nan, *p] if missing else p)
    found = slices.adjusted(given)
    assert (found <= 0.05).sum() == 4 and np.isnan(found).sum() == missing


def test_a_pair_in_which_the_challenger_is_worse_is_found_and_nothing_else(evidence: Evidence) -> None:
    """Where kind is a and side is left, z means the opposite, which no declared slice shows."""
    found = evidence.table[evidence.table["slice_kind"].eq("found") & evidence.table["measure"].eq("log_loss_gain")]
    worse = found[found["value"] < 0]
    assert list(worse["slice"]) == ["kind a, side left"]
    assert evidence.looked_at == 6
    assert evidence.find(2, "kind", "b", "log_loss_gain").value > 0  # type: ignore[union-attr]
    assert (found["q"] <= CHANCE).all() and (found["against"] == 1).all()


@dataclass(frozen=True)
class Guessing:
    """Tells a row's probability from `x` and a column that says nothing."""

    version: int
    column: str

    def predict_proba(self, rows: pd.DataFrame) -> np.ndarray:
        told = 1 / (1 + np.exp(1 - rows["x"].to_numpy() - 0.3 * rows[self.column].to_numpy()))
        return np.column_stack([1 - told, told])


def test_between_equally_good_models_nothing_is_found(judge: Callable[..., Evidence], rows: pd.DataFrame) -> None:
    random = np.random.default_rng(2)
    told = rows.assign(one=random.normal(size=len(rows)), other=random.normal(size=len(rows)))
    many = {f"cut {number}": pd.Series(random.integers(0, 4, len(rows))) for number in range(4)}
    given = {"rows": told, "slices": many, "inputs": lambda frame: frame[["x", "one", "other"]]}
    found = judge(Guessing(2, "one"), Guessing(1, "other"), **given)
    gains = found.table[found.table["measure"] == "log_loss_gain"]
    assert found.looked_at == 96 and "found" not in set(gains["slice_kind"])
    assert not (gains["q"] <= 0.05).any() and len(gains) == 1 + 2 + 16
