"""What a run leaves in MLflow, and how long that takes."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from lakehouse import models, settings
from lakehouse.errors import TrainingError
from lakehouse.names import TableName
from lakehouse.record import ModelVersion, Result
from lakehouse.settings import Settings
from lakehouse.training.notes import Notes
from lakehouse.training.rows import TrainingSet
from lakehouse.training.search import search

NAME = TableName("models", "delay")
RESULT = Result(
    run_id="run-1",
    asset="models.delay",
    parameters={"depth": 3},
    inputs={"gold.features": {"version": 7, "seen": {"2013-01": 5}}},
    code={"code cell 1": "abc", "requirements.txt": "the lock"},
)
HISTORY = {"log_loss": [0.7 - 0.0005 * step for step in range(1200)]}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("tracking")
    return settings.load({"LAKEHOUSE_PROJECT": str(folder), "LAKEHOUSE_ROOT": str(folder / "a lake")})


@pytest.fixture(scope="module")
def logged(place: Settings, fitted: Any, rows: Any) -> ModelVersion:
    notes = Notes(sets=[TrainingSet("gold.features", 7, 4, 10, "month <= 2013-09", 0)], oddities=["z has one value only"])
    notes.keep(rows)
    found = search(lambda chosen: {"loss": 1 / chosen["depth"]}, {"depth": [1, 2, 4, 0]}, metric="loss", tries=4)
    about = {"parameters": {"penalty": "l2"}, "history": HISTORY, "metrics": {"log_loss": 0.25}, "search": found}
    return models.log(place, fitted, NAME, result=RESULT, example=rows, notes=notes, **about)


@pytest.fixture(scope="module")
def client(place: Settings, logged: ModelVersion) -> Any:
    import mlflow

    return mlflow.MlflowClient(models.tracking_uri(place), models.tracking_uri(place))


def test_everything_to_do_it_again_is_kept(place: Settings, logged: ModelVersion, client: Any) -> None:
    import mlflow

    mlflow.set_tracking_uri(models.tracking_uri(place))
    known = json.loads(Path(mlflow.artifacts.download_artifacts(run_id=logged.run_id, artifact_path="lakehouse.json")).read_text())
    assert known["parameters"] == {"depth": 3} and known["inputs"] == RESULT.inputs and known["code"] == RESULT.code
    assert known["metrics"] == {"log_loss": 0.25}
    assert known["packages"]["scikit-learn"] and known["python"]
    assert (known["training"]["rows"], known["training"]["sets"][0]["version"]) == (4, 7)
    assert len(known["training"]["kept"]["predictions"]) == 64


def test_tags_say_it_in_words(logged: ModelVersion, client: Any) -> None:
    tags = client.get_run(logged.run_id).data.tags
    assert tags["lakehouse.training_set"] == (
        "gold.features version 7: 4 rows of 10 (40.0%, by a hash of the key, seed 0) where month <= 2013-09"
    )
    assert tags["lakehouse.oddities"] == "z has one value only"
    assert tags["lakehouse.environment"] == "the lock" and len(tags["lakehouse.code"]) == 64
    assert "hash seed" in tags["lakehouse.left_to_chance"]  # a runner's kernel has one, this process has not


def test_metrics_come_by_iteration_and_the_last_is_the_models(logged: ModelVersion, client: Any) -> None:
    told = client.get_metric_history(logged.run_id, "log_loss")
    assert [one.value for one in sorted(told, key=lambda one: one.step)] == [*HISTORY["log_loss"], 0.25]
    metrics = client.get_run(logged.run_id).data.metrics
    assert metrics["log_loss"] == 0.25
    assert metrics["system/seconds"] > 0 and metrics["system/processor_seconds"] > 0 and metrics["system/peak_memory_mib"] > 50


def test_each_try_of_a_search_is_a_child(logged: ModelVersion, client: Any) -> None:
    experiment = client.get_run(logged.run_id).info.experiment_id
    children = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{logged.run_id}'")
    found = {run.data.params["depth"]: (run.data.metrics.get("loss"), run.info.status) for run in children}
    assert found == {"1": (1.0, "FINISHED"), "2": (0.5, "FINISHED"), "4": (0.25, "FINISHED"), "0": (None, "FAILED")}
    failed = next(run for run in children if run.info.status == "FAILED")
    assert failed.data.tags["lakehouse.failed"] == "ZeroDivisionError: division by zero"


def test_tracking_costs_little(place: Settings, fitted: Any, rows: Any, logged: ModelVersion) -> None:
    notes = Notes()
    notes.keep(rows)
    began = time.process_time()
    models.log(place, fitted, TableName("models", "quick"), result=RESULT, example=rows, notes=notes, history={"loss": [0.1] * 200})
    assert time.process_time() - began < 2


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_metric_that_is_no_number_registers_nothing(place: Settings, fitted: Any, client: Any, value: float) -> None:
    name = TableName("models", f"ill_{value}")
    with pytest.raises(TrainingError, match=rf"models\.ill_{value}: the metric auc is {value}"):
        models.log(place, fitted, name, result=RESULT, metrics={"auc": value})
    assert client.search_model_versions(f"name = '{name.dotted}'") == []


def test_a_model_of_one_class_is_refused(place: Settings, rows: Any) -> None:
    from sklearn.dummy import DummyClassifier

    with pytest.raises(TrainingError, match=r"models\.delay knows one class only, 1"):
        models.log(place, DummyClassifier().fit(rows, [1, 1, 1, 1]), NAME, result=RESULT)
