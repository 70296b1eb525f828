"""A judging notebook's verdicts in Dagster: each gate as an asset check, and a page for each model with its history.

A refused challenger stops nothing below: the champion goes on. So no gate blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import dagster as dg

from lakehouse.names import TableName
from lakehouse.notebook import NotebookSpec
from lakehouse.orchestration import describe
from lakehouse.project import Project
from lakehouse.promotion import page
from lakehouse.promotion.contract import Gates
from lakehouse.record import Judged, RunRecord

VERDICT = "verdict"
_ABOUT = {name: field.description or "" for name, field in Gates.model_fields.items()}


def specs(project: Project, spec: NotebookSpec) -> Iterator[dg.AssetCheckSpec]:
    """The checks of a judging notebook's own table: the verdict, and each gate of each model that it judges."""
    for model in dict.fromkeys(judged.table for judged in spec.models_judged):
        contract = project.model_contracts.get(model)
        about = f"What became of the newest version of {model}: it is the champion now, or waits for approval."
        yield dg.AssetCheckSpec(name=_name(model, VERDICT), asset=describe.key(spec.name), description=about)
        for gate in Gates.model_fields:
            asked = getattr(contract.gates, gate) if contract else None
            if asked is False:
                continue
            why = f"{_ABOUT[gate]} {asked.reason if asked else ''}".strip()
            yield dg.AssetCheckSpec(name=_name(model, gate), asset=describe.key(spec.name), description=why)


def results(project: Project, spec: NotebookSpec, done: RunRecord | None) -> Iterator[dg.AssetCheckResult]:
    """What they came to in a run; nothing of a run that came to no verdict."""
    told = {(judged.model, gate.name): gate for judged in (done.judged if done else ()) for gate in judged.gates}
    verdicts = {judged.model: judged for judged in (done.judged if done else ())}
    for check in specs(project, spec):
        model, _, gate = check.name.rpartition("__")
        judged = verdicts.get(f"models.{model}")
        if judged is None:
            continue
        found = told.get((judged.model, gate))
        passed = judged.outcome in ("promoted", "waiting") if gate == VERDICT else found is not None and found.passed is not False
        said = _verdict(judged) if gate == VERDICT else found.said if found else "it was not asked"
        asked = gate == VERDICT or (found is not None and found.passed is not None)
        yield dg.AssetCheckResult(
            asset_key=check.asset_key,
            check_name=check.name,
            passed=passed,
            severity=dg.AssetCheckSeverity.WARN,
            description=said if asked else f"Nothing to judge: {said}",
            metadata={"version": judged.version, "against": judged.against or "the base rate"},
        )


def _name(model: TableName, gate: str) -> str:
    return f"{model.name}__{gate}"


def _verdict(judged: Judged) -> str:
    failed = [gate.name for gate in judged.gates if gate.passed is False]
    return f"version {judged.version}: {judged.outcome}" + (f" ({', '.join(failed)})" if failed else "")


def pages(root: Path, spec: NotebookSpec) -> Iterator[dg.AssetObservation]:
    """For each model that a notebook judges: its decisions as a table, and figures that Dagster plots over time."""
    for model in dict.fromkeys(judged.table for judged in spec.models_judged):
        told = page.history(root, model)
        if told:
            numbers = {name: dg.MetadataValue.float(float(value)) for name, value in page.figures(told[-1]).items()}
            shown = {"decisions": dg.MetadataValue.md(page.markdown(told)), **numbers}
            yield dg.AssetObservation(asset_key=describe.key(model), description=page.said(told[-1]), metadata=shown)


def keys(project: Project, assets: Iterable[TableName]) -> list[dg.AssetCheckKey]:
    """The checks that the judging notebooks among these assets tell of."""
    found = [spec for asset in assets if (spec := project.notebooks.get(asset)) is not None and spec.models_judged]
    return [check.key for spec in found for check in specs(project, spec)]
