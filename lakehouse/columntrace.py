"""Walks a table's column back to the raw columns that its values come from, by what the runs recorded of their plans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lakehouse import record, tables
from lakehouse.deltastate import states
from lakehouse.errors import UnknownName
from lakehouse.names import TableName, did_you_mean
from lakehouse.project import Project


@dataclass(frozen=True)
class ColumnBranch:
    """A column and those that it comes from; `run_id` is the run that told so. `again`: see the same above."""

    table: TableName
    column: str
    run_id: str | None = None
    branches: tuple[ColumnBranch, ...] = ()
    again: bool = False


def back(project: Project, root: Path, table: TableName, column: str) -> ColumnBranch:
    """The way back of `column`, by the newest run that wrote each table. What the plans could not tell ends the walk.

    Raises UnknownName for a table that is not built, or has no such column.
    """
    path = tables.Resolver(root).path(table)
    newest_state = list(states(path).values())[-1]
    columns = list(newest_state.columns)
    if column not in columns:
        hint = f"It has {', '.join(columns)}.{did_you_mean(column, columns)}"
        raise UnknownName(f"{table} has no column {column}", hint)
    seen: set[tuple[TableName, str]] = set()
    newest = cache(lambda name: told(project, root, name))

    def grow(at: TableName, name: str) -> ColumnBranch:
        run_id, columns = newest(at)
        sources = [one.split(".", 2) for one in columns.get(name, ())]
        if sources and (at, name) in seen:
            return ColumnBranch(at, name, run_id, again=True)
        seen.add((at, name))
        below = tuple(grow(TableName(layer, word), source) for layer, word, source in sources)
        return ColumnBranch(at, name, run_id, below)

    return grow(table, column)


def told(project: Project, root: Path, table: TableName) -> tuple[str | None, Mapping[str, list[str]]]:
    """The newest run that wrote `table`, and which columns its columns come from; none where nothing is recorded."""
    for result in record.results_newest_first(root, project.writer_of(table) or table):
        for write in result.writes:
            if write.table == table.dotted:
                return result.run_id, write.columns
    return None, {}
