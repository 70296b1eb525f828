"""Who takes part in retraining a model, and by which of their parameters the loop moves them from month to month.

Nothing is declared for this: the notebook that logs the model trains it, the one that calls `lake.promote` judges it, those
that call `lake.score` score with it. The parameter that the loop moves is found by its type, the only one of type `month`:
of the training notebook the last month to train on, of the judging notebook the last month to judge by. A parameter of type
`datetime` of these is the moment by which outcomes count. Their samples are where the first command begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lakehouse.errors import ContractError, LakehouseError, NotebookError, UnknownName
from lakehouse.names import TableName, did_you_mean
from lakehouse.parameters import Parameter, ParameterType, to_injectable
from lakehouse.partitions import month

if TYPE_CHECKING:
    from lakehouse.notebook import NotebookSpec
    from lakehouse.project import Project
    from lakehouse.promotion.contract import Outcome

MONTH, MOMENT = ParameterType("month"), ParameterType("datetime")


@dataclass(frozen=True)
class Course:
    """The notebooks that train, judge and score a model, what it predicts, and by how many `months` it is judged.

    `first` is the month up to which the judging notebook's sample judges: the loop begins there.
    """

    model: TableName
    trainer: TableName
    judge: TableName
    scorers: tuple[TableName, ...]
    train_parameter: str
    judge_parameter: str
    moments: tuple[tuple[TableName, str], ...]
    outcome: Outcome
    months: int
    first: month


def of(project: Project, model: TableName) -> Course:
    """How `model` is retrained. Raises UnknownName where there is no such model, ContractError or NotebookError where it
    cannot be: without a notebook that judges it, without an outcome by month in its contract, or without one month to move."""
    trainer, judge = project.writer_of(model), project.judge_of(model)
    if trainer is None or model.layer != "models":
        near = did_you_mean(model, sorted(project.judges))
        raise UnknownName(f"No notebook logs the model {model}", f"Its name is that in lake.log_model(…).{near}")
    if judge is None:
        raise NotebookError(f"No notebook judges {model}", f'End one with lake.promote("{model}", evidence); see the README.')
    contract = project.model_contracts.get(model)
    if contract is None or contract.outcome is None:
        hint = "It says in which table and column the outcome stands, and when it became known."
        raise ContractError(f"assets/contracts/{model.slashed}.yaml has no section outcome", hint)
    if project.partitions_of(contract.outcome.table) is None:
        what = f"{contract.outcome.table}, in which the outcome of {model} is looked up, has no partitions"
        raise ContractError(what, "Partition it by month in its contract: retraining goes by the months whose outcomes have come.")
    trained, judged = _only_month(project.notebook(trainer)), _only_month(project.notebook(judge))
    moved_too = [(asset, one) for asset in (trainer, judge) for one in moving(project, project.notebook(asset))]
    return Course(
        model=model,
        trainer=trainer,
        judge=judge,
        scorers=tuple(name for name in project.order() if _scores(project, name, model)),
        train_parameter=trained.name,
        judge_parameter=judged.name,
        moments=tuple((asset, one.name) for asset, one in moved_too if one.type == MOMENT),
        outcome=contract.outcome,
        months=contract.evaluate.months,
        first=month(judged.default),
    )


def courses(project: Project) -> list[Course]:
    """Every model that can be retrained, by name."""
    found = []
    for model in sorted(project.judges):
        with suppress(LakehouseError):
            found.append(of(project, model))
    return found


def moving(project: Project, spec: NotebookSpec) -> tuple[Parameter, ...]:
    """The parameters of a notebook that the loop moves; none where it neither judges a model nor trains one that is judged."""
    if not spec.models_judged and not any(project.judge_of(written.table) for written in spec.models_written):
        return ()
    found = [[one for one in spec.parameters if one.type == kind] for kind in (MONTH, MOMENT)]
    return tuple(ones[0] for ones in found if len(ones) == 1)


def moved(project: Project, spec: NotebookSpec, then: Mapping[str, Any]) -> dict[str, Any]:
    """Of `then`, the recorded parameters of a notebook's last run, those that the loop has moved beyond their samples."""
    there = [one for one in moving(project, spec) if then.get(one.name)]
    return {one.name: then[one.name] for one in there if str(then[one.name]) > str(to_injectable(one.default))}


def _only_month(spec: NotebookSpec) -> Parameter:
    months = [one for one in spec.parameters if one.type == MONTH]
    if len(months) != 1:
        what = f"{spec.file} has {len(months) or 'no'} parameters of type month, so retraining does not know which to move"
        raise NotebookError(what, 'Give it one, such as until: month = "2013-02"  # last month to train on.')
    return months[0]


def _scores(project: Project, name: TableName, model: TableName) -> bool:
    spec = project.notebooks.get(name)
    if spec is None or project.partitions_of(name) is None or name == project.judge_of(model):
        return False
    return any(read.table == model for read in spec.models_read)
