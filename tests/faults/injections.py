"""The faults, and the moments at which they strike.

A moment is found without any hook in the product: a notebook of the tests makes a file and waits, and what happens
inside `lake.write` is seen from the lake's own files. Whoever shall die is frozen first (SIGSTOP), so that the moment
is exact, and only then killed.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from lakehouse import record, services
from lakehouse.spark import server
from tests.faults.scene import Scene

BEFORE_READING = "before reading"
COMPUTING = "while computing"
BEFORE_COMMIT = "before the commit"
DURING_COMMIT = "during the commit"
BETWEEN_COMMITS = "between the commits"
AFTER_COMMIT = "after the commit"
BEFORE_RECORD = "before the record"
MOMENTS = (BEFORE_READING, COMPUTING, BEFORE_COMMIT, DURING_COMMIT, BETWEEN_COMMITS, AFTER_COMMIT, BEFORE_RECORD)
LATE = (AFTER_COMMIT, BEFORE_RECORD)
"""Moments after which a run that is only asked to end may come to its own end first."""
LONG = 90
"""Seconds that Spark computes where something shall happen meanwhile."""


class Moment:
    """Sets the stage for a run to be caught at `name`; `await_it` returns as soon as the run has come there."""

    def __init__(self, scene: Scene, name: str, factor: int) -> None:
        self._scene, self.name = scene, name
        self._reached: Callable[[], object] = getattr(self, f"_{name.replace(' ', '_')}")
        hold = {BEFORE_READING: BEFORE_READING, BEFORE_RECORD: "written"}.get(name, "")
        scene.control(factor, LONG if name == COMPUTING else 0, hold)
        self._folders = set(scene.run_folders())
        self._versions = scene.versions()
        self._files = set(self._parquet())

    def await_it(self, alive: Callable[[], bool] = lambda: True, seconds: float = 90) -> None:
        deadline = time.monotonic() + seconds
        while not self._reached():
            assert alive() and time.monotonic() < deadline, f"{self.name} was not reached: {self._scene.said()[-2000:]}"
            time.sleep(0.001)
        self._scene.note_session()
        if self.name == COMPUTING:
            time.sleep(1.5)  # the query is sent within this time, and asleep on the server

    def kernel(self) -> int:
        """The process id of the run's kernel (it has signalled before it wrote anything)."""
        told = self._scene.signal(BEFORE_READING)
        assert told is not None
        return int(told["pid"])

    def _before_reading(self) -> object:
        return self._scene.signal(BEFORE_READING)

    def _while_computing(self) -> object:
        return self._scene.signal(COMPUTING)

    def _before_the_commit(self) -> bool:
        """All is audited, and that is saved just before the first commit."""
        result = self._result()
        return result is not None and {check.table for check in result.checks} == {"silver.totals", "silver.things"}

    def _during_the_commit(self) -> bool:
        return bool(set(self._parquet()) - self._files)

    def _between_the_commits(self) -> bool:
        return self._scene.versions()["silver.totals"] > self._versions["silver.totals"]

    def _after_the_commit(self) -> bool:
        return self._scene.versions()["silver.things"] > self._versions["silver.things"]

    def _before_the_record(self) -> object:
        return self._scene.signal("written")

    def _result(self) -> record.Result | None:
        new = [path for path in self._scene.run_folders() if path not in self._folders]
        return record.read_result(new[-1]) if new else None

    def _parquet(self) -> list[str]:
        with suppress(FileNotFoundError):
            return [name for name in os.listdir(self._scene.path("silver.things") / "month=2013-01") if name.endswith(".parquet")]
        return []


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def freeze(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)


def spark_pid(scene: Scene) -> int:
    found = services.read(scene.settings, server.NAME)
    assert found is not None and found.alive
    return found.pid


def step_of(run: int) -> int:
    """The process of a step: forked from the run's process, it shows the same command line."""
    above = psutil.Process(run)
    words = above.cmdline()
    return next(child.pid for child in above.children() if child.status() != psutil.STATUS_ZOMBIE and child.cmdline() == words)


@contextmanager
def slowed(pid: int, share: float) -> Iterator[None]:
    """The process gets about `share` of its time: stopped and continued ten times a second."""
    over = threading.Event()

    def alternate() -> None:
        while not over.is_set():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                over.wait(0.1 * (1 - share))
                os.kill(pid, signal.SIGCONT)
            over.wait(0.1 * share)

    thread = threading.Thread(target=alternate, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Wire:
    """Stands between a client and the Spark server at `port`; `cut` makes it swallow everything, as a dead network does."""

    def __init__(self, port: int) -> None:
        self._to, self._silent = port, threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = [self._listener]
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self._silent.set()

    def close(self) -> None:
        for end in self._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                there = socket.create_connection(("127.0.0.1", self._to))
                self._open += [client, there]
                for source, target in ((client, there), (there, client)):
                    threading.Thread(target=self._carry, args=(source, target), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if not self._silent.is_set():
                    target.sendall(data)
            target.shutdown(socket.SHUT_WR)


def may_mount() -> str:
    """Why a file system cannot be mounted here; empty where it can."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            subprocess.run(["umount", folder], check=True)
        return done.stderr.strip()


@contextmanager
def small_disk(folder: Path, room: int = 4 << 20) -> Iterator[Path]:
    """`folder` lies on a disk of its own that has `room` bytes left; what it holds then is kept afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    held = sum(path.stat().st_size + 8192 for path in folder.rglob("*"))
    with tempfile.TemporaryDirectory() as beside:
        shutil.copytree(folder, beside, dirs_exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={held + room}", "tmpfs", str(folder)], check=True)
        try:
            shutil.copytree(beside, folder, dirs_exist_ok=True)
            yield folder
        finally:
            subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)
            (folder / FILLER).unlink(missing_ok=True)
            shutil.rmtree(beside)
            shutil.copytree(folder, beside)
            subprocess.run(["umount", "-l", str(folder)], check=True)
            shutil.rmtree(folder)
            shutil.copytree(beside, folder)


FILLER = ".filler"


def fill(disk: Path) -> None:
    """Takes all room that a disk has left."""
    with suppress(OSError), (disk / FILLER).open("ab", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def make_room(disk: Path) -> None:
    (disk / FILLER).unlink()


def read_only(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)


def writable(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
