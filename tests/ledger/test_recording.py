"""A decision is one commit: of two at once one wins, and a kill leaves the old champion or the new one."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lakehouse import deltalog, deltawrite, ledger, models, tables
from lakehouse.errors import LedgerError, UnknownName
from lakehouse.ledger import recording, table
from lakehouse.models import projection
from lakehouse.names import PROMOTIONS, TableName
from lakehouse.settings import Settings
from tests.ledger.conftest import MODEL, client

OTHER = TableName("models", "other")


def promote(place: Settings, version: int, before: int | None, model: TableName = MODEL, **more: Any) -> ledger.Entry:
    return ledger.record(place, model, "promoted", from_version=before, to_version=version, **more)


def test_what_was_recorded_is_read_again(empty: Settings) -> None:
    first = promote(empty, 1, None, evidence={"log_loss": 0.4}, gates=[{"name": "size", "passed": True}], note="first", who="me")
    other = promote(empty, 7, None, OTHER)
    refused = ledger.record(empty, MODEL, "refused", from_version=1, to_version=2)
    assert ledger.entries(empty.root) == [first, other, refused]
    assert ledger.entries(empty.root, MODEL) == [first, refused]
    assert ledger.heads(empty.root) == [first.head, other.head, refused.head]
    assert (ledger.champion(empty.root, MODEL), ledger.champion(empty.root, OTHER)) == (1, 7)
    assert [one.previous_hash for one in (other, refused)] == [first.hash, other.hash]


@pytest.mark.parametrize(
    ("before", "message"),
    [
        pytest.param(2, r"models\.m: version 2 is not the champion \(any more\), version 1 is: promoted 1 by ", id="another"),
        pytest.param(None, r"models\.m: nobody is not the champion \(any more\), version 1 is", id="none any more"),
    ],
)
def test_who_is_late_is_told_and_records_nothing(empty: Settings, before: int | None, message: str) -> None:
    promote(empty, 1, None)
    with pytest.raises(LedgerError, match=message) as caught:
        promote(empty, 3, before)
    assert "Judge it again" in caught.value.hint
    assert len(ledger.entries(empty.root)) == 1


def test_of_many_at_once_one_wins(empty: Settings) -> None:
    promote(empty, 1, None)
    start, won, told = threading.Barrier(8), [], []

    def attempt(version: int) -> None:
        start.wait()
        try:
            won.append(promote(empty, version, 1).to_version)
        except LedgerError as error:
            told.append(error.what)

    threads = [threading.Thread(target=attempt, args=(version,)) for version in range(2, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1 and len(told) == 7 and all(f"version {won[0]} is: promoted" in words for words in told)
    assert [ledger.champion(empty.root, MODEL)] == won
    assert len(list(tables.lake_path(empty.root, PROMOTIONS).glob("*.parquet"))) == 2  # who lost left nothing


def test_decisions_about_two_models_do_not_stop_each_other(empty: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """One commits between another's look and its commit: that one looks again and takes the next version."""
    original, came = table.append, []

    def late(root: Path, version: int, entry: ledger.Entry) -> bool:
        if not came:
            came.append(version)
            monkeypatch.setattr(table, "append", original)
            promote(empty, 1, None, OTHER)
        return original(root, version, entry)

    promote(empty, 1, None)
    monkeypatch.setattr(table, "append", late)
    promote(empty, 2, 1)
    assert [(one.seq, one.model, one.to_version) for one in ledger.entries(empty.root)] == [
        (1, "models.m", 1), (2, "models.other", 1), (3, "models.m", 2),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("step", "champion"),
    [
        pytest.param("before the row's file", 1, id="before its file"),
        pytest.param("before the commit", 1, id="between file and commit"),
        pytest.param("after the commit", 2, id="right after the commit"),
    ],
)
def test_killed_at_any_step_one_is_champion(empty: Settings, step: str, champion: int) -> None:
    promote(empty, 1, None)
    child = os.fork()
    if not child:
        _promote_until(empty, step)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert ledger.champion(empty.root, MODEL) == champion == len(ledger.entries(empty.root))
    assert promote(empty, 3, champion).seq == champion + 1


