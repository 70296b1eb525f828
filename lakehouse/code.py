"""The identity of a notebook's code: what, if it changes, makes its tables stale.

Counted are the code cells, the project's modules that they import (and those that these import), what the contracts of
the tables it writes promise and those of what it reads say of features, how its raw inputs are read, and the locked
requirements. Prose, comments, docstrings, outputs and formatting are not, nor the samples of parameters, whose values a
run records itself, nor the library `lakehouse`. A module imported by a computed name, and a data file that is read,
cannot be seen.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from lakehouse import cells
from lakehouse.cells import Cell
from lakehouse.contract import Contract
from lakehouse.contracts.profiling import Profiling
from lakehouse.notebook import PARAMETERS_TAG, NotebookSpec
from lakehouse.project import Project
from lakehouse.source import Source

LOCK = "requirements.txt"
LIBRARY = "lakehouse"


def code_identity(project: Project, spec: NotebookSpec) -> str:
    """The SHA-256 (hex) of everything that `explain` lists."""
    return identity_of(explain(project, spec))


def identity_of(parts: Mapping[str, str]) -> str:
    """The SHA-256 (hex) of parts as `explain` lists them and runs record them."""
    return _hash(dict(parts))


def explain(project: Project, spec: NotebookSpec) -> dict[str, str]:
    """A hash for each part: `code cell 3`, `assets/transforms/flights.py`, `contract silver.flights`, the lock file.

    Only code cells that say something are counted, from 1, so that a cell of prose moves none of the numbers.
    """
    parts: dict[str, str] = {}
    imported: set[str] = set()
    for cell in spec.code_cells:
        content, names = _cell(cell)
        imported.update(names)
        if content:
            parts[f"code cell {len(parts) + 1}"] = _hash(content)
    parts.update(_modules(project.path, imported))
    for table in spec.outputs:
        if table in project.contracts:
            parts[f"contract {table}"] = _hash(_promises(project.contracts[table]))
    for table in spec.inputs:
        if told := _told(project.contracts.get(table)):
            parts[f"features {table}"] = _hash(told)
        source = project.sources.get(table) if table.layer == "raw" else None
        if isinstance(source, Source):  # what a stream landed is read as any table
            parts[f"source {table}"] = _hash(_reading(source))
    lock = project.path / LOCK
    if lock.exists():
        parts[LOCK] = _lock(lock, lock.stat().st_mtime_ns)
    return parts


def _cell(cell: Cell) -> tuple[list[str], set[str]]:
    """A cell's code in one form, empty if it does nothing, and the modules it imports."""
    try:
        tree, magics = cells.parse_python(cell.source)
    except SyntaxError:
        return [cell.source], set()
    if PARAMETERS_TAG in cell.tags:
        for node in tree.body:
            if isinstance(node, ast.AnnAssign):
                node.value = None
    body = _form(tree)
    return [text for text in (body, *magics) if text], set(_imports(tree, package=""))


def _form(tree: ast.Module) -> str:
    """The tree as text, without positions and docstrings; empty when nothing is left."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            node.body = [line for line in node.body if not _is_text(line)]
    return ast.dump(tree) if tree.body else ""


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _modules(project: Path, imported: set[str]) -> dict[str, str]:
    """A hash for each file of the project that these imports lead to, by its path, sorted."""
    found: dict[str, str] = {}
    front = sorted(imported)
    seen = set(front)
    while front:
        path = _module_path(project, front.pop())
        if path is None:
            continue
        package = ".".join(path.relative_to(project).parent.parts)
        found[path.relative_to(project).as_posix()], names = _module(path, package, path.stat().st_mtime_ns)
        front.extend(names - seen)
        seen |= names
    return dict(sorted(found.items()))


def _module_path(project: Path, name: str) -> Path | None:
    if name.partition(".")[0] == LIBRARY:
        return None
    base = project.joinpath(*name.split("."))
    return next((path for path in (base / "__init__.py", base.with_name(f"{base.name}.py")) if path.is_file()), None)


@lru_cache(maxsize=512)
def _module(path: Path, package: str, mtime_ns: int) -> tuple[str, frozenset[str]]:
    """The hash of a module's code and the modules it imports; `mtime_ns` makes an edited file another entry."""
    source = path.read_text(encoding="utf-8")
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return _hash(source), frozenset()
    names = frozenset(_imports(tree, package))
    return _hash(_form(tree)), names


def _imports(tree: ast.AST, package: str) -> Iterator[str]:
    """Dotted names that may be modules, their packages too; `package` is where relative imports start."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _with_packages(alias.name)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".") if package else []
            above = parts[: len(parts) - node.level + 1] if node.level else []
            base = ".".join((*above, *([node.module] if node.module else [])))
            for alias in node.names:
                yield from _with_packages(f"{base}.{alias.name}".strip("."))


def _with_packages(name: str) -> Iterator[str]:
    parts = [part for part in name.split(".") if part != "*"]
    for end in range(1, len(parts) + 1):
        yield ".".join(parts[:end])


def _promises(contract: Contract) -> dict[str, object]:
    """What of a contract the audit holds rows against; a longer range of partitions changes no row."""
    return {
        "key": contract.key,
        "partitions": contract.partitions.column if contract.partitions else None,
        "columns": {name: (column.type, column.nullable) for name, column in contract.columns.items()},
        "expectations": [(one.type, one.kwargs, one.severity) for one in contract.expectations],
        # Named only where there are any: a form that learns a key must not make every table stale.
        **({"quarantine": contract.quarantine.at_most} if contract.quarantine.at_most != 0.01 else {}),
        **({"references": [(str(one.to), one.pairs, one.severity) for one in contract.references]} if contract.references else {}),
        **({"parity": (str(contract.parity.features), contract.parity.sample)} if contract.parity else {}),
        **({} if contract.profile == Profiling() else {"profile": contract.model_dump(mode="json", include={"profile"})}),
    }


def _told(contract: Contract | None) -> dict[str, object]:
    """What of an input's contract decides what its readers compute: how features are found and imputed."""
    if contract is None:
        return {}
    view = contract.model_dump(mode="json", include={"feature_view"}) if contract.feature_view else {}
    imputed = {name: str(column.impute) for name, column in contract.columns.items() if column.impute}
    return {**view, **({"impute": imputed} if imputed else {})}


def _reading(source: Source) -> dict[str, object]:
    columns = {"columns": [*source.columns, "optional", *source.optional]} if source.columns or source.optional else {}
    return {"format": source.format, "options": dict(source.options), **columns}


@lru_cache(maxsize=8)
def _lock(path: Path, mtime_ns: int) -> str:
    """The hash of the pinned names and versions: comments and the hashes of the files do not count."""
    lines = (line.split(" \\")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return _hash(sorted(line for line in lines if line and not line.startswith(("#", "--hash"))))


def _hash(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
