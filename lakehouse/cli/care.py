"""Commands that look after a lake: whether what was recorded still holds, what is wrong with the machinery."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from lakehouse.names import TableName
    from lakehouse.settings import Settings
    from lakehouse.trouble import Trouble


def register(app: typer.Typer) -> None:
    app.command("verify")(verify)
    app.command("doctor")(doctor)


def verify(
    selection: Annotated[list[str] | None, typer.Argument(help="assets or tables, as for `run`; all by default")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> int:
    """Recheck that what was recorded still holds: raw checksums, table versions, models' files. Only reads."""
    from rich.console import Console

    from lakehouse import settings
    from lakehouse import verify as verification

    now = settings.load()
    only = _selected(now, selection) if selection else None
    with _status(as_json) as status:
        found = verification.verify(now, only, lambda what: status.update(f"looking at {what}"))
    if as_json:
        counts = {name: getattr(found, name) for name in ("raw_files", "runs", "versions", "models", "released")}
        print(json.dumps({"checked": counts, "findings": [trouble.to_dict() for trouble in found.troubles]}, indent=1))
        return 1 if found.troubles else 0
    console = Console(highlight=False)
    print_troubles(console, found.troubles)
    console.print(
        f"Looked at {found.raw_files:,} raw files, {found.runs:,} runs, {found.versions:,} versions of tables and "
        f"{found.models:,} of models: " + (_count(len(found.troubles)) + "." if found.troubles else "all is as it was recorded."),
        soft_wrap=True,
    )
    if found.released:
        console.print(f"Of {found.released:,} older versions a vacuum has deleted the files.")
    return 1 if found.troubles else 0


def _selected(now: Settings, selection: list[str]) -> set[TableName]:
    """The selected assets and what they write."""
    from lakehouse.project import Project

    project = Project.load(now.project)
    chosen = set(project.select(selection))
    return chosen | {table for table, writers in project.writers.items() if chosen & set(writers)}


def doctor(
    repair: Annotated[bool, typer.Option("--repair", help="do what can be done without losing anything")] = False,
    deep: Annotated[bool, typer.Option("--deep", help="read every data file whole")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> int:
    """Look at the lake's machinery, say what is wrong, and (with --repair) mend it. Can be interrupted and repeated."""
    from rich.console import Console

    from lakehouse.doctor import examine, heal

    now, wrong = _settings()
    with _status(as_json) as status:
        work = heal if repair else examine
        found = list(work(now, deep, lambda name: status.update(f"looking at {name}")))
    done = [one for one in found if one.done]
    left = [*([wrong] if wrong else []), *(one.trouble for one in found if not one.done)]
    failed = {one.trouble: one.failed for one in found if one.failed}
    if as_json:
        findings = [{**trouble.to_dict(), "failed": failed.get(trouble, "")} for trouble in left]
        repaired = [{**one.trouble.to_dict(), "done": one.done} for one in done]
        print(json.dumps({"repaired": repaired, "findings": findings}, indent=1))
    else:
        _tell(Console(highlight=False), [one.done for one in done], left, failed)
    return 1 if left else 0


def _tell(console: Console, done: list[str], left: list[Trouble], failed: dict[Trouble, str]) -> None:
    for words in done:
        console.print(f"✓ {words}", markup=False, soft_wrap=True)
    print_troubles(console, left, failed)
    if left:
        mendable = sum(trouble.mend is not None and trouble not in failed for trouble in left)
        more = f"; `lakehouse doctor --repair` mends {mendable} of them" if mendable else ""
        console.print(f"{_count(len(left))}{more}.", soft_wrap=True)
    else:
        console.print("All is well." if not done else "The rest is well.")


def _settings() -> tuple[Settings, Trouble | None]:
    """The settings, or where they are wrong what the environment and the defaults say, and what is wrong."""
    from pathlib import Path

    from lakehouse import settings
    from lakehouse.errors import SettingsError
    from lakehouse.trouble import Trouble

    try:
        return settings.load(), None
    except SettingsError as error:
        project = Path(os.environ.get("LAKEHOUSE_PROJECT") or settings.find_project()).absolute()
        plain = settings.Settings(project=project)
        named = {name: os.environ.get(f"LAKEHOUSE_{name.upper()}") or getattr(plain, name) for name in ("root", "cache")}
        paths = {name: (project / Path(path).expanduser()).absolute() for name, path in named.items()}
        todo = f"{error.hint} Until then the lake at {paths['root']} was looked at, with default settings."
        return plain.model_copy(update=paths), Trouble("the settings", error.what, todo)


def _status(quiet: bool) -> Any:
    """A line that says what is being looked at; on stderr, and only for people."""
    from rich.console import Console

    return Console(stderr=True, quiet=quiet).status("looking")


def _count(number: int) -> str:
    return f"{number} finding{'s' if number != 1 else ''}"


def print_troubles(console: Console, troubles: Iterable[Trouble], failed: dict[Trouble, str] | None = None) -> None:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table("what", "since", "what to do", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in table.columns:
        column.overflow = "fold"
    for trouble in troubles:
        where = trouble.where.removeprefix(f"{os.getcwd()}/")
        tried = (failed or {}).get(trouble)
        todo = f"Could not be repaired: {tried}" if tried else trouble.todo
        table.add_row(escape(f"{where} {trouble.what}"), escape(trouble.since), escape(todo))
    if table.row_count:
        console.print(table)
