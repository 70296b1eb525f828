from __future__ import annotations

import os
import signal

import psutil
import pytest

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
@pytest.mark.parametrize("kind", ["warm", "cold"])
def test_the_query_of_a_killed_kernel_is_stopped(place, kernel, engine, eventually, monkeypatch, tmp_path, kind):
    tmp_path.chmod(0o755)
    with monkeypatch.context() as patch:
        if kind == "cold":
            patch.setattr(rendezvous, "folder", lambda: rendezvous.private_folder(tmp_path))
        started = kernel()
    assert bool(started.provisioner.cold_reason) == (kind == "cold")
    assert started.run(OPEN) == "2"
    started.client.execute(LONG)
    assert eventually(lambda: engine.cpu_percent(0.5) > 50, 20)
    os.kill(started.provisioner.pid, signal.SIGKILL)
    # It would go on for minutes.
    assert eventually(lambda: engine.cpu_percent(1.0) < 20, 15)
