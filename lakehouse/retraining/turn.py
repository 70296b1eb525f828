"""One month of the loop: outcomes that came go to the scores, a challenger is trained and judged, what follows is scored.

Each part is an ordinary run with its record, through Dagster as those of `lakehouse run`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lakehouse import ledger, making, plan, record
from lakehouse.errors import Cancelled, RunFailed
from lakehouse.names import TableName
from lakehouse.partitions import month
from lakehouse.plan import Step
from lakehouse.project import Project
from lakehouse.retraining import due
from lakehouse.retraining.course import Course
from lakehouse.retraining.due import Turn
from lakehouse.settings import Settings

if TYPE_CHECKING:
    from lakehouse.orchestration.launch import OnEvent

UNDECIDED = "not enough evidence"


@dataclass(frozen=True)
class Taken:
    """How one month ended: the version that was judged, what the ledger says became of it and why, what was scored."""

    turn: Turn
    version: int | None
    action: str
    why: str
    champion: int | None
    scored: tuple[TableName, ...]
    seconds: float


def take(project: Project, settings: Settings, course: Course, turn: Turn, on_event: OnEvent) -> Taken:
    """Takes one turn. Raises RunFailed where a notebook failed, Cancelled where it was interrupted; what was done stays."""
    began = time.monotonic()
    _run(project, settings, _with_outcomes(project, settings, course, turn), on_event)
    parameters = turn.parameters(course)
    assets = [course.judge] if turn.trained else [course.trainer, course.judge]
    _run(project, settings, [Step(asset, (), parameters=parameters[asset]) for asset in assets], on_event)
    made, stands = making.newest(project, settings.root, course.model), ledger.standing(settings.root, course.model)
    version = made.version if made else None
    scorers = due.to_score(project, settings, course, turn.through.shift(1))
    score(project, settings, scorers, turn.through.shift(1), on_event)
    action = stands.decided.get(version, UNDECIDED) if version else UNDECIDED
    why = _why(settings, course, version)
    return Taken(turn, version, action, why, stands.champion, tuple(scorers), time.monotonic() - began)


def score(project: Project, settings: Settings, scorers: Sequence[TableName], key: month, on_event: OnEvent) -> None:
    """Scores a month by the champion. Raises as `take` does."""
    _run(project, settings, [Step(scorer, (str(key),)) for scorer in scorers], on_event)


def _why(settings: Settings, course: Course, version: int | None) -> str:
    """The gates that a version failed, in words, as the judge's run recorded it."""
    for result in record.results_newest_first(settings.root, course.judge):
        for judged in result.judged:
            if judged.version == version:
                return "; ".join(f"{gate.name}: {gate.said}" for gate in judged.gates if gate.passed is False)
    return ""


def _with_outcomes(project: Project, settings: Settings, course: Course, turn: Turn) -> list[Step]:
    """Scoring again, by the champion of before, the months whose outcomes came since they were scored: the outcomes flow in."""
    known = {key for scorer in course.scorers for key in due.months_of(project, scorer) if key <= turn.through}
    steps = plan.plan(project, settings, course.scorers, known)
    found = []
    for step in steps:
        moved = {
            key
            for key, reasons in step.causes.items()
            if any(reason.kind == "input" and reason.table == course.outcome.table for reason in reasons)
        }
        if came := tuple(key for key in step.partitions if key in moved):
            found.append(Step(step.asset, came, step.causes))
    return found


def _run(project: Project, settings: Settings, steps: Sequence[Step], on_event: OnEvent) -> list[Any]:
    if not steps:
        return []
    from lakehouse.orchestration import launch

    outcomes = launch.execute(project, settings, steps, on_event)
    bad = [outcome for outcome in outcomes if outcome.status != "succeeded"]
    if any(outcome.status == "cancelled" for outcome in bad):
        raise Cancelled("Retraining was interrupted", "Run the same command again: it goes on where it was.")
    if bad:
        first = next((outcome for outcome in bad if outcome.status == "failed"), bad[0])
        raise RunFailed(
            f"Retraining stopped: {first.asset.slashed} {first.status}: {first.cause}",
            "Mend that, then run the same command again: it goes on where it was.",
            str(first.notebook or ""),
        )
    return outcomes
