"""Commands on data: ask the lake by SQL, look after one's sandbox."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 50


def register(app: typer.Typer) -> None:
    app.command("sql")(sql)
    sandbox = typer.Typer(help="Your sandbox: what notebooks wrote while exploring.", no_args_is_help=True)
    sandbox.command("list")(sandbox_list)
    sandbox.command("diff")(sandbox_diff)
    sandbox.command("drop")(sandbox_drop)
    app.add_typer(sandbox, name="sandbox")


def sql(
    query: Annotated[str, typer.Argument(help='"select … from silver.flights"')],
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="comma-separated, with a header")] = False,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help=f"rows at most (a table shows {_SHOWN})")] = None,
) -> int:
    """Ask the lake; every published table has its name."""
    if as_json and as_csv:
        raise typer.BadParameter("--json and --csv exclude each other")
    from lakehouse import settings, tables
    from lakehouse.spark.session import connect

    now = settings.load()
    resolver = tables.Resolver(tables.open_root(now.root))
    asked: list[Path] = []

    def relation(name: Any, versioned: bool) -> str:
        asked.append(resolver.path(name))
        return resolver.plain(name) if versioned else resolver.relation(name, resolver.pin(name))

    text = tables.rewrite(query, relation)
    spark = connect(now)
    try:
        count = limit if limit or as_json or as_csv else _SHOWN + 1
        rows = _ask(spark, text, count, asked)
    finally:
        spark.stop()
    if as_json:
        if len(rows):  # of no rows pandas makes an empty line
            rows.to_json(sys.stdout, orient="records", lines=True, date_format="iso", date_unit="us")
    elif as_csv:
        rows.to_csv(sys.stdout, index=False)
    else:
        _print(rows, limit or _SHOWN)
    return 0


def _ask(spark: Any, text: str, count: int | None, asked: list[Path]) -> pd.DataFrame:
    """The rows. A query that fails on a damaged table (`asked`: their folders) is told by the file."""
    from pyspark.errors import PySparkException

    from lakehouse import deltafiles
    from lakehouse.spark.ask import in_words

    with in_words("The query", "Correct the query; it is read as Spark SQL."):
        try:
            frame = spark.sql(text)
            return (frame.limit(count) if count else frame).toPandas()
        except PySparkException as error:
            checksum = "Checksum" in str(error) or "FAILED_READ_FILE" in str(error)
            for table in asked:
                if flaw := deltafiles.first_flaw(table, deep=checksum):
                    raise flaw from None
            raise


def _print(rows: pd.DataFrame, limit: int) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for name in rows.columns:
        numeric = rows[name].dtype.kind in "iuf"
        table.add_column(str(name), justify="right" if numeric else "left")
    for row in rows.head(limit).itertuples(index=False):
        table.add_row(*("" if _is_null(value) else _text(value) for value in row))
    Console(highlight=False, markup=False).print(table)
    if len(rows) > limit:
        print(f"The first {limit} rows; --limit, --csv or --json give more.")


def _is_null(value: object) -> bool:
    return value is None or value != value  # only NaN and NaT differ from themselves


def _text(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def sandbox_list() -> int:
    """Your sandbox's tables, with how they stand beside the lake's."""
    from rich.console import Console
    from rich.table import Table

    from lakehouse import deltalog, settings, tables

    root = settings.load().root
    names = tables.tables_under(tables.sandbox_root(root))
    if not names:
        print("Your sandbox is empty: what a notebook writes in JupyterLab would appear here.")
        return 0
    shown = Table("table", "rows in sandbox", "rows in lake", "written")
    for name in names:
        own, lake = tables.sandbox_path(root, name), tables.lake_path(root, name)
        last = deltalog.commits(own)[-1]
        shown.add_row(name.dotted, _rows(own), _rows(lake), _when(last.timestamp))
    Console(highlight=False).print(shown)
    return 0


def _rows(path: Any) -> str:
    from lakehouse import sandbox

    count = sandbox.rows(path)
    return "" if count is None else f"{count:,}"


def _when(milliseconds: int) -> str:
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def sandbox_diff(
    table: Annotated[str, typer.Argument(help="silver.flights")],
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> int:
    """How a table of your sandbox differs from the lake's: rows only here, rows only there."""
    from lakehouse import sandbox, settings
    from lakehouse.names import TableName

    now = settings.load()
    found = sandbox.compare(now, TableName.parse(table))
    if as_json:
        print(json.dumps({"only_in_sandbox": found.only_in_sandbox, "only_in_lake": found.only_in_lake, "same": found.same}))
        return 0
    here, there = found.only_in_sandbox, found.only_in_lake
    print(f"{table}: {found.same:,} rows the same, {here:,} only in your sandbox, {there:,} only in the lake")
    if len(found.examples):
        _print(found.examples, len(found.examples))
    return 0


def sandbox_drop(
    tables_: Annotated[list[str] | None, typer.Argument(metavar="[TABLE]...", help="silver.flights …")] = None,
    everything: Annotated[bool, typer.Option("--all", help="all of your sandbox")] = False,
) -> int:
    """Drop tables of your sandbox; the lake is not touched."""
    from lakehouse import sandbox, settings
    from lakehouse.names import TableName

    if not tables_ and not everything:
        raise typer.BadParameter("name the tables to drop, or say --all")
    dropped = sandbox.drop(settings.load(), [TableName.parse(text) for text in tables_ or []])
    print(f"Dropped {', '.join(name.dotted for name in dropped)}." if dropped else "Your sandbox was empty.")
    return 0
