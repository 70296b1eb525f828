"""The client's side of a kernel: to hold the lease is to keep the kernel alive."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lakehouse.errors import ServiceError
from lakehouse.kernels import control, preload, rendezvous
from lakehouse.kernels.channel import Channel, Request
from lakehouse.settings import Settings

_FORK_SECONDS = 20
_PACKAGE = Path(__file__).parents[2]


class Lease:
    """A running kernel, `pid`, which leads a process group of its own. Closing the lease kills the group."""

    def __init__(self, channel: Channel, pid: int, request: Request, warm: bool) -> None:
        self._channel = channel
        self._request = request
        self._code: int | None = None
        self.pid = pid
        self.warm = warm

    def poll(self) -> int | None:
        """None while the kernel runs, then its exit code, or minus the signal that ended it. Costs one system call."""
        if self._code is None:
            try:
                self._code = next((message["ended"] for message in self._channel.receive() if "ended" in message), None)
            except EOFError:
                # The keeper was killed. The kernel dies with it, but what the kernel has started does not.
                self._code = -int(signal.SIGKILL)
                self._signal_group(signal.SIGKILL)
                _run_apart("aftermath", env=self._request.env)
        return self._code

    def signal(self, number: int) -> None:
        """To the whole group; nothing happens where the kernel has ended."""
        if self.poll() is None:
            self._signal_group(number)

    def _signal_group(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def close(self) -> None:
        self._channel.close()


def warm(settings: Settings, request: Request, files: tuple[int, int], tell: Callable[[str], None]) -> Lease:
    """A kernel forked from this lake's fork process. Raises ServiceError, saying why, where that is not possible."""
    for _ in range(2):
        process = control.ensure(settings, tell)
        channel = rendezvous.connect(process.socket)
        if channel is None:
            continue  # it has ended in between
        answer = _ask(channel, request.message(fingerprint=preload.fingerprint()), files)
        if "pid" in answer:
            return Lease(channel, answer["pid"], request, warm=True)
        channel.close()
        if "error" in answer:
            raise ServiceError(answer["error"])
    raise ServiceError("the fork process did not stay", "See services/kernels.log in the lake.")


def cold(request: Request, files: tuple[int, int]) -> Lease:
    """An ordinary kernel, under a keeper of its own. Raises ServiceError where not even that can be started."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with theirs:
        _run_apart("cold", str(theirs.fileno()), pass_fds=[theirs.fileno()])
    channel = Channel(ours)
    answer = _ask(channel, request.message(), files)
    if "pid" not in answer:
        channel.close()
        raise ServiceError(f"No kernel could be started: {answer['error']}")
    return Lease(channel, answer["pid"], request, warm=False)


def _ask(channel: Channel, message: dict[str, object], files: tuple[int, int]) -> dict[str, object]:
    try:
        channel.send(message, files)
        return channel.ask(_FORK_SECONDS)
    except (OSError, EOFError) as error:
        return {"error": f"the keeper of kernels did not answer ({error or 'it ended'})"}


def _run_apart(module: str, *arguments: str, **options: Any) -> None:
    """Starts a process that may outlive this one and is never waited for."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"lakehouse.kernels.{module}", *arguments],
        cwd=_PACKAGE,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        **options,
    )
    process.returncode = 0  # else Python warns of a process still running
