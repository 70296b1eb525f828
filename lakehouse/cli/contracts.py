"""Commands on contracts: their form for editors, a draft from data, what changed and whom it breaks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lakehouse.contracts.review import Difference

_VERDICTS = {"": "compatible", "readers": "breaks readers", "writers": "breaks writers"}


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="What tables promise: assets/contracts.", no_args_is_help=True)
    group.command("schema")(schema)
    group.command("infer")(infer)
    group.command("diff")(diff)
    app.add_typer(group, name="contract")


def schema(models: Annotated[bool, typer.Option("--models", help="of a model's contract, not a table's")] = False) -> int:
    """The contract's form as a JSON schema, for editors."""
    from lakehouse.contracts.schema import schema as tables
    from lakehouse.promotion.contract import schema as of_models

    form = of_models if models else tables
    print(json.dumps(form(), indent=1, ensure_ascii=False))
    return 0


def infer(
    table: Annotated[str, typer.Argument(help="silver.flights, in your sandbox or the lake; or raw.flights")],
    write: Annotated[bool, typer.Option("--write", help="to assets/contracts, if there is none yet")] = False,
) -> int:
    """Draft a contract from data: columns, types, nulls, key, partitions, and what values were seen."""
    from lakehouse import settings
    from lakehouse.contracts import draft
    from lakehouse.names import TableName

    now = settings.load()
    name = TableName.parse(table)
    path = draft.place(now.project, name) if write else None
    text = draft.draft(now, name)
    if path is None:
        print(text, end="")
        return 0
    draft.save(path, text)
    print(f"Written to {path.relative_to(now.project)}: say whose it is, what it holds and why, then lakehouse check.")
    return 0


def diff(
    table: Annotated[str | None, typer.Argument(help="silver.flights; left out, all")] = None,
    against: Annotated[str, typer.Option("--against", metavar="REV", help="a revision in git")] = "HEAD",
    published: Annotated[bool, typer.Option("--published", help="against what the lake's tables were published by")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> int:
    """What changed in contracts, whom it breaks, and the notebooks below; 1 if it breaks with no new version."""
    from lakehouse import settings
    from lakehouse.contracts import review
    from lakehouse.names import TableName
    from lakehouse.project import Project

    now = settings.load()
    project, name = Project.load(now.project), TableName.parse(table) if table else None
    found = review.against_published(project, now.root, name) if published else review.against_git(project, against, name)
    if as_json:
        print(json.dumps([one.to_dict() for one in found], indent=1, ensure_ascii=False))
    else:
        _print(found, "the published tables" if published else against)
    return 1 if any(one.refused for one in found) else 0


def _print(found: list[Difference], against: str) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False)
    for one in found:
        old, new = one.versions
        shown = Table("what", "change", "verdict", title=f"{one.table}: version {old} → {new or 'none'}", title_justify="left")
        for change in one.changes:
            shown.add_row(change.what, change.said, _VERDICTS[change.breaks])
        console.print(shown)
        if one.readers:
            console.print(f"read by {', '.join(one.readers)}", soft_wrap=True)
        if one.below:
            console.print(f"and below them {', '.join(one.below)}", soft_wrap=True)
        if one.refused:
            hint = f"raise version to {old + 1} or undo it" if new else "it is still read"
            console.print(f"refused: this breaks what was promised: {hint}")
    if not found:
        print(f"No contract differs from {against}.")
