"""What holds whatever happens: checked the same way around every fault.

with invariants.watched(scene, clean) as seen:      # a reader polls from here on
    … inject a fault …
    seen.fault_happened()
    seen.rerun(lambda: …)                            # seconds to recover end when this has succeeded
seen.row                                             # what the suite's table says of it
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import nbformat
import psutil

from lakehouse import deltalog, kernels, record, services
from lakehouse.kernels import rendezvous
from lakehouse.spark import server, session
from lakehouse.spark.ping import open_channel
from tests.faults.rows import by_month, content, rows, stray_files
from tests.faults.scene import ROWS, TABLES, Scene, eventually

WRITTEN = ("silver.totals", "silver.things")
PATIENCE = 40.0
"""Seconds until nothing may be left: a kernel's aftermath waits for its work to settle before it interrupts it."""


class Reader(threading.Thread):
    """Polls the tables all the time; what it saw that was not whole and checked is in `wrong`."""

    def __init__(self, scene: Scene, every: float = 0.05) -> None:
        super().__init__(daemon=True)
        self._every = every
        self._paths = {table: scene.path(table) for table in TABLES}
        self._over = threading.Event()
        self.wrong: list[str] = []
        self.polls = 0
        self.versions: set[tuple[str, int]] = set()

    def run(self) -> None:
        while not self._over.wait(self._every):
            for table, path in self._paths.items():
                self._look(table, path)
            self.polls += 1

    def end(self) -> None:
        self._over.set()
        self.join()

    def _look(self, table: str, path: Path) -> None:
        try:
            version = deltalog.latest(path)
            if version is None or ((table, version) in self.versions and self.polls % 20):
                return
            self.versions.add((table, version))
            self.wrong += [f"{table} version {version}: {what}" for what in wrong(table, path, version)]
        except Exception as error:
            self.wrong.append(f"{table}: {type(error).__name__}: {error}")


def wrong(table: str, path: Path, version: int) -> list[str]:
    """What is not whole, or not checked, in a version."""
    told = []
    ours = deltalog.commit(path, version).ours
    if ours is None or not ours["checks"]["passed"] or ours["checks"]["warned"]:
        told.append("its commit names no checks that passed")
    for month, found in by_month(rows(path, version)).items():
        expected = 1 if table == "silver.totals" else ROWS
        if len(found) != expected:
            told.append(f"{month} has {len(found)} rows of {expected}")
        if len({row.get("made_by") for row in found}) > 1:
            told.append(f"{month} has rows of several runs")
    return told


@dataclass
class Seen:
    """What was seen around one fault."""

    scene: Scene
    clean: dict[str, str]
    before: dict[str, int]
    folders: set[Path]
    reader: Reader
    silent: int
    stray_before: int
    struck: float = 0.0
    told_after: float | None = None
    recovered_after: float | None = None
    advanced: dict[str, int] = field(default_factory=dict)
    cause: str = ""
    patience: float = PATIENCE

    def fault_happened(self) -> None:
        """Seconds are counted from here."""
        self.struck = time.monotonic()

    def told(self) -> None:
        """The command, or the page, has said how it ended."""
        self.told_after = time.monotonic() - self.struck

    def settled(self, at_most: int = 1) -> None:
        """After the fault and before the rerun: every table advanced once or not at all (`at_most` by so many runs)."""
        self.advanced = {table: now - self.before[table] for table, now in self.scene.versions().items()}
        assert all(0 <= steps <= at_most for steps in self.advanced.values()), self.advanced

    def rerun(self, run: Callable[[], int]) -> None:
        """Runs again; it succeeds, each table advances by exactly one, and holds what a clean run would have left."""
        code = run()
        self.recovered_after = time.monotonic() - self.struck
        assert code == 0, self.said[-3000:]
        now = self.scene.versions()
        for table in WRITTEN:
            # What a killed run had asked of Spark just before may come to its end a moment later.
            late = now[table] - self.before[table] - self.advanced[table] - 1
            assert late == 0 or (late == 1 and not self.advanced[table]), (table, self.before, self.advanced, now)
            self.advanced[table] += late
        assert {table: content(self.scene.path(table)) for table in self.clean} == self.clean

    def cause_is_told(self, *words: str, may_succeed: bool = False) -> None:
        """Every run that began since has ended with a record, and those that did not succeed say why in their notebook."""
        begun = sorted(path for path in self.scene.run_folders() if path not in self.folders)
        assert begun, "no run has begun"
        ended = [record.RunRecord.read(path) for path in begun]  # FileNotFoundError: a run without an ending
        broken = [one for one in ended if one.status != "succeeded"]
        assert broken or may_succeed, [one.status for one in ended]
        for one in broken:
            assert one.notebook is not None and one.notebook.name == record.NOTEBOOK, one
            first = nbformat.read(one.notebook, as_version=4).cells[0].source
            assert all(line in first for line in one.cause.splitlines()), first
            assert any(word in one.cause for word in words), one.cause
        self.cause = _telling(broken[-1].cause.splitlines(), words) if broken else ""

    @property
    def said(self) -> str:
        """What the commands have said since."""
        return self.scene.said()[self.silent :]

    @property
    def stray(self) -> int:
        """How many more data files than before lie in the tables that no version knows."""
        return stray(self.scene) - self.stray_before


