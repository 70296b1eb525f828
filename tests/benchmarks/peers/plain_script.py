"""What the same work costs as one plain script: every notebook's cells, one after another, in one process and one
Spark session on the same warm server. No gate, no pins, no record, no kernel, no Dagster.

    python tests/benchmarks/peers/plain_script.py <lake that holds the raw files> <folder for the tables> <month or all> <notebooks>

With a month, only that is read and replaced in the tables, which are there already.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import lakehouse
from lakehouse import raw, settings, tables
from lakehouse.names import TableName
from lakehouse.notebook import NotebookSpec
from lakehouse.project import Project
from lakehouse.spark.session import connect


class PlainLake:
    """Reads and writes Delta tables the plain way, for all the months at once."""

    run_id = "plain"

    def __init__(self, spark: Any, project: Project, lake: Path, folder: Path, month: str | None = None) -> None:
        self._spark, self._project, self._lake, self._folder, self.month = spark, project, lake, folder, month
        self._models: dict[str, Any] = {}
        self._own: list[str] = []

    def at(self, months: list[str]) -> PlainLake:
        self._own = months
        return self

    def _path(self, table: TableName) -> str:
        return str(self._folder / table.layer / table.name)

    def _months_of(self, table: TableName, partitions: Any) -> str:
        space = self._project.partitions_of(table)
        if space is None or not self._own or partitions == "all":
            return "true"
        return tables.partitions_clause(space.column, space.cover(partitions, self._own))

    def read(self, name: str, partitions: Any = "own") -> Any:
        from pyspark.sql import functions as F

        table = TableName.parse(name)
        if table.layer != "raw":
            return self._spark.read.format("delta").load(self._path(table)).where(self._months_of(table, partitions))
        source = self._project.sources[table]
        paths = [str(file.path) for file in raw.files(self._lake, table, [self.month] if self.month else None)]
        rows = self._spark.read.format(source.format).options(**source.options).load(paths)
        return rows.select(
            "*",
            F.col("_metadata.file_path").alias("_source_file"),
            F.lit("").alias("_source_sha256"),
            F.current_timestamp().alias("_received_at"),
        )

    def sql(self, query: str, partitions: Any = "own") -> Any:
        def relation(table: TableName, _versioned: bool) -> str:
            return f"(select * from delta.`{self._path(table)}` where {self._months_of(table, partitions)})"

        return self._spark.sql(tables.rewrite(query, relation))

    def features(self, asked: Any, views: Any, at: str, partitions: Any = "until") -> Any:
        from lakehouse.features import asked as asking

        return asking.answer(self._project.contracts, asked, views, at, lambda view: self.read(view.dotted, partitions))

    def imputer(self, table: str, columns: list[str]) -> Any:
        from lakehouse.features import imputation

        return imputation.imputer(self._project.contracts, TableName.parse(table), columns)

    def write(self, frame: Any, name: str) -> None:
        table = TableName.parse(name)
        frame = frame if hasattr(frame, "sparkSession") else self._spark.createDataFrame(frame)
        writer = frame.write.format("delta").mode("overwrite")
        space = self._project.partitions_of(table)
        if space and self.month:
            writer = writer.option("replaceWhere", tables.partitions_clause(space.column, self._own))
        (writer.partitionBy(space.column) if space else writer).save(self._path(table))

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
        import mlflow

        from lakehouse.models import TRUSTED_TYPES

        mlflow.set_tracking_uri(f"sqlite:///{self._folder / 'mlflow.db'}")
        mlflow.set_experiment(experiment_id=mlflow.create_experiment(name, artifact_location=(self._folder / "models").as_uri()))
        with mlflow.start_run():
            mlflow.log_metrics(metrics)
            mlflow.log_params(parameters)
            for file, figure in figures.items():
                mlflow.log_figure(figure, f"{file}.png")
            mlflow.sklearn.log_model(
                model, name="model", input_example=example, pip_requirements=["scikit-learn"], skops_trusted_types=TRUSTED_TYPES
            )
        model.version = 1
        self._models[name] = model

    def load_model(self, name: str) -> Any:
        return self._models[name]

    def score(self, features: Any, name: str, keep: list[str]) -> Any:
        model, rows = self.load_model(name), features.toPandas()
        told = {"model_version": model.version, "features_version": "", "run_id": self.run_id, "scored_at": datetime.now(UTC)}
        scores = model.predict_proba(rows[list(model.feature_names_in_)])[:, 1]
        return self._spark.createDataFrame(rows[keep].assign(score=scores, **told))

    def standing(self, name: str) -> None:
        """Each month is written as a whole, so nothing of it stands beside."""

    def merge(self, frame: Any, name: str) -> None:
        self.write(frame, name)


def main(lake: Path, folder: Path, month: str | None, names: list[str]) -> None:
    now = settings.load()
    sys.path.insert(0, str(now.project))
    project = Project.load(now.project)
    spark = connect(now)
    plain = PlainLake(spark, project, lake, folder, month)
    for asset in project.select(names):
        if asset in project.notebooks:
            _run(project.notebooks[asset], project, plain)
    spark.stop()


def _run(spec: NotebookSpec, project: Project, plain: PlainLake) -> None:
    import matplotlib.pyplot as plt

    space = project.partitions_of(spec.name)
    months = [str(key) for key in space.keys()] if space else []  # noqa: SIM118  # no dictionary
    months = [plain.month] if space and plain.month else months
    lakehouse.open = lambda _name: plain.at(months)
    namespace: dict[str, Any] = {}
    for cell in spec.code_cells:
        exec(compile(cell.source, f"{spec.file}:{cell.number}", "exec"), namespace)
        if any(parameter.cell == cell.number for parameter in spec.parameters):
            own = spec.partition_parameter
            namespace.update(spec.bind({own.name: months} if own else {}))
    plt.close("all")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), None if sys.argv[3] == "all" else sys.argv[3], sys.argv[4:])
