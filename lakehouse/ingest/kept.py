"""Verdicts, each kept by its file's bytes: raw/.verdicts/<sha256>-<form>.json, so that no file is judged twice.

They can be thrown away at any time: what is needed is judged again.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lakehouse import atomic, raw
from lakehouse.ingest.facts import Facts
from lakehouse.ingest.form import Form
from lakehouse.ingest.judge import judge
from lakehouse.ingest.verdict import Misfit, Verdict
from lakehouse.raw import RawFile

FOLDER = ".verdicts"


def of(root: Path, file: RawFile, form: Form) -> Verdict:
    """The verdict on a raw file: the one that is kept, else a new one."""
    known = look(root, file, form)
    if known is not None:
        return known
    path = _path(root, file, form)
    path.parent.mkdir(parents=True, exist_ok=True)
    found = judge(file.path, form, path.with_suffix(".txt"))
    with suppress(OSError), atomic.replacing(path) as beside:  # a lake that may only be read has its files judged each time
        beside.write_text(json.dumps(_as_json(found)))
    return found


def look(root: Path, file: RawFile, form: Form) -> Verdict | None:
    """The verdict that is kept; None where there is none that can be used."""
    try:
        content = json.loads(_path(root, file, form).read_text())
        content["misfits"] = tuple(Misfit(**one) for one in content["misfits"])
        content["facts"] = {name: Facts(**{**one, **_tuples(one)}) for name, one in content["facts"].items()}
        content["columns"] = tuple(content["columns"])
        content["copy"] = _path(root, file, form).with_suffix(".txt") if content["copy"] else None
        found = Verdict(**content)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if found.copy is None or found.copy.exists() else None


def _tuples(facts: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    return {name: tuple(facts[name]) for name in ("quantiles", "common")}


def _as_json(verdict: Verdict) -> dict[str, Any]:
    return {**asdict(verdict), "copy": verdict.copy is not None}


def _path(root: Path, file: RawFile, form: Form) -> Path:
    return root / raw.FOLDER / FOLDER / f"{file.sha256}-{form.key}.json"
