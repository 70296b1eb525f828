"""What is remembered of a run: one JSON record beside its executed notebook, written once, never changed.

`result.json` is what the kernel knew (what it read, checked and published) and `record.json` what the runner
knows in addition (how it ended, how long it took). Plain papermill has no runner of ours: there the first is all.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

from lakehouse import atomic
from lakehouse.names import TableName

RECORD = "record.json"
RESULT = "result.json"
NOTEBOOK = "notebook.ipynb"
PARTIAL = ".notebook.partial.ipynb"
LOGGING = ".logging"


class Write(BaseModel):
    """One published version of a table; `partition_rows` counts this commit's rows by partition.

    `columns` tells of each column, where it can be told, which it comes from: {"late": ["silver.flights.arrival_delay"]}.
    """

    table: str
    version: int
    rows: int
    partition_rows: dict[str, int] = {}
    columns: dict[str, list[str]] = {}


class ModelVersion(BaseModel):
    """One registered version of a model, with the metrics it was logged with."""

    name: str
    version: int
    run_id: str
    metrics: dict[str, float] = {}


class CheckRecord(BaseModel):
    """One check's outcome on the rows of one write; `unexpected` counts rows, `examples` shows a few values.

    `rows` shows a few of the rows that do not fit: their key, and the columns that the check speaks of.
    """

    table: str
    name: str
    column: str | None = None
    severity: Literal["error", "warn", "quarantine"] = "error"
    passed: bool
    observed: str = ""
    unexpected: int | None = None
    examples: list[Any] = []
    rows: list[dict[str, Any]] = []
    description: str = ""


class GateResult(BaseModel):
    """What one gate said of a challenger; `passed` is None where it had nothing to judge. `reason` says why it is asked."""

    name: str
    passed: bool | None
    said: str = ""
    reason: str = ""


class Judged(BaseModel):
    """A verdict on a version of a model, against the champion that it met (None: the base rate), as `lake.promote` gave it."""

    model: str
    version: int
    against: int | None = None
    outcome: str
    gates: list[GateResult] = []


class Result(BaseModel):
    """What a kernel knows of its run; `contracts` are those of the tables it wrote, as they were then.

    `set_aside` are the rows that it left out of each table, or of the files of each raw table; `behind` the tables of
    which it read the last good version, and why that was not the newest that could be.
    """

    run_id: str
    asset: str
    partitions: list[str] = []
    parameters: dict[str, Any] = {}
    inputs: dict[str, dict[str, Any]] = {}
    behind: dict[str, str] = {}
    code: dict[str, str] = {}
    contracts: dict[str, dict[str, Any]] = {}
    target: str = "lake"
    writes: list[Write] = []
    models: list[ModelVersion] = []
    judged: list[Judged] = []
    checks: list[CheckRecord] = []
    set_aside: dict[str, int] = {}
    timings: dict[str, float] = {}


class RunRecord(Result):
    """A run and how it ended. `cause` says in words why it failed; `seconds` is wall time from call to record."""

    status: Literal["succeeded", "failed", "cancelled", "skipped"]
    origin: str = ""
    labels: dict[str, str] = {}
    cause: str = ""
    started: datetime = Field(default_factory=lambda: datetime.now(UTC))
    seconds: float = 0.0
    notebook: Path | None = None

    @staticmethod
    def read(folder: Path) -> RunRecord:
        """The record in a run's folder. Raises FileNotFoundError where the run has none (yet), ValueError for a torn one."""
        return RunRecord.model_validate_json((folder / RECORD).read_text())


def new_run_id() -> str:
    """A name for a run that sorts by time."""
    now = datetime.now(UTC)
    return f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03d}-{secrets.token_hex(2)}"


def started(run_id: str) -> datetime:
    """When the run of that name began. Raises ValueError for what is not a run's name."""
    return datetime.strptime(run_id[:18] + "000Z", "%Y%m%dT%H%M%S%f%z")


def folder(root: Path, asset: TableName, run_id: str) -> Path:
    """Where a run of `asset` keeps its notebook and records."""
    return runs_of(root, asset) / run_id


def runs_of(root: Path, asset: TableName) -> Path:
    return root / "runs" / asset.layer / asset.name


def save(path: Path, model: BaseModel) -> None:
    """Writes whole or not at all: beside its name first, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(path) as beside:
        beside.write_text(model.model_dump_json(indent=1))


@contextmanager
def logging(folder: Path | None) -> Iterator[None]:
    """Marks a run's folder while its model is being logged: where the mark stays, the kernel was killed meanwhile."""
    if folder is not None:
        (folder / LOGGING).touch()
    yield
    if folder is not None:
        (folder / LOGGING).unlink(missing_ok=True)


def read_result(where: Path) -> Result | None:
    """What the kernel left in a run's folder; None where that is nothing, or torn (`lakehouse doctor` tells of it)."""
    try:
        return Result.model_validate_json((where / RESULT).read_text())
    except (FileNotFoundError, ValueError):
        return None


def newest_first(root: Path, asset: TableName) -> Iterator[RunRecord]:
    """Every finished run of `asset`, the newest first. A torn record stops nothing: `lakehouse doctor` tells of it."""
    for run in reversed(_runs(root, asset)):
        try:
            yield RunRecord.read(run)
        except (FileNotFoundError, ValueError):
            continue


def latest(root: Path, asset: TableName, status: str | None = None) -> RunRecord | None:
    """The newest finished run of `asset` (with that status), None where there is none."""
    return next((record for record in newest_first(root, asset) if status in (None, record.status)), None)


def results_newest_first(root: Path, asset: TableName) -> Iterator[Result]:
    """What every run of `asset` published, also where no runner of ours stood above it (plain papermill)."""
    for run in reversed(_runs(root, asset)):
        if (result := read_result(run)) is not None:
            yield result


def endings_newest_first(root: Path, asset: TableName) -> Iterator[RunRecord]:
    """As `newest_first`, and runs that published with no runner of ours above them (plain papermill) as succeeded."""
    for run in reversed(_runs(root, asset)):
        try:
            yield RunRecord.read(run)
        except (FileNotFoundError, ValueError):
            result = read_result(run)
            if result is not None and result.writes:
                yield RunRecord(**result.model_dump(), status="succeeded", started=started(result.run_id))


def forget_notebooks(root: Path, asset: TableName, keep_days: int) -> None:
    """Deletes executed notebooks past their time; the records stay."""
    limit = time.time() - keep_days * 86_400
    for run in _runs(root, asset):
        for notebook in run.glob("*.ipynb"):
            if notebook.stat().st_mtime < limit:
                notebook.unlink(missing_ok=True)


def _runs(root: Path, asset: TableName) -> list[Path]:
    where = runs_of(root, asset)
    return sorted(path for path in where.iterdir() if path.is_dir()) if where.is_dir() else []
