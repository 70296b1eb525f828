"""The SQLite files of Dagster and MLflow.

Dagster's hold only history, one file for each run and three for all of them: a damaged one is set aside, and Dagster
makes it anew. MLflow's says which model is which, so it is never moved.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import quote

from lakehouse import services
from lakehouse.doctor.aside import set_aside
from lakehouse.errors import ServiceError
from lakehouse.settings import Settings
from lakehouse.trouble import Trouble

_BUSY_SECONDS = 5.0
_LOST = {
    "runs.db": "the list of runs in Dagster's page begins anew",
    "index.db": "the assets' history in Dagster's page begins anew",
    "schedules.db": "ticks of schedules and sensors, and which are switched on, are forgotten",
}


def look(settings: Settings, deep: bool) -> Iterator[Trouble]:
    for path in sorted((settings.root / "dagster").rglob("*.db")):
        if words := flaw(path):
            lost = _LOST.get(path.name, f"the events of run {path.stem} are no longer shown")
            todo = f"--repair sets it aside, so that Dagster starts again: {lost}. No table depends on it."
            yield Trouble(str(path), words, todo, mend=partial(_renew, settings, path))
    store = settings.root / "mlflow" / "mlflow.db"
    if store.exists() and (words := flaw(store)):
        yield Trouble(
            str(store),
            words,
            "It is never moved for you: it knows which model is which. Restore it from a backup. Without one: try "
            f"`sqlite3 {store} .recover | sqlite3 {store.with_name('recovered.db')}`, or move it away and train again "
            "(the models' files stay in mlflow/artifacts).",
        )


def damaged(settings: Settings) -> list[Path]:
    """Dagster's files that cannot be used; what a command asks that stumbled over one."""
    return [path for path in sorted((settings.root / "dagster").rglob("*.db")) if flaw(path)]


def flaw(path: Path) -> str:
    """What SQLite finds wrong with the file, in words; empty is good. Reads it all, writes nothing."""
    try:
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=_BUSY_SECONDS)
        try:
            answer = [str(row[0]) for row in connection.execute("pragma integrity_check(3)")]
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        return "" if "locked" in str(error) else f"cannot be opened: {error}"  # in use, so SQLite can read it
    except sqlite3.DatabaseError as error:
        return f"is damaged: {error}"
    return "" if answer == ["ok"] else f"is damaged: {answer[0].splitlines()[-1]}"


def _renew(settings: Settings, path: Path) -> str:
    using = [service.name for service in services.all(settings) if service.name.startswith("dagster")]
    if using:
        raise ServiceError(f"{' and '.join(using)} use {path}", "End them first: `lakehouse down`.")
    companions = [path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal")]
    return f"Set {path} aside as {set_aside(path, *companions).name}."
