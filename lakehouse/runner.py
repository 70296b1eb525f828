"""Runs one notebook: resolve → bind parameters → run in a fresh kernel → tell how it ended → record.

The gate, the pins and the commit are in the kernel (`lake.py`), so that JupyterLab and plain papermill have them
too; what only someone outside the kernel can do is here: refuse wrong parameters before anything starts, name the
cause when the kernel itself is gone, keep the executed notebook whatever happens. Neither Spark nor Dagster is
imported. One process runs one notebook at a time: a run's variables travel to its kernel in the environment.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lakehouse import ending, errors, record, unfinished, upstream
from lakehouse.errors import Cancelled, LakehouseError, NotebookError, RunFailed
from lakehouse.names import TableName
from lakehouse.notebook import NotebookSpec
from lakehouse.parameters import to_injectable
from lakehouse.project import Project
from lakehouse.record import CheckRecord, Result, RunRecord
from lakehouse.settings import Settings
from lakehouse.training import keep
from lakehouse.underway import Run, executed
from lakehouse.variables import variables

_FILES = 128


def run(
    asset: TableName,
    values: Mapping[str, Any],
    settings: Settings,
    *,
    origin: str = "lakehouse notebook run",
    labels: Mapping[str, str] | None = None,
    waited: float = 0.0,
    force: bool = False,
    behind: Mapping[str, str] | None = None,
) -> RunRecord:
    """Runs the notebook of `asset` with these parameter values and returns what it left behind.

    `waited` is for how many seconds it could have run already, and waited for its turn: kept with the other timings.
    `force` reads whole what the notebook reads as "new".
    `behind` are inputs of which the caller knows that they are not the newest, and why (see `lakehouse.upstream`).

    Raises ParameterError, PartitionError, UnknownName, SetupError or LakeError before any kernel starts; afterwards CellFailed,
    KernelDied, CellTimeout, Cancelled, AuditFailed or SparkLost, each with the executed notebook kept and recorded.
    """
    _refuse_few_files()
    project = Project.load(settings.project)
    spec = project.notebook(asset)
    parameters = project.bind(asset, values)
    run_id = record.new_run_id()
    run = Run(asset, spec, parameters, run_id, settings.root, origin, dict(labels or {}), waited, force, dict(behind or {}))
    record.forget_notebooks(settings.root, asset, settings.keep_notebooks_days)
    _settle_abandoned(spec, settings)
    _make_folder(run)
    try:
        if spec.models_judged:
            from lakehouse.promotion import probing  # it runs notebooks itself

            probing.ensure(project, settings, spec)
        _execute(run, settings)
        result = _result_of(run)
    except BaseException as error:
        failure = ending.explain(error, run)
        _finish(run, failure)
        keep.settle(run.folder, settings)
        raise failure from None
    return _finish(run, None, result)


def rehearse(
    asset: TableName, values: Mapping[str, Any], settings: Settings, folder: Path, environ: Mapping[str, str]
) -> Path | None:
    """Runs the notebook of `asset` with `environ` in its kernel's environment, aimed at the sandbox, and records no run.

    What it leaves is in `folder`: its executed notebook, whose path is returned. Raises what `run` raises.
    """
    _refuse_few_files()
    project = Project.load(settings.project)
    parameters = project.bind(asset, values)
    told = {"LAKEHOUSE_TARGET": "sandbox", **environ}
    run = Run(asset, project.notebook(asset), parameters, record.new_run_id(), settings.root, "", {}, kept=folder, environ=told)
    folder.mkdir(parents=True)
    try:
        _execute(run, settings)
    except BaseException as error:
        failure = ending.explain(error, run)
        notebook, _ = _keep_notebook(run, failure)
        if isinstance(failure, RunFailed) and notebook:
            failure.notebook = str(notebook)
        raise failure from None
    return _keep_notebook(run, None)[0]


def _refuse_few_files() -> None:
    """With no file left to open, a Jupyter client waits for its kernel for ever."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < _FILES:
        raise errors.SetupError(
            f"This process may open only {soft} files, and a run takes up to {_FILES}", "Raise it: ulimit -n 1024"
        )


def _settle_abandoned(spec: NotebookSpec, settings: Settings) -> None:
    """Earlier runs that nobody could finish get their notebook, with the cause, and their record."""
    for folder, begun, seconds in unfinished.abandoned(settings.root, spec.name):
        began = time.monotonic() - seconds
        run = Run(spec.name, spec, {}, folder.name, settings.root, begun.origin, begun.labels, began=began, wall=begun.wall)
        what = (
            f"{spec.name.slashed}: cut short in {ending.cell_under_way(run)}: its process was killed, or could not write its record"
        )
        _finish(run, RunFailed(what, ending.published_so_far(run)))
        keep.settle(folder, settings)


def _make_folder(run: Run) -> None:
    try:
        run.folder.mkdir(parents=True)
        unfinished.begin(run.folder, run.origin, run.labels, run.wall)
    except OSError as error:
        shutil.rmtree(run.folder, ignore_errors=True)
        raise errors.LakeError(
            f"The lake cannot be written: {error.strerror} at {error.filename or run.folder}",
            "Check the folder's permissions and free space, or set LAKEHOUSE_ROOT to another folder.",
        ) from None