def _telling(lines: list[str], words: tuple[str, ...]) -> str:
    """A cause's first line, and the one that tells the reason where that is another."""
    line = next(line for line in lines if any(word in line for word in words))
    return lines[0] if line == lines[0] else f"{lines[0]} … {line}"


def stray(scene: Scene) -> int:
    return sum(len(stray_files(scene.path(table))) for table in TABLES)


@contextmanager
def watched(scene: Scene, clean: dict[str, str]) -> Iterator[Seen]:
    """A reader polls meanwhile; afterwards it must have seen only whole, checked versions, and nothing is left behind."""
    seen = Seen(scene, clean, scene.versions(), set(scene.run_folders()), Reader(scene), len(scene.said()), stray(scene))
    sockets = set(rendezvous.folder().iterdir())
    seen.reader.start()
    try:
        yield seen
    except BaseException:
        scene.end_started()
        raise
    finally:
        seen.reader.end()
    assert not seen.reader.wrong, seen.reader.wrong
    assert seen.reader.polls > 5
    eventually(lambda: not left_behind(scene, sockets), seen.patience, every=0.3)
    left = left_behind(scene, sockets)
    assert not left, "; ".join(left)


def left_behind(scene: Scene, sockets: set[Path]) -> list[str]:
    """Processes, locks, files and Spark sessions that should be gone."""
    left = [*stray_processes(scene), *held_locks(scene), *drafts(scene), *stray_sockets(scene, sockets)]
    return left or open_sessions(scene)


def stray_processes(scene: Scene) -> list[str]:
    """Processes of this lake that are neither its services nor what these have started to serve."""
    known = {os.getpid()}
    for service in services.all(scene.settings):
        known.add(service.pid)
        if service.name != "kernels" and (process := service.process()):
            known |= {child.pid for child in process.children(recursive=True)}
    found = [f"process {one.pid}: {' '.join(one.info['cmdline'])[:200]}" for one in processes(scene) if one.pid not in known]
    warm = kernels.running(scene.settings)
    return found + [f"kernel {pid}" for pid in (warm.kernels if warm else ())]


def processes(scene: Scene) -> Iterator[psutil.Process]:
    """All that work in the scene's folder, name it, or have its lake in their environment."""
    home, root = str(scene.project.parent), str(scene.root)
    for process in psutil.process_iter(["cmdline", "status", "cwd", "environ"]):
        command, folder = " ".join(process.info["cmdline"] or []), process.info["cwd"] or ""
        names = home in command or root in command or folder.startswith((home, root))
        if process.info["status"] != psutil.STATUS_ZOMBIE and (
            names or (process.info["environ"] or {}).get("LAKEHOUSE_ROOT") == root
        ):
            yield process


def open_sessions(scene: Scene) -> list[str]:
    """Spark sessions that the server still keeps, of those it had: a closed one cannot be asked to interrupt nothing."""
    from pyspark.sql.connect.proto import InterruptRequest, UserContext
    from pyspark.sql.connect.proto.base_pb2_grpc import SparkConnectServiceStub

    found = server.running(scene.settings)
    if found is None:
        return []
    user, by_tag = UserContext(user_id=session._user()), InterruptRequest.InterruptType.INTERRUPT_TYPE_TAG
    scene.note_session()
    kept = []
    with open_channel(found.address) as channel:
        stub = SparkConnectServiceStub(channel)  # type: ignore[no-untyped-call]
        for name in [name for name, pid in scene.sessions.items() if pid == found.pid]:
            ask = InterruptRequest(session_id=name, user_context=user, interrupt_type=by_tag, operation_tag="nothing")
            with suppress(grpc.RpcError):
                stub.Interrupt(ask, timeout=10)
                kept.append(f"session {name}")
    return kept


def held_locks(scene: Scene) -> list[str]:
    """Lock files (they stay) that somebody holds."""
    held = []
    for path in (scene.root / "services").glob("*.lock"):
        with path.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held.append(f"lock {path.name}")
    return held


def drafts(scene: Scene) -> list[str]:
    """Files that were to get another name, and runs without an ending."""
    runs = scene.root / "runs"
    unfinished = [path for path in runs.rglob(".*") if path.is_file()] if runs.is_dir() else []
    unfinished += [path for path in scene.run_folders() if not (path / record.RECORD).exists()]
    unfinished += [*(scene.root / "services").glob("*.draft"), *(scene.root / "dagster").glob(".*")]
    return [f"file {path}" for path in unfinished]


def stray_sockets(scene: Scene, before: set[Path]) -> list[str]:
    """New socket files at which nobody listens."""
    listening = {line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines()}
    new = set(rendezvous.folder().iterdir()) - before
    return [f"socket {path}" for path in new if path.is_socket() and str(path) not in listening]
