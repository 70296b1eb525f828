"""Commands on rows that were set aside: list, explain, release, replay."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from lakehouse.quarantine.look import Row
    from lakehouse.settings import Settings

_SHOWN = 3


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Rows that did not fit and were left out: what, why, and what to do.", invoke_without_command=True)
    group.callback()(without_command)
    group.command("list")(listing)
    group.command("explain")(explain)
    group.command("release")(release)
    group.command("replay")(replay)
    app.add_typer(group, name="quarantine")


def without_command(context: typer.Context) -> int:
    """Rows that did not fit and were left out: what, why, and what to do. Alone: list them."""
    return listing() if context.invoked_subcommand is None else 0


def listing(
    table: Annotated[str | None, typer.Argument(help="only of this table: raw.flights, silver.flights")] = None,
    everything: Annotated[bool, typer.Option("--all", help="released rows too")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> int:
    """List what is open, by table, reason and raw file."""
    from lakehouse.names import TableName
    from lakehouse.quarantine import look

    with _quarantine() as (now, spark):
        only = TableName.parse(table) if table else None
        found = look.groups(spark, now.root, only, released=everything) if spark else []
    if as_json:
        print(json.dumps([vars(one) | {"since": one.since.isoformat()} for one in found], indent=1))
        return 0
    if not found:
        print("Nothing is in quarantine." if not spark else "Nothing in quarantine is open; --all shows what was released.")
        return 0
    _print(found)
    rows = sum(one.rows for one in found)
    print(f"{rows:,} row{'s' * (rows != 1)}. `lakehouse quarantine explain {found[0].table}` shows some, and where they stand.")
    return 0


def _print(found: list[Any]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from lakehouse.cli.run import span

    table = Table("table", "partitions", "why", "raw file", "rows", "since", "", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.columns[4].justify = "right"
    for one in found:
        keys = span([key for key in one.partitions if key != "*"])
        since, state = f"{one.since:%Y-%m-%d %H:%M}", "" if one.state == "open" else one.state
        table.add_row(one.table, keys, one.reason, one.raw_file or "", f"{one.rows:,}", since, state)
    Console(highlight=False, markup=False).print(table)


def explain(
    about: Annotated[str, typer.Argument(help="a table, or a row's id")],
    limit: Annotated[int, typer.Option("--limit", min=1, help="rows at most")] = _SHOWN,
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> int:
    """Show rows in quarantine: the row, the check and its reason, the place in the raw file."""
    from lakehouse.quarantine import look

    with _quarantine() as (now, spark):
        found = look.rows(spark, now.root, about, limit) if spark else []
        if as_json:
            print(json.dumps([vars(row) for row in found], indent=1, default=str))
            return 0
        for row in found:
            _explain(now, row)
        if not found:
            print(f"Nothing in quarantine is called {about}." if spark else "Nothing is in quarantine.")
    return 0 if found else 1


def _explain(now: Settings, row: Row) -> None:
    from lakehouse.project import Project
    from lakehouse.quarantine import origin

    of = f", partition {row.partition_key}" if row.partition_key != "*" else ""
    print(f"{row.id}  {row.table_name}{of}: {row.check_name}, {row.reason}")
    print(f"  {row.row_text}")
    place = origin.find(now.root, Project.load(now.project), row)
    if place is not None:
        line = f", line {place.line}" if place.line else ""
        print(f"  {place.file.path}{line}")
        print(
            f"  delivered as {place.file.filename}, {place.file.received_at:%Y-%m-%d %H:%M} UTC, SHA-256 {place.file.sha256[:12]}…"
        )
        if place.line and place.text != row.row_text:
            print(f"  there: {place.text}")
    elif not row.table_name.startswith("raw."):
        print(f"  `lakehouse trace` walks rows of {row.table_name} back to their raw files.")
    print(f"  set aside by run {row.run_id}, first at {row.noted_at:%Y-%m-%d %H:%M} UTC; {row.state} {row.state_said}".rstrip())


def release(
    about: Annotated[list[str], typer.Argument(help="tables, or rows' ids")],
    because: Annotated[str, typer.Option("--because", help="why they may be left out; kept with them")] = "",
) -> int:
    """Accept that rows are left out for good: they no longer count as open. No table changes."""
    from lakehouse.quarantine import look

    with _quarantine() as (now, spark):
        count = look.release(spark, now.root, about, because) if spark else 0
    print(f"{count:,} row{'s' * (count != 1)} released: known, and left out for good." if count else "Nothing open is called so.")
    return 0 if count else 1


def replay(
    tables_: Annotated[list[str], typer.Argument(metavar="TABLE...", help="raw.flights, silver.flights …")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only list what would run, and why")] = False,
) -> int:
    """Run again what set rows aside, after a fix of source, contract or notebook: what fits now leaves the quarantine."""
    from rich.console import Console

    from lakehouse import settings
    from lakehouse.cli import run as running
    from lakehouse.names import TableName
    from lakehouse.project import Project
    from lakehouse.quarantine import look

    now = settings.load()
    project = Project.load(now.project)
    steps = look.replay(project, now, [TableName.parse(text) for text in tables_])
    console = Console(highlight=False)
    if dry_run:
        console.print(running.plan_table(steps, "What would run"))
        return 0
    return running.execute(console, project, now, steps, timings=False)


@contextmanager
def _quarantine() -> Iterator[tuple[Settings, Any]]:
    """The settings and a Spark session; None for the session where no row was ever set aside, and no server is needed."""
    from lakehouse import deltalog, settings, tables
    from lakehouse.quarantine import table
    from lakehouse.spark.session import connect

    now = settings.load()
    root = tables.open_root(now.root)
    if deltalog.latest(table.path(root)) is None:
        yield now, None
        return
    spark = connect(now)
    try:
        yield now, spark
    finally:
        spark.stop()
