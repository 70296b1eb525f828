"""What a notebook's run has told of its training so far: it goes onto the model that it logs."""

from __future__ import annotations

import hashlib
import resource
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lakehouse.kernels import repeatable
from lakehouse.training.rows import TrainingSet
from lakehouse.training.search import Search

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_KEPT_ROWS = 10_000


@dataclass
class Notes:
    """`sets` were read, `oddities` found in them; `inputs` are some of the rows that are trained on (at most 10,000)."""

    opened: float = field(default_factory=time.monotonic)
    sets: list[TrainingSet] = field(default_factory=list)
    oddities: list[str] = field(default_factory=list)
    rows: int | None = None
    inputs: pd.DataFrame | None = None

    def keep(self, inputs: pd.DataFrame) -> None:
        """Notes the rows that are trained on: how many, and every n-th of them, to hold predictions against later."""
        self.rows = len(inputs)
        self.inputs = inputs.iloc[:: -(-len(inputs) // _KEPT_ROWS)].copy()  # a view would keep all of them alive

    def left_to_chance(self, search: Search | None = None) -> list[str]:
        """What could make the same training end otherwise, in words; empty where nothing could."""
        stopped = [search.stopped] if search is not None and search.stopped else []
        return [*repeatable.left_to_chance(), *([] if self.sets else [_UNSORTED]), *stopped]

    def plain(self, model: Any, search: Search | None = None) -> dict[str, Any]:
        """Everything as JSON: the sets, the oddities, what is left to chance, what `model` says of the rows kept."""
        kept = self.inputs
        return {
            "sets": [one.plain for one in self.sets],
            "rows": self.rows,
            "oddities": self.oddities,
            "left_to_chance": self.left_to_chance(search),
            "kept": kept if kept is None else {"inputs": fingerprint(kept), "predictions": digest(predict(model, kept))},
        }

    def resources(self) -> dict[str, float]:
        """Seconds since the lake was opened, this process's processor seconds, the most memory it had (MiB)."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {
            "seconds": time.monotonic() - self.opened,
            "processor_seconds": time.process_time(),
            "peak_memory_mib": peak / (1024 if sys.platform == "linux" else 1 << 20),
        }


_UNSORTED = "the order of the training rows: they were not read by lake.training_set"


def predict(model: Any, inputs: pd.DataFrame) -> np.ndarray:
    """Class probabilities where the model tells them, else its predictions; by row."""
    import numpy as np

    return np.asarray(getattr(model, "predict_proba", model.predict)(inputs))


def digest(values: np.ndarray) -> str:
    """SHA-256 of the bytes: equal only where every last bit is."""
    import numpy as np

    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


def fingerprint(frame: pd.DataFrame) -> str:
    """SHA-256 over the names of the columns and each row's hash, in their order."""
    import pandas as pd

    names = "\0".join(map(str, frame.columns))
    return hashlib.sha256(names.encode() + pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes()).hexdigest()
