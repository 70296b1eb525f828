"""Commands on what the lake remembers: why an asset ran or would run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console
    from rich.tree import Tree

    from lakehouse.names import TableName
    from lakehouse.project import Project
    from lakehouse.why import Explanation, Told

_FEW = 6
_WHOLE_LINES = 10_000


def register(app: typer.Typer) -> None:
    app.command("why")(why)


def why(
    asset: Annotated[str, typer.Argument(metavar="ASSET[@PARTITION]", help="silver/flights, silver.flights@2013-02")],
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> int:
    """Why an asset ran last, and why it would run now, or would not."""
    from lakehouse import plan, settings
    from lakehouse.project import Project
    from lakehouse.why import explain

    now = settings.load()
    project = Project.load(now.project)
    text, at, months = asset.partition("@")
    name = one_asset(project, text)
    wanted = plan.requested(project, [name], months) if at else None
    found = explain(project, now, name, wanted)
    if as_json:
        print(json.dumps([_plain(one) for one in found], indent=1, default=str))
    else:
        for one in found:
            print_tree(_explanation_tree(one))
    return 0


def one_asset(project: Project, text: str) -> TableName:
    """The asset of that name, or that writes the table of that name. Raises UnknownName."""
    from lakehouse.errors import UnknownName

    found = project.select([text])
    if len(found) != 1:
        raise UnknownName(f"{text!r} names {len(found)} assets", "Name one asset or table, such as silver/flights.")
    return found[0]


def _plain(found: Explanation) -> dict[str, Any]:
    last, run, failed = found.last, found.run, found.failed
    return {
        "asset": found.asset.slashed,
        "partitions": found.partitions,
        "last": last
        and {
            "table": last.table.dotted,
            "version": last.version,
            "at": last.at.isoformat(),
            "operation": last.operation,
            "by": last.by,
            "run": last.run_id,
            "origin": run.origin if run else None,
            "notebook": str(run.notebook) if run and run.notebook else None,
        },
        "because": [_told(one) for one in found.because],
        "failed_since": failed and {"run": failed.run_id, "at": failed.started.isoformat(), "cause": failed.cause},
        "would_run": bool(found.now),
        "now": [_told(one) for one in found.now],
        "kept": found.kept,
        "above": {asset.slashed: [_told(one) for one in told] for asset, told in found.above},
    }


def _told(told: Told) -> dict[str, Any]:
    reason = told.reason
    return {
        "reason": reason.kind,
        "words": str(reason),
        "table": reason.table and reason.table.dotted,
        "changes": [{"part": one.part, "then": one.then, "now": one.now} for one in reason.changes],
        "moved_by": [{"what": one.what, "at": one.at.isoformat(), "by": one.by} for one in told.movers],
    }


def _explanation_tree(found: Explanation) -> Tree:
    from rich.markup import escape
    from rich.tree import Tree

    from lakehouse.cli.run import span

    tree = Tree(f"[bold]{found.asset.slashed}[/] {span(found.partitions)}".rstrip())
    if found.last is not None:
        last = found.last
        origin = f" ({found.run.origin})" if found.run and found.run.origin else ""
        ran = tree.add(escape(f"{last.table} version {last.version}, {when(last.at)}, by {last.by}{origin}"))
        if last.facts is not None:
            _add_told(ran.add("it ran because"), found.because, "nothing had moved: it was asked for")
    elif found.because:
        _add_told(tree, found.because, "")
    if found.failed is not None:
        cause = found.failed.cause.splitlines()[0] if found.failed.cause else found.failed.status
        tree.add(escape(f"a run since then did not succeed, {when(found.failed.started)}: {cause}"))
    for words in found.kept:
        tree.add(escape(words))
    if not found.now:
        tree.add("it would not run now: up to date")
        return tree
    _add_told(tree.add("it would run now because"), found.now, "")
    for asset, told in found.above:
        _add_told(tree.add(f"{asset.slashed} would run before it because"), told, "")
    return tree


def _add_told(tree: Tree, told: tuple[Told, ...], otherwise: str) -> None:
    from rich.markup import escape

    if not told:
        tree.add(otherwise)
    for one in told:
        branch = tree.add(escape(str(one.reason)))
        if one.reason.kind == "parameters":
            for change in one.reason.changes:
                branch.add(escape(f"{change.part}: {change.then!r}, now {change.now!r}"))
        for mover in one.movers[-_FEW:]:
            branch.add(escape(f"{mover.what}, {when(mover.at)}, {mover.by}"))
        if len(one.movers) > _FEW:
            branch.add(f"and {len(one.movers) - _FEW} before these (--json lists all)")


def when(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def print_tree(tree: Tree) -> None:
    """A tree; where it goes to a file or a pipe, each line whole."""
    console_of_whole_lines().print(tree)


def console_of_whole_lines() -> Console:
    """Where it goes to a file or a pipe, nothing is wrapped."""
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WHOLE_LINES
    return console
