"""A search tries what its seed says, within its budget, and keeps what failed."""

from __future__ import annotations

import time
from typing import Any

import pytest

from lakehouse.errors import TrainingError
from lakehouse.training.search import search

SPACE = {"depth": [1, 2, 3, 4, 5, 6], "rate": [0.1, 0.2]}


def loss(chosen: dict[str, Any]) -> dict[str, float]:
    return {"loss": abs(chosen["depth"] - 4) + chosen["rate"], "other": 1.0}


def test_the_same_seed_tries_the_same_and_the_best_has_the_lowest_metric(capsys: pytest.CaptureFixture[str]) -> None:
    found = [search(loss, SPACE, metric="loss", tries=6, seed=3) for _ in range(2)]
    tried = [[one.parameters for one in each.tries] for each in found]
    assert tried[0] == tried[1] and len(tried[0]) == 6
    assert len({tuple(one.items()) for one in tried[0]}) == 6
    assert found[0].best.metrics["loss"] == min(one.metrics["loss"] for one in found[0].tries)
    assert list(found[0].table["loss"]) == sorted(found[0].table["loss"])
    assert "try 6 of 6" in capsys.readouterr().out
    assert [one.parameters for one in search(loss, SPACE, metric="loss", tries=6, seed=4).tries] != tried[0]


def test_what_stands_is_tried_first_and_may_win() -> None:
    found = search(loss, SPACE, metric="loss", tries=3, first=[{"depth": 4, "rate": 0.05}])
    assert found.tries[0].parameters == found.parameters == {"depth": 4, "rate": 0.05}
    assert len(found.tries) == 3


def test_the_largest_wins_where_large_is_good() -> None:
    found = search(loss, SPACE, metric="loss", largest=True, tries=12)
    assert found.parameters == {"depth": 1, "rate": 0.2}
    assert len(found.tries) == 12


def test_no_more_is_tried_than_there_is() -> None:
    assert len(search(loss, SPACE, metric="loss", tries=50).tries) == 12


def test_a_distribution_gives_plain_numbers() -> None:
    from scipy.stats import randint

    found = search(loss, {"depth": randint(1, 9), "rate": [0.1]}, metric="loss", tries=4, seed=1)
    assert {type(one.parameters["depth"]) for one in found.tries} == {int}


def test_the_clock_ends_it_and_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    def slow(chosen: dict[str, Any]) -> dict[str, float]:
        time.sleep(0.06)
        return loss(chosen)

    found = search(slow, SPACE, metric="loss", tries=12, seconds=0.1)
    assert len(found.tries) == 2
    assert found.stopped == "the search ended by the clock, after 2 of 12 tries in 0.1 s"
    assert found.stopped in capsys.readouterr().out


def test_a_try_that_fails_is_kept_and_the_others_go_on() -> None:
    def sometimes(chosen: dict[str, Any]) -> dict[str, float]:
        return {"loss": float("nan") if chosen["depth"] == 2 else 1 / (chosen["depth"] - 1)}

    found = search(sometimes, {"depth": [1, 2, 3]}, metric="loss", tries=3)
    failed = {one.parameters["depth"]: one.failed for one in found.tries if one.failed}
    assert failed == {1: "ZeroDivisionError: division by zero", 2: "its loss is no number"}
    assert found.parameters == {"depth": 3}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({}, "None of 2 tries ended well: it gave no loss, only nothing", id="nothing"),
        pytest.param({"auc": 1.0}, "it gave no loss, only auc", id="another metric"),
    ],
)
def test_a_search_in_which_all_fails_is_an_error(given: dict[str, float], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        search(lambda chosen: given, {"depth": [1, 2]}, metric="loss", tries=2)