def _execute(run: Run, settings: Settings) -> None:
    import papermill

    with variables(_told(run, settings)):
        papermill.execute_notebook(
            _literal(run.spec.path),
            _literal(run.folder / record.PARTIAL),
            parameters={name: to_injectable(value) for name, value in run.parameters.items()},
            kernel_name="lakehouse",
            language="python",
            progress_bar=False,
            start_timeout=120,
            execution_timeout=settings.cell_timeout,
            cwd=str(settings.project),
        )


def _literal(path: Path) -> str:
    """papermill formats its paths with the parameters; braces in a folder's name are meant as they are."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _told(run: Run, settings: Settings) -> dict[str, str]:
    """What the kernel is told, by the variables that it inherits."""
    import uuid

    return {
        "LAKEHOUSE_PROJECT": str(settings.project),
        "LAKEHOUSE_ROOT": str(settings.root),
        "LAKEHOUSE_TARGET": "lake",
        "LAKEHOUSE_RUN_ID": run.run_id,
        "LAKEHOUSE_SESSION": str(uuid.uuid4()),
        "LAKEHOUSE_FORCE": "1" if run.force else "",
        upstream.TOLD: json.dumps(run.behind),
        **run.environ,
    }


def _result_of(run: Run) -> Result:
    """What the kernel left. Raises NotebookError where the notebook ended without doing what it says it does."""
    result = record.read_result(run.folder)
    if result is None and run.spec.explore:  # it works in the sandbox, which records nothing
        return Result(run_id=run.run_id, asset=run.asset.dotted)
    if result is None:
        raise NotebookError(
            f"{run.spec.path.name} ended without opening the lake",
            f'Its first code cells must contain: lake = lakehouse.open("{run.asset.slashed}")',
        )
    written = {write.table for write in result.writes} | {model.name for model in result.models}
    missing = {str(item.table) for item in (*run.spec.writes, *run.spec.models_written)} - written
    if missing:
        raise NotebookError(
            f"{run.spec.path.name} ended without writing {', '.join(sorted(missing))}",
            "A table that a notebook names in lake.write or lake.log_model must be written by every run of it.",
        )
    unjudged = {str(item.table) for item in run.spec.models_judged} - {judged.model for judged in result.judged}
    if unjudged:
        hint = "A model that a notebook names in lake.promote must be judged by every run of it."
        raise NotebookError(f"{run.spec.path.name} ended without judging {', '.join(sorted(unjudged))}", hint)
    return result


def _finish(run: Run, failure: LakehouseError | None, result: Result | None = None) -> RunRecord:
    """Names the executed notebook, writes the record. A failure's notebook begins with the cause in words."""
    result = result or record.read_result(run.folder) or Result(run_id=run.run_id, asset=run.asset.dotted)
    notebook, started = _keep_notebook(run, failure)
    seconds = time.monotonic() - run.began
    timings = {**result.timings, "waiting": run.waited, "starting": started}
    busy = sum(timings.get(part, 0.0) for part in ("starting", "spark", "lineage", "auditing", "profiling", "publishing"))
    timings["python"] = max(0.0, seconds - busy)
    status = "succeeded" if failure is None else "cancelled" if isinstance(failure, Cancelled) else "failed"
    kept = RunRecord(
        **{**result.model_dump(), "timings": timings},
        status=status,
        origin=run.origin,
        labels=run.labels,
        cause=str(failure or ""),
        started=datetime.fromtimestamp(run.wall, UTC),
        seconds=seconds,
        notebook=notebook,
    )
    try:
        record.save(run.folder / record.RECORD, kept)
        unfinished.end(run.folder)
    except OSError as error:
        if failure is None:
            what = f"{run.asset.slashed}: done, but its record cannot be written: {error.strerror}"
            raise RunFailed(
                what, f"{ending.published_so_far(run)} Check {run.folder}, then run it again.", str(notebook or "")
            ) from None
    keep.attach(run.root, result, notebook)
    if isinstance(failure, RunFailed) and notebook:
        failure.notebook = str(notebook)
    return kept


def _keep_notebook(run: Run, failure: LakehouseError | None) -> tuple[Path | None, float]:
    """Puts the executed notebook at its final name; returns it and the seconds until its first cell ran."""
    import nbformat

    partial, final = run.folder / record.PARTIAL, run.folder / record.NOTEBOOK
    try:
        notebook = executed(run)
        if failure is not None:
            words = "\n".join(f"> {line}" for line in str(failure).splitlines())
            notebook.cells.insert(0, nbformat.v4.new_markdown_cell(f"**This run failed.**\n\n{words}"))
        notebook.metadata["lakehouse"] = {"run_id": run.run_id, "asset": run.asset.slashed}
        nbformat.write(notebook, partial)
        os.replace(partial, final)
    except (OSError, ValueError):
        return (partial if partial.exists() else None), 0.0
    return final, _seconds_to_first_cell(notebook, run.wall)


def _seconds_to_first_cell(notebook: Any, began: float) -> float:
    for cell in notebook.cells:
        start = cell.metadata.get("papermill", {}).get("start_time") if cell.cell_type == "code" else None
        if start:
            return max(0.0, datetime.fromisoformat(f"{start}+00:00" if "+" not in start else start).timestamp() - began)
    return 0.0


def failed_checks(checks: list[CheckRecord]) -> list[CheckRecord]:
    """The checks that did not pass, errors before warnings."""
    return sorted((check for check in checks if not check.passed), key=lambda check: check.severity)
