"""What Dagster shows of a table, model or raw landing before anything ran: taken from notebook, contract and source."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg

from lakehouse.contract import Column, Contract
from lakehouse.features import uses
from lakehouse.names import TableName
from lakehouse.notebook import NotebookSpec
from lakehouse.orchestration import partitions
from lakehouse.project import Project
from lakehouse.source import FILE as SOURCES_FILE
from lakehouse.source import Source, Stream

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
# What a model's code names, and the kind under which Dagster knows it. It shows three kinds at most.
_MODEL_KINDS = {"sklearn": "scikitlearn", "xgboost": "xgboost", "lightgbm": "lightgbm", "torch": "pytorch"}


def key(table: TableName) -> dg.AssetKey:
    """`silver/flights`: the layer is the key's prefix."""
    return dg.AssetKey([table.layer, table.name])


def table_name(asset: dg.AssetKey) -> TableName:
    return TableName(*asset.path)


def keys_of(project: Project, asset: TableName) -> list[dg.AssetKey]:
    """What Dagster calls an asset of ours: every table and model that its notebook writes."""
    spec = project.notebooks.get(asset)
    return [key(output) for output in spec.outputs] if spec else [key(asset)]


def op_name(asset: TableName) -> str:
    """The step's name in Dagster."""
    return f"{asset.layer}__{asset.name}"


def notebook_assets(project: Project, spec: NotebookSpec, code_version: str | None) -> Iterator[dg.AssetSpec]:
    """One spec per table and model that the notebook writes."""
    for output in spec.outputs:
        contract = project.contracts.get(output)
        yield dg.AssetSpec(
            key=key(output),
            deps=list(_dependencies(project, spec, output)),
            description=_description(spec, contract),
            group_name=output.layer,
            kinds=_model_kinds(spec) if output.layer == "models" else {"jupyter", "spark", "deltalake"},
            owners=_owners(contract.owner if contract else ""),
            tags={"lakehouse/layer": output.layer},
            code_version=code_version,
            freshness_policy=_freshness(contract),
            partitions_def=partitions.definition(contract.partitions) if contract and contract.partitions else None,
            metadata=_notebook_metadata(spec, output, contract),
        )


def raw_asset(project: Project, source: Source | Stream) -> dg.AssetSpec:
    """The landing of one source's files, or of what a stream brings."""
    return dg.AssetSpec(
        key=key(source.name),
        description=source.description or None,
        group_name="raw",
        kinds={source.format, "spark", "deltalake"} if isinstance(source, Stream) else {source.format},
        owners=_owners(source.owner),
        tags={"lakehouse/layer": "raw"},
        partitions_def=partitions.definition(source.partitions) if source.partitions else None,
        metadata={"dagster/table_name": source.table, **_code_reference(project.path / SOURCES_FILE, SOURCES_FILE)},
    )


def _dependencies(project: Project, spec: NotebookSpec, output: TableName) -> Iterator[dg.AssetDep]:
    own = project.partitions_of(output)
    for table in spec.inputs:
        if table in spec.outputs or project.writer_of(table) is None:
            continue
        coverages = [read.coverage for read in (*spec.reads, *spec.models_read) if read.table == table]
        mapping = partitions.mapping(coverages, project.partitions_of(table), own)
        yield dg.AssetDep(key(table), partition_mapping=mapping)
    for judge in project.judges_above(spec):
        if judge not in spec.inputs:
            yield dg.AssetDep(key(judge), partition_mapping=partitions.mapping(["all"], project.partitions_of(judge), own))
    for table in project.referenced(spec):
        if table not in spec.inputs and project.writer_of(table) is not None:
            yield dg.AssetDep(key(table), partition_mapping=partitions.mapping(["all"], project.partitions_of(table), own))


def _description(spec: NotebookSpec, contract: Contract | None) -> str:
    parts = [f"**{spec.title}**" if spec.title else "", contract.description if contract else "", spec.description]
    return "\n\n".join(part for part in parts if part)


def _owners(owner: str) -> list[str] | None:
    """Dagster knows owners as an address or `team:name`; any other text becomes a team."""
    if not owner:
        return None
    if _EMAIL.fullmatch(owner) or owner.startswith("team:"):
        return [owner]
    return ["team:" + re.sub(r"[^A-Za-z0-9_-]+", "-", owner).strip("-").lower()]


def _model_kinds(spec: NotebookSpec) -> set[str]:
    code = "\n".join(cell.source for cell in spec.code_cells)
    library = next((kind for word, kind in _MODEL_KINDS.items() if re.search(rf"\b{word}\b", code)), None)
    return {"jupyter", "mlflow", *([library] if library else [])}


def _freshness(contract: Contract | None) -> dg.FreshnessPolicy | None:
    if contract is None or contract.freshness is None:
        return None
    return dg.FreshnessPolicy.time_window(fail_window=contract.freshness)


def _notebook_metadata(spec: NotebookSpec, output: TableName, contract: Contract | None) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "dagster/table_name": output.dotted,
        **_code_reference(spec.path, spec.file),
    }
    if contract is not None:
        metadata["dagster/column_schema"] = column_schema(contract)
        metadata |= {f"feature view: {what}": words for what, words in uses.said(contract).items()}
    return metadata


def column_schema(contract: Contract) -> dg.TableSchema:
    """Types, descriptions and constraints of the contract's columns."""
    return dg.TableSchema(
        columns=[_column(name, column, contract.key) for name, column in contract.columns.items()],
        constraints=dg.TableConstraints(other=[f"unique: {', '.join(contract.key)}"]) if len(contract.key) > 1 else None,
    )


def _column(name: str, column: Column, table_key: Iterable[str]) -> dg.TableColumn:
    unit = f" ({column.unit})" if column.unit else ""
    return dg.TableColumn(
        name=name,
        type=column.type,
        description=f"{column.description}{unit}".strip() or None,
        constraints=dg.TableColumnConstraints(nullable=column.nullable, unique=tuple(table_key) == (name,)),
        tags={"personal": ""} if column.personal else None,
    )


def _code_reference(path: Path, label: str) -> dict[str, Any]:
    reference = dg.LocalFileCodeReference(file_path=str(path.absolute()), line_number=1, label=label)
    return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[reference])}
