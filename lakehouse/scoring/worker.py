"""What a Python worker of Spark does: it opens a model once in its life, and scores the batches it is handed.

Workers import this module, so neither MLflow nor Spark is imported by it.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse.errors import ScoringError
from lakehouse.models import trust

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def scores(files: str, digest: str, whose: str, batches: Iterator[pd.DataFrame]) -> Iterator[pd.Series]:
    """A score for each row of each batch, by the model in `files`. Raises UntrustedModel and ScoringError."""
    import pandas as pd

    model = _opened(files, digest, whose)
    for batch in batches:
        yield pd.Series(score(model, batch, whose))


def score(model: Any, rows: pd.DataFrame, whose: str) -> np.ndarray:
    """What a model says of each row, shape (rows,): of two classes the second's probability, else its prediction.

    Raises ScoringError where it takes none of these rows as they are, or knows more than two classes.
    """
    try:
        if not hasattr(model, "predict_proba"):
            return model.predict(rows).astype(float)
        probabilities = model.predict_proba(rows)
    except (ValueError, TypeError) as error:
        raise ScoringError(f"{whose} could not score rows: {str(error).splitlines()[0]}{_infinite(rows)}", _HINT) from None
    if probabilities.shape[1] != 2:
        what = f"{whose} tells {probabilities.shape[1]} classes apart, so no single number says what it thinks"
        raise ScoringError(what, "Score in the notebook by lake.load_model(…).predict_proba.")
    return probabilities[:, 1]


_HINT = "Mend the features, or give the model steps that take such values (an imputer, handle_unknown), and train again."


def _infinite(rows: pd.DataFrame) -> str:
    import numpy as np

    numbers = rows.select_dtypes("number")
    columns = [name for name in numbers if np.isinf(numbers[name]).any()]
    return f" (infinite: {', '.join(columns)})" if columns else ""


@lru_cache(maxsize=2)
def _opened(files: str, digest: str, whose: str) -> Any:
    """Kept as long as the worker lives: it is the digest's model, whatever becomes of the files."""
    folder = Path(files)
    if not folder.is_dir():
        what = f"The files of {whose} cannot be read where Spark's workers run ({socket.gethostname()}): {files}"
        raise ScoringError(what, "They lie in the lake's folder: restore them, or share it with the Spark server's machines.")
    return trust.opened(folder, digest, whose)
