from __future__ import annotations

import re
from collections.abc import Callable

import pandas as pd
import pytest

from lakehouse.evaluation import Directional, EdgeCase, Evidence, Invariance
from tests.evaluation.conftest import Knowing


def more_z(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(z=rows["z"] + 1)


def other_names(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(kind="?")


@pytest.mark.parametrize(
    ("test", "model", "passed", "said"),
    [
        pytest.param(Directional("up", more_z), Knowing(1), True, r"0\.0% of scores fell .* mean \+0\.1", id="rises"),
        pytest.param(
            Directional("up", more_z), Knowing(1, of_z=-1), False, r"\d\d\.\d% of scores fell by more than 0\.05", id="falls"
        ),
        pytest.param(Directional("down", more_z, falls=True), Knowing(1), False, r"of scores rose", id="must fall"),
        pytest.param(Directional("up", more_z), Knowing(1, of_z=0), True, r"mean \+0\.0000", id="does not care"),
        pytest.param(Invariance("same", other_names), Knowing(1), True, r"more than 0 \(", id="invariant"),
        pytest.param(Invariance("same", more_z), Knowing(1), False, r"more than 0\.\d+ \(at most 1e-09\)", id="variant"),
    ],
)
def test_behaviour_is_told(
    judge: Callable[..., Evidence], test: Directional | Invariance, model: Knowing, passed: bool, said: str
) -> None:
    (found,) = judge(model, slices={}, resamples=2, behaviour=[test]).behaviour
    assert (found.name, found.passed, found.rows) == (test.name, passed, 2000)
    assert re.search(said, found.said)


@pytest.mark.parametrize(
    ("case", "model", "passed", "said"),
    [
        pytest.param(EdgeCase("one side", lambda rows: rows[rows["side"] == "left"]), Knowing(1), True, "log loss 0.", id="copes"),
        pytest.param(EdgeCase("mad", lambda rows: rows.assign(x=6.0)), Knowing(1), False, "the base rate's 0.", id="fails"),
        pytest.param(EdgeCase("none", lambda rows: rows.head(3)), Knowing(1), None, "3 such rows, too few", id="too few"),
    ],
)
def test_an_edge_case_is_held_against_the_base_rate(
    judge: Callable[..., Evidence], case: EdgeCase, model: Knowing, passed: bool | None, said: str
) -> None:
    (found,) = judge(model, slices={}, resamples=2, edge_cases=[case]).edge_cases
    assert (found.name, found.passed) == (case.name, passed) and said in found.said
