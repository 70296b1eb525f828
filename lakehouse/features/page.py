"""A feature view's page: what its contract says, how it stands, what is missing, which models use it. No row is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse import checks, deltalog, tables, upstream
from lakehouse.contract import Contract
from lakehouse.features.uses import said, uses
from lakehouse.profiles import reference, shown
from lakehouse.profiles.profile import Batch
from lakehouse.project import Project

if TYPE_CHECKING:
    import pandas as pd

    from lakehouse.lake import Lake


def profiled(root: Path, contract: Contract) -> dict[str, Batch]:
    """The profiles of what stands in the table, by partition or by version; empty where it is not profiled."""
    rules = checks.profiled(contract)
    return reference.standing(root, contract, rules.model_copy(update={"reference": "recent"})) if rules else {}


@dataclass(frozen=True)
class Frames:
    """As tables: `views` a row each, `columns` a row for each column of the newest batch, `missing` the share of rows
    without a value by view, column and batch."""

    views: pd.DataFrame
    columns: pd.DataFrame
    missing: pd.DataFrame


def frames(lake: Lake) -> Frames:
    """The feature views of the lake that a notebook has opened, as pandas shows them."""
    import pandas as pd

    project, root = lake._project, lake._root
    contracts = {table: contract for table, contract in sorted(project.contracts.items()) if contract.feature_view}
    views = [_view(project, root, contract) for contract in contracts.values()]
    columns: list[dict[str, Any]] = []
    missing: list[dict[str, Any]] = []
    for table, contract in contracts.items():
        batches = profiled(root, contract)
        columns += _columns(contract, batches)
        missing += [
            {"view": str(table), "column": name, "batch": key, "missing": column.missing / batch.rows}
            for key, batch in sorted(batches.items())
            for name, column in batch.columns.items()
        ]
    return Frames(pd.DataFrame(views), pd.DataFrame(columns), pd.DataFrame(missing, columns=["view", "column", "batch", "missing"]))


def _view(project: Project, root: Path, contract: Contract) -> dict[str, Any]:
    path, newest = tables.lake_path(root, contract.table), upstream.published(root, contract.table)
    return {
        "view": str(contract.table),
        "description": contract.description,
        **said(contract),
        "rows": sum(deltalog.current_rows(path).values()) if newest else 0,
        "version": deltalog.latest(path),
        "age": datetime.now(UTC) - newest if newest else None,
        "allowed": contract.freshness,
        "models": ", ".join(f"{use.model} {use.version}" for use in uses(project, root, contract.table)),
        "owner": contract.owner,
    }


def _columns(contract: Contract, batches: dict[str, Batch]) -> Iterator[dict[str, Any]]:
    key = max(batches, key=lambda name: (len(name), name), default=None)
    lines = {line[0]: line for line in shown.lines(batches[key], [])} if key else {}
    for name, column in contract.columns.items():
        _, missing, distinct, values, shape, _ = lines.get(name, ("",) * 6)
        about = {"type": column.type, "unit": column.unit or "", "description": column.description}
        facts = {"missing": missing, "distinct": distinct, "values": values, "shape": shape}
        filled = str(getattr(column.impute, "constant", column.impute or ""))
        yield {"view": str(contract.table), "column": name, **about, **facts, "impute": filled}
