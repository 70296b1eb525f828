"""What `lakehouse check` tells of judging: who judges which model, by what contract, and that nobody judges blindly."""

from __future__ import annotations

from collections.abc import Iterator

from lakehouse import contract as tables
from lakehouse.finding import Finding
from lakehouse.names import TableName, did_you_mean
from lakehouse.notebook import NotebookSpec
from lakehouse.partitions import ALL
from lakehouse.project import Project
from lakehouse.promotion.contract import ModelContract, Outcome


def findings(project: Project) -> Iterator[Finding]:
    """All that is wrong with judging notebooks and with models' contracts."""
    for spec in (*project.notebooks.values(), *project.explore.values()):
        yield from _judging(project, spec)
    for model, contract in sorted(project.model_contracts.items()):
        yield from _contract(project, model, contract)


def _judging(project: Project, spec: NotebookSpec) -> Iterator[Finding]:
    for judged in spec.models_judged:
        model, at = judged.table, (spec.file, judged.cell, judged.line)
        if model not in project.writers:
            near = did_you_mean(model, [name for name in project.writers if name.layer == "models"])
            hint = f"Log it by lake.log_model in a notebook.{near}"
            yield Finding(*at, "unknown-model", f"No notebook logs the model {model}", hint)
        first = project.judge_of(model)
        if not spec.explore and first != spec.name and first is not None:
            message = f"{model} is judged by {project.notebooks[first].file} already"
            yield Finding(*at, "two-judges", message, "A model has one judge: choose one.")
        uses = [read.coverage == ALL for read in spec.models_read if read.table == model]
        if True not in uses:
            message = f"{model} is judged without having met the champion"
            yield Finding(*at, "no-contest", message, f'Begin with contest = lake.contest("{model}").')
        if False in uses:
            message = f"{model} is judged here, so who its champion is comes after this notebook"
            yield Finding(*at, "judge-uses-champion", message, f'Use lake.contest("{model}").champion instead of loading it.')
        if not spec.explore and model in project.writers and not _has_contract(project, model):
            file = f"{tables.FOLDER}/{model.slashed}.yaml"
            yield Finding(*at, "no-contract", f"{model} is judged by the library's thresholds alone", f"Write {file}.")


def _has_contract(project: Project, model: TableName) -> bool:
    file = f"{tables.FOLDER}/{model.slashed}.yaml"
    return model in project.model_contracts or any(problem.file == file for problem in project.problems)


def _contract(project: Project, model: TableName, contract: ModelContract) -> Iterator[Finding]:
    file = f"{tables.FOLDER}/{model.slashed}.yaml"
    if model not in project.writers:
        near = did_you_mean(model, [name for name in project.writers if name.layer == "models"])
        hint = f"Log it by notebooks/{model.slashed}.ipynb, or remove the contract.{near}"
        yield Finding(file, 0, 0, "no-writer", f"No notebook logs the model {model}", hint)
    elif project.judge_of(model) is None:
        hint = f'End a notebook with lake.promote("{model}", evidence).'
        yield Finding(file, 0, 0, "no-judge", f"No notebook judges {model}, so nothing asks for its gates", hint)
    if contract.outcome is not None:
        yield from _outcome(project, file, contract.outcome)


def _outcome(project: Project, file: str, outcome: Outcome) -> Iterator[Finding]:
    other = project.contracts.get(outcome.table)
    if other is None:
        near = did_you_mean(outcome.table, project.contracts).strip()
        message = f"The outcome is looked up in {outcome.table}, which has no contract"
        yield Finding(file, 0, 0, "bad-outcome", message, near or "Correct the name, or write its contract.")
        return
    if other.partitions is None:
        message = f"The outcome is looked up in {outcome.table}, which has no partitions to tell a month's outcomes by"
        yield Finding(file, 0, 0, "bad-outcome", message, f"Partition {outcome.table} by month in its contract.")
    for key, name, kind in (
        ("column", outcome.column, None),
        ("known_at", outcome.known_at, "timestamp"),
        ("at", outcome.at, "timestamp"),
    ):
        column = other.columns.get(name)
        if column is None:
            near = did_you_mean(name, other.columns).strip()
            yield Finding(file, 0, 0, "bad-outcome", f"outcome.{key}: {outcome.table} has no column {name}", near or "Correct it.")
        elif kind is not None and column.type != kind:
            message = f"outcome.{key}: {outcome.table}.{name} is {column.type}, which is no moment"
            yield Finding(file, 0, 0, "bad-outcome", message, "Name a column of type timestamp.")
