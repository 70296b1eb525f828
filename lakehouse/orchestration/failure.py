"""How a failed step shows: the cell's error and the link to its notebook first, no frames of the orchestrator."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg
from dagster._core.errors import DagsterUserCodeProcessError
from dagster._utils.error import SerializableErrorInfo

from lakehouse.errors import LakehouseError

RETRIES = 2
RETRY_SECONDS = 5


class StepFailed(dg.Failure, DagsterUserCodeProcessError):
    """A step's failure in words.

    Dagster shows a `Failure` with its metadata, but under its own class's name and with its own frames. An error
    that came from another process it shows as it is. This is both.
    """

    def __init__(self, error: LakehouseError, metadata: Mapping[str, dg.MetadataValue]) -> None:
        Exception.__init__(self, str(error))  # the two constructors would call each other
        self.description, self.metadata, self.allow_retries = str(error), dict(metadata), False
        self.user_code_process_error_infos = [SerializableErrorInfo(message=f"{error}\n", stack=[], cls_name=type(error).__name__)]


def failed(error: LakehouseError, metadata: Mapping[str, dg.MetadataValue], attempt: int) -> StepFailed | dg.RetryRequested:
    """What to raise for `error` at the given attempt (0 the first): transient errors are tried again."""
    failure = StepFailed(error, metadata)
    if not error.transient or attempt >= RETRIES:
        return failure
    again = dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=RETRY_SECONDS)
    again.__cause__ = failure
    return again
