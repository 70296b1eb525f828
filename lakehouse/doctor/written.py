"""What is known of a run when one of its two records is lost: the other one, or the commits that name it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lakehouse import deltalog, record, tables
from lakehouse.errors import LakeError
from lakehouse.names import TableName
from lakehouse.record import Result, RunRecord, Write


def run_folders(root: Path) -> list[Path]:
    """The folder of every run, by asset and time."""
    return sorted(path for path in (root / "runs").glob("*/*/*") if path.is_dir())


def readable(folder: Path) -> Result | None:
    """A run's record, or what its kernel left; None where neither can be read."""
    try:
        return RunRecord.read(folder)
    except (OSError, ValueError):
        return record.read_result(folder)


def who_wrote(root: Path, table: TableName, version: int) -> Result | None:
    """The run that says it published this version of `table`."""
    for result in _all(root):
        if any(write.table == table.dotted and write.version == version for write in result.writes):
            return result
    return None


def _all(root: Path) -> Iterator[Result]:
    for folder in run_folders(root):
        if (result := readable(folder)) is not None:
            yield result


def from_commits(root: Path, run_id: str) -> Result | None:
    """What the commits of a run say of it: all but its checks, timings and models. None where there is no commit."""
    found: Result | None = None
    for table in tables.tables_under(root / "tables"):
        path = tables.lake_path(root, table)
        for version in deltalog.versions(path):
            try:
                commit = deltalog.commit(path, version)
            except LakeError:
                continue
            if commit.ours is None or commit.ours.get("run_id") != run_id:
                continue
            kept = {name: commit.ours[name] for name in ("asset", "partitions", "parameters", "inputs", "code")}
            found = found or Result(run_id=run_id, **kept)
            rows = commit.partition_rows if commit.ours["partitions"] else {}
            found.writes.append(Write(table=table.dotted, version=version, rows=commit.rows, partition_rows=rows))
    return found
