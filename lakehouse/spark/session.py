"""Sessions on the lake's Spark server, over Spark Connect. Nothing here ever starts a JVM in this process."""

from __future__ import annotations

import atexit
import logging
import os
import pwd
from collections import deque
from typing import TYPE_CHECKING, Any

from lakehouse import services
from lakehouse.settings import Settings
from lakehouse.spark import server
from lakehouse.spark.ping import open_channel
from lakehouse.spark.watch import Stopwatch, Watch

if TYPE_CHECKING:
    from pyspark.sql.connect.dataframe import DataFrame
    from pyspark.sql.connect.session import SparkSession

INTERRUPT_SECONDS = 10.0
# Five tries within nine seconds, for a server that is there but was not reached; a lost one is told at once.
RETRIES = {"max_retries": 5, "initial_backoff": 50, "backoff_multiplier": 4.0, "max_backoff": 4000, "max_server_retry_delay": 4000}

_stopwatch = Stopwatch()
_open: dict[str, tuple[SparkSession, Watch]] = {}
_unneeded: deque[Any] = deque()


def connect(settings: Settings, session_id: str | None = None) -> SparkSession:
    """A session of its own on the lake's server (started if needed): temp views and settings are nobody else's.

    Asked again for a `session_id` (a UUID) that is open in this process and not lost, returns the same session.
    Raises SparkLost, and so does every later call on the session once the server is lost.
    """
    if session_id and session_id in _open:
        session, watch = _open[session_id]
        if not watch.over and not session.is_stopped and server.running(settings):
            return session
        _forget(session_id)
    return _new_session(settings, server.ensure(settings), session_id)


def close(session_id: str) -> None:
    """Ends a session of this process, if it is open."""
    if session_id in _open:
        _forget(session_id)


def checkpoint(frame: DataFrame) -> DataFrame:
    """`frame` computed once and kept on the server."""
    _free_unneeded()
    method = type(frame).localCheckpoint
    # Past what notes a notebook's own checkpoints (`lakehouse.spark.columns`): a write's columns are told already.
    return at_home(frame, getattr(method, "__wrapped__", method)(frame, eager=True))


def at_home(frame: DataFrame, computed: DataFrame) -> DataFrame:
    """A checkpoint in the session of its `frame`: pyspark would look for it in the active one."""
    computed._plan._spark_session = frame.sparkSession
    return type(frame)(computed._plan, frame.sparkSession)


def _free_later() -> None:
    """pyspark frees a checkpoint in a finalizer, by a call to the server from wherever the garbage collector happens
    to run. Where that is inside gRPC, whose lock is not reentrant, the process stands still for ever (seen). So the
    finalizer only notes what is unneeded, and the next checkpoint frees it; the session's end frees the rest."""
    from pyspark.sql.connect.plan import CachedRemoteRelation

    if not hasattr(CachedRemoteRelation, "free_on_server"):
        CachedRemoteRelation.free_on_server = CachedRemoteRelation.__del__
        CachedRemoteRelation.__del__ = lambda relation: _unneeded.append(relation)


def _free_unneeded() -> None:
    while _unneeded:
        relation = _unneeded.popleft()
        session, watch = _open.get(relation._spark_session.session_id, (None, None))
        if session is not None and watch is not None and not watch.lost:
            relation.free_on_server()


def spark_seconds() -> float:
    """Wall seconds this process has spent waiting for Spark so far."""
    return _stopwatch.seconds


def interrupt(settings: Settings, session_id: str) -> None:
    """Stops all work of a session, whoever opened it, and releases it. No server: nothing to stop."""
    from pyspark.sql.connect.proto import InterruptRequest, ReleaseSessionRequest, UserContext
    from pyspark.sql.connect.proto.base_pb2_grpc import SparkConnectServiceStub

    found = server.running(settings)
    if found is None:
        return
    user = UserContext(user_id=_user())
    with open_channel(found.address) as channel:
        stub = SparkConnectServiceStub(channel)  # type: ignore[no-untyped-call]
        everything = InterruptRequest.InterruptType.INTERRUPT_TYPE_ALL
        request = InterruptRequest(session_id=session_id, user_context=user, interrupt_type=everything)
        _tolerant(stub.Interrupt, request)
        _tolerant(stub.ReleaseSession, ReleaseSessionRequest(session_id=session_id, user_context=user))


def _new_session(settings: Settings, found: server.Server, session_id: str | None) -> SparkSession:
    from pyspark.sql.connect.client.retries import DefaultPolicy
    from pyspark.sql.connect.session import SparkSession

    from lakehouse.spark.channel import WatchedBuilder

    # pyspark.sql.functions look here to learn that there is no JVM in this process.
    os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"
    service = None if settings.spark else services.read(settings, server.NAME)
    watch = Watch(found.address, service, _stopwatch)
    builder = WatchedBuilder(found.url, found.address, watch)
    builder.set(builder.PARAM_USER_ID, _user())
    if session_id:
        builder.set(builder.PARAM_SESSION_ID, session_id)
    _retire_lost()
    _keep_errors_short()
    _free_later()
    session = SparkSession.builder.channelBuilder(builder).create()
    session.client.set_retry_policies([DefaultPolicy(**RETRIES)])
    if not _open:
        atexit.register(_release_all)
    _open[session.session_id] = session, watch
    return session


def _keep_errors_short() -> None:
    """pyspark also logs each error it raises, as JSON on stderr with every frame: what is raised says it all."""
    from pyspark.logger import PySparkLogger

    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger", "pyspark.sql.connect.logging"):
        PySparkLogger.getLogger(name).setLevel(logging.CRITICAL)


def _retire_lost() -> None:
    """A lost session must not stay pyspark's default, which others find by `SparkSession.getActiveSession()`."""
    for session_id, (session, watch) in list(_open.items()):
        if watch.over or session.is_stopped:
            _forget(session_id)


def _forget(session_id: str) -> None:
    session, watch = _open.pop(session_id)
    session.release_session_on_close = not watch.over
    session.stop()


def _release_all() -> None:
    for session_id in list(_open):
        _forget(session_id)


def _user() -> str:
    """Sessions are found by user and id, so the user must not depend on a process's environment."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _tolerant(call: object, request: object) -> None:
    """A session that is already gone, or a server that just went, has no work left to stop."""
    import grpc

    try:
        call(request, timeout=INTERRUPT_SECONDS)  # type: ignore[operator]
    except grpc.RpcError:
        return
