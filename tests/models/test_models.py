from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from lakehouse import models, settings
from lakehouse.errors import UnknownName, UntrustedModel
from lakehouse.names import TableName
from lakehouse.record import ModelVersion, Result
from lakehouse.settings import Settings

NAME = TableName("models", "delay")
RESULT = Result(
    run_id="run-1",
    asset="models.delay",
    parameters={"depth": 3},
    inputs={"gold.features": {"version": 7, "seen": {"2013-01": 5}}, "models.other": {"version": 2}},
    code={"code cell 1": "abc"},
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("models")
    return settings.load({"LAKEHOUSE_PROJECT": str(folder), "LAKEHOUSE_ROOT": str(folder / "a lake")})


@pytest.fixture(scope="module")
def logged(place: Settings, fitted: Any, rows: Any) -> list[ModelVersion]:
    """Two versions, the second the champion."""
    from matplotlib.figure import Figure

    plot = Figure()
    plot.add_subplot().plot([1, 2])
    first = models.log(
        place,
        fitted,
        NAME,
        result=RESULT,
        metrics={"auc": 0.75},
        parameters={"penalty": "l2"},
        example=rows,
        figures={"curve": plot},
    )
    again = RESULT.model_copy(update={"run_id": "run-2"})
    return [first, models.log(place, fitted, NAME, result=again, metrics={"auc": 0.8}, example=rows)]


def client(place: Settings) -> Any:
    import mlflow

    return mlflow.MlflowClient(models.tracking_uri(place), models.tracking_uri(place))


def test_each_log_is_a_new_version_and_the_last_is_the_champion(place: Settings, logged: list[ModelVersion]) -> None:
    assert [(one.name, one.version, one.metrics) for one in logged] == [
        ("models.delay", 1, {"auc": 0.75}),
        ("models.delay", 2, {"auc": 0.8}),
    ]
    assert client(place).get_model_version_by_alias("models.delay", "champion").version == logged[1].version


def test_a_model_is_loaded_as_it_was(place: Settings, logged: list[ModelVersion], fitted: Any, rows: Any) -> None:
    loaded = models.load(place, NAME)
    assert (loaded.name, loaded.version, loaded.run_id) == ("models.delay", 2, logged[1].run_id)
    assert loaded.predict_proba(rows).tolist() == fitted.predict_proba(rows).tolist()
    assert loaded.predict(rows).tolist() == fitted.predict(rows).tolist()
    assert models.load(place, NAME, 1).version == 1


def test_what_a_model_was_made_of_is_kept_with_it(place: Settings, logged: list[ModelVersion]) -> None:
    run = client(place).get_run(logged[0].run_id)
    assert {name: value for name, value in run.data.metrics.items() if not name.startswith("system/")} == {"auc": 0.75}
    assert run.data.params == {"depth": "3", "penalty": "l2"}
    assert (run.data.tags["lakehouse.run"], run.data.tags["lakehouse.asset"]) == ("run-1", "models.delay")
    (data,) = run.inputs.dataset_inputs
    assert data.dataset.name == "gold.features"
    assert '"delta_table_version": 7' in data.dataset.source
    files = {file.path for file in client(place).list_artifacts(logged[0].run_id)}
    assert {"curve.png", "lakehouse.json"} <= files


def test_every_version_tells_its_aliases_and_training_set(place: Settings, logged: list[ModelVersion], fitted: Any) -> None:
    first = RESULT.model_copy(update={"inputs": {"gold.features": {"version": 0}, "raw.things": {"version": None}}})
    models.log(place, fitted, TableName("models", "first"), result=first)
    found = {(one.name, one.version): one for one in models.registered(place)}
    assert found[("models.delay", 1)].aliases == ("previous",) and found[("models.delay", 2)].aliases == ("champion",)
    assert found[("models.delay", 1)].inputs == {"gold.features": 7}
    assert found[("models.first", 1)].inputs == {"gold.features": 0}


def test_a_models_signature_names_its_columns(place: Settings, logged: list[ModelVersion]) -> None:
    import mlflow

    mlflow.set_registry_uri(models.tracking_uri(place))
    signature = mlflow.models.get_model_info("models:/models.delay/1").signature
    assert signature.inputs.input_names() == ["x", "y"]


def test_logging_does_not_take_long(place: Settings, logged: list[ModelVersion], fitted: Any, rows: Any) -> None:
    began = time.process_time()
    models.log(place, fitted, TableName("models", "quick"), result=RESULT, example=rows)
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("name", "version", "message"),
    [
        pytest.param(TableName("models", "absent"), None, r"Model models\.absent has no champion", id="no such model"),
        pytest.param(NAME, 99, r"Model models\.delay has no version 99", id="no such version"),
    ],
)
def test_a_model_that_is_not_there_is_told(
    place: Settings, logged: list[ModelVersion], name: TableName, version: int | None, message: str
) -> None:
    with pytest.raises(UnknownName, match=message) as caught:
        models.load(place, name, version)
    assert f"lakehouse run {name.slashed}" in caught.value.hint


@pytest.mark.parametrize("harm", ["changed", "added", "removed"])
def test_altered_files_are_not_loaded(place: Settings, fitted: Any, harm: str) -> None:
    name = TableName("models", f"altered_{harm}")
    made = models.log(place, fitted, name, result=RESULT)
    source = client(place).get_model_version(name.dotted, str(made.version)).source
    files = Path(source.removeprefix("file://").replace("%20", " "))
    if harm == "changed":
        (files / "model.skops").write_bytes((files / "model.skops").read_bytes() + b"\0")
    elif harm == "added":
        (files / "more.py").write_text("print()")
    else:
        (files / "model.skops").unlink()
    with pytest.raises(UntrustedModel, match="not those that were registered"):
        models.load(place, name)


class Stranger:
    """No estimator of scikit-learn's."""

    def predict(self, rows: Any) -> Any:
        return [0] * len(rows)


def test_a_model_of_an_unreviewed_type_is_refused_and_makes_no_version(place: Settings, logged: list[ModelVersion]) -> None:
    from sklearn.pipeline import Pipeline

    name = TableName("models", "stranger")
    with pytest.raises(UntrustedModel, match="cannot be stored safely") as caught:
        models.log(place, Pipeline([("stranger", Stranger())]), name, result=RESULT)
    assert "TRUSTED_TYPES" in caught.value.hint
    with pytest.raises(UnknownName):
        models.load(place, name)


def test_a_sandbox_logs_a_model_and_registers_none(place: Settings, logged: list[ModelVersion], fitted: Any) -> None:
    done = models.log(place, fitted, NAME, result=RESULT, register=False, metrics={"auc": 0.1})
    assert (done.version, done.metrics) == (0, {"auc": 0.1})
    assert models.load(place, NAME).version == 2
    experiment = client(place).get_experiment(client(place).get_run(done.run_id).info.experiment_id)
    assert experiment.name.startswith("sandbox/")
