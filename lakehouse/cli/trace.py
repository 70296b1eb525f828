"""The command that tells what was made of what."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakehouse.cli.history import print_tree, when

if TYPE_CHECKING:
    from pathlib import Path

    from rich.tree import Tree

    from lakehouse.columntrace import ColumnBranch
    from lakehouse.making import Making
    from lakehouse.names import TableName
    from lakehouse.project import Project
    from lakehouse.trace import Branch, Rows


def register(app: typer.Typer) -> None:
    app.command("trace")(trace)


def trace(
    table: Annotated[str | None, typer.Argument(metavar="[TABLE]", help="silver.flights, models.flight_delay, raw.flights")] = None,
    where: Annotated[str | None, typer.Option("--where", help="which rows: \"carrier = 'UA' and month = '2013-02'\"")] = None,
    column: Annotated[str | None, typer.Option("--column", help="which columns a column's values come from")] = None,
    file: Annotated[str | None, typer.Option("--file", help="of a raw table: which file's use to follow")] = None,
    forward: Annotated[str | None, typer.Option("--forward", metavar="RAWFILE", help="a raw file's path, not a table")] = None,
    every_model: Annotated[
        bool, typer.Option("--every-model", help="also to versions of models that made nothing that stands")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> int:
    """Walk rows back to the raw files they came from; of a raw file, forward to all that was made of it."""
    from lakehouse import settings
    from lakehouse import trace as tracing
    from lakehouse.names import TableName
    from lakehouse.project import Project

    if (table is None) == (forward is None):
        raise typer.BadParameter("name a table, or a raw file by --forward")
    now = settings.load()
    name = TableName.parse(table) if table else raw_table_of(forward or "", now.root)
    if (where or column) if name.layer == "raw" else file:
        raise typer.BadParameter("--where and --column go with a table of rows, --file with a raw table")
    if where and column:
        raise typer.BadParameter("--where follows rows and --column a column: ask one after the other")
    project = Project.load(now.project)
    if column:
        return _trace_column(project, now.root, name, column, as_json)
    if name.layer == "raw":
        branches = tracing.forward(project, now, name, forward or file, every_model=every_model)
        found, trees = [_branch(one) for one in branches], [_grown(one) for one in branches]
    else:
        rows = tracing.back(project, now, name, where)
        found, trees = [_rows(one) for one in rows], [_rows_tree(name, one) for one in rows]
    if as_json:
        print(json.dumps(found, indent=1, default=str))
        return 0
    for tree in trees:
        print_tree(tree)
    if not trees:
        print(f"No row of {name} is meant.")
    return 0


def _trace_column(project: Project, root: Path, table: TableName, column: str, as_json: bool) -> int:
    from lakehouse import columntrace

    found = columntrace.back(project, root, table, column)
    if as_json:
        print(json.dumps(_column(found), indent=1))
        return 0
    print_tree(_column_tree(found))
    if not found.branches:
        print("Which columns it comes from was not told: by no run yet, or it was computed outside Spark's plan.")
    return 0


def _column(one: ColumnBranch) -> dict[str, Any]:
    facts = {"table": one.table.dotted, "column": one.column, "run": one.run_id, "told_above": one.again}
    return {**facts, "branches": [_column(below) for below in one.branches]}


def _column_tree(one: ColumnBranch) -> Tree:
    from rich.markup import escape
    from rich.tree import Tree

    tree = Tree(escape(f"{one.table}.{one.column}{', as above' if one.again else ''}"))
    for below in one.branches:
        tree.add(_column_tree(below))
    return tree


def raw_table_of(path: str, root: Path) -> TableName:
    """The raw table in whose folder a file lies. Raises UnknownName where it lies elsewhere."""
    from pathlib import Path

    from lakehouse.errors import UnknownName
    from lakehouse.names import TableName

    inside = Path(path).absolute()
    if not inside.is_relative_to(root / "raw"):
        raise UnknownName(f"{path} is not a raw file of this lake", f"They lie in {root / 'raw'}, a folder for each raw table.")
    return TableName("raw", inside.relative_to(root / "raw").parts[0])


def _rows(found: Rows) -> dict[str, Any]:
    facts = {"rows": found.count, "partition": found.partition, "source_file": found.source_file, "examples": found.examples}
    return {**facts, "back": [_branch(one) for one in found.back]}


def _branch(one: Branch) -> dict[str, Any]:
    from lakehouse.lineage import Node

    if not isinstance(one.what, Node):
        file = one.what
        facts = {"file": str(file.path), "filename": file.filename, "sha256": file.sha256, "bytes": file.size}
        facts |= {"received_at": file.received_at.isoformat(), "origin": file.origin, "partition": file.partition}
    else:
        facts = {"table": one.what.table.dotted, "version": one.what.version, "partitions": one.what.partitions, **_making(one)}
    return {**facts, "told_above": one.again, "branches": [_branch(below) for below in one.branches]}


def _making(one: Branch) -> dict[str, Any]:
    from lakehouse import code

    made: Making | None = one.made
    if made is None:
        return {"by": None}
    facts = made.facts or {}
    return {
        "by": made.by,
        "at": made.at.isoformat(),
        "run": made.run_id,
        "asset": made.asset and made.asset.slashed,
        "notebook": str(one.notebook) if one.notebook else None,
        "parameters": facts.get("parameters"),
        "code": code.identity_of(facts["code"]) if facts.get("code") else None,
        **({"aliases": one.aliases, "metrics": _metrics(made)} if one.model else {}),
    }


def _metrics(made: Making) -> dict[str, float]:
    """What a model's version was measured by."""
    found = (made.facts or {}).get("models", [])
    return next((one["metrics"] for one in found if (one["name"], one["version"]) == (made.table.dotted, made.version)), {})


