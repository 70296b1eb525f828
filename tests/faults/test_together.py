"""Several at once: two runs of a month, a backfill beside a schedule's run, two first starts, two users; and Ctrl-C."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import grpc
import psutil
import pytest

from lakehouse import kernels, services
from lakehouse.kernels import rendezvous
from lakehouse.spark import server
from tests.faults.conftest import Promise
from tests.faults.report import Report, Row
from tests.faults.rows import by_month, rows
from tests.faults.scene import ROWS, Scene, end, eventually
from tests.faults.test_kills import DAGSTER, NOTEBOOK, again


def test_two_runs_of_one_month(scene: Scene, promise: Promise, factor: int) -> None:
    with promise("two runs of one month at once", "both publish, one after the other; the last stands, whole", "4a") as seen:
        scene.control(factor)
        seen.fault_happened()
        both = [scene.start(*NOTEBOOK) for _ in range(2)]
        assert [end(process) for process in both] == [0, 0], scene.said()
        seen.settled(at_most=2)
        assert seen.advanced["silver.things"] == seen.advanced["silver.totals"] == 2
        seen.rerun(again(scene, factor))


@pytest.mark.faults
def test_a_backfill_beside_a_schedules_run(scene: Scene, promise: Promise, factor: int) -> None:
    with promise("a backfill beside a schedule's run", "both publish; each month is whole", "4b") as seen:
        scene.control(factor)
        seen.fault_happened()
        backfill = scene.start("run", "bronze/things", "silver/things", "--partition", "2013-01..2013-03", "--force")
        schedule = scene.start(*DAGSTER)
        assert [end(backfill, 200), end(schedule, 200)] == [0, 0], scene.said()
        seen.settled(at_most=2)
        found = by_month(rows(scene.path("silver.things")))
        assert {month: len(there) for month, there in found.items()} == dict.fromkeys(("2013-01", "2013-02", "2013-03"), ROWS)
        seen.told()
    _forget_months(scene)


def _forget_months(scene: Scene) -> None:
    """Back to one month, as the other tests know the tables."""
    from lakehouse.spark import session

    spark = session.connect(scene.settings)
    for table in ("bronze.things", "silver.totals", "silver.things"):
        metadata = '{"lakehouse": 1, "partitions": ["2013-02", "2013-03"], "checks": {"passed": 1, "warned": 0}}'
        spark.conf.set("spark.databricks.delta.commitInfo.userMetadata", metadata)
        spark.sql(f"delete from delta.`{scene.path(table)}` where month > '2013-01'")
    spark.stop()


@pytest.mark.faults
def test_two_first_starts(new_scene: Callable[..., Scene], report: Report) -> None:
    first = new_scene("first starts")
    began = time.monotonic()
    both = [first.start("run") for _ in range(2)]
    codes = [end(process, 300) for process in both]
    assert codes == [0, 0], first.said()
    versions = first.versions()
    assert all(0 <= version <= 1 for version in versions.values()), versions
    found = by_month(rows(first.path("silver.things")))
    assert {month: len(there) for month, there in found.items()} == dict.fromkeys(found, ROWS) and len(found) == 3
    counted = [service.name for service in services.all(first.settings)]
    assert counted.count("spark") == counted.count("kernels") == 1
    seconds = time.monotonic() - began
    told = f"both succeeded; versions {', '.join(map(str, versions.values()))}"
    report.add(Row("two first starts at once", "one server, one fork process, whole tables", told, None, seconds, "4c"))


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.faults) for seed in range(2, 13))])
def test_ctrl_c_at_any_moment(scene: Scene, promise: Promise, factor: int, seed: int) -> None:
    after = random.Random(seed).uniform(0.3, 7)
    promised = "ends within seconds, says so; run again"
    with promise(f"Ctrl-C {after:.1f} s after the start", promised, "4d") as seen:
        scene.control(factor)
        process = scene.start(*NOTEBOOK)
        time.sleep(after)
        seen.fault_happened()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        code = end(process, 30)
        seen.told()
        assert code in (0, 130), (code, seen.said)
        assert "Traceback" not in seen.said
        seen.settled()
        seen.rerun(again(scene, factor))
        seen.cause_is_told("cancelled in", "cut short in", may_succeed=True)


OTHER = """
import os, socket, sys
os.setgid(65534)
os.setgroups([])
os.setuid(65534)
refused = []
for path in sys.argv[1:]:
    try:
        if path.endswith(".sock"):
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).connect(path)
        elif os.path.isdir(path):
            os.listdir(path)
        else:
            open(path).read()
        print("reached", path)
    except PermissionError:
        refused.append(path)
