"""Keeps kernels: starts one for each lease, ends it when the lease ends, tells the client how it ended.

One thread, one loop: the fork process must stay free of threads to be forked at all.
"""

from __future__ import annotations

import contextlib
import glob
import os
import selectors
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from lakehouse.kernels.channel import Channel, Request
from lakehouse.kernels.handover import isolate

TICK = 5.0
Body = Callable[[Request], None]
Refusal = Callable[[dict[str, Any]], dict[str, Any] | None]


def log(words: str) -> None:
    print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {words}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class _Kernel:
    request: Request
    lease: Channel


class Keeper:
    """`kernel` and `aftermath` are what a fresh fork does; `refuse` says why no kernel can be started now."""

    def __init__(self, kernel: Body, aftermath: Body, refuse: Refusal, log: Callable[[str], None] = log) -> None:
        self._kernel = kernel
        self._aftermath = aftermath
        self._refuse = refuse
        self._log = log
        self._kernels: dict[int, _Kernel] = {}
        self._aftermaths: dict[int, str] = {}
        self._listener: socket.socket | None = None
        self._channels: set[Channel] = set()
        self._selector = selectors.DefaultSelector()
        self._stopping = False
        self.facts: dict[str, Any] = {}
        self.idle_since = time.monotonic()
        self._wake = self._watch_signals()

    @property
    def busy(self) -> bool:
        return bool(self._kernels or self._aftermaths)

    def run(self, listener: socket.socket | None = None, on_tick: Callable[[], bool] = lambda: True) -> None:
        """Serves until stopped, or until `on_tick` is false; kernels already running are kept to their end."""
        self._listener = listener
        if listener is not None:
            self._selector.register(listener, selectors.EVENT_READ, lambda: self._accept(listener))
        while self._listener is not None or self.busy:
            for key, _ in self._selector.select(TICK):
                key.data()
            self._reap()
            if self._listener is not None and (self._stopping or not on_tick()):
                self._stop_listening()
            if self._stopping:
                self._end_all()

    def start(self, channel: Channel, message: dict[str, Any]) -> None:
        """Forks a kernel whose lease is `channel` and answers with its process id, or why there is none."""
        files, channel.files = tuple(channel.files), []
        refusal = self._refuse(message) if len(files) == 2 else {"error": "a kernel needs its stdout and stderr"}
        if refusal is None:
            request = Request.parse(message)
            pid = self._fork(self._kernel, request, files)
            self._kernels[pid] = _Kernel(request, channel)
            self._log(f"kernel {pid} started, session {request.session}")
        for number in files:
            os.close(number)
        self._tell(channel, refusal or {"pid": pid})
        self._watch(channel)

    def _watch_signals(self) -> tuple[socket.socket, socket.socket]:
        wake, waker = socket.socketpair()
        wake.setblocking(False)
        waker.setblocking(False)
        signal.set_wakeup_fd(waker.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "_stopping", True))
        self._selector.register(wake, selectors.EVENT_READ, lambda: wake.recv(4096))
        return wake, waker

    def _watch(self, channel: Channel) -> None:
        if channel not in self._channels:
            self._channels.add(channel)
            self._selector.register(channel, selectors.EVENT_READ, lambda: self._hear(channel))

    def _accept(self, listener: socket.socket) -> None:
        try:
            connection, _ = listener.accept()
        except BlockingIOError:
            return
        channel = Channel(connection)
        if channel.peer()[1] != os.getuid():
            channel.close()
            return
        self._watch(channel)

    def _hear(self, channel: Channel) -> None:
        try:
            for message in channel.receive():
                self._answer(channel, message)
        except (EOFError, ValueError, KeyError, TypeError) as error:
            if not isinstance(error, EOFError):
                self._log(f"a client spoke nonsense: {error!r}")
            self._forget(channel)

    def _answer(self, channel: Channel, message: dict[str, Any]) -> None:
        if message["do"] == "start":
            self.start(channel, message)
        else:
            self._tell(channel, {"kernels": sorted(self._kernels), **self.facts})

    def _forget(self, channel: Channel) -> None:
        """The client is gone, willingly or not: so is its kernel."""
        self._selector.unregister(channel)
        self._channels.discard(channel)
        channel.close()
        for pid, kernel in self._kernels.items():
            if kernel.lease is channel:
                self._log(f"kernel {pid}: its client is gone")
                _kill(pid)

    def _tell(self, channel: Channel, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # its end is heard by the selector
            channel.send(message)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._ended(pid, os.waitstatus_to_exitcode(status))

    def _ended(self, pid: int, code: int) -> None:
        if (kernel := self._kernels.pop(pid, None)) is None:
            if code:
                self._log(f"stopping the Spark work of session {self._aftermaths[pid]} did not succeed ({code})")
            self._aftermaths.pop(pid, None)
        else:
            _kill(pid)  # what it has started and left behind
            _remove_sockets(kernel.request)
            self._log(f"kernel {pid} ended with {code}")
            self._tell(kernel.lease, {"ended": code})
            fork = self._fork(self._aftermath, replace(kernel.request, cwd="/", memory=None), (1, 2))
            self._aftermaths[fork] = kernel.request.session
        self.idle_since = time.monotonic()

    def _fork(self, body: Body, request: Request, files: tuple[int, ...]) -> int:
        keeper = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            _run_to_exit(lambda: (isolate(request, keeper, files), self._let_go(), body(request)))
        return pid

    def _let_go(self) -> None:
        """In a fork: the leases and the listener are the keeper's alone."""
        self._selector.close()
        for end in (*self._wake, *([self._listener] if self._listener else ()), *self._channels):
            end.close()

    def _stop_listening(self) -> None:
        assert self._listener is not None
        self._selector.unregister(self._listener)
        self._listener.close()
        self._listener = None

    def _end_all(self) -> None:
        for pid in self._kernels:
            _kill(pid)


def _run_to_exit(body: Callable[[], Any]) -> None:
    """Runs `body` in a fork and leaves as a Python process does, without the parent's stack."""
    import atexit
    import threading

    code = 1
    try:
        body()
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            threading._shutdown()  # type: ignore[attr-defined]
            atexit._run_exitfuncs()
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _remove_sockets(request: Request) -> None:
    """The client does so too, if it still can."""
    for name in glob.glob(f"{glob.escape(request.sockets)}-[0-9]*") if request.sockets else ():
        with contextlib.suppress(OSError):
            os.unlink(name)
