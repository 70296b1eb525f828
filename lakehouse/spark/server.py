"""One Spark Connect server per lake: started by whoever needs it first, found by all the others."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from lakehouse import services
from lakehouse.errors import ServiceError, SettingsError, SparkLost
from lakehouse.services import Service
from lakehouse.settings import Settings
from lakehouse.spark import jars, java
from lakehouse.spark.ping import Address, Answer, ping

NAME = "spark"
MAIN = "org.apache.spark.sql.connect.service.SparkConnectServer"
START_SECONDS = 60.0
START_ATTEMPTS = 3
REMOTE_SECONDS = 5.0
ANSWER_SECONDS = 3.0
PATIENCE_SECONDS = 8.0  # a busy server is not a stuck one: others may be working on it
# What Spark's own launcher opens; the launcher itself asks for a module that the wheel's Java lacks.
OPENED = (
    "java.base/java.lang", "java.base/java.lang.invoke", "java.base/java.lang.reflect", "java.base/java.io",
    "java.base/java.net", "java.base/java.nio", "java.base/java.util", "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic", "java.base/jdk.internal.ref", "java.base/sun.nio.ch",
    "java.base/sun.nio.cs", "java.base/sun.security.action", "java.base/sun.util.calendar",
    "java.security.jgss/sun.security.krb5",
)  # fmt: skip


@dataclass(frozen=True)
class Server:
    """`url` carries the token; `pid`, `port` and `log` are None for a server that isn't ours; `started`: by this call."""

    url: str
    token: str | None
    pid: int | None
    port: int | None
    log: Path | None
    started: bool
    address: Address


def ensure(settings: Settings) -> Server:
    """The lake's server, started if there is none that answers.

    Raises SparkLost when `settings.spark` cannot be reached, SetupError without Java or jars, ServiceError when the
    server does not start, LakeError when the lake cannot be written.
    """
    if settings.spark:
        return _remote(settings.spark)
    found = running(settings)
    if found:
        return found
    with services.lock(settings, NAME):
        found = running(settings, patience=PATIENCE_SECONDS)
        if found:
            return found
        services.stop(settings, NAME, grace=0.0)
        return _start(settings)


def running(settings: Settings, patience: float = 0.0) -> Server | None:
    """The server if it is alive and answers, asked again for `patience` seconds. A remote one is not asked."""
    if settings.spark:
        address = _address(settings.spark)
        return Server(settings.spark, address.token, None, None, None, started=False, address=address)
    service = services.read(settings, NAME)
    token = _read_token(settings)
    if service is None or token is None or service.port is None or not service.alive:
        return None
    found = _server(service, token, started=False)
    deadline = time.monotonic() + patience
    while ping(found.address, ANSWER_SECONDS) is not Answer.YES:
        if time.monotonic() > deadline or not service.alive:
            return None
        time.sleep(0.2)
    return found


def stop(settings: Settings) -> bool:
    """Ends our server. Whether one was alive."""
    with services.lock(settings, NAME):
        stopped = services.stop(settings, NAME)
        shutil.rmtree(_work_folder(settings), ignore_errors=True)
        return stopped


def _server(service: Service, token: str, *, started: bool) -> Server:
    url = f"sc://localhost:{service.port}/;token={quote(token)}"
    return Server(url, token, service.pid, service.port, Path(service.log), started, Address(f"localhost:{service.port}", token))


def _remote(url: str) -> Server:
    address = _address(url)
    answer = ping(address, REMOTE_SECONDS)
    if answer is Answer.YES:
        return Server(url, address.token, None, None, None, started=False, address=address)
    refused = answer is Answer.REFUSED
    raise SparkLost(
        f"The Spark server {address.endpoint} (LAKEHOUSE_SPARK) "
        + ("refused the token" if refused else f"cannot be reached: no answer within {REMOTE_SECONDS:.0f} s"),
        "Check its address and that it runs, or unset LAKEHOUSE_SPARK to use a server of our own.",
    )


