"""A run's events in SQLite, as Dagster keeps them, without waiting for the disk at each.

Dagster opens a connection for every event and closes it again; closing the last one makes SQLite copy its log into the
database and wait until that is on the disk. A run of twelve notebooks tells some 800 events (planned, started, each
check's result), which took 5 ms each on a quiet disk and 30 ms on a busy one, while what comes next waited. So a process
that forks no further keeps its connection open, and what is committed reaches the disk a moment later: after a loss of
power the history may lack its last seconds, and is never broken (https://www.sqlite.org/pragma.html#pragma_synchronous).
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy
from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData


class EventLog(SqliteEventLogStorage):
    """Dagster's own event log; keeps its connections where that is safe (SQLite's must not be carried over a fork)."""

    def __init__(self, home: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._kept: dict[str, sqlalchemy.Connection] = {}
        # A step's process: forked for this one step, it forks no other.
        self._keeping = multiprocessing.parent_process() is not None
        super().__init__(str(Path(home) / "history" / "runs"), inst_data)  # where Dagster has it by default

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {"home": dg.StringSource}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> EventLog:
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Inside, connections are kept. Nothing may be forked meanwhile."""
        before, self._keeping = self._keeping, True
        try:
            yield
        finally:
            self._keeping = before
            self._close_kept()

    def dispose(self) -> None:
        self._close_kept()
        super().dispose()

    @contextmanager
    def _connect(self, shard: str) -> Iterator[sqlalchemy.Connection]:
        if not self._keeping:
            with super()._connect(shard) as connection:
                yield connection
            return
        if shard not in self._kept:
            with super()._connect(shard):
                pass  # makes the database where there is none
        with self._db_lock:
            if shard not in self._kept:
                self._kept[shard] = self._open(shard)
            with self._kept[shard].begin():
                yield self._kept[shard]

    def _open(self, shard: str) -> sqlalchemy.Connection:
        options = {"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False}
        engine = sqlalchemy.create_engine(
            self.conn_string_for_shard(shard), poolclass=sqlalchemy.pool.NullPool, connect_args=options
        )
        connection = engine.connect()
        connection.execute(sqlalchemy.text("PRAGMA synchronous=NORMAL"))
        connection.commit()
        return connection

    def _close_kept(self) -> None:
        with self._db_lock:
            for connection in self._kept.values():
                connection.close()
            self._kept.clear()


@contextmanager
def quick_events(store: dg.DagsterInstance) -> Iterator[None]:
    """Inside, this process keeps its connections to the store's events, if the store is ours. It must not fork meanwhile."""
    log = store.event_log_storage
    with log.keeping() if isinstance(log, EventLog) else nullcontext():
        yield
