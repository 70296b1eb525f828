"""Does a Spark Connect server answer? Asked without pyspark, on a channel of its own, with a deadline."""

from __future__ import annotations

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


def open_channel(address: Address) -> grpc.Channel:
    """A channel as pyspark would open it, but never through a proxy when the server is on this machine."""
    options: list[tuple[str, Any]] = [("grpc.enable_http_proxy", int(not address.endpoint.startswith("localhost:")))]
    if address.token is None and not address.tls:
        return grpc.insecure_channel(address.endpoint, options=options)
    credentials = grpc.ssl_channel_credentials() if address.tls else grpc.local_channel_credentials()
    if address.token is not None:
        credentials = grpc.composite_channel_credentials(credentials, grpc.access_token_call_credentials(address.token))
    return grpc.secure_channel(address.endpoint, credentials, options=options)


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
