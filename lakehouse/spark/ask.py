"""Asks Spark and tells in words what it did not understand or could not do, without Java's frames."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lakehouse.errors import LakehouseError


@contextmanager
def in_words(what: str, hint: str) -> Iterator[None]:
    """Raises LakehouseError for what Spark raises: `what` is not understood, or failed, and why; then `hint`."""
    from pyspark.errors import AnalysisException, PySparkException

    try:
        yield
    except PySparkException as error:
        kind = f"{what} is not understood" if isinstance(error, AnalysisException) else f"{what} failed"
        reason = str(error.getMessage() or error).split("\n\nJVM stacktrace")[0].split("; line ")[0].split("\n== SQL")[0]
        raise LakehouseError(f"{kind}: {reason.strip()}", hint) from None
