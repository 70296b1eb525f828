"""The server's catalog, filled with the lake's tables so that a foreign session finds them by name.

The lake itself resolves names without it: it lives in the server's memory, and is empty after each start.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.names import TableName

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession


def register(session: SparkSession, root: Path, tables: Iterable[TableName]) -> None:
    """Makes each published table of the lake at `root` known as `layer.name`."""
    for layer, name in ((table.layer, table.name) for table in tables):
        session.sql(f"CREATE DATABASE IF NOT EXISTS `{layer}`")
        location = str(root / "tables" / layer / name).replace("\\", "\\\\").replace("'", "\\'")
        session.sql(f"CREATE TABLE IF NOT EXISTS `{layer}`.`{name}` USING delta LOCATION '{location}'")


def published(root: Path) -> list[TableName]:
    """The tables that are there, by what lies on the disk."""
    logs = sorted((root / "tables").glob("*/*/_delta_log"))
    return [TableName(log.parent.parent.name, log.parent.name) for log in logs]
