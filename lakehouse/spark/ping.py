"""Does a Spark Connect server answer? Asked without pyspark, on a channel of its own, with a deadline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

import grpc

# Releasing a session with no name is the one request that a server answers at once, checks the token of, keeps
# nothing of, and does not log.
METHOD = "/spark.connect.SparkConnectService/ReleaseSession"
SILENT = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)


class Answer(Enum):
    YES = auto()
    REFUSED = auto()  # it is there, but this token is not its token
    GONE = auto()  # nobody listens there
    SILENT = auto()  # somebody listens and does not answer


@dataclass(frozen=True)
class Address:
    """Where a server listens ("host:port") and what it wants to be told."""

    endpoint: str
    token: str | None = field(default=None, repr=False)
    tls: bool = False


def ping(address: Address, timeout: float) -> Answer:
    """Asks the server at `address`, waiting at most `timeout` seconds."""
    with open_channel(address) as channel:
        return ask(channel, timeout)


def open_channel(address: Address, options: Sequence[tuple[str, Any]] = ()) -> grpc.Channel:
    """A channel as pyspark would open it, but never through a proxy when the server is on this machine."""
    options = [*options, ("grpc.enable_http_proxy", int(not address.endpoint.startswith("localhost:")))]
    if address.tls:
        channel = grpc.secure_channel(address.endpoint, grpc.ssl_channel_credentials(), options=options)
    else:
        channel = grpc.insecure_channel(address.endpoint, options=options)
    return channel if address.token is None else BearingChannel(channel, address.token)


class BearingChannel(grpc.Channel):
    """A channel on which each call carries the token in its headers.

    gRPC's own way, call credentials, keeps a Python object which a thread of gRPC's frees while it holds a lock: where
    another thread closed its channel at that moment, holding Python's, the process stood still for ever (seen at exit).
    """

    def __init__(self, channel: grpc.Channel, token: str) -> None:
        self._channel = channel
        self._header = ("authorization", f"Bearer {token}")

    def unary_unary(self, *args: Any, **kwargs: Any) -> Any:
        return _Bearing(self._channel.unary_unary(*args, **kwargs), self._header)

    def unary_stream(self, *args: Any, **kwargs: Any) -> Any:
        return _Bearing(self._channel.unary_stream(*args, **kwargs), self._header)

    def stream_unary(self, *args: Any, **kwargs: Any) -> Any:
        return _Bearing(self._channel.stream_unary(*args, **kwargs), self._header)

    def stream_stream(self, *args: Any, **kwargs: Any) -> Any:
        return _Bearing(self._channel.stream_stream(*args, **kwargs), self._header)

    def subscribe(self, callback: Any, try_to_connect: bool | None = False) -> None:
        self._channel.subscribe(callback, try_to_connect)

    def unsubscribe(self, callback: Any) -> None:
        self._channel.unsubscribe(callback)

    def close(self) -> None:
        self._channel.close()

    def __enter__(self) -> BearingChannel:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class _Bearing:
    """One method's calls, each with `header` added to its metadata."""

    def __init__(self, call: Any, header: tuple[str, str]) -> None:
        self._call, self._header = call, header

    def __call__(self, request: Any, timeout: float | None = None, metadata: Any = None) -> Any:
        return self._call(request, timeout=timeout, metadata=[*(metadata or ()), self._header])

    def future(self, request: Any, timeout: float | None = None, metadata: Any = None) -> Any:
        return self._call.future(request, timeout=timeout, metadata=[*(metadata or ()), self._header])


def ask(channel: grpc.Channel, timeout: float) -> Answer:
    """One question on an open channel."""
    call = channel.unary_unary(METHOD, request_serializer=bytes, response_deserializer=bytes)
    try:
        call(b"", timeout=timeout)
    except grpc.RpcError as error:
        code = error.code()
        if code is grpc.StatusCode.UNAUTHENTICATED:
            return Answer.REFUSED
        if code is grpc.StatusCode.UNAVAILABLE:
            return Answer.GONE
        return Answer.SILENT if code in SILENT else Answer.YES
    return Answer.YES