def _promote_until(place: Settings, step: str) -> None:
    def die(*_: Any, **__: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    if step == "before the row's file":
        deltawrite.file = die  # type: ignore[assignment]
    elif step == "before the commit":
        deltawrite.os.link = die  # type: ignore[assignment]
    else:
        projection.follow = die  # type: ignore[assignment]
    promote(place, 2, 1)


def test_mlflow_follows(place: Settings, aliases: Callable[[], dict[str, int]]) -> None:
    promote(place, 1, None)
    assert aliases() == {"champion": 1, "challenger": 3}
    promote(place, 3, 1)
    assert aliases() == {"champion": 3, "previous": 1}
    ledger.record(place, MODEL, "rolled_back", from_version=3, to_version=1)
    assert aliases() == {"champion": 1}
    assert models.locate(place, MODEL).version == 1


@pytest.mark.parametrize("step", range(3))
def test_killed_while_mlflow_follows_the_next_opening_finishes(
    place: Settings, aliases: Callable[[], dict[str, int]], monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    promote(place, 1, None)
    left = [step]

    def until(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any) -> Any:
            if not left[0]:
                raise KeyboardInterrupt  # as far as MLflow's records go: nothing is done from here on
            left[0] -= 1
            return original(*given)

        return call

    import mlflow

    with monkeypatch.context() as patched:
        for name in ("set_registered_model_alias", "delete_registered_model_alias", "set_registered_model_tag"):
            patched.setattr(mlflow.MlflowClient, name, until(getattr(mlflow.MlflowClient, name)))
        with pytest.raises(KeyboardInterrupt):
            promote(place, 3, 1)
    assert ledger.champion(place.root, MODEL) == 3
    assert models.load(place, MODEL).version == 3
    assert aliases() == {"champion": 3, "previous": 1}


def test_with_mlflow_down_in_the_middle_the_decision_holds_and_is_followed_later(
    place: Settings, aliases: Callable[[], dict[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    promote(place, 1, None)
    records, said, append = place.root / "mlflow" / "mlflow.db", [], table.append
    there = records.read_bytes()

    def damaging(*given: Any) -> bool:
        records.write_bytes(b"no database" * 1000)
        return append(*given)

    with monkeypatch.context() as patched:
        patched.setattr(table, "append", damaging)
        promote(place, 3, 1, tell=said.append)
    (words,) = said
    assert "MLflow's aliases could not follow: MLflow's records" in words and "are damaged" in words
    assert promote(place, 2, 3, tell=said.append).seq == 3 and len(said) == 2  # down from the beginning
    records.write_bytes(there)
    assert aliases()["champion"] == 1
    assert models.load(place, MODEL).version == 2 and aliases()["champion"] == 2


def test_an_alias_moved_by_hand_moves_nothing(place: Settings, aliases: Callable[[], dict[str, int]]) -> None:
    promote(place, 1, None)
    client(place).set_registered_model_alias(MODEL.dotted, "champion", "2")
    assert models.load(place, MODEL).version == 1
    assert {one.version: one.aliases for one in models.registered(place)} == {1: ("champion",), 2: (), 3: ("challenger",)}
    assert promote(place, 3, 1).from_version == 1 and aliases()["champion"] == 3


def test_a_ledger_that_cannot_be_written_is_told(empty: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    promote(empty, 1, None)

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device", "part")

    monkeypatch.setattr(deltawrite, "file", full)
    with pytest.raises(LedgerError, match="cannot be written: No space left on device at part"):
        promote(empty, 2, 1)
    assert ledger.champion(empty.root, MODEL) == 1


def test_the_champion_of_a_lake_without_a_ledger_is_entered_once(place: Settings) -> None:
    """A lake of an older version of the library has aliases and no anchor."""
    client(place).delete_registered_model_tag(MODEL.dotted, projection.ANCHOR)
    client(place).set_registered_model_alias(MODEL.dotted, "champion", "2")
    assert [models.load(place, MODEL).version for _ in range(2)] == [2, 2]
    assert [(one.action, one.to_version, one.note) for one in ledger.entries(place.root)] == [
        ("unjudged", 2, "the champion before there was a ledger")
    ]


def test_no_alias_makes_a_champion_of_a_judged_model(place: Settings) -> None:
    client(place).set_registered_model_alias(MODEL.dotted, "champion", "2")
    with pytest.raises(UnknownName, match="has no champion"):
        models.load(place, MODEL)


def test_deltas_log_has_no_hole(empty: Settings) -> None:
    for version in range(1, 4):
        promote(empty, version, version - 1 or None)
    assert deltalog.versions(tables.lake_path(empty.root, PROMOTIONS)) == [0, 1, 2]


def test_whoever_is_champion_the_entry_names(empty: Settings) -> None:
    promote(empty, 1, None)
    assert ledger.record(empty, MODEL, "unjudged", from_version=recording.ANYONE, to_version=2).from_version == 1


def test_of_two_decisions_one_is_told_although_the_champion_stays(empty: Settings) -> None:
    promote(empty, 1, None)
    ledger.record(empty, MODEL, "waiting", from_version=1, to_version=2)
    seen = ledger.standing(empty.root, MODEL).number
    ledger.record(empty, MODEL, "refused", from_version=1, to_version=2, after=seen)
    with pytest.raises(LedgerError, match=r"somebody else was first, in entry 3 of the ledger: refused 2"):
        ledger.record(empty, MODEL, "approved", from_version=1, to_version=2, after=seen)
    assert ledger.champion(empty.root, MODEL) == 1
