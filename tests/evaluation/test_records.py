from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from lakehouse.errors import EvaluationError
from lakehouse.evaluation import records, trained_with
from lakehouse.training import keep
from tests.evaluation.conftest import Meeting


def version(number: int) -> SimpleNamespace:
    return SimpleNamespace(name="models.rides", version=number, run_id=f"run{number}")


@pytest.fixture
def lake(tmp_path: Path) -> SimpleNamespace:
    """Of version 1 it is recorded what it was trained with, of version 2 nothing."""
    kept = keep.artifacts(tmp_path, "models.rides") / "run1" / "artifacts" / records.FILE
    kept.parent.mkdir(parents=True)
    kept.write_text(json.dumps({"parameters": {"until": "2013-02", "rounds": 20}}))
    return SimpleNamespace(_root=tmp_path)


def test_what_a_version_was_trained_with_is_told(lake: SimpleNamespace) -> None:
    assert trained_with(lake, Meeting(version(1)), "until") == {1: "2013-02"}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("met", "parameter", "words"),
    [
        pytest.param(Meeting(version(1)), "untill", ["which untill", "version 1", "Recorded are until, rounds"], id="misspelt"),
        pytest.param(Meeting(version(1), version(2)), "until", ["version 2", "Nothing of its training"], id="no facts"),
    ],
)
def test_a_version_of_which_it_is_not_recorded_is_refused(
    lake: SimpleNamespace, met: Meeting, parameter: str, words: list[str]
) -> None:
    with pytest.raises(EvaluationError) as caught:
        trained_with(lake, met, parameter)  # type: ignore[arg-type]
    assert all(word in f"{caught.value.what}. {caught.value.hint}" for word in words), str(caught.value)