print("refused", len(refused))
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can play another user")
def test_another_user(scene: Scene, report: Report) -> None:
    """Of the machine: the token, the kernels' sockets and the lake itself are not theirs, and the server's port is locked."""
    warm = kernels.running(scene.settings)
    spark = server.running(scene.settings)
    assert warm is not None and spark is not None
    kept = [scene.root / "services" / "spark.token", warm.socket, scene.root, scene.path("silver.things")]
    for folder in scene.root.parents:  # pytest closes its own folders to others, and that is not what is asked here
        if folder.stat().st_mode & 0o777 == 0o700:
            folder.chmod(0o711)
    argv = [sys.executable, "-c", OTHER, *map(str, kept)]
    done = subprocess.run(argv, cwd="/", capture_output=True, text=True, check=False)
    assert "reached" not in done.stdout, done.stdout
    assert f"refused {len(kept)}" in done.stdout, (done.stdout, done.stderr)
    with grpc.insecure_channel(f"localhost:{spark.port}", options=[("grpc.enable_http_proxy", 0)]) as channel:
        call = channel.unary_unary(
            "/spark.connect.SparkConnectService/Config", request_serializer=bytes, response_deserializer=bytes
        )
        with pytest.raises(grpc.RpcError) as caught:
            call(b"", timeout=10)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    seen = "token, sockets and lake: permission denied; Spark's port: unauthenticated"
    report.add(Row("another user of this machine", "reaches neither lake, token, kernels nor Spark", seen, None, None, "5c"))


@pytest.mark.faults
def test_fifty_runs(scene: Scene, promise: Promise, factor: int) -> None:
    """Memory, descriptors, threads and sockets of the long-lived processes stand still; a run leaves three small files."""
    with promise("fifty runs one after another", "memory, descriptors and sockets stay flat", "4e") as seen:
        seen.fault_happened()
        measured = []
        for number in range(50):
            scene.control(1 + number % 2)
            assert end(scene.start(*NOTEBOOK)) == 0, seen.said
            if number in (9, 49):
                eventually(lambda: not kernels.running(scene.settings).kernels)  # type: ignore[union-attr]
                measured.append(footprint(scene))
        early, late = measured
        print(early, late)
        seen.settled(at_most=50)
        seen.cause = "; ".join(f"{name} {early[name]:,.0f} → {late[name]:,.0f}" for name in early)
        for name in early:
            assert late[name] <= early[name] * 1.25 + 16, (name, early, late)
        seen.rerun(again(scene, factor))


def footprint(scene: Scene) -> dict[str, float]:
    """What the Spark server and the fork process take, after collecting garbage where that can be asked."""
    found: dict[str, float] = {}
    for name in ("spark", "kernels"):
        service = services.read(scene.settings, name)
        process = service.process() if service else None
        assert isinstance(process, psutil.Process)
        found[f"{name} MiB"] = process.memory_info().rss / 2**20
        found[f"{name} descriptors"] = process.num_fds()
        found[f"{name} threads"] = process.num_threads()
    found["sockets"] = len(list(rendezvous.folder().iterdir()))
    work = scene.root / "services" / "spark-work"
    found["Spark's temporary files"] = sum(1 for path in work.rglob("*") if path.is_file())
    return found
