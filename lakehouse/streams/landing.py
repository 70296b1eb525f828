"""One round of a stream: take what came, land it by one query of Spark's, say what that brought."""

from __future__ import annotations

import fcntl
import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TextIO

from lakehouse import deltalog, record, tables
from lakehouse.errors import LakeError, SourceError
from lakehouse.names import TableName
from lakehouse.settings import Settings
from lakehouse.source import Stream
from lakehouse.streams import checkpoint, deliveries
from lakehouse.streams.deliveries import Deliveries

PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Landed:
    """What a round brought: `rows` in the table's version `version` (None: nothing came), of so many `files`.

    `oldest` and `newest`: when the first and the last of it came, in seconds since 1970 (None: not known).
    """

    rows: int = 0
    files: int = 0
    version: int | None = None
    seconds: float = 0.0
    oldest: float | None = None
    newest: float | None = None


class Lander:
    """Lands one stream, round after round, in one session of Spark's. `close()` ends the session."""

    def __init__(self, settings: Settings, stream: Stream) -> None:
        self._settings, self._stream = settings, stream
        self._root = tables.open_root(settings.root)
        self._table = tables.lake_path(self._root, stream.name)
        self._session = str(uuid.uuid4())
        self._deliveries = Deliveries(settings, stream) if stream.of_files else None

    def land(self) -> Landed:
        """One round. What had come is landed before a failing source is told.

        Raises SourceError, RawError, LakeError (also where another landing does not end) or SparkLost.
        """
        with alone(self._root, self._stream.name):
            began = time.monotonic()
            checkpoint.refuse_foreign(self._root, self._stream.name)
            if self._deliveries is None:
                return self._run(began)
            failure = None
            try:
                self._deliveries.take()
            except SourceError as error:
                failure = error
            landed = self._land_files(self._deliveries, began)
        if failure:
            raise failure
        return landed

    def close(self) -> None:
        from lakehouse.spark import session

        session.close(self._session)

    def _land_files(self, came: Deliveries, began: float) -> Landed:
        links = came.link()
        if not links:
            return Landed()
        landed = self._run(began, came.waiting, links)
        # A query that was stopped ends as one that is done: the checkpoint tells.
        left = checkpoint.left(self._root, self._stream.name, (link.name for link in links))
        if left:
            what = f"{self._stream.table}: {len(left)} of {len(links)} files were not landed, such as {min(left)}"
            raise LakeError(
                what, "Another landing took over, or Spark passed them over: run it again, and see `lakehouse logs spark`."
            )
        came.done(links)
        return landed

    def _run(self, began: float, waiting: Path | None = None, links: dict[Path, float] | None = None) -> Landed:
        from lakehouse.spark import session, streaming

        before = deltalog.latest(self._table)
        streaming.land(
            session.connect(self._settings, self._session),
            self._stream,
            waiting,
            self._table,
            checkpoint.folder(self._root, self._stream.name),
            json.dumps({"lakehouse": tables.FORMAT, "run_id": record.new_run_id(), "asset": self._stream.name.dotted}),
        )
        new = [version for version in deltalog.versions(self._table) if before is None or version > before]
        commits = [deltalog.commit(self._table, version) for version in new]
        came = sorted((links or {}).values()) or sorted(_stamps(self._table, new)) or [None]
        seconds = time.monotonic() - began
        return Landed(sum(one.rows for one in commits), len(links or ()), new[-1] if new else None, seconds, came[0], came[-1])


def _stamps(table: Path, versions: list[int]) -> Iterator[float]:
    """Of records that bring a `timestamp` (Kafka's do) the first and the last of each data file, from Delta's statistics."""
    for version in versions:
        for kind, facts in deltalog.actions(deltalog.commit_path(table, version)):
            stats = json.loads(facts.get("stats") or "{}") if kind == "add" else {}
            for of in ("minValues", "maxValues"):
                if text := stats.get(of, {}).get("timestamp"):
                    yield datetime.fromisoformat(text).timestamp()


@contextmanager
def alone(root: Path, table: TableName) -> Iterator[None]:
    """One landing of a stream at a time, by a lock that ends with its process. Raises LakeError."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    with _lock(deliveries.folder(root, table)) as lock:
        while not _taken(lock.fileno()):
            if time.monotonic() > deadline:
                lock.seek(0)
                raise LakeError(f"{table} is being landed by process {lock.read().strip()}", "Wait for its end, or end it.")
            time.sleep(0.1)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _lock(folder: Path) -> TextIO:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return (folder / "lock").open("a+")
    except OSError as error:
        raise LakeError(
            f"{error.filename or folder} cannot be written: {error.strerror}", "Check its permissions and the disk."
        ) from None


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def land(settings: Settings, stream: Stream) -> Landed:
    """One round, alone. Raises as `Lander.land` does."""
    lander = Lander(settings, stream)
    try:
        return lander.land()
    finally:
        lander.close()
