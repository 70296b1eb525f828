"""Who is champion after which decisions."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse import ledger
from lakehouse.ledger import chain
from lakehouse.ledger.entry import Entry
from lakehouse.names import TableName

MODEL = TableName("models", "m")


def decided(*decisions: tuple[str, int]) -> list[Entry]:
    found: list[Entry] = []
    for action, version in decisions:
        found.append(Entry.after(found[-1] if found else None, who="a", model="models.m", action=action, to_version=version))
    return found


@pytest.mark.parametrize(
    ("decisions", "newest", "wanted"),
    [
        pytest.param((), None, {}, id="nothing is registered"),
        pytest.param((), 1, {"challenger": 1}, id="the first version"),
        pytest.param((("promoted", 1),), 1, {"champion": 1}, id="a champion is no challenger"),
        pytest.param((("refused", 1),), 1, {}, id="a refused one neither"),
        pytest.param((("waiting", 1),), 1, {"challenger": 1}, id="one that waits still is"),
        pytest.param((("waiting", 1), ("approved", 1)), 2, {"champion": 1, "challenger": 2}, id="approved"),
        pytest.param((("promoted", 1), ("refused", 2), ("promoted", 3)), 3, {"champion": 3, "previous": 1}, id="one was refused"),
        pytest.param((("unjudged", 1), ("unjudged", 2)), 2, {"champion": 2, "previous": 1}, id="nobody judges"),
        pytest.param(
            (("promoted", 1), ("promoted", 2), ("promoted", 3), ("rolled_back", 2)), 3, {"champion": 2, "previous": 1}, id="back"
        ),
        pytest.param(
            (("promoted", 1), ("promoted", 2), ("promoted", 3), ("rolled_back", 2), ("rolled_back", 1)),
            4, {"champion": 1, "challenger": 4}, id="back twice is back to the first",
        ),
        pytest.param(
            (("promoted", 1), ("promoted", 2), ("rolled_back", 1), ("rolled_back", 2)), 2, {"champion": 2, "previous": 1},
            id="back, and forward again",
        ),
        pytest.param((("promoted", 1), ("promoted", 2), ("promoted", 1)), 2, {"champion": 1, "previous": 2}, id="again"),
    ],
)  # fmt: skip
def test_aliases_follow_from_the_decisions(
    decisions: tuple[tuple[str, int], ...], newest: int | None, wanted: dict[str, int]
) -> None:
    assert chain.of(decided(*decisions), MODEL).aliases(newest) == wanted


def test_other_models_have_their_own(tmp_path: Path) -> None:
    known = decided(("promoted", 1))
    assert chain.of(known, TableName("models", "other")).champion is None
    assert ledger.champion(tmp_path, MODEL) is None and ledger.entries(tmp_path) == []
