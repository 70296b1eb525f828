"""`lakehouse models retrain`: train, judge, promote or refuse, and score, month by month as outcomes come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from lakehouse.partitions import month
    from lakehouse.project import Project
    from lakehouse.retraining.course import Course
    from lakehouse.retraining.due import Due
    from lakehouse.retraining.turn import Taken
    from lakehouse.settings import Settings

_COLOURS = {"promoted": "green", "refused": "red", "waiting": "yellow"}


def retrain(
    model: Annotated[str, typer.Argument(help="flight_delay, or models.flight_delay")],
    through: Annotated[str | None, typer.Option("--through", help="the last month to judge by; left out, all that is due")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only list the months that are due")] = False,
) -> int:
    """Retrain a model: for each month whose outcomes have come, train, judge, promote or refuse, and score the next.

    Goes on where it was, however it ended. Exit code 0: all that is due was done, refusals included.
    """
    from rich.console import Console

    from lakehouse import settings, tables
    from lakehouse.cli.run import refuse_broken
    from lakehouse.names import TableName
    from lakehouse.partitions import month
    from lakehouse.project import Project
    from lakehouse.retraining import course, due

    console = Console(highlight=False)
    now = settings.load()
    project = Project.load(now.project)
    refuse_broken(project)
    chosen = course.of(project, TableName.parse(model if "." in model or "/" in model else f"models.{model}"))
    last = month(through) if through else None
    tables.open_root(now.root)
    if dry_run:  # changes nothing, so it waits for no other
        _print_due(console, chosen, due.due(project, now, chosen, through=last))
    else:
        _take_alone(console, project, now, chosen, last)
    return 0


def _take_alone(console: Console, project: Project, now: Settings, course: Course, through: month | None) -> None:
    """All that is due, once no other process retrains the model."""
    from lakehouse.retraining import due
    from lakehouse.retraining.alone import alone

    with alone(now.root, course.model, console.print):
        found = due.due(project, now, course, through=through)
        if not (found.turns or found.left):
            _print_due(console, course, found)
            return
        taken = _take(console, project, now, course, found)
    if taken:
        _print_taken(console, course, taken)
    _print_rest(console, course, found)


def _take(console: Console, project: Project, now: Settings, course: Course, found: Due) -> list[Taken]:
    """Each month that is due, telling how far it is."""
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from lakehouse.cli.run import warm_up
    from lakehouse.retraining import turn as turns

    taken: list[Taken] = []
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    warm_up(now)
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting Spark and the kernels", total=len(found.turns))

        def show(asset: Any, event: str, _seconds: float, _outcome: Any) -> None:
            if event == "started":
                bar.update(task, description=asset.slashed)

        if found.last and found.left:
            turns.score(project, now, found.left, found.last.shift(1), show)
            bar.console.print(f"{found.last}  was decided by before; scored {found.last.shift(1)}")
        for turn in found.turns:
            taken.append(turns.take(project, now, course, turn, show))
            bar.advance(task)
            bar.console.print(_line(taken[-1]), soft_wrap=True)
            if taken[-1].why:
                bar.console.print(escape(f"         {taken[-1].why}"), style="dim", soft_wrap=True)
    return taken


def _line(one: Taken) -> str:
    colour = _COLOURS.get(one.action, "yellow")
    scored = f", scored {one.turn.through.shift(1)}" if one.scored else ""
    who = f"version {one.version} (trained until {one.turn.train_until})"
    return f"{one.turn.through}  {who} [{colour}]{one.action}[/]; champion {one.champion}{scored}, {one.seconds:.0f} s"


def _print_due(console: Console, course: Course, found: Due) -> None:
    if not found.turns and not found.left:
        console.print(f"Nothing is due: {course.model} was decided on by every month whose outcomes have come.", soft_wrap=True)
    if found.last and found.left:
        console.print(f"{found.last}  was decided by; {found.last.shift(1)} is still to be scored", soft_wrap=True)
    for turn in found.turns:
        trained = f"version {turn.trained}, which waits to be judged" if turn.trained else f"train until {turn.train_until}"
        known = f"outcomes known by {turn.known_by:%Y-%m-%d %H:%M} UTC"
        console.print(f"{turn.through}  {trained}; judge by the {course.months} months up to it ({known})", soft_wrap=True)
    _print_rest(console, course, found)


def _print_rest(console: Console, course: Course, found: Due) -> None:
    if found.waits:
        console.print(f"Not yet due: {found.waits}", soft_wrap=True)
    if found.revised:
        months = ", ".join(found.revised)
        what = f"{course.outcome.table} was written again since {course.model} was judged by it ({months}); what was decided stays."
        console.print(f"{what} To judge again by what is known now: lakehouse run {course.judge.slashed}", soft_wrap=True)


def _print_taken(console: Console, course: Course, taken: list[Taken]) -> None:
    promoted = sum(one.action == "promoted" for one in taken)
    seconds = sum(one.seconds for one in taken)
    months = f"{len(taken)} month{'s' if len(taken) != 1 else ''}"
    champion = taken[-1].champion
    words = f"\n{course.model}: {months} in {seconds:.0f} s, {promoted} promoted. Champion: version {champion}."
    console.print(words, soft_wrap=True)
    console.print("Who was refused and why: `lakehouse models list`, notebooks/explore/promotions.ipynb", soft_wrap=True)
