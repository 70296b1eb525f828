"""What a notebook does with features, models and scores: the part of `Lake` that learns and predicts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lakehouse.names import TableName
from lakehouse.partitions import Coverage
from lakehouse.training.verbs import Training

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame, SparkSession
    from sklearn.compose import ColumnTransformer

    from lakehouse.evaluation import Evidence
    from lakehouse.features.asked import Wanted
    from lakehouse.models import LoadedModel, StoredModel
    from lakehouse.notebook import NotebookSpec
    from lakehouse.promotion.gates import Verdict
    from lakehouse.promotion.verbs import Contest
    from lakehouse.publish import Publisher
    from lakehouse.scoring.scores import Scored
    from lakehouse.settings import Settings


class Modelling(Training):
    """The part of `Lake` that is for features, models and scores."""

    run_id: str
    spark: SparkSession
    _settings: Settings
    _spec: NotebookSpec
    _publisher: Publisher
    _pins: dict[TableName, int]
    _declared: Callable[..., None]
    _relation: Callable[[TableName, Coverage, int | None], str]
    _on_spark: Callable[[DataFrame | pd.DataFrame], DataFrame]

    @cached_property
    def _contests(self) -> dict[TableName, Contest]:
        return {}

    scored: Scored | None = None
    """The last of its scores, for the check of parity."""

    def features(self, asked: DataFrame, views: Wanted, *, at: str, partitions: Coverage = "until") -> DataFrame:
        """The rows of `asked`, each with columns of feature views as they were known at its moment, the column `at`.

        `views` is written out in the call, {"features.weather": ["wind"]}; {"wind": "wind_then"} gives other names. What
        counts is told by `lakehouse.features.pointintime.join`. Read are each view's partitions up to the run's newest,
        or those of `partitions`. Raises what `lakehouse.features.asked.check` does, and what `read` does.
        """
        from lakehouse.features import asked as asking

        def rows(view: TableName) -> DataFrame:
            self._declared(view, self._spec.reads, "features")
            return self.spark.sql(f"select * from {self._relation(view, partitions, None)}")

        return asking.answer(self._project.contracts, self._on_spark(asked), views, at, rows)

    def imputer(self, table: str, columns: Sequence[str]) -> ColumnTransformer:
        """What the contract of `table` says of missing values (`impute`), as a first part of a model that takes none."""
        from lakehouse.features import imputation

        return imputation.imputer(self._project.contracts, TableName.parse(table), columns)

    def log_model(self, model: Any, name: str, **about: Any) -> int:
        """Registers a fitted model as a new version of `name` ("models.flight_delay") and returns the version.

        See `lakehouse.models.log` for what can be said about it (metrics, parameters, example, figures, history, search).
        """
        from lakehouse import models

        target = TableName.parse(name)
        self._declared(target, self._spec.models_written, "log_model")
        return self._publisher.log_model(models, model, target, about)

    def load_model(self, name: str) -> LoadedModel:
        """The version of a model that this run is pinned to (the champion), checked against its digest."""
        target = TableName.parse(name)
        self._declared(target, self._spec.models_read, "load_model")
        return self._pinned_model(target).opened()

    def score(self, features: DataFrame, name: str, *, keep: Sequence[str]) -> DataFrame:
        """A score of the model `name` for each row of `features`, computed once, on Spark.

        Columns: those to `keep` (what names a row), `score` (of two classes the second's probability, else the
        prediction), `model_version`, `features_version` (the tables that this notebook reads, as "features.x@3"),
        `run_id` and `scored_at` (UTC). The model takes the columns of its signature, so it was logged with an `example`;
        it is the version that this run is pinned to, whoever becomes champion meanwhile.
        Raises ScoringError where `features` are not what it takes, UntrustedModel where its files were altered.
        """
        from lakehouse.scoring import scores

        target = TableName.parse(name)
        self._declared(target, self._spec.models_read, "score")
        self.scored = scores.compute(self._pinned_model(target), features, keep, made_of=self._read_versions(), run_id=self.run_id)
        return self.scored.rows

    def contest(self, name: str) -> Contest:
        """Who meets whom: `.challenger` is the newest version of a model, `.champion` the version in use, None before the first
        (see `lakehouse.promotion.verbs`). Both are pinned in the run's record."""
        from lakehouse.promotion import verbs

        target = TableName.parse(name)
        self._declared(target, self._spec.models_read, "contest")
        self._contests[target] = verbs.contest(self, target)  # type: ignore[arg-type]
        return self._contests[target]

    def promote(self, name: str, evidence: Evidence) -> Verdict:
        """Judges the challenger of the last contest by the gates of the model's contract, and makes it the champion or not.

        `evidence` is what `lakehouse.evaluation.evaluate` measured. In the sandbox the verdict is only told.
        """
        from lakehouse.promotion import verbs

        target = TableName.parse(name)
        self._declared(target, self._spec.models_judged, "promote")
        return verbs.promote(self, self._contests.get(target), target, evidence)  # type: ignore[arg-type]

    def _pinned_model(self, name: TableName) -> StoredModel:
        """The version that this run met first: the champion of then."""
        from lakehouse import models

        stored = models.locate(self._settings, name, self._publisher.pinned_model(name))
        self._publisher.pin_model(name, stored.version)
        return stored

    def _read_versions(self) -> str:
        read = sorted({read.table for read in self._spec.reads} & set(self._pins))
        return ", ".join(f"{table}@{self._pins[table]}" for table in read)
