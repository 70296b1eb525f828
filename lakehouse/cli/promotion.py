"""Commands on who is champion: roll back, promote by hand, verify the ledger that says so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lakehouse.ledger import Entry
    from lakehouse.settings import Settings
    from lakehouse.training.which import Which
    from lakehouse.trouble import Trouble

_NOTE = typer.Option("--note", help="why; stands in the ledger")
_JSON = typer.Option("--json", help="for machines")


def register(group: typer.Typer) -> None:
    group.command("rollback")(rollback)
    group.command("promote")(promote)
    group.command("verify")(verify)


def rollback(
    model: Annotated[str, typer.Argument(help="flight_delay")],
    to: Annotated[int | None, typer.Option("--to", help="a version that was the champion; by default the one before")] = None,
    note: Annotated[str, _NOTE] = "",
    as_json: Annotated[bool, _JSON] = False,
) -> int:
    """Make the champion before the champion again. Takes seconds; what is being scored finishes as it began."""
    from lakehouse import settings
    from lakehouse.ledger import byhand
    from lakehouse.training.which import Which

    return _tell(byhand.roll_back(settings.load(), Which.alone(model, "--to"), to, note=note), as_json)


def promote(
    which: Annotated[str, typer.Argument(metavar="MODEL/VERSION", help="flight_delay/7, or flight_delay@challenger")],
    note: Annotated[str, _NOTE] = "",
    force: Annotated[bool, typer.Option("--force", help="although it did not pass its gates; needs a note")] = False,
    as_json: Annotated[bool, _JSON] = False,
) -> int:
    """Make a version champion: one that waits for approval, one that has passed its gates, or (--force) any."""
    from lakehouse import settings
    from lakehouse.ledger import byhand
    from lakehouse.training.which import Which

    now, wanted = settings.load(), Which.parse(which)
    version = wanted.version if isinstance(wanted.version, int) else _of_alias(now, wanted)
    return _tell(byhand.promote(now, wanted.model, version, note=note, force=force), as_json)


def _of_alias(now: Settings, wanted: Which) -> int:
    from lakehouse import models

    return models.find(now, wanted.model, wanted.version).version


def _tell(entry: Entry, as_json: bool) -> int:
    if as_json:
        print(entry.model_dump_json(indent=1))
        return 0
    before = f" (before: version {entry.from_version})" if entry.from_version else ""
    print(f"{entry.model}: version {entry.to_version} is the champion now{before}. Entry {entry.seq} of the ledger: {entry.said}.")
    print("What is being scored finishes with the version that it began with; scores that are told stay.")
    return 0


def verify(
    repair: Annotated[bool, typer.Option("--repair", help="let MLflow's aliases follow the ledger again")] = False,
    as_json: Annotated[bool, _JSON] = False,
) -> int:
    """Recheck the ledger: edited, removed, cut off; aliases moved behind its back; models' files. Exit code 1: findings."""
    from rich.console import Console

    from lakehouse import settings
    from lakehouse.cli.care import print_troubles
    from lakehouse.ledger import audit

    found = list(audit.look(settings.load()))
    done = [trouble.mend() for trouble in found if trouble.mend] if repair else []
    left: list[Trouble] = [trouble for trouble in found if not (repair and trouble.mend)]
    if as_json:
        print(json.dumps({"repaired": done, "findings": [trouble.to_dict() for trouble in left]}, indent=1))
        return 1 if left else 0
    console = Console(highlight=False)
    for words in dict.fromkeys(done):
        console.print(f"✓ {words}", markup=False, soft_wrap=True)
    print_troubles(console, left)
    if not left:
        console.print("The ledger holds together, and MLflow's aliases follow it." if not done else "The rest is well.")
    return 1 if left else 0
