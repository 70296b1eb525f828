"""`lakehouse contract infer`: a first contract from what a table's rows show, for a person to read through."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from lakehouse import columntypes, deltalog, raw, tables
from lakehouse import contract as form
from lakehouse.contracts.seen import Rows, Seen, look
from lakehouse.errors import ContractError, PartitionError, UnknownName
from lakehouse.names import TableName, did_you_mean
from lakehouse.partitions import PartitionSpace
from lakehouse.project import Project
from lakehouse.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# Words in a column's name that speak of a person; a name or an address is one only by what it is of.
_PERSONAL = re.compile(
    r"(^|_)(e?mail|phone|mobile|fax|surname|forename|(first|last|full|middle|maiden|given|family|nick|user|customer|person|"
    r"contact|passenger|patient|employee)_?name|^name|(home_|street_|ip_)?address|street|birth\w*|dob|ssn|passport|iban)(_|$)",
    re.IGNORECASE,
)
_LONGEST_VALUE = 40


@dataclass(frozen=True)
class _Origin:
    """What is drafted from: its rows, the contract's table, where the rows lie in words, its partitions if known."""

    frame: DataFrame
    table: TableName
    where: str
    partitions: PartitionSpace | None = None
    remark: str = ""


def place(project: Path, table: TableName) -> Path:
    """Where the draft of `table` goes. Raises ContractError if a contract stands there already."""
    name = _promised(table)
    path = project / form.FOLDER / f"{name.slashed}.yaml"
    if path.exists():
        raise ContractError(f"{form.FOLDER}/{name.slashed}.yaml is there already", "Leave out --write to see a draft beside it.")
    return path


def save(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "w", encoding="utf-8") as out:
        out.write(text)


def draft(settings: Settings, table: TableName) -> str:
    """A contract as YAML, from the newest rows of `table` in the sandbox, the lake or raw (which drafts bronze's).

    Raises UnknownName where there are no such rows.
    """
    from lakehouse.spark.session import connect

    project, root = Project.load(settings.project), tables.open_root(settings.root)
    spark = connect(settings)
    try:
        origin = _raw(project, root, spark, table) if project.is_of_files(table) else _table(project, root, spark, table)
        return text(origin.table, look(origin.frame), origin.where, origin.partitions, origin.remark)
    finally:
        spark.stop()


def _promised(table: TableName) -> TableName:
    return TableName("bronze", table.name) if table.layer == "raw" else table


def _table(project: Project, root: Path, spark: SparkSession, table: TableName) -> _Origin:
    resolver = tables.Resolver(root, sandbox=True)
    path = resolver.path(table)
    place = "the lake" if path == tables.lake_path(root, table) else "your sandbox"
    frame = spark.sql(f"select * from {resolver.plain(table)}")
    space = project.contracts[table].partitions if table in project.contracts else None
    remark = ""
    if space is None:
        columns = spark.sql(f"describe detail {resolver.plain(table)}").collect()[0]["partitionColumns"]
        space, remark = _space(frame, columns) if columns else (None, "")
    return _Origin(frame, _promised(table), f"{table}, version {deltalog.latest(path)} in {place}", space, remark)


def _space(frame: DataFrame, columns: list[str]) -> tuple[PartitionSpace | None, str]:
    first, last = frame.selectExpr(f"min(`{columns[0]}`)", f"max(`{columns[0]}`)").collect()[0]
    try:
        return PartitionSpace(columns[0], first, last), ""
    except PartitionError:
        return None, f"# It is partitioned by {', '.join(columns)}; a contract's partitions are months, YYYY-MM, in one column.\n"


def _raw(project: Project, root: Path, spark: SparkSession, table: TableName) -> _Origin:
    from lakehouse.ingest import batch, reading

    source = project.sources.get(table)
    if source is None:
        raise UnknownName(f"No source declares {table}", f"Declare it in assets/sources.py.{did_you_mean(table, project.sources)}")
    files = raw.files(root, table)
    if not files:
        raise UnknownName(f"No file of {table} has landed", f"To land it: lakehouse run {table.slashed}")
    remark = ""
    if source.partitions:
        written = _flow({**_written(source.partitions), "column": "…"})
        remark = f"# It lands by month. For a table by month, name the column that holds it:\n# partitions: {written}\n"
    frame = reading.rows(spark, root, batch.take(root, source, files))
    return _Origin(frame, _promised(table), f"{table}, {len(files)} files as landed", remark=remark)


