"""Walks rows back to the raw files they came from, and a raw file forward to all that was made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lakehouse import raw, tables
from lakehouse.deltastate import states
from lakehouse.errors import UnknownName
from lakehouse.lineage import Lineage, Node, Origin
from lakehouse.making import Making
from lakehouse.names import TableName, did_you_mean
from lakehouse.project import Project
from lakehouse.raw import RawFile
from lakehouse.settings import Settings
from lakehouse.where import condition

EXAMPLES = 5
_FILE = "_source_file"


@dataclass(frozen=True)
class Branch:
    """`what`, who made it, and what it was made of (or, forward, what was made of it). `again`: see the same above."""

    what: Origin
    made: Making | None = None
    notebook: Path | None = None
    branches: tuple[Branch, ...] = ()
    again: bool = False


@dataclass(frozen=True)
class Rows:
    """Rows that share their origin: how many (None: not counted), in which partition, the keys of a few, the way back."""

    count: int | None
    partition: str | None
    source_file: str | None
    examples: list[dict[str, Any]] = field(default_factory=list)
    back: tuple[Branch, ...] = ()


def back(project: Project, settings: Settings, table: TableName, where: str | None = None) -> list[Rows]:
    """The way back of the rows of `table` for which the filter `where` holds (None: of all, without reading them).

    Where rows say which raw file they came from, only that; else all that their partition was made of.
    Raises UnknownName, and FilterError for a filter that is more than one.
    """
    lineage = Lineage(project, settings.root)
    if table.layer != "models":
        path = tables.Resolver(settings.root).path(table)
    elif where is not None or not lineage.standing(table):
        raise UnknownName(f"{table} has no {'rows' if where else 'version'}", f"To train it: lakehouse run {table.slashed}")
    if where is None:
        return [Rows(None, None, None, [], _grown(lineage, lineage.standing(table)))]
    version = max(states(path))
    columns = states(path, [version])[version].columns
    text = condition(where, columns)
    found = _ask(project, settings, table, version, text, list(columns))
    rows = []
    for partition, file, count, examples in found:
        starts = lineage.standing(table, None if partition is None else [partition], version)
        rows.append(Rows(count, partition, file, examples, _grown(lineage, starts, _only(settings.root, file))))
    return rows


def forward(
    project: Project, settings: Settings, table: TableName, name: str | None = None, *, every_model: bool = False
) -> list[Branch]:
    """What was made of the raw files of `table` called `name` (as the source named them, or by a path; None: of all).

    Told is what stands now and what that was made of; of models the newest version and those that made what stands,
    or every one. Raises UnknownName where there is no such file.
    """
    lineage = Lineage(project, settings.root, every_model=every_model)
    folder = settings.root / raw.FOLDER / table.name
    there = raw.received(settings.root, table)
    files = [file for file in there if name is None or name in (file.filename, file.path.name) or _is_at(file, folder, name)]
    if not files:
        near = did_you_mean(name, {file.filename for file in there})
        raise UnknownName(f"{table} has no file {name or ''}".rstrip(), f"Its files lie in {folder}.{near}")

    def outputs(origin: Origin) -> list[Origin]:
        singles = origin.split() if isinstance(origin, Node) else [origin]
        return list(_together(node for single in singles for node in lineage.outputs.get(single, ())))

    told: set[Origin] = set()
    return [_grow(lineage, file, outputs, told) for file in dict.fromkeys(files)]


def _grown(lineage: Lineage, starts: Sequence[Node], only: Callable[[Origin], bool] = lambda origin: True) -> tuple[Branch, ...]:
    told: set[Origin] = set()

    def origins(node: Origin) -> list[Origin]:
        return [origin for origin in lineage.inputs(node) if only(origin)] if isinstance(node, Node) else []

    return tuple(_grow(lineage, start, origins, told) for start in starts)


def _grow(lineage: Lineage, what: Origin, follow: Callable[[Origin], list[Origin]], told: set[Origin]) -> Branch:
    made = lineage.made(what) if isinstance(what, Node) else None
    notebook = lineage.notebook(made) if made else None
    following = follow(what)
    if what in told and following:
        return Branch(what, made, notebook, again=True)
    told.add(what)
    return Branch(what, made, notebook, tuple(_grow(lineage, one, follow, told) for one in following))


def _together(nodes: Iterable[Node]) -> list[Node]:
    """Partitions of one table that one commit left, as one node."""
    found: dict[tuple[TableName, int], set[str]] = {}
    for node in nodes:
        found.setdefault((node.table, node.version), set()).update(node.partitions)
    return [Node(table, version, tuple(sorted(keys))) for (table, version), keys in sorted(found.items())]


def _only(root: Path, source_file: str | None) -> Callable[[Origin], bool]:
    """Of the raw table that the rows' file is of, only that file; all else is followed."""
    if source_file is None:
        return lambda origin: True
    path = root / raw.FOLDER / source_file
    table = root / raw.FOLDER / Path(source_file).parts[0]
    return lambda origin: isinstance(origin, Node) or origin.path == path or table not in origin.path.parents


def _is_at(file: RawFile, folder: Path, name: str) -> bool:
    return Path(name).absolute() == file.path.absolute() or file.path.relative_to(folder).as_posix() == name


def _ask(
    project: Project, settings: Settings, table: TableName, version: int, where: str, columns: list[str]
) -> list[tuple[str | None, str | None, int, list[dict[str, Any]]]]:
    """The rows for which `where` holds by partition and raw file: both where the table has them, a count, a few keys."""
    from lakehouse.spark.ask import in_words
    from lakehouse.spark.session import connect

    space, contract = project.partitions_of(table), project.contracts.get(table)
    partition = f"cast(`{space.column}` as string)" if space else "cast(null as string)"
    file = f"`{_FILE}`" if _FILE in columns else "cast(null as string)"
    keys = [name for name in (contract.key if contract else ()) or columns[:EXAMPLES] if name in columns]
    shown = [name for name in keys if not (contract and name in contract.columns and contract.columns[name].personal)]
    examples = ", ".join(f"'{name}', cast(`{name}` as string)" for name in shown)
    few = f"cast(map({examples}) as map<string, string>) as m, row_number() over (partition by {partition}, {file} order by 1) as r"
    relation = tables.Resolver(settings.root).relation(table, version, where)
    spark = connect(settings)
    try:
        with in_words("The filter", "Correct the filter; it is read as Spark SQL."):
            found = spark.sql(
                f"select p, f, count(*) as n, collect_list(m) filter (where r <= {EXAMPLES}) as e "
                f"from (select {partition} as p, {file} as f, {few} from {relation}) group by p, f order by p, f"
            ).collect()
    finally:
        spark.stop()
    return [(row.p, row.f, row.n, [dict(one) for one in row.e]) for row in found]
