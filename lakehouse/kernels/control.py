"""Starts, finds and stops the fork process of a lake."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakehouse.errors import ServiceError
from lakehouse.kernels import preload, rendezvous
from lakehouse.kernels.channel import Channel
from lakehouse.settings import Settings

START_SECONDS = 180
STOP_SECONDS = 15
ANSWER_SECONDS = 5
_PACKAGE = Path(__file__).parents[2]


@dataclass(frozen=True)
class ForkProcess:
    """A running fork process; `kernels` are the process ids of those it keeps, `seconds` what importing took."""

    pid: int
    socket: Path
    fingerprint: str
    kernels: tuple[int, ...]
    seconds: float
    started: bool = False


def ensure(settings: Settings, tell: Callable[[str], None] = lambda words: None) -> ForkProcess:
    """The fork process of this lake, started if need be (two at once start one), replaced if its code has changed.

    The first start imports for ten seconds and more: `tell` is given a line to show. Raises ServiceError where warm
    kernels cannot be had here.
    """
    if sys.platform != "linux":
        raise ServiceError("Warm kernels need Linux: elsewhere a fork after these imports is known to crash")
    path, mark = rendezvous.address(settings.root), preload.fingerprint()
    found = _look(path)
    if found and found.fingerprint == mark:
        return found
    with rendezvous.starting(path):
        found = _look(path)
        if found and found.fingerprint == mark:
            return found
        _refuse_known_failure(path, mark)
        tell("lakehouse: importing the libraries for warm kernels, once (10 to 30 s) ...")
        _start(settings.root, path, mark)
        found = _look(path)
    if not found:
        raise ServiceError("The fork process ended right after its start", f"See {_log(settings.root)}")
    return ForkProcess(**{**vars(found), "started": True})


def running(settings: Settings) -> ForkProcess | None:
    """The fork process of this lake, if there is one that answers."""
    return _look(rendezvous.address(settings.root)) if sys.platform == "linux" else None


def stop(settings: Settings) -> bool:
    """Ends the fork process with its kernels and their Spark work; true if there was one."""
    path = rendezvous.address(settings.root)
    if sys.platform != "linux" or (channel := rendezvous.connect(path)) is None:
        return False
    pid = channel.peer()[0]
    with contextlib.closing(channel):
        with contextlib.suppress(OSError):
            channel.send({"do": "stop"})
        deadline = time.monotonic() + STOP_SECONDS
        while (left := deadline - time.monotonic()) > 0 and not _ended(channel, left):
            pass
    # Normally gone by now. It is still ours to kill: the socket was open until a moment ago.
    while _alive(pid):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    return True


def _ended(channel: Channel, timeout: float) -> bool:
    select.select([channel], [], [], timeout)
    try:
        channel.receive()
    except EOFError:
        return True
    return False


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def _look(path: Path) -> ForkProcess | None:
    channel = rendezvous.connect(path)
    if channel is None:
        return None
    with contextlib.closing(channel):
        try:
            channel.send({"do": "hello"})
            facts: dict[str, Any] = channel.ask(ANSWER_SECONDS)
        except (OSError, EOFError):
            return None
        pid = channel.peer()[0]
    return ForkProcess(pid, path, facts["fingerprint"], tuple(facts["kernels"]), facts["seconds"])


def _start(root: Path, path: Path, mark: str) -> None:
    log = _log(root)
    heard, ready = os.pipe()
    try:
        with open(log, "ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "lakehouse.kernels.forkserver", str(root), str(ready)],
                cwd=_PACKAGE,
                env=preload.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[ready],
                start_new_session=True,
            )
        os.close(ready)
        process.wait()
        answered = select.select([heard], [], [], START_SECONDS)[0]
        words = os.read(heard, 4096).decode() if answered else f"no sign of life within {START_SECONDS} s"
    finally:
        os.close(heard)
    if words != "ready":
        words = words or "it ended while importing"
        _failure(path).write_text(f"{mark}\n{words}")
        raise ServiceError(f"Warm kernels cannot be had: {words}", f"See {log}; `lakehouse down` makes it be tried again.")
    _failure(path).unlink(missing_ok=True)


def _log(root: Path) -> Path:
    log = root / "services" / "kernels.log"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
    except OSError:
        return rendezvous.address(root).with_suffix(".log")
    return log


def _failure(path: Path) -> Path:
    return path.with_suffix(".failed")


def _refuse_known_failure(path: Path, mark: str) -> None:
    """What has failed once would fail again, after the same long wait."""
    with contextlib.suppress(FileNotFoundError):
        known, _, words = _failure(path).read_text().partition("\n")
        if known == mark:
            raise ServiceError(f"Warm kernels cannot be had: {words}", "`lakehouse down` makes it be tried again.")
