"""Starts, finds and stops the fork process of a lake."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from lakehouse import services
from lakehouse.errors import LakeError, ServiceError
from lakehouse.kernels import preload, rendezvous
from lakehouse.settings import Settings

NAME = "kernels"
MODULE = "lakehouse.kernels.forkserver"
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
    with _alone(settings):
        found = _look(path)
        if found and found.fingerprint == mark:
            return found
        _refuse_known_failure(path, mark)
        tell("lakehouse: importing the libraries for warm kernels, once (10 to 30 s) ...")
        log = _log(settings)
        _start(settings.root, path, mark, log)
        found = _look(path)
    if not found:
        raise ServiceError("The fork process ended right after its start", f"See {log}")
    with contextlib.suppress(LakeError):  # a lake that cannot be written to can still be read by a kernel
        services.record(settings, NAME, found.pid)
    return ForkProcess(**{**vars(found), "started": True})


@contextlib.contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    with contextlib.ExitStack() as held:
        # Where the lake cannot be written, two at once may start two: the later one replaces the other.
        with contextlib.suppress(LakeError, OSError):
            held.enter_context(services.lock(settings, NAME))
        yield


def running(settings: Settings) -> ForkProcess | None:
    """The fork process of this lake, if there is one that answers."""
    if sys.platform != "linux":
        return None
    try:
        return _look(rendezvous.address(settings.root))
    except ServiceError:
        return None  # whatever listens in a folder that is not ours alone


def stop(settings: Settings) -> bool:
    """Ends the fork process with its kernels and their Spark work, and replaced ones too; true if there was any."""
    processes = _fork_processes(settings.root)
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    while alive := [process for process in processes if _alive(process)]:
        time.sleep(0.02)
        for process in alive if time.monotonic() > deadline else []:
            with contextlib.suppress(psutil.Error):
                process.kill()  # Linux then kills its kernels
    with contextlib.suppress(ServiceError):
        path = rendezvous.address(settings.root)
        for file in (path, failure_note(path)):
            file.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        services.stop(settings, NAME)
    return bool(processes)


def _fork_processes(root: Path) -> list[psutil.Process]:
    """All of this lake's, also those that a newer one has replaced and that only wait for their kernels to end."""
    found = {}
    for process in psutil.process_iter(["cmdline", "ppid", "uids"]):
        facts = process.info
        if (facts["cmdline"] or [])[1:4] == ["-m", MODULE, str(root)] and facts["uids"].real == os.getuid():
            found[process.pid] = process
    # A kernel still shows the command line that it was forked from.
    return [process for process in found.values() if process.info["ppid"] not in found]


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


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


def _start(root: Path, path: Path, mark: str, log: Path) -> None:
    heard, ready = os.pipe()
    try:
        with open(log, "ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", MODULE, str(root), mark, str(ready)],
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
        failure_note(path).write_text(f"{mark}\n{words}")
        raise ServiceError(f"Warm kernels cannot be had: {words}", f"See {log}; `lakehouse down` makes it be tried again.")
    failure_note(path).unlink(missing_ok=True)


def _log(settings: Settings) -> Path:
    try:
        services.folder(settings)
        log = services.log_path(settings, NAME)
        log.touch()
    except (LakeError, OSError):
        return rendezvous.address(settings.root).with_suffix(".log")
    return log


def failure_note(path: Path) -> Path:
    """Where it is noted why no fork process could be had for this socket."""
    return path.with_suffix(".failed")


def _refuse_known_failure(path: Path, mark: str) -> None:
    """What has failed once would fail again, after the same long wait."""
    with contextlib.suppress(FileNotFoundError):
        known, _, words = failure_note(path).read_text().partition("\n")
        if known == mark:
            raise ServiceError(f"Warm kernels cannot be had: {words}", "`lakehouse down` makes it be tried again.")
