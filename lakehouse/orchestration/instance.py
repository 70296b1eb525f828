"""Dagster as one lake knows it."""

from __future__ import annotations

import os

import dagster as dg

from lakehouse import telemetry
from lakehouse.orchestration.home import home
from lakehouse.settings import Settings


def instance(settings: Settings) -> dg.DagsterInstance:
    """Dagster as this lake knows it. Sets DAGSTER_HOME, by which Dagster and dagster.yaml find it everywhere."""
    folder = home(settings)
    os.environ["DAGSTER_HOME"] = str(folder)
    telemetry.switch_off(os.environ)
    return dg.DagsterInstance.from_config(str(folder))
