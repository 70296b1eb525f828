"""The command that tells what is wrong with the data now."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from lakehouse.quality import Finding, Quality


def register(app: typer.Typer) -> None:
    app.command("quality")(quality)


def quality(as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False) -> int:
    """What is wrong with the data now, since when, and how far down it reaches. Exit code 1 where anything is an error."""
    from lakehouse import settings
    from lakehouse.cli.history import console_of_whole_lines
    from lakehouse.project import Project
    from lakehouse.quality import Quality

    now = settings.load()
    found = Quality(Project.load(now.project), now.root)
    if as_json:
        print(json.dumps([_plain(one) for one in found.findings], indent=1, default=str))
    else:
        console = console_of_whole_lines()
        if found.findings:
            console.print(_table(found.findings))
        console.print(_summary(found))
    return 1 if any(one.severity == "error" for one in found.findings) else 0


def _plain(one: Finding) -> dict[str, Any]:
    return {**asdict(one), "table": one.table.dotted, "since": one.since.isoformat(), "reaches": [str(at) for at in one.reaches]}


def _table(findings: list[Finding]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    from lakehouse.cli.history import when
    from lakehouse.cli.run import span

    shown = Table("what", "of", "since", "rows", "seen", "reaches", title="Wrong now", title_justify="left")
    for one in findings:
        colour = "red" if one.severity == "error" else "yellow"
        where = " ".join(filter(None, (str(one.table), span(one.partitions))))
        standing = "" if one.published else ", not published"
        examples = f" ({', '.join(map(str, one.examples[:3]))})" if one.examples else ""
        rows = "" if one.rows is None else f"{one.rows:,}"
        reaches = ", ".join(map(str, one.reaches)) or "nothing"
        said = escape(f"{one.said}{examples}{standing}")
        shown.add_row(f"[{colour}]{one.what}[/]", where, when(one.since), rows, said, reaches)
    return shown


def _summary(found: Quality) -> str:
    standing = found.standing
    counts = [sum(getattr(one, name) for one in standing) for name in ("passed", "warned", "failed")]
    late = sum(one.allowed is not None and found.now - one.published > one.allowed for one in standing)
    words = f"{len(standing)} tables; of their last runs' checks {counts[0]} passed, {counts[1]} warned, {counts[2]} failed"
    return f"{words}; {late} tables are older than they may be."
