"""From a table's name to where it lies and how SQL says it: the one place where names are resolved.

Reads, SQL text, pins, sandboxes and the command line all come here, so a name means the same everywhere.
"""

from __future__ import annotations

import getpass
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from lakehouse import atomic, deltalog, sqlnames
from lakehouse.errors import LakeError, UnknownName
from lakehouse.names import OWN_TABLES, TableName, did_you_mean

FORMAT = 1
STAMP = "lake.json"


def open_root(root: Path) -> Path:
    """Makes the lake's folder where there is none, and checks its format.

    Raises LakeError for a lake of a newer format, a folder that is something else, or one that cannot be written.
    """
    stamp = root / STAMP
    try:
        if not stamp.exists():
            if root.is_dir() and any(entry.name not in OWN_FOLDERS and not entry.name.startswith(".") for entry in root.iterdir()):
                raise LakeError(f"{root} holds other files and is not a lake", "Set LAKEHOUSE_ROOT to an empty or new folder.")
            make_folder(root)
            write_stamp(root)
        found = int(json.loads(stamp.read_text())["format"])
    except OSError as error:
        raise LakeError(
            f"The lake at {root} cannot be used: {error.strerror}",
            "Check the folder's permissions, or set LAKEHOUSE_ROOT to another folder.",
        ) from None
    except (ValueError, KeyError, TypeError):
        hint = f'It should hold {{"format": {FORMAT}}}: `lakehouse doctor` can write it.'
        raise LakeError(f"{stamp} is not a lake's stamp", hint) from None
    if found > FORMAT:
        raise LakeError(
            f"The lake at {root} has format {found}; this version reads up to {FORMAT}",
            "Update the project (git pull), or set LAKEHOUSE_ROOT to another lake.",
        )
    return root


def make_folder(root: Path) -> None:
    """The lake's folder, closed to the machine's other users from its first moment on; one that exists stays as it is."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)


def write_stamp(root: Path) -> None:
    """Says of the folder that it is a lake, and of which format."""
    with atomic.replacing(root / STAMP) as beside:
        beside.write_text(json.dumps({"format": FORMAT}) + "\n")


OWN_FOLDERS = {"raw", "streams", "tables", "sandbox", "runs", "leaks", "mlflow", "dagster", "services"}


def current_user() -> str:
    """Whose sandbox this is, as a folder's name."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", getpass.getuser()).lstrip(".") or "user"


def lake_path(root: Path, table: TableName) -> Path:
    return root / "tables" / table.layer / table.name


def sandbox_root(root: Path, user: str | None = None) -> Path:
    return root / "sandbox" / (user or current_user())


def sandbox_path(root: Path, table: TableName, user: str | None = None) -> Path:
    return sandbox_root(root, user) / table.layer / table.name


def tables_under(folder: Path) -> list[TableName]:
    """The Delta tables that lie under a folder of layers, sorted."""
    logs = folder.glob("*/*/_delta_log")
    return sorted(TableName(log.parent.parent.name, log.parent.name) for log in logs)


@dataclass(frozen=True)
class Resolver:
    """Where names point for one reader: the lake, or (with `sandbox`) the user's sandbox first."""

    root: Path
    sandbox: bool = False

    def path(self, table: TableName) -> Path:
        """The folder of `table`. Raises UnknownName where it has not been built, naming the nearest that has."""
        own = sandbox_path(self.root, table)
        if self.sandbox and deltalog.latest(own) is not None:
            return own
        path = lake_path(self.root, table)
        if deltalog.latest(path) is None:
            near = did_you_mean(table, self.tables())
            built = "It begins with the next write." if table in OWN_TABLES else f"To build it: lakehouse run {table.slashed}"
            raise UnknownName(f"Table {table} has not been built", f"{built}.{near}" if near else built)
        return path

    def tables(self) -> list[TableName]:
        """Every table that can be read here."""
        found = set(tables_under(self.root / "tables"))
        return sorted(found | set(tables_under(sandbox_root(self.root)))) if self.sandbox else sorted(found)

    def pin(self, table: TableName) -> int:
        """The newest version of `table`."""
        version = deltalog.latest(self.path(table))
        assert version is not None, table
        return version

    def plain(self, table: TableName) -> str:
        """SQL for `table` without a version, for text that names its own."""
        return at(self.path(table))

    def relation(self, table: TableName, version: int, where: str = "") -> str:
        """SQL that stands for `table` at `version`, restricted by `where`, wherever a table may stand."""
        return f"(select * from {self.plain(table)} version as of {int(version)}{f' where {where}' if where else ''})"


def at(path: Path) -> str:
    """SQL for the Delta table in the folder `path`."""
    return "delta.`" + str(path).replace("`", "``") + "`"


def partitions_clause(column: str, keys: Iterable[str]) -> str:
    """`column in ('2013-01', …)`; no key at all means no row."""
    listed = ", ".join("'" + key.replace("'", "''") + "'" for key in keys)
    return f"`{column}` in ({listed})" if listed else "false"


def rewrite(sql: str, relation: Callable[[TableName, bool], str]) -> str:
    """`sql` with each table's name replaced, in place, by the relation it stands for; nothing else changes.

    `relation` is told whether the text itself says `version as of …` after the name.
    """
    text = sql
    for reference in sorted(sqlnames.tables(sql), key=lambda found: found.start, reverse=True):
        alias = "" if reference.has_alias or reference.has_version else f" as `{reference.name.name}`"
        text = text[: reference.start] + relation(reference.name, reference.has_version) + alias + text[reference.end :]
    return text
