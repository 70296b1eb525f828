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
from lakehouse.spark import archive, catalog, java, launch
from lakehouse.spark.ping import Address, Answer, ping

NAME = "spark"
SETTLE = "spark-settle"
START_SECONDS = 60.0
START_ATTEMPTS = 3
REMOTE_SECONDS = 5.0
ANSWER_SECONDS = 3.0
PATIENCE_SECONDS = 8.0  # a busy server is not a stuck one: others may be working on it


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
        started = _start(settings)
        _settle(settings)
        return started


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
        services.stop(settings, SETTLE, grace=0.0)
        stopped = services.stop(settings, NAME)
        shutil.rmtree(work_folder(settings), ignore_errors=True)
        return stopped


def _server(service: Service, token: str, *, started: bool) -> Server:
    url = f"sc://localhost:{service.port}/;token={quote(token)}"
    return Server(url, token, service.pid, service.port, Path(service.log), started, Address(f"localhost:{service.port}", token))


def _remote(url: str) -> Server:
    address = _address(url)
    answer = ping(address, REMOTE_SECONDS)
    if answer is Answer.YES:
        return Server(url, address.token, None, None, None, started=False, address=address)
    words = {
        Answer.REFUSED: "refused the token",
        Answer.GONE: "cannot be reached: nobody listens there",
        Answer.SILENT: f"does not answer (waited {REMOTE_SECONDS:.0f} s)",
    }
    raise SparkLost(
        f"The Spark server {address.endpoint} (LAKEHOUSE_SPARK) {words[answer]}",
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
    runtime = java.find()
    classes = launch.class_path(settings, runtime)
    token = _new_token(settings)
    for attempt in range(START_ATTEMPTS):
        port = _free_port()
        work = _empty_work_folder(settings)
        try:
            service = services.spawn(
                settings,
                NAME,
                launch.command(settings, runtime, classes, port, work),
                env=launch.environment(token),
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


def _settle(settings: Settings) -> None:
    """Leaves to a process of its own what nobody should wait for: see `lakehouse.spark.settle`."""
    runtime = java.find()
    archived = archive.path(settings, runtime, launch.class_path(settings, runtime)).exists()
    if archived and not catalog.published(settings.root):
        return
    services.stop(settings, SETTLE, grace=0.0)
    text = settings.model_dump_json(exclude={"webhook"})
    services.spawn(settings, SETTLE, [sys.executable, "-m", "lakehouse.spark.settle", text], ready=lambda: True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def work_folder(settings: Settings) -> Path:
    return settings.root / "services" / "spark-work"


def _empty_work_folder(settings: Settings) -> Path:
    work = work_folder(settings)
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
