"""The command that looks for what rows say that was not yet known."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from lakehouse.leaks.outcome import Outcome
    from lakehouse.names import TableName
    from lakehouse.project import Project


def register(app: typer.Typer) -> None:
    app.command("leaks")(leaks)


def leaks(
    table: Annotated[str | None, typer.Argument(metavar="[TABLE]", help="features.flight_departure; all by default")] = None,
    partition: Annotated[str | None, typer.Option("--partition", help="2013-02, 2013-01..2013-03; the newest by default")] = None,
    moments: Annotated[int, typer.Option("--moments", min=1, help="how many moments of each partition to try")] = 1,
    seed: Annotated[int | None, typer.Option("--seed", help="draws other moments")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> int:
    """Look for leaks: run notebooks again with what came later altered, and compare. Exit code 1 where anything leaks."""
    from rich.console import Console

    from lakehouse import settings
    from lakehouse.leaks import check
    from lakehouse.project import Project

    now = settings.load()
    project = Project.load(now.project)
    found: list[Outcome] = []
    for name, key in _asked(project, table, partition):
        with Console(stderr=True).status(f"{name} {key or ''}"):
            found.append(check.look(project, now, name, key, count=moments, seed=check.SEED if seed is None else seed))
        _tell_dagster(now, found[-1])
    if as_json:
        print(json.dumps([one.model_dump(mode="json") for one in found], indent=1))
    else:
        _print(found)
    return 0 if all(one.passed for one in found) else 1


def _asked(project: Project, table: str | None, partition: str | None) -> list[tuple[TableName, str | None]]:
    from lakehouse.errors import ContractError
    from lakehouse.leaks import check
    from lakehouse.names import TableName

    tables = [TableName.parse(table)] if table else check.checked(project)
    if not tables:
        hint = "Write known_at in its contract, and in those of what it reads."
        raise ContractError("No table says when its rows are known", hint)
    asked: list[tuple[TableName, str | None]] = []
    for name in tables:
        space = project.partitions_of(name)
        keys = space.parse(partition) if space and partition else (None,)
        asked += [(name, None if key is None else str(key)) for key in keys]
    return asked


def _tell_dagster(now: object, outcome: Outcome) -> None:
    """Its page shows the newest outcome, whoever asked."""
    from lakehouse.orchestration import leaks as checks

    checks.tell(now, outcome)  # type: ignore[arg-type]


def _print(found: Sequence[Outcome]) -> None:
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    for outcome in found:
        where = " ".join(filter(None, (outcome.table, outcome.partition)))
        moments = ", ".join(answer.moment for answer in outcome.answers)
        console.print(f"{where}, as known at {moments} (UTC): {outcome.said} ({outcome.seconds:.1f} s)", soft_wrap=True)
        if outcome.leaks:
            console.print(_table(outcome))
            console.print(f"The executed notebook: {outcome.notebook}", soft_wrap=True)


def _table(outcome: Outcome) -> Table:
    from rich import box
    from rich.table import Table

    shown = Table("column", "rows", "asked from", "to", "as in", "published", "without what came later", box=box.SIMPLE_HEAD)
    shown.columns[1].justify = "right"
    for one in outcome.leaks:
        key = ", ".join(one.key.values())
        shown.add_row(one.column, f"{one.rows:,}", one.first, one.last, key, one.published or "null", one.probed or "null")
    return shown
