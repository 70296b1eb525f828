"""`lakehouse run`: what is stale, through Dagster, with a progress bar and a table at the end."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from lakehouse.plan import Step
    from lakehouse.project import Project
    from lakehouse.settings import Settings


# What a run's record calls its seconds, and how the table does, which has to leave room for the asset's name.
PHASES = {
    "waiting": "wait", "starting": "start", "spark": "Spark", "python": "Python", "auditing": "audit",
    "profiling": "stats", "publishing": "write",
}  # fmt: skip


def register(app: typer.Typer) -> None:
    app.command("run")(run)


def run(
    selection: Annotated[
        list[str] | None, typer.Argument(help="assets or tables: silver/flights, +gold.x (and above), x+ (and below), 'silver/*'")
    ] = None,
    partition: Annotated[str | None, typer.Option("--partition", help="2013-02, 2013-01..2013-03 or a list with commas")] = None,
    force: Annotated[bool, typer.Option("--force", help="run even what is up to date")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only list what would run, and why")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="with --dry-run: for machines")] = False,
    timings: Annotated[bool, typer.Option("--timings", help="also show where each asset's seconds went")] = False,
) -> int:
    """Bring assets up to date: land raw files, run notebooks, check, publish. All of them by default."""
    from rich.console import Console

    from lakehouse import plan, settings, tables
    from lakehouse.project import Project

    if as_json and not dry_run:
        raise typer.BadParameter("--json goes with --dry-run")
    console = Console(highlight=False)
    now = settings.load()
    project = Project.load(now.project)
    refuse_broken(project)
    chosen = project.select(selection or ["*"])
    months = plan.requested(project, chosen, partition) if partition else None
    tables.open_root(now.root)
    asked = project.streams(selection or [])
    # From x down, x is run for these months; what lies below, for whichever months depend on them.
    steps = plan.plan(project, now, chosen, months, force, following=project.below(selection or []), asked=asked)
    if dry_run or not steps:
        if as_json:
            _print_plan_as_json(steps)
        else:
            _print_plan(console, steps, len(chosen))
        return 0
    return execute(console, project, now, steps, timings)


def refuse_broken(project: Project) -> None:
    """A graph that breaks its contract is not run: what it would leave could not be trusted."""
    from lakehouse.check import check
    from lakehouse.errors import NotebookError

    blocking = check(project.path, form=False)
    if blocking:
        listed = "\n".join(str(finding) for finding in blocking[:5])
        raise NotebookError(f"The project's graph is not sound:\n{listed}", "`lakehouse check` lists all findings.")


def _print_plan(console: Console, steps: list[Step], count: int) -> None:
    if not steps:
        console.print(f"Nothing to do: {count} asset{'s' if count != 1 else ''} up to date.")
        return
    console.print(plan_table(steps, "What would run"))


def plan_table(steps: list[Step], title: str) -> Table:
    """Steps with their partitions and reasons, for people."""
    from rich.table import Table

    table = Table("asset", "partitions", "why", title=title, title_justify="left")
    for step in steps:
        table.add_row(step.asset.slashed, span(step.partitions), "; ".join(step.reasons))
    return table


def _print_plan_as_json(steps: list[Step]) -> None:
    import json

    found = [{"asset": one.asset.slashed, "partitions": one.partitions, "reasons": one.reasons} for one in steps]
    print(json.dumps(found, indent=1))


def span(partitions: tuple[str, ...] | list[str]) -> str:
    """Partitions in few words."""
    if len(partitions) <= 2:
        return ", ".join(partitions)
    return f"{partitions[0]} … {partitions[-1]} ({len(partitions)})"


def execute(console: Console, project: Project, now: Settings, steps: list[Step], timings: bool) -> int:
    """Runs these steps through Dagster, telling how far it is; the exit code."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    began = time.monotonic()
    console.print(f"{len(steps)} asset{'s' if len(steps) != 1 else ''} to run. Lake: {now.root}")
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting Spark and the kernels", total=len(steps))
        running: set[str] = set()

        def show(asset: Any, event: str, seconds: float, outcome: Any) -> None:
            if event == "started":
                running.add(asset.slashed)
            else:
                running.discard(asset.slashed)
                bar.advance(task)
                bar.console.print(_line(asset, event, seconds, outcome))
            bar.update(task, description=", ".join(sorted(running)) or "next")

        if any(step.asset.layer != "raw" for step in steps):
            warm_up(now)
        from lakehouse.orchestration import launch

        outcomes = launch.execute(project, now, steps, show)
    if timings:
        _print_timings(console, outcomes)
    _print_outcomes(console, now, outcomes, time.monotonic() - began)
    if any(outcome.status == "cancelled" for outcome in outcomes):
        raise KeyboardInterrupt
    return 0 if all(outcome.status == "succeeded" for outcome in outcomes) else 1


