"""Raw files' manifests: an entry that is torn hides the file it names, and every later one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from lakehouse import atomic, raw
from lakehouse.doctor.aside import set_aside
from lakehouse.errors import RawError
from lakehouse.manifest import entry
from lakehouse.settings import Settings
from lakehouse.trouble import Trouble

_ORIGIN = "not known any more: its entry was torn"


def look(settings: Settings, deep: bool) -> Iterator[Trouble]:
    for manifest in sorted((settings.root / raw.FOLDER).rglob(raw.MANIFEST)):
        torn = [path for path in sorted(manifest.glob("*.json")) if _is_torn(path)]
        for path in torn:
            orphan = _orphan(manifest) if len(torn) == 1 else None
            if orphan is None:
                todo = "Restore it from a backup: which file it named cannot be told."
                yield Trouble(str(path), "is torn", todo)
            else:
                todo = f"--repair writes it anew: it can only have named {orphan.name}."
                yield Trouble(str(path), "is torn", todo, mend=partial(_rebuild, settings.root, path))


def _is_torn(path: Path) -> bool:
    try:
        entry(path)
    except RawError:
        return True
    return False


def _orphan(manifest: Path) -> Path | None:
    """The one file of the folder that no entry names; None where there are several or none."""
    named = {entry(path).path for path in manifest.glob("*.json") if not _is_torn(path)}
    left = [path for path in manifest.parent.iterdir() if path.is_file() and path not in named]
    return left[0] if len(left) == 1 else None


def _rebuild(root: Path, path: Path) -> str:
    file = _orphan(path.parent)
    if file is None:
        raise RawError(f"Which file {path} named cannot be told any more", "Another process may be landing files.")
    partition = file.parent.name if file.parent.parent.parent == root / raw.FOLDER else None
    content = {
        "path": file.name,
        "filename": file.name,
        "origin": _ORIGIN,
        "partition": partition,
        "received_at": datetime.fromtimestamp(file.stat().st_mtime, UTC).isoformat(),
        "size": file.stat().st_size,
        "sha256": raw.sha256(file),
    }
    with atomic.replacing(path) as beside:
        beside.write_text(json.dumps(content, indent=1))
        kept = set_aside(path)
    return f"Wrote {path} anew; the torn one is now {kept.name}."
