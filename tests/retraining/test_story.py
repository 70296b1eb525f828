"""Who was champion in which month, as the ledger's entries tell it."""

from __future__ import annotations

from typing import Any

import pytest

from lakehouse.ledger import Entry
from lakehouse.retraining import story


def entry(action: str, to: int, through: str | None = None, before: int | None = None, gates: tuple[Any, ...] = ()) -> Entry:
    facts: dict[str, Any] = {"model": "models.things", "who": "test", "action": action, "from_version": before, "to_version": to}
    evidence = {"months": [through]} if through else {}
    return Entry.after(None, **facts, evidence=evidence, gates=list(gates))


NO = {"name": "better", "passed": False, "said": "0.001 worse"}
YES = {"name": "size", "passed": True, "said": "1 MB"}
FIRST = entry("promoted", 1, "2013-03")
Line = tuple[str, str, int, str, int, int, int]
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
    assert story.decisions([entry("refused", 2, "2013-04", 1, (NO, YES))])["why"].tolist() == ["better: 0.001 worse"]
