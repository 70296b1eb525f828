"""A version of a model, ready to predict: its files are held against their digest before they are opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow

from lakehouse.errors import UntrustedModel
from lakehouse.models import libraries, registry, store, trust
from lakehouse.names import TableName
from lakehouse.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


@dataclass(frozen=True)
class LoadedModel:
    """One version of a model, ready to predict. `estimator` is the fitted scikit-learn estimator."""

    name: str
    version: int
    run_id: str
    estimator: Any

    def predict_proba(self, features: pd.DataFrame) -> np.ndarray:
        """Class probabilities, shape (rows, classes)."""
        return self.estimator.predict_proba(features)

    def predict(self, features: pd.DataFrame) -> np.ndarray:
        """Predicted classes or values, shape (rows,)."""
        return self.estimator.predict(features)


def load(settings: Settings, name: TableName, version: int | None = None) -> LoadedModel:
    """A version of `name`, the champion unless told otherwise.

    Raises UnknownName where there is none, UntrustedModel where its files are not those that were registered, or it
    was trained with another scikit-learn (see the setting `moved_libraries`).
    """
    with store.opened(settings):
        found = registry.record_of(name, version or registry.CHAMPION)
        files = Path(mlflow.artifacts.download_artifacts(found.source))
        if trust.digest(files) != found.tags.get(trust.DIGEST):
            raise UntrustedModel(
                f"The files of {name} version {found.version} are not those that were registered ({files})",
                "They were altered or damaged; train again, or restore them. Nothing was loaded.",
            )
        libraries.refuse_moved(settings, f"{name} version {found.version}", found.tags.get(libraries.TAG))
        return LoadedModel(name.dotted, int(found.version), found.run_id, trust.restore(files))
