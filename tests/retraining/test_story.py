"""Who was champion in which month, as the ledger's entries tell it."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from lakehouse import models
from lakehouse.ledger import Entry
from lakehouse.retraining import picture, story


def entry(action: str, to: int, through: str | None = None, before: int | None = None, gates: tuple[Any, ...] = ()) -> Entry:
    facts: dict[str, Any] = {"model": "models.things", "who": "test", "action": action, "from_version": before, "to_version": to}
    evidence = {"months": [through]} if through else {}
    return Entry.after(None, **facts, evidence=evidence, gates=list(gates))


NO = {"name": "better", "passed": False, "said": "0.001 worse"}
YES = {"name": "size", "passed": True, "said": "1 MB"}
FIRST = entry("promoted", 1, "2013-03")
Line = tuple[str, str, int, str, Any, Any, int]
CASES: dict[str, tuple[list[Entry], list[Line]]] = {
    "nobody was judged": ([], []),
    "a first champion scores the month after": ([FIRST], [("2013-03", "2013-04", 1, "promoted", 1, 1, 1)]),
    "refused: the champion stays, the newest is another": (
        [FIRST, entry("refused", 2, "2013-04", 1, (NO, YES))],
        [("2013-03", "2013-04", 1, "promoted", 1, 1, 1), ("2013-04", "2013-05", 2, "refused", 1, 1, 2)],
    ),
    "a rollback counts from the month judged last": (
        [FIRST, entry("promoted", 2, "2013-12", 1), entry("rolled_back", 1, None, 2)],
        [("2013-03", "2013-04", 1, "promoted", 1, 1, 1), ("2013-12", "2014-01", 2, "promoted", 1, 1, 2)],
    ),
    "judged again by the same month: what was said last": (
        [FIRST, entry("refused", 2, "2013-04", 1), entry("promoted", 2, "2013-04", 1)],
        [("2013-03", "2013-04", 1, "promoted", 1, 1, 1), ("2013-04", "2013-05", 2, "promoted", 2, 1, 2)],
    ),
    "a first that was refused left the month without a champion": (
        [entry("refused", 1, "2013-03"), entry("promoted", 2, "2013-04")],
        [("2013-03", "2013-04", 1, "refused", pd.NA, pd.NA, 1), ("2013-04", "2013-05", 2, "promoted", 2, 2, 2)],
    ),
    "a first that waited was approved": (
        [entry("waiting", 1, "2013-03"), entry("approved", 1)],
        [("2013-03", "2013-04", 1, "waiting", 1, 1, 1)],
    ),
    "before there was a judge somebody was champion": (
        [entry("unjudged", 7), entry("refused", 8, "2013-03", 7)],
        [("2013-03", "2013-04", 8, "refused", 7, 7, 8)],
    ),
}


@pytest.mark.parametrize("told, expected", CASES.values(), ids=CASES.keys())
def test_who_scored_which_month(told: list[Entry], expected: list[Line]) -> None:
    found = story.decisions(told)
    columns = ["through", "month", "version", "action", "champion", "first", "newest"]
    assert [tuple(line) for line in found[columns].itertuples(index=False)] == expected


def test_why_names_the_gates_that_said_no() -> None:
    told = story.decisions([entry("refused", 2, "2013-04", 1, (NO, YES, {**NO, "name": "calibrated", "said": "0.1"}))])
    assert told[["failed", "why"]].values.tolist() == [["better, calibrated", "better: 0.001 worse; calibrated: 0.1"]]


class Sized:
    """A model whose score is the size."""

    def predict_proba(self, taken: pd.DataFrame) -> np.ndarray:
        return np.column_stack([1 - taken["size"], taken["size"]])


REFUSED = [entry("refused", 1, "2013-03", None, (NO,))]
STORIES: dict[str, tuple[list[Entry], list[str], list[str]]] = {
    "nobody was ever champion": (REFUSED, [], ["2013-04\nno champion"]),
    "then somebody was": (
        [*REFUSED, entry("promoted", 2, "2013-04")],
        ["2013-05", story.MEAN],
        ["2013-04\nno champion", "2013-05\nchampion 2"],
    ),
}


@pytest.mark.parametrize("told, months, labels", STORIES.values(), ids=STORIES.keys())
def test_a_year_that_begins_with_a_refusal(
    told: list[Entry], months: list[str], labels: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The month that nobody scored is drawn with who was refused, and measured for nobody."""
    monkeypatch.setattr(models, "load", lambda *_: Sized())
    lake: Any = type("Lake", (), {"_settings": None})
    rows = pd.DataFrame({"month": np.repeat(["2013-04", "2013-05"], 40), "day": np.tile(range(20), 4)})
    rows = rows.assign(size=np.tile([0.2, 0.4, 0.6, 0.8], 20), came=np.tile([0, 1, 0, 1, 1], 16))
    decided = story.decisions(told)
    found = story.measured(
        lake, "models.things", rows, decided, outcome="came", resample_by="day", inputs=lambda these: these[["size"]], resamples=20
    )  # fmt: skip
    assert sorted(set(found["month"])) == months
    assert found["value"].notna().all()
    figure, axes = plt.subplots(3, 1)
    picture.plot(found, decided, axes)
    assert [label.get_text() for label in axes[-1].get_xticklabels()] == labels
    assert "1: better" in [text.get_text() for text in axes[-1].texts]
    plt.close(figure)