def warm_up(now: Settings) -> None:
    """Starts Spark and the process that kernels are forked from while Dagster is still being imported."""
    import subprocess
    import sys

    for service in ("lakehouse.spark.server", "lakehouse.kernels"):
        subprocess.Popen(
            [sys.executable, "-c", f"import {service} as s; from lakehouse import settings; s.ensure(settings.load())"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip


def _line(asset: Any, event: str, seconds: float, outcome: Any) -> str:
    marks = {"succeeded": "[green]✓[/]", "failed": "[red]✗[/]", "skipped": "[yellow]-[/]", "cancelled": "[yellow]■[/]"}
    rows = f"{outcome.rows:>9,} rows" if getattr(outcome, "rows", None) is not None else " " * 14
    return f"{marks.get(event, event)} {asset.slashed:<28} {rows} {seconds:6.1f} s"


def _print_outcomes(console: Console, now: Settings, outcomes: list[Any], seconds: float) -> None:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table("asset", "rows", "seconds", "checks", "notebook", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in table.columns[1:4]:
        column.justify = "right"
    for outcome in outcomes:
        rows = f"{outcome.rows:,}" if outcome.rows is not None else ""
        notebook = f"[link={outcome.notebook.as_uri()}]{outcome.notebook.parent.name}[/link]" if outcome.notebook else ""
        table.add_row(outcome.asset.slashed, rows, f"{outcome.seconds:.1f}", _checks(outcome), notebook)
    console.print(table)
    where = os.path.relpath(now.root / "runs")
    console.print(f"The executed notebooks: {where}/<asset>/<notebook>/notebook.ipynb", soft_wrap=True)
    for outcome in outcomes:
        if outcome.status == "failed":
            console.print(f"[red]✗ {outcome.asset.slashed}[/]: {escape(outcome.cause)}", soft_wrap=True)
        elif outcome.status != "succeeded":
            console.print(f"[yellow]- {outcome.asset.slashed}[/]: {escape(outcome.cause)}", soft_wrap=True)
    done = sum(outcome.status == "succeeded" for outcome in outcomes)
    console.print(f"\n{done} of {len(outcomes)} assets brought up to date in {seconds:.0f} s.")
    _print_next(console, now, [outcome for outcome in outcomes if outcome.rows])


def _print_timings(console: Console, outcomes: list[Any]) -> None:
    """Where each notebook's seconds went; `waiting` came before them, for other steps to leave room."""
    from rich import box
    from rich.table import Table

    table = Table("seconds", *PHASES.values(), "all", box=box.SIMPLE_HEAD, padding=0)
    table.columns[0].no_wrap = True
    for column in table.columns[1:]:
        column.justify = "right"
    for outcome in outcomes:
        if outcome.record:
            spent = outcome.record.timings
            numbers = [f"{spent.get(phase, 0.0):.1f}" for phase in PHASES]
            table.add_row(outcome.asset.slashed, *numbers, f"{outcome.record.seconds:.1f}")
    console.print(table)


def _checks(outcome: Any) -> str:
    """How many checks passed, and which kinds did not."""
    if outcome.status == "failed" and not outcome.checks:
        return "failed"
    warned = sum(not check.passed and check.severity == "warn" for check in outcome.checks)
    failed = sum(not check.passed and check.severity != "warn" for check in outcome.checks)
    aside = sum(outcome.record.set_aside.values()) if outcome.record else 0
    parts = [f"{sum(check.passed for check in outcome.checks)} passed"] if outcome.checks else []
    parts += [f"{aside:,} rows set aside"] if aside else []
    return ", ".join([*parts, *([f"{warned} warned"] if warned else []), *([f"{failed} failed"] if failed else [])])


def _print_next(console: Console, now: Settings, written: list[Any]) -> None:
    """What to do next, with the command as it can be typed here."""
    from lakehouse.cli import serving

    command = serving.command_name(now)
    example = next((one.asset.dotted for one in written if one.asset.layer == "gold"), written[0].asset.dotted if written else "")
    lines = [
        ("up", f"Dagster on http://localhost:{now.dagster_port}, MLflow on http://localhost:{now.mlflow_port}"),
        ("lab", "JupyterLab on notebooks/"),
        *([(f'sql "select * from {example} limit 5"', "ask any table")] if example else []),
        ("--help", "everything else"),
    ]
    console.print("\nWhat next")
    for words, meaning in lines:
        console.print(f"  {command} {words}", meaning, sep="\n      ", soft_wrap=True)
    serving.tell_running(console, now)
