"""The project's own environment, `.venv`: where it is, what it was made from, and how it stands.

Only the standard library can be used here: this runs before anything is installed.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

BUILD_LOCK, LOCK, PROJECT_FILE = ".requirements-build.txt", "requirements.txt", "pyproject.toml"


@dataclass(frozen=True)
class Environment:
    """The environment of the project at `project` (an absolute path)."""

    project: Path

    @property
    def folder(self) -> Path:
        return self.project / ".venv"

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def uv(self) -> Path:
        return self.folder / "bin" / "uv"

    @property
    def state(self) -> Path:
        """What set-up knows: {"stamp": … or null, "seconds": {step: seconds}}. It also marks the folder as ours."""
        return self.folder / ".lakehouse-setup.json"

    @property
    def log(self) -> Path:
        return self.project / ".lakehouse-setup" / "log.txt"

    @property
    def lock(self) -> Path:
        return self.project / ".lakehouse-setup" / "lock"

    def is_this_process(self) -> bool:
        return self.folder.exists() and self.folder.samefile(sys.prefix)

    def stamp(self) -> dict[str, str]:
        """What the environment depends on: the content of its lock files, its Python, the project's path."""
        made_from = (BUILD_LOCK, LOCK, PROJECT_FILE)
        hashes = {name: hashlib.sha256((self.project / name).read_bytes()).hexdigest() for name in made_from}
        return {**hashes, "python": os.path.realpath(self.python), "project": str(self.project)}

    def finding(self) -> str:
        """How the environment stands.

        "ready"; "missing"; "foreign" (somebody else's); "half made"; "moved" (to another path, or its Python has
        changed); "outdated" (the locks differ); "project changed" (only pyproject.toml differs).
        """
        if not self.folder.exists() or not any(self.folder.iterdir()):
            return "missing"
        try:
            stamp = json.loads(self.state.read_text(encoding="utf-8"))["stamp"]
        except FileNotFoundError:
            return "foreign"
        except (ValueError, KeyError, TypeError):
            return "half made"
        if not stamp or not (self.folder / "pyvenv.cfg").exists():
            return "half made"
        now = self.stamp()
        changed = {name for name in now if stamp.get(name) != now[name]}
        if not self.python.exists() or changed & {"python", "project"}:
            return "moved"
        if changed == {PROJECT_FILE}:
            return "project changed"
        return "outdated" if changed else "ready"

    def distrust(self, whole: bool) -> None:
        """Make the next command see to the environment: make it anew (`whole`), or hold it against the locks again."""
        stamp = None if whole else {**self.stamp(), LOCK: ""}
        self.record(stamp, {})

    def record(self, stamp: Mapping[str, str] | None, seconds: Mapping[str, float]) -> None:
        """Write the state, at once or not at all; without a stamp the environment counts as half made."""
        draft = self.state.with_suffix(".new")
        draft.write_text(json.dumps({"stamp": stamp, "seconds": seconds}, indent=2) + "\n", encoding="utf-8")
        draft.replace(self.state)
