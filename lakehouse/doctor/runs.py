"""Runs' records that are torn, and what processes left that ended in the middle of something."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from lakehouse import record
from lakehouse.doctor import written
from lakehouse.doctor.aside import set_aside
from lakehouse.record import Result, RunRecord
from lakehouse.settings import Settings
from lakehouse.trouble import Trouble

_DRAFT = re.compile(r"^\.(record|result)\.json\.(\d+)(-\d+)?$")
_DAY = 86_400
_STARTING = 60  # seconds in which a run may have a notebook and no kernel yet
_FAILED = "**This run failed.**"


def look(settings: Settings, deep: bool) -> Iterator[Trouble]:
    kernels = _kernels_alive(settings)
    for folder in written.run_folders(settings.root):
        yield from _records(settings.root, folder)
        yield from _drafts(folder)
        yield from _notebook(settings.root, folder, kernels)


def _records(root: Path, folder: Path) -> Iterator[Trouble]:
    for name, kind in ((record.RECORD, RunRecord), (record.RESULT, Result)):
        path = folder / name
        try:
            kind.model_validate_json(path.read_text())
        except FileNotFoundError:
            continue
        except ValueError:
            known, what = _known(root, folder), "is torn"
            if known is None:
                todo = "--repair sets it aside: no commit tells of this run either, so nothing published depends on it."
                yield Trouble(str(path), what, todo, mend=partial(_forget, path))
            else:
                todo = "--repair writes it anew from what else is known of the run."
                yield Trouble(str(path), what, todo, mend=partial(_rebuild, root, path))


def _known(root: Path, folder: Path) -> Result | None:
    return written.readable(folder) or written.from_commits(root, folder.name)


def _forget(path: Path) -> str:
    return f"Set {path} aside as {set_aside(path).name}."


def _rebuild(root: Path, path: Path) -> str:
    known = _known(root, path.parent)
    assert known is not None, path
    plain = Result(**known.model_dump(include=set(Result.model_fields)))
    whole = _ended(plain, path.parent) if path.name == record.RECORD else plain
    kept = set_aside(path)
    record.save(path, whole)
    return f"Wrote {path} anew; the torn one is now {kept.name}."


def _ended(known: Result, folder: Path, cause: str = "") -> RunRecord:
    """How a run ended, as its executed notebook tells: a failure's begins with the cause in words."""
    notebook = folder / record.NOTEBOOK
    cells: list[dict[str, Any]] = []
    metadata: dict[str, Any] = {}
    with suppress(OSError, ValueError, KeyError):
        content = json.loads(notebook.read_text())
        cells, metadata = content["cells"], content["metadata"]
    first = "".join(cells[0]["source"]) if cells else ""
    if not cause and first.startswith(_FAILED):
        cause = "\n".join(line.removeprefix("> ") for line in first.removeprefix(_FAILED).strip().splitlines())
    status = "cancelled" if ": cancelled in " in cause else "failed" if cause or not (cells or known.writes) else "succeeded"
    return RunRecord(
        **known.model_dump(include=set(Result.model_fields)),
        status=status,  # type: ignore[arg-type]
        cause=cause,
        started=_began(folder.name),
        seconds=float((metadata.get("papermill") or {}).get("duration") or 0.0),
        notebook=notebook if notebook.exists() else None,
    )


def _began(run_id: str) -> datetime:
    try:
        return datetime.strptime(run_id[:15], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return datetime.now(UTC)


def _drafts(folder: Path) -> Iterator[Trouble]:
    for path in sorted(folder.iterdir()):
        match = _DRAFT.match(path.name)
        if match and not psutil.pid_exists(int(match[2])):
            todo = "--repair puts it in place if it is whole and nothing is there yet, else removes it."
            what = f"was left by process {match[2]}, which ended while it wrote"
            yield Trouble(str(path), what, todo, mend=partial(_finish, path, f"{match[1]}.json"))


def _finish(path: Path, name: str) -> str:
    target = path.with_name(name)
    kind = RunRecord if name == record.RECORD else Result
    try:
        kind.model_validate_json(path.read_text())
    except ValueError:
        path.unlink(missing_ok=True)
        return f"Removed {path}: it was cut off."
    if target.exists():
        path.unlink(missing_ok=True)
        return f"Removed {path}: {name} is there."
    os.replace(path, target)
    return f"Put {target} in place: it was whole."


def _kernels_alive(settings: Settings) -> bool:
    """Whether a kernel of this user runs, so that a run without a record may be going on."""
    from lakehouse import kernels

    found = kernels.running(settings)
    if found is not None and found.kernels:
        return True
    for process in psutil.process_iter(["cmdline", "uids"]):
        facts = process.info
        if "ipykernel_launcher" in (facts["cmdline"] or []) and facts["uids"] and facts["uids"].real == os.getuid():
            return True
    return False


def _notebook(root: Path, folder: Path, kernels: bool) -> Iterator[Trouble]:
    """A run that was killed leaves its notebook under a hidden name, and no record."""
    path, ended = folder / record.PARTIAL, (folder / record.RECORD).exists()
    with suppress(FileNotFoundError):
        age = time.time() - path.stat().st_mtime
        if ended or age > _DAY or (age > _STARTING and not kernels):
            what = "was left by a run that " + ("has ended" if ended else "was killed before it could say how it ended")
            todo = "--repair keeps it as notebook.ipynb" + ("." if ended else ", with a record that says so.")
            yield Trouble(str(path), what, todo, mend=partial(_keep_notebook, root, path))


def _keep_notebook(root: Path, path: Path) -> str:
    folder, final = path.parent, path.with_name(record.NOTEBOOK)
    done = f"Kept {path} as {final.name}"
    if final.exists():
        path.unlink(missing_ok=True)
        done = f"Removed {path}: {final.name} is there"
    else:
        os.replace(path, final)
    if not (folder / record.RECORD).exists():
        known = _known(root, folder) or Result(run_id=folder.name, asset=f"{folder.parent.parent.name}.{folder.parent.name}")
        cause = "The process that ran it was killed. What it had published until then stands under `writes`."
        record.save(folder / record.RECORD, _ended(known, folder, cause))
        done += ", with a record"
    return f"{done}."


def look_aside(settings: Settings, deep: bool) -> Iterator[Trouble]:
    """Raw files that were being landed, tables of a sandbox that were being dropped."""
    for path in sorted((settings.root / "raw" / ".landing").glob("*")):
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _DAY:
                yield _leftover(path, "was left a day ago or earlier by a landing that was killed")
    for path in sorted((settings.root / "sandbox").glob("*/*/.*.*")):
        yield _leftover(path, "is what remains of a sandbox's table that was being dropped")


def _leftover(path: Path, what: str) -> Trouble:
    return Trouble(str(path), what, "--repair removes it; nothing reads it.", mend=partial(_remove, path))


def _remove(path: Path) -> str:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
    return f"Removed {path}."