def _rows_tree(name: TableName, found: Rows) -> Tree:
    from rich.markup import escape
    from rich.tree import Tree

    at = "".join(f", {text}" for text in (found.partition, found.source_file) if text)
    count = "all rows" if found.count is None else f"{found.count:,} row{'s' if found.count != 1 else ''}"
    tree = Tree(f"[bold]{name}[/]: {escape(count + at)}")
    for row in found.examples:
        tree.add(escape(", ".join(f"{column} {value}" for column, value in row.items())))
    for one in found.back:
        tree.add(_grown(one))
    return tree


def _grown(one: Branch) -> Tree:
    from rich.markup import escape
    from rich.tree import Tree

    tree = Tree(escape(_label(one)))
    if one.notebook is not None:
        tree.add(escape(str(one.notebook)))
    for below in one.branches:
        tree.add(_grown(below))
    return tree


def _label(one: Branch) -> str:
    from lakehouse.cli.run import span
    from lakehouse.lineage import Node

    if not isinstance(one.what, Node):
        file = one.what
        return f"{file.path}: SHA-256 {file.sha256}, {file.size:,} bytes, received {when(file.received_at)} as {file.filename}"
    node, facts = one.what, _making(one)
    months = f" ({span(node.partitions)})" if node.partitions else ""
    known = f"{facts['by']}, {when(one.made.at)}" if one.made else "its commit or record is gone"
    chosen = ", ".join(f"{name}={value}" for name, value in (facts.get("parameters") or {}).items())
    code = f", code {facts['code'][:12]}" if facts.get("code") else ""
    again = ", as above" if one.again else ""
    measured = ", ".join(f"{name} {value:.4g}" for name, value in (facts.get("metrics") or {}).items())
    code += f", measured {measured}" if measured and not one.again else ""
    called = f" ({', '.join(one.aliases)})" if one.aliases else ""
    return f"{node.table} version {node.version}{months}{called}: {known}{code}{f', {chosen}' if chosen else ''}{again}"
