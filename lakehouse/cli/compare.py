"""Commands that tell of versions of a model: two beside each other, and the card of one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from lakehouse.promotion.compare import Comparison

_MOST = 12


def compare(
    one: Annotated[str, typer.Argument(metavar="MODEL/VERSION", help="flight_delay/5, flight_delay@champion")],
    other: Annotated[str, typer.Argument(metavar="MODEL/VERSION", help="flight_delay/3, or /3")],
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> int:
    """Two versions beside each other, as their evaluations measured them: where each is better, and by how much."""
    from lakehouse import settings
    from lakehouse.errors import UnknownName
    from lakehouse.project import Project
    from lakehouse.promotion import compare as comparing
    from lakehouse.training.which import Which

    now, first = settings.load(), Which.parse(one)
    second = Which.parse(f"{first.model.name}{other}" if other.startswith(("/", "@")) else other)
    if first.model != second.model:
        raise UnknownName(f"{first.model} and {second.model} are different models", "Compare two versions of one.")
    versions = [_number(now, which) for which in (first, second)]
    found = comparing.compare(Project.load(now.project), now.root, first.model, *versions)
    if as_json:
        print(json.dumps(_plain(found), indent=1))
    else:
        _print(found)
    return 0


def _print(found: Comparison) -> None:
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    console.print(f"{found.model} version {found.one} beside version {found.other}, {found.met}", soft_wrap=True)
    console.print(_table(found.lines[found.lines["slice_kind"] == "all"], found, "of all rows"))
    for version in (found.one, found.other):
        better = found.better(version)
        better = better[(better["slice_kind"] != "all") & (better["measure"] == "log_loss")]
        if len(better):
            more = f", and {len(better) - _MOST} more" if len(better) > _MOST else ""
            console.print(_table(better.head(_MOST), found, f"version {version} is better by more than noise{more}"))
        else:
            console.print(f"Version {version} is better by more than noise on no slice.")


def _number(now: Any, which: Any) -> int:
    from lakehouse import models

    return which.version if isinstance(which.version, int) else models.find(now, which.model, which.version).version


def _plain(found: Comparison) -> dict[str, Any]:
    lines = found.lines.astype(object).where(found.lines.notna(), None).to_dict("records")
    return {"model": found.model, "versions": [found.one, found.other], "met": found.met, "lines": lines}


def _table(lines: Any, found: Comparison, title: str) -> Table:
    from rich import box
    from rich.table import Table

    names = ["slice", "measure", f"version {found.one}", f"version {found.other}", f"gain of {found.one}", "95 % interval", "rows"]
    shown = Table(*names, box=box.SIMPLE_HEAD, title=title, title_justify="left")
    for column in shown.columns[2:]:
        column.justify = "right"
    for line in lines.itertuples():
        where = "all" if line.slice_kind == "all" else f"{line.slice_kind} {line.slice}"
        digits = 4 if abs(line.one) < 10 else 1
        interval = "" if line.low != line.low else f"{line.low:+,.{digits}f} to {line.high:+,.{digits}f}"
        told = (f"{line.one:,.{digits}f}", f"{line.other:,.{digits}f}", f"{line.gain:+,.{digits}f}")
        values = (*told, interval, f"{int(line.rows):,}")
        shown.add_row(where, line.measure.replace("_", " "), *values)
    return shown


def card(which: Annotated[str, typer.Argument(metavar="MODEL[/VERSION|@ALIAS]", help="flight_delay@champion")]) -> int:
    """The card of a version, as Markdown: purpose, data, limits, results, slices, decisions, owner."""
    from lakehouse import models, settings
    from lakehouse.evaluation import card as cards
    from lakehouse.training.which import Which

    now, wanted = settings.load(), Which.parse(which)
    print(cards.render(now, models.find(now, wanted.model, wanted.version)))
    return 0
