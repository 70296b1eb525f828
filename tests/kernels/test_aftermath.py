from __future__ import annotations

import os
import signal
import time

import grpc
import pytest
from pyspark.sql.connect.proto import GetStatusRequest, UserContext
from pyspark.sql.connect.proto.base_pb2_grpc import SparkConnectServiceStub

from lakehouse import kernels
from lakehouse.kernels import rendezvous
from lakehouse.spark import server, session
from lakehouse.spark.ping import open_channel
from tests import work

OPEN = """
    import os
    from lakehouse import settings
    from lakehouse.spark.session import connect

    spark = connect(settings.load(), os.environ["LAKEHOUSE_SESSION"])
    print(spark.sql("select 1 + 1 as two").first().two)
"""
LONG = "spark.sql('select max(hash(id)) from range(0, 10000000000000, 1, 64)').collect()"


@pytest.fixture
def engine(place):
    yield server.ensure(place.settings)
    server.stop(place.settings)


def _operations(engine: server.Server, session_id: str) -> list[int] | None:
    """The states of what the session has run and runs; None once the server has closed it."""
    everything = GetStatusRequest.OperationStatusRequest()
    user = UserContext(user_id=session._user())
    request = GetStatusRequest(session_id=session_id, user_context=user, operation_status=everything)
    with open_channel(engine.address) as channel:
        try:
            return [status.state for status in SparkConnectServiceStub(channel).GetStatus(request).operation_statuses]
        except grpc.RpcError as error:
            assert "SESSION_CLOSED" in error.details(), error.details()
            return None


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["warm", "cold", "fork process killed"])
def test_the_spark_session_of_a_killed_kernel_is_ended(place, kernel, engine, eventually, monkeypatch, tmp_path, kind):
    tmp_path.chmod(0o755)
    with monkeypatch.context() as patch:
        if kind == "cold":
            patch.setattr(rendezvous, "folder", lambda: rendezvous.private_folder(tmp_path))
        started = kernel()
    assert bool(started.provisioner.cold_reason) == (kind == "cold")
    assert started.run(OPEN) == "2"
    before = _operations(engine, started.provisioner.session)
    started.client.execute(LONG)
    assert eventually(lambda: len(_operations(engine, started.provisioner.session)) > len(before), 30)
    fork = kernels.running(place.settings)
    os.kill(fork.pid if kind == "fork process killed" else started.provisioner.pid, signal.SIGKILL)
    assert eventually(lambda: not started.manager.is_alive(), 3)
    assert eventually(lambda: _operations(engine, started.provisioner.session) is None, 30)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [0, 2], ids=["alone", "beside two busy processes"])
def test_the_query_of_a_kernel_killed_at_any_moment_is_ended(place, kernel, engine, eventually, processes):
    with work.load(processes):
        for seconds in (0.0, 0.2, 0.5, 1.0, 2.0):
            started = kernel()
            assert started.run(OPEN) == "2"
            started.client.execute(LONG)
            time.sleep(seconds)
            os.kill(started.provisioner.pid, signal.SIGKILL)
            assert eventually(lambda killed=started: _operations(engine, killed.provisioner.session) is None, 30)
            assert work.becomes_idle(place.settings, 10), f"its query goes on after an end {seconds} s after the start"
