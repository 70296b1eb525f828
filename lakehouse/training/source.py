"""The code that a model was trained by: as it stands in the project, else as the recorded commit has it."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakehouse import code, settings
from lakehouse.errors import LakehouseError, UnknownName
from lakehouse.names import TableName
from lakehouse.project import Project


@dataclass(frozen=True)
class Code:
    """The project to run, None where the code can no longer be had; what of it `moved` since, and why in words."""

    project: Path | None
    moved: tuple[str, ...] = ()
    why: str = ""


def code_of(project: Path, facts: Mapping[str, Any], folder: Path) -> Code:
    """The project at `project` if its code is what was recorded, else the recorded commit's, taken out into `folder`.

    Not from the commit comes the library: today's runs the notebook, as it knows how to write nothing, and is no part of
    a notebook's identity.
    """
    moved = _moved(project, facts)
    if not moved:
        return Code(project)
    git = facts["git"]
    if not git:
        return Code(None, moved, "it was trained outside a git checkout")
    if not git["clean"]:
        return Code(None, moved, f"the tree at commit {git['commit'][:12]} held changes that were never committed")
    then = folder / "project"
    if not _take_out(project, git["commit"], then):
        return Code(None, moved, f"git knows no commit {git['commit'][:12]} (any more)")
    still = _moved(then, facts)
    return (
        Code(None, still, f"commit {git['commit'][:12]} holds other code")
        if still
        else Code(then, moved, f"commit {git['commit'][:12]}")
    )


def _moved(project: Path, facts: Mapping[str, Any]) -> tuple[str, ...]:
    """The parts of the code that differ from those recorded. The lock is the environment's, not the code's."""
    try:
        loaded = Project.load(project)
        now = code.explain(loaded, loaded.notebook(TableName.parse_notebook(facts["asset"])))
    except UnknownName:
        return (f"the notebook {facts['asset']}",)
    except LakehouseError as error:
        return (error.what,)
    then = facts["code"]
    return tuple(part for part in sorted({*then, *now}) if part != code.LOCK and then.get(part) != now.get(part))


def _take_out(project: Path, commit: str, into: Path) -> bool:
    """The commit's files, but for the library; False where git does not have it."""

    def git(*words: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(["git", "-C", str(project), *words], capture_output=True, check=False)

    inside = git("rev-parse", "--show-prefix").stdout.decode().strip()
    taken = git("archive", "--format=tar", f"{commit}:{inside}")
    if taken.returncode != 0:
        return False
    with tarfile.open(fileobj=io.BytesIO(taken.stdout)) as archive:
        files = [file for file in archive.getmembers() if file.name.partition("/")[0] != code.LIBRARY]
        archive.extractall(into, files, filter="data")
    if (project / settings.FILE).exists():
        shutil.copy(project / settings.FILE, into)
    return True
