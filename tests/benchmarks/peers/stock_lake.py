"""What a notebook without a lakehouse has beside it: read and write Delta by path, log a model to MLflow.

Imported in the peers' kernels, in environments of their own. No gate, no pins, no record. What a table is partitioned
by and where the raw files lie stands in the job, a file that `LAKEHOUSE_BENCH_JOB` names.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lakehouse import month  # a text that knows its neighbours; needs nothing installed


class StockLake:
    """The tables of one run, for the months of one notebook; names are `layer.table`."""

    run_id = "stock"

    def __init__(self, spark: Any, months: Sequence[str] = ()) -> None:
        self._spark, self._months = spark, months
        self._job = json.loads(Path(os.environ["LAKEHOUSE_BENCH_JOB"]).read_text())
        self._folder = Path(self._job["folder"])

    def _path(self, table: str) -> str:
        return str(self._folder / table.replace(".", "/"))

    def _where(self, table: str, partitions: Any) -> str:
        column = self._job["partitioned"].get(table)
        if column is None or not self._months or partitions == "all":
            return "true"
        first, last = (0, 0) if partitions == "own" else partitions
        wanted = sorted({month(own).shift(offset) for own in self._months for offset in range(first, last + 1)})
        return f"{column} in ({', '.join(repr(str(each)) for each in wanted)})"

    def read(self, table: str, partitions: Any = "own") -> Any:
        from pyspark.sql import functions as F

        if not table.startswith("raw."):
            return self._spark.read.format("delta").load(self._path(table)).where(self._where(table, partitions))
        return (
            self._spark.read.csv(self._job["raw"][table], header=True)
            .withColumn("_source_file", F.col("_metadata.file_path"))
            .withColumn("_source_sha256", F.lit(""))
            .withColumn("_received_at", F.current_timestamp())
        )

    def sql(self, query: str, partitions: Any = "own") -> Any:
        def relation(found: re.Match[str]) -> str:
            return f"(select * from delta.`{self._path(found[0])}` where {self._where(found[0], partitions)})"

        return self._spark.sql(re.sub(r"\b(?:bronze|silver|gold|features|scores)\.\w+", relation, query))

    def features(self, asked: Any, views: Any, at: str, partitions: Any) -> Any:
        """The same join; without contracts, what a view is stands in the job."""
        from lakehouse.features.pointintime import View, join  # needs nothing but pyspark

        found = []
        for name, columns in views.items():
            about = self._job["views"][name]
            named = columns if isinstance(columns, dict) else {column: column for column in columns}
            lasts = timedelta(seconds=about["seconds"]) if about["seconds"] else None
            moments = (about["event"], about["created"])
            found.append(View(self.read(name, partitions), tuple(about["entity"]), *moments, named, lasts))
        return join(asked, found, at)

    def imputer(self, table: str, columns: Sequence[str]) -> Any:
        """What one writes without contracts: every missing number is the mean."""
        from sklearn.impute import SimpleImputer

        return SimpleImputer()

    def write(self, frame: Any, table: str) -> None:
        frame = frame if hasattr(frame, "sparkSession") else self._spark.createDataFrame(frame)
        writer = frame.write.format("delta").mode("overwrite")
        column = self._job["partitioned"].get(table)
        if column and self._job["replace"]:
            writer = writer.option("replaceWhere", self._where(table, "own"))
        (writer.partitionBy(column) if column else writer).save(self._path(table))

    def training_set(self, table: str, partitions: Any, where: Any) -> Any:
        return self.read(table, partitions).where(where).toPandas()

    def examine_training(self, inputs: Any, outcome: Any) -> None:
        """Nobody does, where nothing is made of it."""

    def search(self, attempt: Any, space: Any, **budget: Any) -> Any:
        from lakehouse.training.search import search

        return search(attempt, space, **budget)

    def best_threshold(self, name: str, outcome: Any, score: Any) -> float:
        """By what the model's contract says that acting on it is worth, written out."""
        from types import SimpleNamespace

        from lakehouse.evaluation import best_threshold

        return best_threshold(outcome.to_numpy(), score, SimpleNamespace(right=15, wrong=-5))

    def log_model(self, model: Any, name: str, metrics: Any, parameters: Any, example: Any, figures: Any, **_more: Any) -> None:
        mlflow = self._mlflow()
        mlflow.set_experiment(name)
        with mlflow.start_run():
            mlflow.log_metrics(metrics)
            mlflow.log_params(parameters)
            for file, figure in figures.items():
                mlflow.log_figure(figure, f"{file}.png")
            mlflow.sklearn.log_model(
                model,
                name="model",
                registered_model_name=name,
                input_example=example,
                pip_requirements=["scikit-learn"],  # guessing them takes 13 s more
                skops_trusted_types=self._job["trusted_types"],
            )

    def load_model(self, name: str) -> Any:
        model = self._mlflow().sklearn.load_model(f"models:/{name}/1")
        model.version = 1
        return model

    def score(self, features: Any, name: str, keep: Sequence[str]) -> Any:
        model, rows = self.load_model(name), features.toPandas()
        told = {"model_version": model.version, "features_version": "", "run_id": self.run_id, "scored_at": datetime.now(UTC)}
        scores = model.predict_proba(rows[list(model.feature_names_in_)])[:, 1]
        return self._spark.createDataFrame(rows[list(keep)].assign(score=scores, **told))

    def standing(self, table: str) -> None:
        """Each month is written as a whole, so nothing of it stands beside."""

    def merge(self, frame: Any, table: str) -> None:
        self.write(frame, table)

    def _mlflow(self) -> Any:
        import mlflow

        mlflow.set_tracking_uri(f"sqlite:///{self._folder / 'mlflow.db'}")
        return mlflow
