"""What a step does whose parent did not succeed, or is behind: it waits, or runs on what was published last."""

from __future__ import annotations

import json
from collections.abc import Mapping

from lakehouse import upstream
from lakehouse.names import TableName
from lakehouse.orchestration.grouping import Piece
from lakehouse.plan import Step, plan
from lakehouse.project import Project
from lakehouse.settings import Settings

TAG = "lakehouse/behind"
"""Run tag: for each asset, as JSON, the tables that it reads as they were published last, and why."""


def wait(project: Project, settings: Settings, steps: Mapping[TableName, Step], piece: Piece) -> str:
    """Why a step waits whose contract says so, in words; empty where it need not, or was forced.

    What this very plan brings up to date is not behind any more.
    """
    step, spec = steps[piece.asset], project.notebooks.get(piece.asset)
    if spec is None or step.forced or upstream.policy(project, piece.asset) != "wait":
        return ""
    found = upstream.behind(project, settings.root, spec, piece.months)
    told = [f"{table}: {why}" for table, why in found.items() if project.writer_of(TableName.parse(table)) not in steps]
    return f"It waits for {'; '.join(told)} (--force runs it)" if told else ""


def refusal(project: Project, settings: Settings, step: Step, piece: Piece) -> str | None:
    """Why a step cannot run on what was published last, as the end of a sentence; None where it can."""
    spec = project.notebooks.get(piece.asset)
    if spec is None or upstream.policy(project, piece.asset) != "last_good":
        return ""
    if absent := upstream.missing(project, settings.root, spec, piece.months):
        return f", and {', '.join(absent)} was not published before"
    if not step.forced and not plan(project, settings, [piece.asset], piece.months or None):
        return ", and nothing else has changed since its last run"
    return None


def told(project: Project, asset: TableName, bad: Mapping[TableName, TableName]) -> dict[str, dict[str, str]]:
    """A run's tag: `bad` are the parents that did not succeed, with the step because of which they did not."""
    spec = project.notebooks[asset]
    behind = {}
    for read in spec.reads:
        parent = project.writer_of(read.table)
        if parent in bad:
            waits = "" if bad[parent] == parent else f"{parent.slashed} waits: "
            behind[read.table.dotted] = f"{waits}{bad[parent].slashed} did not succeed"
    return {asset.slashed: behind} if behind else {}


def of_run(tags: Mapping[str, str], asset: TableName) -> dict[str, str]:
    """What a run's tags say of the inputs of `asset`."""
    return dict(json.loads(tags.get(TAG, "{}")).get(asset.slashed, {}))
