"""Commands on the versions of tables: go back to one, delete those that nothing needs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from datetime import timedelta

    from rich.tree import Tree

    from lakehouse.restore import Restored
    from lakehouse.vacuum import Sweep

_FEW = 4
_KINDS = {
    "stands": "it stands",
    "recent": "it stood a short while ago (--older-than)",
    "run": "a run read or wrote it (keep_versions_days)",
    "model": "a model was trained on it",
    "sandbox": "a sandbox is a clone of it",
}


def register(app: typer.Typer) -> None:
    app.command("restore")(restore)
    app.command("vacuum")(vacuum)


def restore(
    table: Annotated[str, typer.Argument(help="silver.flights")],
    version: Annotated[int, typer.Option("--version", min=0, help="the version to go back to")],
    because: Annotated[str, typer.Option("--because", help="why, for those who read the history")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only check, and say what would be stale")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> int:
    """Put a published table back to an older version; says what below it is stale then."""
    from lakehouse import restore as restoring
    from lakehouse import settings
    from lakehouse.names import TableName
    from lakehouse.project import Project

    now = settings.load()
    project = Project.load(now.project)
    done = restoring.restore(project, now, TableName.parse(table), version, because=because, dry_run=dry_run)
    if as_json:
        stale = [{"asset": one.asset.slashed, "partitions": one.partitions, "reasons": one.reasons} for one in done.stale]
        facts = {"table": done.table.dotted, "version": done.version, "before": done.before, "written": done.written}
        print(json.dumps({**facts, "stale": stale}, indent=1))
    else:
        _print_restored(done)
    return 0


def _print_restored(done: Restored) -> None:
    from rich.console import Console

    from lakehouse.cli.run import plan_table

    console = Console(highlight=False)
    if done.written is None:
        print(f"{done.table} would go back from version {done.before} to {done.version}. Nothing was changed.")
        title = "What would be stale below"
    else:
        print(f"{done.table}: version {done.version} stands again, as version {done.written} (it was {done.before}).")
        title = "What is stale now"
    if not done.stale:
        print("Nothing below it reads it.")
        return
    console.print(plan_table(done.stale, title))
    below = " ".join(step.asset.slashed for step in done.stale if step.asset != done.table)
    if done.written is not None:
        print(f"A run of everything writes {done.table} anew by its notebook, which undoes this.")
    if done.written is not None and below:
        print(f"To build what lies below from the restored rows: lakehouse run {below}")


def vacuum(
    table: Annotated[str | None, typer.Argument(metavar="[TABLE]", help="silver.flights; all tables by default")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would be kept and deleted")] = False,
    older_than: Annotated[str, typer.Option("--older-than", help="keep versions that stood within 12h, 30d or 8w")] = "30d",
    live_models_only: Annotated[
        bool, typer.Option("--live-models-only", help="of models, only versions with an alias (champion) hold their inputs")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> int:
    """Delete data files that nothing needs any more; says what is kept and why."""
    from lakehouse import settings
    from lakehouse import vacuum as vacuuming
    from lakehouse.cli.history import print_tree
    from lakehouse.names import TableName

    age = _span(older_than)
    name = TableName.parse(table) if table else None
    swept = vacuuming.vacuum(settings.load(), name, age, live_models_only=live_models_only, dry_run=dry_run)
    if as_json:
        print(json.dumps([_sweep(one) for one in swept], indent=1))
        return 0
    for one in swept:
        print_tree(_sweep_tree(one, dry_run))
    files, size = sum(len(one.files) for one in swept), sum(one.bytes for one in swept)
    print(f"{files:,} files, {size / 1e6:,.1f} MB {'would be deleted' if dry_run else 'deleted'}.")
    return 0


def _span(text: str) -> timedelta:
    import re
    from datetime import timedelta

    found = re.fullmatch(r"(\d{1,5})([hdw])", text, re.ASCII)
    if not found:
        raise typer.BadParameter(f"{text!r} is not a span of time: write 12h, 30d or 8w", param_hint="--older-than")
    return timedelta(hours=int(found[1]) * {"h": 1, "d": 24, "w": 168}[found[2]])


def _sweep(one: Sweep) -> dict[str, Any]:
    return {
        "table": one.table.dotted,
        "kept": [{"version": version, "because": [hold.why for hold in holds]} for version, holds in sorted(one.kept.items())],
        "files": [str(file) for file in sorted(one.files)],
        "bytes": one.bytes,
        "lost_versions": one.lost,
        "broken_holds": [{"version": hold.version, "because": hold.why} for hold in one.broken],
    }


def _ranges(versions: set[int]) -> str:
    """`version 3`, `versions 0 to 4, 7`."""
    found: list[list[int]] = []
    for version in sorted(versions):
        if found and version == found[-1][-1] + 1:
            found[-1].append(version)
        else:
            found.append([version])
    listed = ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else str(run[0]) for run in found)
    return f"version{'s' if len(versions) > 1 else ''} {listed}"


def _sweep_tree(one: Sweep, dry_run: bool) -> Tree:
    from rich.markup import escape
    from rich.tree import Tree

    tree = Tree(f"[bold]{one.table}[/]")
    for kind, because in _KINDS.items():
        held = [hold for hold in one.holds if hold.kind == kind]
        if held:
            branch = tree.add(f"kept because {because}: {_ranges({hold.version for hold in held})}")
            told = held[::-1] if kind in ("model", "sandbox") else []
            for hold in told[:_FEW]:
                branch.add(escape(f"version {hold.version}: {hold.why}"))
            if len(told) > _FEW:
                branch.add(f"and {len(told) - _FEW} older (--json lists all)")
    for hold in one.broken:
        tree.add(escape(f"version {hold.version} is needed and was incomplete before: {hold.why}"))
    if one.files:
        lost = f"; gone with them: {_ranges(set(one.lost))}" if one.lost else ""
        verb = "would be deleted" if dry_run else "deleted"
        tree.add(f"{len(one.files):,} files, {one.bytes / 1e6:,.1f} MB {verb}{lost}")
    return tree