def _address(url: str) -> Address:
    """What pyspark makes of the URL. Raises SettingsError for one it does not understand."""
    from pyspark.errors import PySparkException
    from pyspark.sql.connect.client import DefaultChannelBuilder

    try:
        builder = DefaultChannelBuilder(url)
        # As pyspark does it: a token goes unencrypted only to this machine.
        return Address(builder.endpoint, builder.token, builder.use_ssl or (builder.secure and builder.host != "localhost"))
    except (PySparkException, ValueError) as error:
        raise SettingsError(
            f"LAKEHOUSE_SPARK = {url.split(';')[0]}: {error}", "An address looks like sc://host:15002 or sc://host:443/;token=…"
        ) from None


def _start(settings: Settings) -> Server:
    paths = jars.ensure(settings)
    runtime = java.find()
    token = _new_token(settings)
    for attempt in range(START_ATTEMPTS):
        port = _free_port()
        work = _empty_work_folder(settings)
        try:
            service = services.spawn(
                settings,
                NAME,
                [str(runtime.binary), *_java_options(settings), *_spark_options(settings, port, work), "-cp", _class_path(paths), MAIN],
                env=_environment(token),
                cwd=work,
                port=port,
                url=f"sc://localhost:{port}",
                timeout=START_SECONDS,
                ready=lambda port=port: ping(Address(f"localhost:{port}", token), timeout=1.0) is Answer.YES,
            )
        except ServiceError as error:
            # Between choosing the port and binding it somebody else may have taken it.
            if "BindException" not in error.what or attempt == START_ATTEMPTS - 1:
                raise
            continue
        return _server(service, token, started=True)
    raise AssertionError("unreachable")


def _class_path(paths: list[Path]) -> str:
    return os.pathsep.join([*map(str, paths), f"{jars.pyspark_jars()}/*"])


def _java_options(settings: Settings) -> list[str]:
    opens = [f"--add-opens={package}=ALL-UNNAMED" for package in OPENED]
    return [f"-Xmx{settings.spark_memory}", "-XX:+ExitOnOutOfMemoryError", "-XX:-UsePerfData", *opens]


def _spark_options(settings: Settings, port: int, work: Path) -> list[str]:
    cores = settings.spark_cores or os.cpu_count() or 2
    options = {
        "java.io.tmpdir": work,
        "io.netty.tryReflectionSetAccessible": "true",
        "spark.app.name": "lakehouse",
        "spark.master": f"local[{cores}]",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.local.dir": work,
        "spark.log.level": "WARN",
        "spark.ui.enabled": "false",
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": port,
        # A stream that falls silent is noticed when it should have ended: soon.
        "spark.connect.execute.reattachable.senderMaxStreamDuration": "20s",
        "spark.connect.session.manager.defaultSessionTimeout": "24h",
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.warehouse.dir": work / "warehouse",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.ansi.enabled": "true",
        "spark.sql.shuffle.partitions": 2 * cores,
        "spark.sql.adaptive.enabled": "true",
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": 4,
        # The two that made small writes to Delta four times faster.
        "spark.databricks.delta.snapshotPartitions": 1,
        "spark.sql.artifact.isolation.enabled": "false",
        "spark.databricks.delta.vacuum.parallelDelete.enabled": "true",
    }
    return [f"-D{name}={value}" for name, value in options.items()]


def _environment(token: str) -> dict[str, str]:
    """Ours without what would steer another Spark; the token travels here because `ps` shows arguments."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_"))}
    return environment | {
        "SPARK_CONNECT_AUTHENTICATE_TOKEN": token,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _work_folder(settings: Settings) -> Path:
    return settings.root / "services" / "spark-work"


def _empty_work_folder(settings: Settings) -> Path:
    work = _work_folder(settings)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    return work


def _token_path(settings: Settings) -> Path:
    return settings.root / "services" / "spark.token"


def _read_token(settings: Settings) -> str | None:
    try:
        return _token_path(settings).read_text() or None
    except OSError:
        return None


def _new_token(settings: Settings) -> str:
    """A fresh token in a file that only this user can read, from its first moment on."""
    token = secrets.token_urlsafe(32)
    path = services.folder(settings) / "spark.token"
    draft = path.with_suffix(f".{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(token)
    draft.replace(path)
    return token
