"""What people decide: back, yes, no, and yes all the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lakehouse import ledger, models
from lakehouse.errors import LakehouseError
from lakehouse.ledger import byhand
from lakehouse.settings import Settings
from tests.ledger.conftest import MODEL, client

GATES = [{"name": "size", "passed": True}]


def decide(place: Settings, *decisions: tuple[str, int | None, int]) -> None:
    for action, before, version in decisions:
        ledger.record(place, MODEL, action, from_version=before, to_version=version, gates=GATES)  # type: ignore[arg-type]


def test_back_to_the_champion_before(place: Settings, aliases: Callable[[], dict[str, int]]) -> None:
    decide(place, ("promoted", None, 1), ("promoted", 1, 2), ("promoted", 2, 3))
    entry = byhand.roll_back(place, MODEL, note="too slow")
    assert (entry.action, entry.from_version, entry.to_version, entry.note) == ("rolled_back", 3, 2, "too slow")
    assert byhand.roll_back(place, MODEL).to_version == 1
    assert byhand.roll_back(place, MODEL, 3).to_version == 3
    assert aliases() == {"champion": 3, "previous": 1}


def test_one_that_waits_is_approved_with_its_gates(place: Settings) -> None:
    decide(place, ("promoted", None, 1), ("waiting", 1, 2))
    entry = byhand.promote(place, MODEL, 2, note="seen", who="ann")
    assert (entry.action, entry.who, entry.gates, entry.evidence["judged in entry"]) == ("approved", "ann", GATES, 2)
    assert ledger.champion(place.root, MODEL) == 2


def test_one_that_waits_is_refused(place: Settings) -> None:
    decide(place, ("promoted", None, 1), ("waiting", 1, 2))
    assert byhand.refuse(place, MODEL, 2, note="no").action == "refused"
    assert ledger.standing(place.root, MODEL).decided[2] == "refused"
    with pytest.raises(LakehouseError, match=r"Version 2 of models\.m does not wait for an approval"):
        byhand.refuse(place, MODEL, 2)


def test_by_force_any_is_promoted_and_the_ledger_says_so(place: Settings) -> None:
    decide(place, ("promoted", None, 1), ("refused", 1, 2))
    entry = byhand.promote(place, MODEL, 2, force=True, note="the refusal was a mistake")
    assert entry.action == "promoted"
    assert entry.evidence["forced"] == "Version 2 of models.m was refused in entry 2 of the ledger"


def test_what_was_forced_once_is_forced_again(place: Settings) -> None:
    decide(place, ("promoted", None, 1), ("refused", 1, 2))
    byhand.promote(place, MODEL, 2, force=True, note="try it")
    byhand.roll_back(place, MODEL)
    with pytest.raises(LakehouseError, match=r"Version 2 of models\.m was made champion by force, in entry 3"):
        byhand.promote(place, MODEL, 2)


NONE: tuple[Any, ...] = ()
ONE = (("promoted", None, 1),)
TWO = (*ONE, ("promoted", 1, 2))
MOVED = (*ONE, ("waiting", 1, 3), ("promoted", 1, 2))


@pytest.mark.parametrize(
    ("decisions", "work", "message", "hint"),
    [
        pytest.param(NONE, lambda p: byhand.roll_back(p, MODEL), "has no champion to go back from", "models list", id="none"),
        pytest.param(ONE, lambda p: byhand.roll_back(p, MODEL), "had no champion before version 1", "nothing", id="the first"),
        pytest.param(TWO, lambda p: byhand.roll_back(p, MODEL, 3), "3 of models.m was never the champion", "1, 2", id="never one"),
        pytest.param(TWO, lambda p: byhand.roll_back(p, MODEL, 2), "is the champion already", "--to", id="back to itself"),
        pytest.param(ONE, lambda p: byhand.promote(p, MODEL, 2), "2 of models.m was never judged", "--force", id="not judged"),
        pytest.param(ONE, lambda p: byhand.promote(p, MODEL, 1), "is the champion already", "Nothing", id="promoted again"),
        pytest.param(
            MOVED, lambda p: byhand.promote(p, MODEL, 3), "judged against version 1, and the champion is version 2", "--force",
            id="judged against another",
        ),
        pytest.param(
            ONE, lambda p: byhand.promote(p, MODEL, 2, force=True), "Nothing says why version 2", "--note", id="by force, no word"
        ),
        pytest.param(
            ONE, lambda p: byhand.promote(p, MODEL, 9, force=True, note="x"), "has no version 9", "models list", id="no version"
        ),
    ],
)  # fmt: skip
def test_what_is_not_done_is_told(
    place: Settings, decisions: tuple[Any, ...], work: Callable[[Settings], Any], message: str, hint: str
) -> None:
    decide(place, *decisions)
    with pytest.raises(LakehouseError, match=message) as caught:
        work(place)
    assert hint in caught.value.hint
    assert len(ledger.entries(place.root)) == len(decisions)


def test_nobody_goes_back_to_a_version_whose_files_are_gone(place: Settings) -> None:
    decide(place, *TWO)
    files = models.locate(place, MODEL, 1).files
    aside = files.rename(files.with_name("aside"))
    try:
        with pytest.raises(LakehouseError, match=r"The files of models\.m version 1 are gone") as caught:
            byhand.roll_back(place, MODEL)
    finally:
        aside.rename(files)
    assert caught.value.hint.endswith("Nothing was recorded.") and ledger.champion(place.root, MODEL) == 2
    assert Path(client(place).get_model_version(MODEL.dotted, "1").source.removeprefix("file://")) == files
