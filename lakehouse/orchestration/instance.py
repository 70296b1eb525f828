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
def store_told(settings: Settings) -> Iterator[None]:
    """What the database of Dagster's history says (a full disk, a broken file) as a LakeError that names the place."""
    from sqlalchemy.exc import DatabaseError

    try:
        yield
    except DatabaseError as error:
        folder = settings.root / "dagster"
        free = shutil.disk_usage(folder).free >> 20
        raise LakeError(
            f"Dagster's store {folder} cannot be used: {error.orig} ({free:,} MiB are free there)",
            "Make room, or correct what is wrong with the folder, then run again.",
        ) from None
