"""A user's sandbox: what notebooks wrote while exploring, beside the lake, compared with it and dropped."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse import deltalog, tables
from lakehouse.errors import UnknownName
from lakehouse.names import TableName, did_you_mean
from lakehouse.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

_EXAMPLES = 10


@dataclass(frozen=True)
class Comparison:
    """Counts of rows (repeats counted); `examples` shows rows of either side, column `in` saying which."""

    same: int
    only_in_sandbox: int
    only_in_lake: int
    examples: pd.DataFrame


def rows(path: Path) -> int | None:
    """Rows of the table at `path` as its log counts them; None where there is no table.

    A shallow clone's log names the lake's files by absolute paths, with their counts, so it needs no Spark either.
    """
    return None if deltalog.latest(path) is None else sum(deltalog.current_rows(path).values())


def compare(settings: Settings, table: TableName) -> Comparison:
    """Row by row, by content, rounded as the contract says.

    Raises UnknownName where the sandbox has no such table, or the lake has none yet.
    """
    from pyspark.sql import functions as F

    from lakehouse.project import Project
    from lakehouse.spark.content import rounded
    from lakehouse.spark.session import connect

    _existing(settings, table)
    contract = Project.load(settings.project).contracts.get(table)
    lake = tables.Resolver(settings.root)
    spark = connect(settings)
    try:
        here = spark.sql(f"select * from {tables.Resolver(settings.root, sandbox=True).plain(table)}")
        there = spark.sql(f"select * from {lake.plain(table)}")
        columns = [name for name in there.columns if name in here.columns]
        here, there = (rounded(frame.select(columns), contract) for frame in (here, there))
        only_here, only_there = here.exceptAll(there), there.exceptAll(here)
        counts = only_here.count(), only_there.count(), here.count()
        either = [
            frame.limit(_EXAMPLES // 2).select(F.lit(side).alias("in"), *columns)
            for frame, side in ((only_here, "sandbox"), (only_there, "lake"))
        ]
        return Comparison(counts[2] - counts[0], counts[0], counts[1], either[0].unionByName(either[1]).toPandas())
    finally:
        spark.stop()


def drop(settings: Settings, names: Iterable[TableName]) -> list[TableName]:
    """Drops these tables of the user's sandbox, all of them when none is named; returns which.

    Raises UnknownName before anything is dropped when one does not exist.
    """
    chosen = list(names) or tables.tables_under(tables.sandbox_root(settings.root))
    for path in [_existing(settings, name) for name in chosen]:
        # Renamed first, so that nobody reads a table of which half the files are gone.
        gone = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        os.replace(path, gone)
        shutil.rmtree(gone)
    return chosen


def _existing(settings: Settings, table: TableName) -> Path:
    path = tables.sandbox_path(settings.root, table)
    if deltalog.latest(path) is None:
        near = did_you_mean(table, tables.tables_under(tables.sandbox_root(settings.root)))
        raise UnknownName(f"Your sandbox has no table {table}", f"`lakehouse sandbox list` shows what it has.{near}")
    return path
