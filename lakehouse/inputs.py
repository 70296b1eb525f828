"""What a notebook's inputs are for a run: which partitions a read covers, and what stands in them now.

An input's identity is, for each covered partition, the last commit that changed it; not the table's version, or
February's write would make January look stale. A raw file's identity is its content; a model's is its champion, or for
who judges it (`lake.contest`) its newest version.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lakehouse import deltalog, ledger, raw, record, tables
from lakehouse.names import TableName
from lakehouse.notebook import NotebookSpec, Read
from lakehouse.partitions import ALL, NEW, Coverage
from lakehouse.project import Project
from lakehouse.record import ModelVersion
from lakehouse.retraining import course

WHOLE = "*"
Identity = dict[str, Any]


def covered(project: Project, table: TableName, coverage: Coverage, own: Iterable[str]) -> list[str] | None:
    """The partitions of `table` that a run over the partitions `own` reads; None means the whole table."""
    space = project.partitions_of(table)
    own = list(own)
    if space is None or coverage in ("all", NEW) or not own:
        return None
    return space.cover(coverage, own)


def parts_read(project: Project, spec: NotebookSpec, table: TableName, own: str | None) -> set[str] | None:
    """The partitions of `table` that a notebook's run for `own` reads by today's text; None: all of it, or unknown."""
    parts: set[str] = set()
    coverages = [read.coverage for read in spec.reads if read.table == table]
    for coverage in coverages:
        keys = covered(project, table, coverage, [] if own is None else [own])
        if keys is None:
            return None
        parts.update(keys)
    return parts if coverages else None


def identity(project: Project, root: Path, table: TableName, coverage: Coverage, own: Iterable[str]) -> Identity:
    """What stands now in the part of `table` that such a run reads, by partition ("*" for the whole)."""
    if table.layer == "models":
        version = ledger.champion(root, table) if coverage != ALL else _newest_version(project, root, table)
        return {WHOLE: version} if version else {}
    return _of_parts(project, root, table, covered(project, table, coverage, own))


def seen(project: Project, root: Path, spec: NotebookSpec, read: Read, own: Iterable[str]) -> Identity:
    """The identity of what a notebook's `read` reads. One that retraining moves from month to month sees each month by itself,
    so that a month which comes later does not change what it has read."""
    space = project.partitions_of(read.table)
    if read.table.layer == "models" or space is None or not course.moving(project, spec):
        return identity(project, root, read.table, read.coverage, own)
    return _of_parts(project, root, read.table, covered(project, read.table, read.coverage, own) or list(space.keys()))


def _of_parts(project: Project, root: Path, table: TableName, keys: list[str] | None) -> Identity:
    if project.is_of_files(table):
        return dict(raw.identity(root, table, keys))
    return dict(deltalog.identity(tables.lake_path(root, table), keys))


def missing(project: Project, root: Path, table: TableName, coverage: Coverage, own: Iterable[str]) -> list[str]:
    """Partitions that such a run reads one by one and that were never written. "all" and "until" take what is there."""
    keys = covered(project, table, coverage, own)
    if keys is None or coverage in ("all", "until"):
        return []
    there = identity(project, root, table, coverage, own)
    return [key for key in keys if key not in there]


def identities(project: Project, root: Path, spec: NotebookSpec, own: Iterable[str]) -> dict[TableName, Identity]:
    """The identity of every input of a notebook, merged over its reads."""
    own = list(own)
    found: dict[TableName, Identity] = {}
    for read in (*spec.reads, *spec.models_read):
        found.setdefault(read.table, {}).update(seen(project, root, spec, read, own))
    return found


def champions(spec: NotebookSpec, seen: Mapping[TableName, Identity]) -> dict[TableName, int]:
    """Of the models that a notebook loads or scores by, the champions among what it has `seen`: it finishes with these."""
    used = {read.table for read in spec.models_read if read.coverage != ALL}
    return {model: version for model in used if (version := seen.get(model, {}).get(WHOLE)) is not None}


def newest_model(project: Project, root: Path, name: TableName) -> ModelVersion | None:
    """The newest registered version of the model `name`, from the runs' records (no registry is opened).

    That is the highest number, as for the registry: of two trainings that overlap the first to begin may register last.
    """
    results = record.results_newest_first(root, project.writer_of(name) or name)
    found = (model for result in results for model in result.models if model.name == name.dotted and model.version)
    return max(found, key=lambda model: model.version, default=None)


def _newest_version(project: Project, root: Path, name: TableName) -> int | None:
    found = newest_model(project, root, name)
    return found.version if found else None
