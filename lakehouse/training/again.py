"""A training notebook run once more on what it was run on: nothing is written, its model is compared with the one there is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from lakehouse import record, tables
from lakehouse.errors import NotebookError, UntrustedModel
from lakehouse.lake import REPRODUCES, Lake
from lakehouse.names import TableName
from lakehouse.training.notes import Notes, digest, fingerprint, predict

_ORDER, _FOUND = "order.json", "found.json"


class Order(BaseModel):
    """The version of a model, the lake that has it, and which versions of its inputs are to be read (others: the newest)."""

    model: str
    version: int
    lake: Path
    pins: dict[str, int]

    def save(self, folder: Path) -> None:
        record.save(folder / _ORDER, self)


class Found(BaseModel):
    """What the second training gave. Of `rows` that both models were asked for, `differing` got another answer, by at most
    `largest`; `unloadable` says why the first could not be asked."""

    metrics: dict[str, float] = {}
    sets: list[dict[str, Any]] = []
    inputs: str | None = None
    predictions: str | None = None
    rows: int = 0
    differing: int = 0
    largest: float = 0.0
    unloadable: str = ""
    left_to_chance: list[str] = []

    @staticmethod
    def read(folder: Path) -> Found:
        """Raises NotebookError where the notebook ended without logging the model."""
        try:
            return Found.model_validate_json((folder / _FOUND).read_text())
        except FileNotFoundError:
            what = "The notebook ended without logging the model, which it had logged the first time"
            raise NotebookError(what, "Something outside the lake decides whether it does: see its cells.") from None


class Again(Lake):
    """The lake as a notebook sees it that is done again."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._folder = Path(os.environ[REPRODUCES])
        self._order = Order.model_validate_json((self._folder / _ORDER).read_text())
        self._resolver = tables.Resolver(self._root)
        self._pins = {TableName.parse(name): version for name, version in self._order.pins.items()}

    def _announce(self) -> None:
        print("Done again only to be compared: nothing is written, no model is logged.")

    def write(self, frame: Any, table: str) -> None:
        self._to_publish(table, "write")

    def merge(self, frame: Any, table: str, *, delete: str | None = None) -> None:
        self._to_publish(table, "merge")

    def log_model(self, model: Any, name: str, **about: Any) -> int:
        target = TableName.parse(name)
        self._declared(target, self._spec.models_written, "log_model")
        if target.dotted == self._order.model:
            record.save(self._folder / _FOUND, self._compare(model, about))
        return 0

    def load_model(self, name: str) -> Any:
        from lakehouse import models

        target = TableName.parse(name)
        self._declared(target, self._spec.models_read, "load_model")
        return models.load(self._original, target, self._order.pins.get(target.dotted))

    @property
    def _original(self) -> Any:
        return self._settings.model_copy(update={"root": self._order.lake})

    def _compare(self, model: Any, about: Mapping[str, Any]) -> Found:
        from lakehouse import models

        metrics = {key: float(value) for key, value in (about.get("metrics") or {}).items()}
        notes: Notes = self._training
        inputs = notes.inputs if notes.inputs is not None else about.get("example")
        chance = notes.left_to_chance(about.get("search"))
        found = Found(metrics=metrics, sets=[one.plain for one in notes.sets], left_to_chance=chance)
        if inputs is None:
            found.unloadable = "the notebook tells no rows to compare on (lake.examine_training, or an example)"
            return found
        now = predict(model, inputs)
        found.inputs, found.predictions, found.rows = fingerprint(inputs), digest(now), len(inputs)
        try:
            then = predict(models.load(self._original, TableName.parse(self._order.model), self._order.version).estimator, inputs)
        except UntrustedModel as error:
            found.unloadable = error.what
            return found
        found.differing, found.largest = _differences(then, now)
        return found


def _differences(then: Any, now: Any) -> tuple[int, float]:
    """How many rows got another answer, and by how much at most (infinite where they are no numbers)."""
    import numpy as np

    if then.shape != now.shape:
        return len(now), float("inf")
    rows = (then != now).reshape(len(now), -1).any(axis=1)
    if not rows.any():
        return 0, 0.0
    return int(rows.sum()), float(np.abs(then - now).max()) if now.dtype.kind in "fiu" else float("inf")
