"""What stands in quarantine, listed and explained; releasing it, and running again what set it aside."""

from __future__ import annotations

import getpass
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse import plan, tables
from lakehouse.errors import UnknownName
from lakehouse.names import TableName, did_you_mean
from lakehouse.plan import Step
from lakehouse.project import Project
from lakehouse.quarantine import table as quarantine
from lakehouse.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True)
class Group:
    """Rows of one table that one check set aside of one file (None: not from a file), by how they stand."""

    table: str
    check: str
    reason: str
    raw_file: str | None
    state: str
    rows: int
    since: datetime
    partitions: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """One row in quarantine; `line` counts from 1 in the raw file."""

    id: str
    table_name: str
    partition_key: str
    check_name: str
    reason: str
    raw_file: str | None
    sha256: str | None
    line: int | None
    row_text: str
    run_id: str
    noted_at: datetime
    state: str
    state_said: str


def groups(spark: SparkSession, root: Path, table: TableName | None, *, released: bool = False) -> list[Group]:
    """What stands in quarantine, the most rows first; without `released`, only what is open."""
    where = f"state = '{quarantine.OPEN}'" if not released else "true"
    where += f" and table_name = '{table.dotted}'" if table else ""
    found = spark.sql(
        f"""
        select table_name, check_name, min(reason) as reason, raw_file, state, count(*) as n, min(noted_at) as since,
               sort_array(collect_set(partition_key)) as keys
        from {tables.at(quarantine.path(root))} where {where} group by table_name, check_name, raw_file, state
        order by state, n desc, table_name, check_name, raw_file
        """
    ).collect()
    return [
        Group(
            row["table_name"], row["check_name"], row["reason"], row["raw_file"], row["state"], row["n"],
            row["since"].astimezone(UTC), tuple(row["keys"]),
        )
        for row in found
    ]  # fmt: skip


def rows(spark: SparkSession, root: Path, about: str, limit: int) -> list[Row]:
    """The first rows of a table, or the row of that id (its beginning is enough). Raises UnknownName for neither."""
    where = _where(root, about)
    columns = ", ".join(Row.__dataclass_fields__)
    order = "state, check_name, raw_file, line, id"
    found = spark.sql(f"select {columns} from {tables.at(quarantine.path(root))} where {where} order by {order} limit {limit}")
    return [Row(**row.asDict()) for row in found.collect()]


def release(spark: SparkSession, root: Path, about: Sequence[str], because: str) -> int:
    """Marks open rows of tables, or by id, as known and left out for good; returns how many."""
    where = " or ".join(f"({_where(root, one)})" for one in about)
    said = f"by {getpass.getuser()} at {datetime.now(UTC):%Y-%m-%d %H:%M} UTC" + (f": {because}" if because else "")
    text = said.replace("\\", "\\\\").replace("'", "\\'")
    where = f"({where}) and state = '{quarantine.OPEN}'"
    count = spark.sql(f"select count(*) from {tables.at(quarantine.path(root))} where {where}").collect()[0][0]
    if count:
        spark.sql(
            f"update {tables.at(quarantine.path(root))} set state = '{quarantine.RELEASED}', state_said = '{text}' where {where}"
        )
    return int(count)


def replay(project: Project, settings: Settings, about: Collection[TableName]) -> list[Step]:
    """The steps that run again what set rows of these tables aside, for the partitions concerned, and all that follows."""
    standing = quarantine.standing(settings.root)
    steps: list[Step] = []
    for table in about:
        keys = sorted(key for (name, key), held in standing.items() if name == table.dotted and held.open)
        if not keys:
            raise UnknownName(f"No row of {table} is open in quarantine", "`lakehouse quarantine` lists what is.")
        readers = project.children(table) if table.layer == "raw" else ()
        first = [table, *readers] if table.layer == "raw" else [project.writer_of(table) or table]
        wanted = None if keys == [quarantine.WHOLE] else keys
        steps += plan.plan(project, settings, first, wanted, force=True)
    done = {step.asset for step in steps}
    moving = {output: set(step.partitions) or None for step in steps for output in _outputs(project, step.asset)}
    below = {asset for step in steps for asset in project.descendants(step.asset)} - done
    steps += plan.plan(project, settings, below, moving=moving)
    order = project.order()
    return sorted(steps, key=lambda step: order.index(step.asset))


def _outputs(project: Project, asset: TableName) -> tuple[TableName, ...]:
    spec = project.notebooks.get(asset)
    return tuple(spec.outputs) if spec else (asset,)


def _where(root: Path, about: str) -> str:
    known = sorted({name for name, _ in quarantine.standing(root)})
    if "." in about or "/" in about:
        table = TableName.parse(about)
        if table.dotted not in known:
            raise UnknownName(
                f"No row of {table} is in quarantine", f"`lakehouse quarantine` lists what is.{did_you_mean(table, known)}"
            )
        return f"table_name = '{table.dotted}'"
    if len(about) < 4 or not set(about) <= set("0123456789abcdef"):
        raise UnknownName(f"{about!r} is neither a table nor a row's id", "`lakehouse quarantine explain TABLE` shows the ids.")
    return f"id like '{about}%'"
