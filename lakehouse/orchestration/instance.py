"""Dagster as one lake knows it."""

from __future__ import annotations

import os
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
    """Raises LakeError, naming the file, where Dagster stumbles over a damaged one of its own."""
    try:
        yield
    except Exception as error:
        from lakehouse.doctor import stores

        damaged = stores.damaged(settings) if _of_a_store(error) else []
        if not damaged:
            raise
        raise LakeError(
            f"Dagster's history is damaged: {', '.join(map(str, damaged[:3]))}",
            "`lakehouse doctor --repair` sets it aside, so that Dagster starts again; no table depends on it.",
        ) from None


def _of_a_store(error: BaseException | None) -> bool:
    while error is not None:
        if type(error).__module__.split(".")[0] in ("sqlite3", "sqlalchemy"):
            return True
        error = error.__cause__ or error.__context__
    return False
