"""A version of a model, ready to predict: its files are held against their digest before they are opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    size_bytes: int = 0
    """Of its files."""

    def predict_proba(self, features: pd.DataFrame) -> np.ndarray:
        """Class probabilities, shape (rows, classes)."""
        return self.estimator.predict_proba(features)

    def predict(self, features: pd.DataFrame) -> np.ndarray:
        """Predicted classes or values, shape (rows,)."""
        return self.estimator.predict(features)


@dataclass(frozen=True)
class StoredModel:
    """One registered version: where its files lie, and the digest that they had when they were registered."""

    name: str
    version: int
    run_id: str
    files: Path
    digest: str

    def opened(self) -> LoadedModel:
        """Ready to predict. Raises UntrustedModel where its files are not those that were registered."""
        estimator = trust.opened(self.files, self.digest, str(self))
        size = sum(path.stat().st_size for path in self.files.rglob("*") if path.is_file())
        return LoadedModel(self.name, self.version, self.run_id, estimator, size)

    def hold(self) -> None:
        """Raises UntrustedModel where its files are gone, or not those that were registered."""
        trust.hold(self.files, self.digest, str(self))

    def __str__(self) -> str:
        return f"{self.name} version {self.version}"


def locate(settings: Settings, name: TableName, version: int | None = None) -> StoredModel:
    """A version of `name`, the champion (as the ledger has it) unless told otherwise, unopened.

    Raises UnknownName where there is none, UntrustedModel where it was trained with another scikit-learn (see the setting
    `moved_libraries`).
    """
    with store.opened(settings):
        found = registry.record_of(settings, name, version or registry.CHAMPION)
    files, whose = registry.files_of(found), f"{name} version {found.version}"
    libraries.refuse_moved(settings, whose, found.tags.get(libraries.TAG))
    return StoredModel(name.dotted, int(found.version), found.run_id, files, found.tags.get(trust.DIGEST, ""))


def load(settings: Settings, name: TableName, version: int | None = None) -> LoadedModel:
    """A version of `name`, the champion unless told otherwise.

    Raises what `locate` does, and UntrustedModel where its files are not those that were registered.
    """
    return locate(settings, name, version).opened()
