"""What a table holds, read from its files without Spark: a reader that no fault of the engine can disturb."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow.parquet as parquet

from lakehouse import deltalog

RUN_COLUMNS = {"made_by"}
"""Columns that name the run, and so differ between two runs of equal content."""

Row = dict[str, Any]


def live_files(table: Path, version: int) -> dict[str, dict[str, str]]:
    """The files of a version with their partition values (our tables' logs are kept whole, so it is replayed)."""
    found: dict[str, dict[str, str]] = {}
    for number in range(version + 1):
        for line in (table / "_delta_log" / f"{number:020d}.json").read_text().splitlines():
            action = json.loads(line)
            if "add" in action:
                found[action["add"]["path"]] = action["add"]["partitionValues"]
            elif "remove" in action:
                found.pop(action["remove"]["path"], None)
    return found


def rows(table: Path, version: int | None = None) -> list[Row]:
    """The rows of a version, the newest by default; none where there is no table."""
    version = deltalog.latest(table) if version is None else version
    if version is None:
        return []
    return [
        {**row, **values}
        for path, values in live_files(table, version).items()
        for row in parquet.ParquetFile(table / unquote(path)).read().to_pylist()
    ]


def content(table: Path) -> str:
    """A hash over all rows, without the columns that name the run and whatever their order."""
    plain = [{name: value for name, value in row.items() if name not in RUN_COLUMNS} for row in rows(table)]
    told = sorted(json.dumps(row, sort_keys=True, default=str) for row in plain)
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]


def by_month(found: list[Row]) -> dict[str, list[Row]]:
    months: dict[str, list[Row]] = defaultdict(list)
    for row in found:
        months[row["month"]].append(row)
    return months


def stray_files(table: Path) -> list[Path]:
    """Data files that no version knows: what an unfinished write left. Readers never see them."""
    version = deltalog.latest(table)
    known: set[str] = set()
    for number in range((-1 if version is None else version) + 1):
        for line in (table / "_delta_log" / f"{number:020d}.json").read_text().splitlines():
            action = json.loads(line)
            if "add" in action:
                known.add(unquote(action["add"]["path"]))
    return [path for path in table.glob("month=*/*.parquet") if str(path.relative_to(table)) not in known]
