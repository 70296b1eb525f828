"""Runs whose runner was killed: nobody could write how they ended, so the next run of the asset does.

Each run's folder holds a mark of its runner until the record is there. (Plain papermill has no runner of ours and
leaves no mark.)
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ValidationError

from lakehouse import record
from lakehouse.names import TableName
from lakehouse.processes import is_alive, this_process

MARK = ".runner"


class Begun(BaseModel):
    """What a runner knew when it began; `wall` in seconds since 1970."""

    process: str
    origin: str
    labels: dict[str, str]
    wall: float


def begin(folder: Path, origin: str, labels: dict[str, str], wall: float) -> None:
    """Marks a run's folder as this process's."""
    record.save(folder / MARK, Begun(process=this_process(), origin=origin, labels=labels, wall=wall))


def end(folder: Path) -> None:
    """The run's record is written: neither the mark nor what a killed process was just writing is needed."""
    for left in (folder / MARK, *folder.glob(".*.json.[0-9]*")):
        left.unlink(missing_ok=True)


def abandoned(root: Path, asset: TableName) -> Iterator[tuple[Path, Begun, float]]:
    """The folder of each run of `asset` whose runner is gone, what that knew, and the seconds the run lasted."""
    for mark in sorted(record.runs_of(root, asset).glob(f"*/{MARK}")):
        try:
            begun = Begun.model_validate_json(mark.read_text())
        except (FileNotFoundError, ValidationError):
            continue
        if (mark.parent / record.RECORD).exists():
            end(mark.parent)
        elif not is_alive(begun.process):
            yield mark.parent, begun, max(0.0, max(_changed(mark.parent)) - begun.wall)


def _changed(folder: Path) -> list[float]:
    return [entry.stat().st_mtime for entry in os.scandir(folder)]
