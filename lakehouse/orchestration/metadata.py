"""What Dagster is told of a run: rows, versions, seconds, the notebook; taken from the run's record."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import dagster as dg

from lakehouse import deltalog, tables
from lakehouse.features import uses
from lakehouse.names import TableName
from lakehouse.orchestration.safe_notebook import safe_copy
from lakehouse.project import Project
from lakehouse.record import ModelVersion, RunRecord


def of_run(record: RunRecord) -> dict[str, dg.MetadataValue]:
    """What all outputs of one run share."""
    shown: dict[str, dg.MetadataValue] = {
        "run": dg.MetadataValue.text(record.run_id),
        "seconds": dg.MetadataValue.float(round(record.seconds, 3)),
        "seconds by phase": dg.MetadataValue.json({name: round(value, 3) for name, value in record.timings.items()}),
        "inputs": dg.MetadataValue.json(_versions(record.inputs)),
        **({"read as published last": dg.MetadataValue.json(record.behind)} if record.behind else {}),
    }
    return {**of_notebook(record.notebook), **shown}


def of_notebook(notebook: Path | None) -> dict[str, dg.MetadataValue]:
    """The link to the executed notebook: to a copy that is safe to show."""
    if notebook is None or not Path(notebook).exists():
        return {}
    return {"notebook": dg.MetadataValue.notebook(str(safe_copy(Path(notebook))))}


def of_table(root: Path, table: TableName) -> dict[str, dg.MetadataValue]:
    """A table as it stands now: all its rows, its version, where it lies."""
    path = tables.lake_path(root, table)
    version = deltalog.latest(path)
    if version is None:
        return {}
    return {
        "dagster/row_count": dg.MetadataValue.int(sum(deltalog.current_rows(path).values())),
        "delta version": dg.MetadataValue.int(version),
        "path": dg.MetadataValue.path(str(path)),
    }


def of_columns(record: RunRecord | None, table: TableName) -> dict[str, dg.TableColumnLineage]:
    """Which columns of other assets those of `table` come from, as far as the run could tell."""
    told = next((write.columns for write in record.writes if write.table == table.dotted), {}) if record else {}
    deps = {column: [_dep(source) for source in sources] for column, sources in told.items()}
    return {"dagster/column_lineage": dg.TableColumnLineage(deps_by_column=deps)} if deps else {}


def of_checks(record: RunRecord | None, table: TableName) -> dict[str, dg.MetadataValue]:
    """How many of the table's checks passed and did not, by their severity."""
    counts: dict[str, dict[str, int]] = {}
    for check in record.checks if record else ():
        if check.table == table.dotted:
            found = counts.setdefault(check.severity, {"passed": 0, "not passed": 0})
            found["passed" if check.passed else "not passed"] += 1
    return {"checks by severity": dg.MetadataValue.json(counts)} if counts else {}


def _dep(source: str) -> dg.TableColumnDep:
    layer, name, column = source.split(".", 2)
    return dg.TableColumnDep(asset_key=dg.AssetKey([layer, name]), column_name=column)


def of_partitions(root: Path, table: TableName, keys: Iterable[str]) -> dict[str, dict[str, dg.MetadataValue]]:
    """Rows by partition as they stand now."""
    rows = deltalog.current_rows(tables.lake_path(root, table))
    return {key: {"dagster/partition_row_count": dg.MetadataValue.int(rows.get(key, 0))} for key in keys}


def of_set_aside(record: RunRecord | None, table: TableName) -> dict[str, dg.MetadataValue]:
    """How many rows the run set aside: of the table, and of the raw files that it read."""
    found = record.set_aside if record else {}
    return {
        "rows in quarantine" if name == table.dotted else f"rows of {name} in quarantine": dg.MetadataValue.int(count)
        for name, count in found.items()
        if name == table.dotted or name.startswith("raw.")
    }


def of_view(project: Project, root: Path, table: TableName) -> dict[str, dg.MetadataValue]:
    """Which models use a feature view, each's newest version and the versions of the view that it was made of."""
    contract = project.contracts.get(table)
    if contract is None or contract.feature_view is None:
        return {}
    used = {f"{use.model} version {use.version}": list(use.made_of) for use in uses.uses(project, root, table)}
    return {"used by": dg.MetadataValue.json(used)} if used else {}


def of_model(model: ModelVersion) -> dict[str, dg.MetadataValue]:
    """A registered model's version and what it was measured at."""
    return {
        "model version": dg.MetadataValue.int(model.version),
        **{f"metric {name}": dg.MetadataValue.float(float(value)) for name, value in sorted(model.metrics.items())},
    }


def data_version(root: Path, table: TableName, keys: Iterable[str] | None) -> dg.DataVersion:
    """The newest commit that changed these partitions (None: the table); another month's write does not show."""
    found = deltalog.identity(tables.lake_path(root, table), keys)
    return dg.DataVersion(str(max(found.values(), default="none")))


def _versions(inputs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The pinned version of each table, or the beginning of what identifies each raw partition and model."""
    return {
        table: facts["version"]
        if facts.get("version") is not None
        else {part: str(seen)[:12] for part, seen in (facts.get("seen") or {}).items()}
        for table, facts in inputs.items()
    }
