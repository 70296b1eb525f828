"""What a feature view is by its contract, and which models were made of it. (Dagster's processes read this before they fork,
so nothing here may import numpy, which starts threads.)"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lakehouse.contract import Contract
from lakehouse.lineage import Lineage, Node
from lakehouse.names import TableName
from lakehouse.project import Project


def said(contract: Contract) -> dict[str, str]:
    """What a contract says of its feature view, by what it is; empty for a table that is none."""
    if contract.feature_view is None:
        return {}
    facts = contract.feature_view.model_dump(mode="json")
    return {
        "entity": ", ".join(contract.feature_view.entity),
        "event timestamp": contract.feature_view.event_timestamp,
        "known from": contract.feature_view.created,
        "time to live": facts["ttl"] or "for ever",
    }


@dataclass(frozen=True)
class Use:
    """The champion of a model below a feature view (its newest version where it has none), and the versions of the view
    that it was made of."""

    model: TableName
    version: int
    made_of: tuple[int, ...]


def uses(project: Project, root: Path, view: TableName) -> list[Use]:
    """The models below `view` whose champion was made of it, by the ledger, commits and runs' records."""
    writer = project.writer_of(view)
    below = project.descendants(writer) if writer else set()
    between = {output for asset in below for output in project.notebooks[asset].outputs}
    lineage, found = Lineage(project, root), []
    for model in sorted(output for output in between if output.layer == "models"):
        for node in lineage.standing(model):
            made_of = sorted(_made_of(lineage, node, view, between))
            if made_of:
                found.append(Use(model, node.version, tuple(dict.fromkeys(made_of))))
    return found


def _made_of(lineage: Lineage, node: Node, view: TableName, between: set[TableName]) -> Iterator[int]:
    waiting, seen = [node], {node}
    while waiting:
        for origin in lineage.inputs(waiting.pop()):
            if not isinstance(origin, Node) or origin in seen:
                continue
            seen.add(origin)
            if origin.table == view:
                yield origin.version
            elif origin.table in between:
                waiting.append(origin)
