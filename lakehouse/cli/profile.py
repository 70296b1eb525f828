"""The command on profiles: what a table's batches look like, and what is unusual in them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pathlib import Path

    from lakehouse.contract import Contract
    from lakehouse.profiles.measured import Measured
    from lakehouse.profiles.profile import Batch
    from lakehouse.project import Project


def register(app: typer.Typer) -> None:
    app.command("profile")(profile)


def profile(
    table: Annotated[str | None, typer.Argument(metavar="[TABLE]", help="silver.flights; with --findings all by default")] = None,
    partition: Annotated[str | None, typer.Option("--partition", help="2013-02, 2013-01..2013-03; the newest by default")] = None,
    column: Annotated[str | None, typer.Option("--column", help="one column, a line for each batch")] = None,
    findings: Annotated[bool, typer.Option("--findings", help="only what is unusual, of every batch")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> int:
    """What the rows of a table's batches look like, and what is unusual beside other batches."""
    from lakehouse import settings
    from lakehouse.names import TableName
    from lakehouse.project import Project

    if table is None and not findings:
        raise typer.BadParameter("name a table, or say --findings")
    now = settings.load()
    project = Project.load(now.project)
    names = [TableName.parse(table)] if table else sorted(project.contracts)
    if findings:
        return _print_findings(project, now.root, names, partition, as_json)
    batches, measured = _compared(project, now.root, names[0], partition)
    chosen = sorted(batches) if column or partition else _newest(batches)
    if as_json:
        facts = {key: batches[key].model_dump(exclude_defaults=True) for key in chosen}
        told = [one.model_dump() for one in measured if one.batch in chosen]
        print(json.dumps({"table": names[0].dotted, "batches": facts, "measured": told}, indent=1))
    elif column:
        _print_column(names[0].dotted, column, {key: batches[key] for key in chosen}, measured)
    else:
        for key in chosen:
            _print_batch(names[0].dotted, key, batches[key], [one for one in measured if one.batch == key])
    return 0


def _newest(batches: dict[str, Batch]) -> list[str]:
    """The last partition; of a table without, the last version."""
    return sorted(batches, key=lambda key: (len(key), key))[-1:]


def _compared(project: Project, root: Path, table: Any, partition: str | None) -> tuple[dict[str, Batch], list[Measured]]:
    """The batches that stand, and each one's measures beside the others. Raises UnknownName where there are none."""
    from lakehouse import checks
    from lakehouse.errors import UnknownName
    from lakehouse.names import did_you_mean
    from lakehouse.partitions import parse_months
    from lakehouse.profiles import reference
    from lakehouse.profiles.audit import beside

    contract: Contract | None = project.contracts.get(table)
    if contract is None:
        raise UnknownName(f"There is no table {table}", did_you_mean(table, project.contracts).strip())
    rules = checks.profiled(contract)
    if not rules:
        raise UnknownName(f"{table} is not profiled", "Its contract says profile: off, or it is of the layer monitoring.")
    recent = rules.model_copy(update={"reference": "recent"})
    there = reference.standing(root, contract, recent)
    if not there:  # rows are merged into it, a batch each time
        there, rules = reference.standing(root, contract, recent, whole=True), rules.model_copy(update={"volume": False})
    if partition and contract.partitions:
        wanted = set(parse_months(partition))
        batches = {key: batch for key, batch in there.items() if key in wanted}
    else:
        batches = there
    if not batches:
        again = f"lakehouse run {table.slashed}" + (f" --partition {partition}" if partition else "")
        raise UnknownName(f"There is no profile of {table}{f' {partition}' if partition else ''}", f"To make one: {again} --force")
    whole = next(iter(there)).startswith("version ")
    against = there if rules.reference == "recent" else reference.standing(root, contract, rules, whole=whole)
    return batches, beside(batches, against, rules)


def _print_findings(project: Project, root: Path, names: Sequence[Any], partition: str | None, as_json: bool) -> int:
    """Exit code 1 where there are any, as other commands that look for trouble."""
    from lakehouse.errors import UnknownName

    found: list[tuple[str, Measured]] = []
    looked = 0
    for name in names:
        try:
            batches, measured = _compared(project, root, name, partition)
        except UnknownName:
            if len(names) == 1:
                raise
            continue
        looked += len(batches)
        found += [(name.dotted, one) for one in measured if one.unusual]
    if as_json:
        print(json.dumps([{"table": table, **one.model_dump()} for table, one in found], indent=1))
        return 1 if found else 0
    if found:
        _print_unusual(found)
    print(f"{looked} batches, {len(found)} findings.")
    return 1 if found else 0


def _print_unusual(found: Sequence[tuple[str, Measured]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from lakehouse.profiles.audit import in_words

    shown = Table("table", "batch", "check", "what is unusual", box=box.SIMPLE_HEAD)
    for about in dict.fromkeys((table, one.batch, one.kind) for table, one in found):
        own = [one for table, one in found if (table, one.batch, one.kind) == about]
        shown.add_row(about[0], about[1], f"profile_{about[2]}", in_words(own))
    Console(highlight=False, markup=False).print(shown)


def _print_batch(table: str, key: str, batch: Batch, measured: Sequence[Measured]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from lakehouse.profiles import shown
    from lakehouse.profiles.audit import in_words

    made = Table(*shown.HEADERS, box=box.SIMPLE_HEAD, title=f"{table}, {key}: {batch.rows:,} rows", title_justify="left")
    for column in (1, 2, 5):
        made.columns[column].justify = "right"
    for line in shown.lines(batch, measured):
        made.add_row(*line)
    Console(highlight=False, markup=False).print(made)
    unusual = [one for one in measured if one.unusual]
    nothing = "Nothing unusual." if measured else "Too few other batches to compare it with."
    print(f"Unusual: {in_words(unusual)}" if unusual else nothing)


def _print_column(table: str, column: str, batches: dict[str, Batch], measured: Iterable[Measured]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from lakehouse.errors import UnknownName
    from lakehouse.names import did_you_mean
    from lakehouse.profiles import shown

    known = {name for batch in batches.values() for name in batch.columns}
    if column not in known:
        raise UnknownName(f"{table} has no column {column} that is profiled", did_you_mean(column, known).strip())
    headers = ("batch", "rows", *shown.HEADERS[1:], "unusual")
    made = Table(*headers, box=box.SIMPLE_HEAD, title=f"{table}, {column}", title_justify="left")
    for number in (1, 2, 3, 6):
        made.columns[number].justify = "right"
    of_column = [one for one in measured if one.column == column]
    for key, batch in batches.items():
        if column in batch.columns:
            own = [one for one in of_column if one.batch == key]
            (line,) = (line for line in shown.lines(batch, own) if line[0] == column)
            made.add_row(key, f"{batch.rows:,}", *line[1:], "; ".join(one.said for one in own if one.unusual))
    Console(highlight=False, markup=False).print(made)
