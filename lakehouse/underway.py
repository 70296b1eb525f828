"""A run under way: what its runner knows of it, and its notebook as far as it came."""

from __future__ import annotations

import contextlib
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lakehouse import record
from lakehouse.names import TableName
from lakehouse.notebook import NotebookSpec


@dataclass
class Run:
    """A run under way."""

    asset: TableName
    spec: NotebookSpec
    parameters: dict[str, Any]
    run_id: str
    root: Path
    origin: str
    labels: dict[str, str]
    waited: float = 0.0
    force: bool = False
    behind: dict[str, str] = field(default_factory=dict)
    kept: Path | None = None
    environ: dict[str, str] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    wall: float = field(default_factory=time.time)
    oom_kills: int = field(default_factory=lambda: oom_kills())

    @property
    def folder(self) -> Path:
        return self.kept or record.folder(self.root, self.asset, self.run_id)


def oom_kills() -> int:
    """How many processes this machine's kernel has killed for want of memory so far (0 where it does not tell)."""
    try:
        found = re.search(r"^oom_kill (\d+)$", Path("/proc/vmstat").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0


def executed(run: Run) -> Any:
    """The notebook as far as it came; as it stands in the project where that was never saved, or only in part."""
    import nbformat

    for name in (record.PARTIAL, record.NOTEBOOK):
        with contextlib.suppress(FileNotFoundError, ValueError):
            return nbformat.read(run.folder / name, as_version=4)
    return nbformat.read(run.spec.path, as_version=4)
