"""The background processes of one lake: one JSON file and one log each in `<lake>/services`.

A process is known by its id and its start time together, so that a number given to another process since is never
mistaken for ours, and never killed.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

import psutil

from lakehouse import tables
from lakehouse.errors import LakeError, PortTaken, ServiceError
from lakehouse.settings import Settings

GRACE_SECONDS = 10.0
SAME_START_SECONDS = 2.0  # a clock that was set moves the start times that the system reports
_DYING_SECONDS = 5.0


@dataclass(frozen=True)
class Service:
    """A background process: `created` is its start in seconds since 1970, `log_start` where its part of the log begins."""

    name: str
    pid: int
    created: float
    started_at: str
    log: str
    log_start: int = 0
    port: int | None = None
    url: str | None = None

    @property
    def alive(self) -> bool:
        return self.process() is not None

    def process(self) -> psutil.Process | None:
        """The live process, or None when it ended (a zombie has ended)."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < SAME_START_SECONDS
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None

    def log_text(self, last_bytes: int = 65536) -> str:
        """The end of what this very process wrote into its log."""
        try:
            with Path(self.log).open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(self.log_start, size - last_bytes))
                return file.read().decode(errors="replace")
        except OSError:
            return ""


def folder(settings: Settings) -> Path:
    """`<lake>/services`, made if missing. Raises LakeError when the lake cannot be written."""
    path = settings.root / "services"
    try:
        tables.make_folder(settings.root)
        path.mkdir(exist_ok=True)
    except OSError as error:
        raise _not_writable(settings, error) from None
    return path


def record(
    settings: Settings, name: str, pid: int, *, port: int | None = None, url: str | None = None, log_start: int = 0
) -> Service:
    """Writes down that `pid` is this lake's `name`. Raises ServiceError when there is no such process."""
    try:
        created = psutil.Process(pid).create_time()
    except psutil.Error:
        raise ServiceError(f"{name} ended at once (process {pid})", f"Its log: {log_path(settings, name)}") from None
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    service = Service(name, pid, created, started_at, str(log_path(settings, name)), log_start, port, url)
    path = folder(settings) / f"{name}.json"
    draft = path.with_suffix(f".{os.getpid()}.draft")
    try:
        draft.write_text(json.dumps(asdict(service), indent=1))
        draft.replace(path)
    except OSError as error:
        raise _not_writable(settings, error) from None
    return service


def read(settings: Settings, name: str) -> Service | None:
    """What was written down of `name`, alive or not; None when nothing (readable) was."""
    try:
        facts = json.loads((settings.root / "services" / f"{name}.json").read_text())
        return Service(**{field.name: facts[field.name] for field in fields(Service)})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def all(settings: Settings) -> list[Service]:
    """Every service of this lake that is alive, by name."""
    names = sorted(path.stem for path in (settings.root / "services").glob("*.json"))
    return [service for name in names if (service := read(settings, name)) and service.alive]


def stop(settings: Settings, name: str, grace: float = GRACE_SECONDS) -> bool:
    """Ends `name` with all it started, by force after `grace` seconds, and forgets it. Whether it was alive."""
    service = read(settings, name)
    process = service.process() if service else None
    if process is not None:
        _end(process, grace)
    forget(settings, name)
    return process is not None


def forget(settings: Settings, name: str) -> None:
    """Takes out what was written down of `name`, as one does that ends by itself."""
    (settings.root / "services" / f"{name}.json").unlink(missing_ok=True)


def log_path(settings: Settings, name: str) -> Path:
    return settings.root / "services" / f"{name}.log"


@contextmanager
def lock(settings: Settings, name: str) -> Iterator[None]:
    """Holds off every other process that would start `name` for this lake. Ends with the process that holds it."""
    try:
        with (folder(settings) / f"{name}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
    except PermissionError as error:
        raise _not_writable(settings, error) from None


def spawn(
    settings: Settings,
    name: str,
    argv: Sequence[str],
    *,
    ready: Callable[[], bool],
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    port: int | None = None,
    url: str | None = None,
    timeout: float = 60.0,
) -> Service:
    """Starts `name` detached, with a log of its own, and returns once `ready()`.

    Raises PortTaken before anything starts, ServiceError when it ended or wasn't ready within `timeout` seconds
    (it is ended then).
    """
    if port is not None:
        refuse_taken_port(name, port)
    folder(settings)
    log = log_path(settings, name)
    with log.open("ab") as output:
        log_start = output.tell()
        process = subprocess.Popen(
            argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    service = record(settings, name, process.pid, port=port, url=url, log_start=log_start)
    try:
        _await_ready(service, process, ready, timeout)
    except BaseException:
        stop(settings, name, grace=2.0)
        raise
    process.returncode = 0  # it outlives us: keep Popen from warning that nobody waited for it
    return service


def _await_ready(service: Service, process: subprocess.Popen[bytes], ready: Callable[[], bool], timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while not ready():
        if process.poll() is not None:
            raise ServiceError(
                f"{service.name} ended while it started (exit code {process.returncode}): {last_words(service)}",
                f"Its log: {service.log}",
            )
        if time.monotonic() > deadline:
            raise ServiceError(f"{service.name} was not ready within {timeout:.0f} s", f"Its log: {service.log}")
        time.sleep(0.05)


def last_words(service: Service) -> str:
    """The last line of its log that says something (no stack frame)."""
    lines = [line.strip() for line in service.log_text().splitlines()]
    told = [line for line in lines if line and not line.startswith(("at ", "...", "^", "File "))]
    return told[-1][:300] if told else "it wrote nothing"


def refuse_taken_port(name: str, port: int) -> None:
    """Raises PortTaken, naming who holds it where that can be seen.

    A process that was killed keeps its port for a moment, in which nobody is seen there: that is waited for.
    """
    deadline = time.monotonic() + _DYING_SECONDS
    while (error := _bind_error(port)) is not None:
        known = holder(port)
        if known or time.monotonic() > deadline:
            raise PortTaken(
                f"Port {port}, which {name} should use, cannot be had: {known or error.strerror}",
                "End that process, or choose another port (`lakehouse settings` lists the ports' settings).",
            )
        time.sleep(0.1)


def _bind_error(port: int) -> OSError | None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return error
    return None


def holder(port: int) -> str | None:
    """Which process listens at `port`, in words; None where that cannot be seen."""
    with suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                command = " ".join(psutil.Process(connection.pid).cmdline())[:120]
                return f"process {connection.pid} holds it ({command})"
    return None


def _end(process: psutil.Process, grace: float) -> None:
    """Ends a leader of its own group and everything below it; a stopped one cannot hear a polite request."""
    with suppress(psutil.Error):
        family = [process, *process.children(recursive=True)]
        if process.status() != psutil.STATUS_STOPPED:
            _signal_group(process, signal.SIGTERM)
            psutil.wait_procs([process], timeout=grace)
        _signal_group(process, signal.SIGKILL)
        for member in family:
            with suppress(psutil.Error):
                member.kill()
        psutil.wait_procs(family, timeout=5)


def _signal_group(process: psutil.Process, number: int) -> None:
    """To the whole group where the process leads one (also after the leader's end), else to the process alone."""
    with suppress(ProcessLookupError, PermissionError, psutil.Error):
        if not process.is_running() or os.getpgid(process.pid) == process.pid:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)


def _not_writable(settings: Settings, error: OSError) -> LakeError:
    return LakeError(
        f"The lake {settings.root} cannot be written: {error.strerror or error}",
        "Make it writable for you, or set LAKEHOUSE_ROOT to a folder that is.",
    )
