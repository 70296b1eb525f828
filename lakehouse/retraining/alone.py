"""One retraining at a time in a lake: two would train and judge the same month side by side."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lakehouse.names import TableName


@contextmanager
def alone(root: Path, model: TableName, tell: Callable[[str], None]) -> Iterator[None]:
    """While one process is in here for `model`, others wait for it, and say so. Ends with its process, however that ends."""
    path = root / "runs" / model.layer / f".{model.name}.retraining"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell(f"{model} is being retrained by another process: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
