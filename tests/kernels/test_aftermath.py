from __future__ import annotations

import os
import signal

import psutil
import pytest

from lakehouse import kernels
from lakehouse.kernels import rendezvous
from lakehouse.spark import server

OPEN = """
    import os
    from lakehouse import settings
    from lakehouse.spark.session import connect

    spark = connect(settings.load(), os.environ["LAKEHOUSE_SESSION"])
    print(spark.sql("select 1 + 1 as two").first().two)
"""
LONG = "spark.sql('select max(hash(a.id, b.id)) from range(10000000) a cross join range(1000000) b').collect()"


@pytest.fixture
def engine(place):
    yield psutil.Process(server.ensure(place.settings).pid)
    server.stop(place.settings)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["warm", "cold", "fork process killed"])
def test_the_query_of_a_killed_kernel_is_stopped(place, kernel, engine, eventually, monkeypatch, tmp_path, kind):
    tmp_path.chmod(0o755)
    with monkeypatch.context() as patch:
        if kind == "cold":
            patch.setattr(rendezvous, "folder", lambda: rendezvous.private_folder(tmp_path))
        started = kernel()
    assert bool(started.provisioner.cold_reason) == (kind == "cold")
    assert started.run(OPEN) == "2"
    before = _cpu_seconds(engine)
    started.client.execute(LONG)
    assert eventually(lambda: _cpu_seconds(engine) - before > 0.5, 60)
    fork = kernels.running(place.settings)
    os.kill(fork.pid if kind == "fork process killed" else started.provisioner.pid, signal.SIGKILL)
    assert eventually(lambda: not started.manager.is_alive(), 3)
    # It would go on for minutes.
    assert eventually(lambda: engine.cpu_percent(1.0) < 10, 30)


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system
