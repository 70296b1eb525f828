from __future__ import annotations

import sqlite3

import pytest
from sqlalchemy.exc import OperationalError

from lakehouse.errors import LakeError
from lakehouse.orchestration.instance import instance, told_of_damage
from tests.orchestration.conftest import Place


def test_a_store_that_is_broken_is_named(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")
    history = place.settings.root / "dagster" / "history"
    history.mkdir(parents=True)
    (history / "runs.db").write_bytes(b"no database" * 1000)
    words = r"Dagster's history is damaged: .*/history/runs\.db"
    with pytest.raises(LakeError, match=words), told_of_damage(place.settings), instance(place.settings) as store:
        store.get_runs()


def test_a_store_without_room_is_named_with_the_room_there_is(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")
    words = r"Dagster's store .*/dagster cannot be used: database or disk is full \(.* MiB are free there\)"
    with pytest.raises(LakeError, match=words), told_of_damage(place.settings), instance(place.settings):
        raise OperationalError("insert into event_logs", {}, sqlite3.OperationalError("database or disk is full"))
