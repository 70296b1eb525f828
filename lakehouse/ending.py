"""How a run ended, in words: whatever was raised, as one of our errors that names cell, cause and next step."""

from __future__ import annotations

import re
from typing import Any

from lakehouse import deltalog, errors, tables
from lakehouse.errors import Cancelled, CellFailed, CellTimeout, KernelDied, LakehouseError, RunFailed
from lakehouse.underway import Run, executed, oom_kills

# How Spark and Delta speak of files that are gone, cut off or changed.
_DAMAGED = ("FAILED_READ_FILE", "ChecksumException", "Checksum error", "DELTA_VERSIONS_NOT_CONTIGUOUS", "DELTA_LOG_FILE_NOT_FOUND")
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def explain(error: BaseException, run: Run) -> LakehouseError:
    """Whatever ended the run, as one of our errors, in words."""
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    where = f"{run.asset.slashed}"
    if isinstance(error, PapermillExecutionError):
        return _cell_error(error, run)
    if isinstance(error, DeadKernelError):
        return KernelDied(
            f"{where}: the kernel died in {cell_under_way(run)}: {_death(run)}",
            f"{published_so_far(run)} Run it again; if memory was short, read fewer partitions at a time.",
        )
    if isinstance(error, CellTimeoutError):
        return CellTimeout(
            f"{where}: {cell_under_way(run)} took longer than the time a cell may take",
            "Raise cell_timeout (LAKEHOUSE_CELL_TIMEOUT, in seconds) or make the cell's work smaller.",
        )
    if isinstance(error, LakehouseError):
        return error
    if isinstance(error, (KeyboardInterrupt, SystemExit)) or type(error).__name__.endswith("InterruptedError"):
        return Cancelled(f"{where}: cancelled in {cell_under_way(run)}", published_so_far(run))
    return RunFailed(f"{where}: {type(error).__name__}: {error}", "The run's notebook shows how far it came.")


def published_so_far(run: Run) -> str:
    """What of the run can be seen, by the tables' own commits: the kernel may not have lived to tell."""
    paths = {item.table: tables.lake_path(run.root, item.table) for item in run.spec.writes}
    done = [
        table.dotted
        for table, path in paths.items()
        if any((commit.ours or {}).get("run_id") == run.run_id for commit in deltalog.commits(path))
    ]
    return f"It had published {', '.join(done)}." if done else "Nothing of this run had been published by then."


def _cell_error(error: Any, run: Run) -> LakehouseError:
    cell = _original_number(error.cell_index, run)
    first, _, rest = _ANSI.sub("", error.evalue or "").split("\n\nJVM stacktrace")[0].partition("\n")
    # The library's own refusals name the cell by the kernel's counter; the file's number is better known here.
    first = re.sub(rf"^{re.escape(run.spec.path.name)}, cell In \[\d+\]: ", "", first)
    kind = getattr(errors, error.ename, None)
    if isinstance(kind, type) and issubclass(kind, LakehouseError):
        return kind(f"{run.asset.slashed}, cell {cell}: {first}", rest)
    if error.ename == "KeyboardInterrupt":
        return Cancelled(f"{run.asset.slashed}: cancelled in cell {cell}", published_so_far(run))
    if error.ename == "MemoryError":
        return KernelDied(
            f"{run.asset.slashed}, cell {cell}: out of memory",
            "Read fewer partitions at a time, aggregate in Spark before toPandas(), or raise kernel_memory.",
        )
    if any(words in (error.evalue or "") for words in _DAMAGED):
        rest = f"{rest}\n`lakehouse doctor` looks at the lake's files and says what can be done.".strip()
    if error.ename == "CellExecutionError" and not first:
        first = "an error that the kernel could not describe: it may have no memory or no open files left"
    line = next((text.strip() for text in (error.source or "").splitlines() if text.strip()), "")
    return CellFailed(f"{run.asset.slashed}, cell {cell} ({line[:80]}): {error.ename}: {first}", rest)


def _original_number(index: int, run: Run) -> int:
    """The cell's number in the user's notebook, counting from 1: papermill put the injected cell after `parameters`."""
    injected = run.spec.parameters[0].cell if run.spec.parameters else None
    return index if injected is not None and index >= injected else index + 1


def cell_under_way(run: Run) -> str:
    """The cell in which the run ended: the last that papermill began (it calls all of them completed)."""
    try:
        cells = executed(run).cells
    except (OSError, ValueError):
        return "its start"
    for index, cell in reversed(list(enumerate(cells))):
        if cell.cell_type == "code" and cell.metadata.get("papermill", {}).get("start_time"):
            return f"cell {_original_number(index, run)}"
    return "its start"


def _death(run: Run) -> str:
    return "out of memory, the system killed it" if oom_kills() > run.oom_kills else "killed (as by kill -9)"
