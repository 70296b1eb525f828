"""Profiles on disk: beside the record of the run that wrote the batches, saved before the commit that publishes them."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel

from lakehouse import atomic
from lakehouse.profiles.measured import Measured
from lakehouse.profiles.profile import Batch

FILE = "profile.json"


class TableProfile(BaseModel):
    """The batches of one write of one table. `measured` holds the findings, and of each column how far its distribution
    lies from the reference."""

    profiled_at: datetime
    batches: dict[str, Batch]
    measured: list[Measured] = []


class RunProfile(BaseModel):
    """What one run wrote, by table."""

    tables: dict[str, TableProfile] = {}


def save(folder: Path, profile: RunProfile) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(folder / FILE) as beside:
        beside.write_text(profile.model_dump_json(exclude_defaults=True))


def read(folder: Path) -> RunProfile | None:
    """The profile in a run's folder; None where there is none, or one that is not understood."""
    path = folder / FILE
    try:
        return _read(path, path.stat().st_mtime_ns)
    except (FileNotFoundError, ValueError):
        return None


@lru_cache(maxsize=64)
def _read(path: Path, _mtime_ns: int) -> RunProfile:
    return RunProfile.model_validate_json(path.read_text())
