"""The gRPC channel under a session: every call on it is watched, timed, and ends when the server is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc
from pyspark.sql.connect.client import DefaultChannelBuilder
from pyspark.sql.connect.client.retries import RetryException

from lakehouse.spark.ping import Address, open_channel
from lakehouse.spark.watch import Watch

# Our server ends each stream of results after 20 s and the client asks for the rest; one that lives longer has
# gone silent, or its reader is slow: both are served by asking again.
STREAM_SECONDS = 30.0
BACKGROUND = "/ReleaseExecute"
DETAILS = "/FetchErrorDetails"
# What a server still answers that was told to end.
ENDING = ("stopped SparkContext", "SparkContext was shut down", "SparkContext has been shutdown")


class WatchedBuilder(DefaultChannelBuilder):
    """Builds a watched channel for the server at `url`, which is the one at `address`."""

    def __init__(self, url: str, address: Address, watch: Watch) -> None:
        super().__init__(url)
        self._address, self._watch = address, watch

    def toChannel(self) -> grpc.Channel:
        return WatchedChannel(open_channel(self._address, self._channel_options), self._watch)


class WatchedChannel(grpc.Channel):
    def __init__(self, channel: grpc.Channel, watch: Watch) -> None:
        self._channel = channel
        self._watch = watch

    def unary_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:
        single = _Single(self._channel.unary_unary(method, *args, **kwargs).future, self._watch, not method.endswith(BACKGROUND))
        return (lambda *asked, **more: with_cause(single(*asked, **more))) if method.endswith(DETAILS) else single

    def stream_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return _Single(self._channel.stream_unary(method, *args, **kwargs).future, self._watch)

    def unary_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:
        opened = self._channel.unary_stream(method, *args, **kwargs)

        def call(request: Any, metadata: Any = None) -> _Stream:
            self._watch.refuse_if_lost()
            return _Stream(opened(request, timeout=STREAM_SECONDS, metadata=metadata), self._watch)

        return call

    def stream_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return self._channel.stream_stream(method, *args, **kwargs)

    def subscribe(self, callback: Any, try_to_connect: bool | None = False) -> None:
        self._channel.subscribe(callback, try_to_connect)

    def unsubscribe(self, callback: Any) -> None:
        self._channel.unsubscribe(callback)

    def close(self) -> None:
        self._watch.close()
        self._channel.close()

    def __enter__(self) -> WatchedChannel:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def with_cause(details: Any) -> Any:
    """Puts an error's deepest cause into its message, as a last line.

    Spark's own message often says no more than that a task failed while writing: not that the disk is full.
    """
    if not details.HasField("root_error_idx"):
        return details
    error = root = details.errors[details.root_error_idx]
    for _ in details.errors:
        error = details.errors[error.cause_idx] if error.HasField("cause_idx") else error
    told = error.message.strip().partition("\n")[0]
    if told and told not in root.message:
        kind = error.error_type_hierarchy[0].rpartition(".")[2] if error.error_type_hierarchy else "error"
        root.message = f"{root.message.rstrip()}\nCaused by {kind}: {told}"
    return details


class _Single:
    """A call with one answer. It may take as long as it likes, as long as the server lives."""

    def __init__(self, begin: Callable[..., Any], watch: Watch, counted: bool = True) -> None:
        self._begin = begin
        self._watch = watch
        self._counted = counted

    def __call__(self, request: Any, timeout: float | None = None, metadata: Any = None) -> Any:
        self._watch.refuse_if_lost()
        call = self._begin(request, timeout=timeout, metadata=metadata)
        with self._watch.waiting(call, counted=self._counted):
            try:
                return call.result()
            except (grpc.RpcError, grpc.FutureCancelledError) as error:
                _explain(error, self._watch)
                raise
            except BaseException:
                call.cancel()
                raise


class _Stream:
    """A stream of answers."""

    def __init__(self, call: Any, watch: Watch) -> None:
        self._call = call
        self._watch = watch

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        with self._watch.waiting(self._call):
            try:
                return next(self._call)
            except grpc.RpcError as error:
                _explain(error, self._watch)
                if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                    raise RetryException from error  # pyspark reattaches, from the last answer it got
                raise


def _explain(error: Exception, watch: Watch) -> None:
    """Raises SparkLost if that is what the error means; else the error stands (and pyspark may try again)."""
    watch.refuse_if_lost()
    if not isinstance(error, grpc.RpcError):
        return
    if any(words in (error.details() or "") for words in ENDING):
        watch.ending()
    elif error.code() is grpc.StatusCode.UNAVAILABLE:
        watch.judge()
