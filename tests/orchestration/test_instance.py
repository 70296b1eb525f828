from __future__ import annotations

import pytest

from lakehouse.errors import LakeError
from lakehouse.orchestration.instance import instance, store_told
from tests.orchestration.conftest import Place


def test_a_store_that_is_broken_is_named(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")
    history = place.settings.root / "dagster" / "history"
    history.mkdir(parents=True)
    (history / "runs.db").write_bytes(b"no database" * 1000)
    words = r"Dagster's store .*/dagster cannot be used: file is not a database \(.* MiB"
    with pytest.raises(LakeError, match=words), store_told(place.settings), instance(place.settings) as store:
        store.get_runs()
