from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression

from lakehouse.errors import ScoringError, UntrustedModel
from lakehouse.models import trust
from lakehouse.scoring import worker

ROWS = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0], "y": [1.0, 0.0, 1.0, 0.0]})
WHOSE = "models.x version 1"


def stored(folder: Path, model: Any) -> tuple[Path, str]:
    import skops.io

    folder.mkdir()
    skops.io.dump(model, folder / "model.skops")
    return folder, trust.digest(folder)


def scores(files: Path, digest: str, *batches: pd.DataFrame) -> list[list[float]]:
    return [list(batch) for batch in worker.scores(str(files), digest, WHOSE, iter(batches))]


def test_a_workers_module_imports_neither_mlflow_nor_spark() -> None:
    told = "import sys, lakehouse.scoring.worker; print(*sorted({'mlflow', 'pyspark', 'sklearn'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True).stdout == "\n"


def test_of_two_classes_the_second_is_told_and_of_numbers_the_prediction(tmp_path: Path) -> None:
    classes, numbers = LogisticRegression().fit(ROWS, [0, 0, 1, 1]), LinearRegression().fit(ROWS, [0, 1, 2, 3])
    assert scores(*stored(tmp_path / "a", classes), ROWS) == [classes.predict_proba(ROWS)[:, 1].tolist()]
    told = [list(numbers.predict(rows)) for rows in (ROWS, ROWS[:1])]
    assert scores(*stored(tmp_path / "b", numbers), ROWS, ROWS[:1]) == told


def test_a_model_is_opened_once_and_then_is_what_it_was(tmp_path: Path) -> None:
    files, digest = stored(tmp_path / "a", LinearRegression().fit(ROWS, [0, 1, 2, 3]))
    before = scores(files, digest, ROWS)
    (files / "model.skops").write_bytes(b"something else")
    assert scores(files, digest, ROWS) == before


@pytest.mark.parametrize("harm", ["changed", "added"])
def test_altered_files_are_not_opened(tmp_path: Path, harm: str) -> None:
    files, digest = stored(tmp_path / "a", LinearRegression().fit(ROWS, [0, 1, 2, 4]))
    if harm == "changed":
        (files / "model.skops").write_bytes((files / "model.skops").read_bytes() + b"\0")
    else:
        (files / "more.py").write_text("print()")
    with pytest.raises(UntrustedModel, match="version 1 are not those that were registered"):
        scores(files, digest, ROWS)


def test_files_that_a_worker_cannot_read_are_named_with_the_machine(tmp_path: Path) -> None:
    with pytest.raises(ScoringError, match=r"cannot be read where Spark's workers run \(.+\): /") as caught:
        scores(tmp_path / "gone", "0", ROWS)
    assert "share it" in caught.value.hint


LINEAR = LogisticRegression().fit(ROWS, [0, 0, 1, 1])
CLASSES = HistGradientBoostingClassifier(min_samples_leaf=1).fit(ROWS, [0, 1, 2, 2])


@pytest.mark.parametrize(
    ("model", "rows", "message"),
    [
        pytest.param(LINEAR, ROWS.replace(3.0, np.inf), r"contains infinity.* \(infinite: x\)", id="infinity"),
        pytest.param(LINEAR, ROWS.replace(3.0, np.nan), "contains NaN", id="missing"),
        pytest.param(CLASSES, ROWS, "tells 3 classes apart", id="classes"),
    ],
)
def test_rows_that_a_model_cannot_take_are_told(model: Any, rows: pd.DataFrame, message: str) -> None:
    with pytest.raises(ScoringError, match=f"{WHOSE}.*{message}") as caught:
        worker.score(model, rows, WHOSE)
    assert caught.value.hint


def test_trees_take_what_is_missing_and_infinite() -> None:
    trees = HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=1).fit(ROWS, [0, 0, 1, 1])
    odd = pd.DataFrame({"x": [np.nan, np.inf, -np.inf], "y": [np.nan, 0.0, np.nan]})
    assert np.array_equal(worker.score(trees, odd, WHOSE), trees.predict_proba(odd)[:, 1])
