"""Dagster as one lake knows it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from lakehouse import telemetry
from lakehouse.errors import LakeError
from lakehouse.orchestration.home import home
from lakehouse.settings import Settings


def instance(settings: Settings) -> dg.DagsterInstance:
    """Dagster as this lake knows it. Sets DAGSTER_HOME, by which Dagster and dagster.yaml find it everywhere."""
    folder = home(settings)
    os.environ["DAGSTER_HOME"] = str(folder)
    telemetry.switch_off(os.environ)
    return dg.DagsterInstance.from_config(str(folder))


@contextmanager
def told_of_damage(settings: Settings) -> Iterator[None]:
    """What Dagster's own databases stumble over (a damaged file, a full disk) as a LakeError that names the place."""
    try:
        yield
    except Exception as error:
        from lakehouse.doctor import stores

        found = _of_a_store(error)
        if found is None:
            raise
        damaged = stores.damaged(settings)
        if damaged:
            raise LakeError(
                f"Dagster's history is damaged: {', '.join(map(str, damaged[:3]))}",
                "`lakehouse doctor --repair` sets it aside, so that Dagster starts again; no table depends on it.",
            ) from None
        folder = settings.root / "dagster"
        free = shutil.disk_usage(folder).free >> 20
        raise LakeError(
            f"Dagster's store {folder} cannot be used: {getattr(found, 'orig', found)} ({free:,} MiB are free there)",
            "Make room, or correct what is wrong with the folder, then run again.",
        ) from None


def _of_a_store(error: BaseException | None) -> BaseException | None:
    """The database's own error that led to this one, if one did."""
    while error is not None:
        if type(error).__module__.split(".")[0] in ("sqlite3", "sqlalchemy"):
            return error
        error = error.__cause__ or error.__context__
    return None
