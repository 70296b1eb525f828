"""Walks rows back to the raw files they came from, and a raw file forward to all that was made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lakehouse import raw, tables
from lakehouse.deltastate import states
from lakehouse.errors import LakehouseError, UnknownName
from lakehouse.lineage import Lineage, Node, Origin
from lakehouse.making import Making
from lakehouse.names import TableName, did_you_mean
from lakehouse.project import Project
from lakehouse.raw import RawFile
from lakehouse.settings import Settings
from lakehouse.where import condition

EXAMPLES = 5
_FILE = "_source_file"
_RUN = "run_id"


@dataclass(frozen=True)
class Branch:
    """`what`, who made it, and what it was made of (or, forward, what was made of it). `again`: see the same above.

    `aliases` are those that a model's version has now.
    """

    what: Origin
    made: Making | None = None
    notebook: Path | None = None
    branches: tuple[Branch, ...] = ()
    again: bool = False
    aliases: tuple[str, ...] = ()

    @property
    def model(self) -> bool:
        return isinstance(self.what, Node) and self.what.table.layer == "models"


@dataclass(frozen=True)
class Rows:
    """Rows that share their origin: how many (None: not counted), in which partition, the keys of a few, the way back.

    Rows that say by which run they were told (scores do) share that: what a merge left of older runs is not the newest's.
    """

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
        return [Rows(None, None, None, [], _named(settings, _grown(lineage, lineage.standing(table))))]
    version = max(states(path))
    columns = states(path, [version])[version].columns
    text = condition(where, columns)
    found = _ask(project, settings, table, version, text, list(columns))
    rows = []
    for partition, file, run, count, examples in found:
        keys = None if partition is None else [partition]
        starts = (lineage.left_by(run, table, keys or ()) if run else []) or lineage.standing(table, keys, version)
        way = _grown(lineage, starts, _only(settings.root, file))
        rows.append(Rows(count, partition, file, examples, _named(settings, way)))
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
    return list(_named(settings, [_grow(lineage, file, outputs, told) for file in dict.fromkeys(files)]))


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


def _named(settings: Settings, branches: Sequence[Branch]) -> tuple[Branch, ...]:
    """The branches with the aliases that models have now; the registry, which takes seconds, is asked only where one is met."""
    if not any(branch.model for branch in _walk(branches)):
        return tuple(branches)
    from lakehouse import models

    try:
        known = models.aliases(settings)
    except LakehouseError:  # `lakehouse doctor` tells of it; the way back stands in commits and records
        known = {}

    def name(branch: Branch) -> Branch:
        own = known.get((branch.what.table.dotted, branch.what.version), ()) if isinstance(branch.what, Node) else ()
        return replace(branch, aliases=own, branches=tuple(map(name, branch.branches)))

    return tuple(map(name, branches))


def _walk(branches: Iterable[Branch]) -> Iterator[Branch]:
    for branch in branches:
        yield branch
        yield from _walk(branch.branches)


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
) -> list[tuple[str | None, str | None, str | None, int, list[dict[str, Any]]]]:
    """The rows for which `where` holds by partition, raw file and run, where the table has them: a count, a few keys (of
    scores, what they say too)."""
    from lakehouse.spark.ask import in_words
    from lakehouse.spark.session import connect

    space, contract = project.partitions_of(table), project.contracts.get(table)
    partition = f"cast(`{space.column}` as string)" if space else "cast(null as string)"
    scores = table.layer == "scores"
    there = {_FILE: _FILE in columns, _RUN: scores and _RUN in columns}
    file, run = (f"`{name}`" if stands else "cast(null as string)" for name, stands in there.items())
    keys = [name for name in (contract.key if contract else ()) or columns[:EXAMPLES] if name in columns]
    keys += ["score"] if scores and "score" in columns else []
    known = contract.columns if contract else {}
    shown = [name for name in dict.fromkeys(keys) if not (name in known and known[name].personal)]
    examples = ", ".join(f"'{name}', cast(`{name}` as string)" for name in shown)
    number = f"row_number() over (partition by {partition}, {file}, {run} order by 1)"
    few = f"cast(map({examples}) as map<string, string>) as m, {number} as r"
    relation = tables.Resolver(settings.root).relation(table, version, where)
    spark = connect(settings)
    try:
        with in_words("The filter", "Correct the filter; it is read as Spark SQL."):
            found = spark.sql(
                f"select p, f, u, count(*) as n, collect_list(m) filter (where r <= {EXAMPLES}) as e "
                f"from (select {partition} as p, {file} as f, {run} as u, {few} from {relation}) "
                "group by p, f, u order by p, f, u"
            ).collect()
    finally:
        spark.stop()
    return [(row.p, row.f, row.u, row.n, [dict(one) for one in row.e]) for row in found]