def text(table: TableName, rows: Rows, where: str, partitions: PartitionSpace | None = None, remark: str = "") -> str:
    """The draft. What must be said by a person, and what is guessed, stands in comments."""
    lines = [
        f"# Drafted from {where}: {rows.count:,} rows. What data shows is no promise yet: read it through.",
        f"table: {table}",
        f"description: Rows of {table}.  # say what one row is",
        "owner: nobody  # whom to ask: an address or a team",
    ]
    if rows.key and all(_plain(name) for name in rows.key):
        lines.append(f"key: {_flow(list(rows.key))}  # the smallest set of columns that was found unique")
    else:
        lines.append("# key: none was found; of the first columns, up to three together were tried")
    if partitions:
        lines.append(f"partitions: {_flow(_written(partitions))}")
    lines += remark.splitlines()
    never = {one.name for one in rows.columns if rows.count and not one.nulls} | {partitions.column if partitions else ""}
    names = _names(rows)
    lines += ["columns:", *(_column(one, names[one.name], one.name in never) for one in rows.columns)]
    told = [one for one in rows.columns if not partitions or one.name != partitions.column]
    expectations = [line for one in told for line in _expected(one, rows)]
    lines += ["expectations:", *expectations] if expectations else []
    return "\n".join(lines) + "\n"


def _written(space: PartitionSpace) -> dict[str, str]:
    return {name: str(value) for name, value in vars(space).items() if value is not None}


def _names(rows: Rows) -> dict[str, str]:
    """For each column of the data a name that a contract can hold, no two alike."""
    found: dict[str, str] = {}
    for one in rows.columns:
        name = plain = re.sub(r"^(?=\d)|\W", "_", one.name, flags=re.ASCII) or "_"
        number = 1
        while name in found.values():
            number += 1
            name = f"{plain}_{number}"
        found[one.name] = name
    return found


def _column(one: Seen, name: str, never_null: bool) -> str:
    remarks = [] if name == one.name else [f"in the data it is {one.name!r}"]
    described: dict[str, Any] = {"type": one.type}
    try:
        columntypes.normal(one.type)
    except ValueError:
        described["type"] = "string"
        remarks.append(f"in the data it is {one.type}")
    if never_null:
        described["nullable"] = False
    if _PERSONAL.search(one.name):
        described["personal"] = True
        remarks.append("personal by its name: is it?")
    # Written as a mapping without its braces: a name such as `on` needs quotes.
    return f"  {_flow({name: described})[1:-1]}" + (f"  # {'; '.join(remarks)}" if remarks else "")


def _expected(one: Seen, rows: Rows) -> list[str]:
    """What values were seen, as warnings; of a person's none, and of a name or a bookkeeping column neither."""
    if _PERSONAL.search(one.name) or one.name.startswith("_") or not _plain(one.name) or rows.key == (one.name,):
        return []
    if one.low is not None and one.high is not None:
        kind, seen = "expect_column_values_to_be_between", {"min_value": one.low, "max_value": one.high}
    elif one.values and len(one.values) * 10 <= rows.count and max(map(len, one.values)) <= _LONGEST_VALUE:
        kind, seen = "expect_column_values_to_be_in_set", {"value_set": list(one.values)}
    else:
        return []
    return [
        f"  - type: {kind}",
        f"    kwargs: {_flow({'column': one.name, **seen})}",
        "    severity: warn",
        f"    reason: As seen in {rows.count:,} rows.",
    ]


def _plain(name: str) -> bool:
    return re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) is not None


def _flow(value: Any) -> str:
    """One line of YAML."""
    return yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True, sort_keys=False).strip()
