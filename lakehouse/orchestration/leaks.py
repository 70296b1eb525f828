"""The leak check as Dagster's asset checks, each a step of its own.

A probe runs a notebook again, so no job of assets includes it, nor does `lakehouse run`: it is run by the job `leaks`, from
a table's page (Checks), or by `lakehouse leaks`, whose outcome is told here too.

(Annotations are evaluated here: Dagster looks at the one of `context`.)
"""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from lakehouse.errors import LakehouseError
from lakehouse.leaks import check
from lakehouse.leaks.outcome import Outcome
from lakehouse.names import TableName
from lakehouse.orchestration import describe
from lakehouse.orchestration.failure import failed
from lakehouse.orchestration.instance import instance, told_of_damage
from lakehouse.orchestration.interrupts import end_with_run, one_interrupt
from lakehouse.project import Project
from lakehouse.settings import Settings

NAME = "nothing_known_later"
JOB = "leaks"
_ABOUT = (
    "What the rows say does not change when what came later is altered. Runs the notebook again for the newest partition, as "
    "known at one of its moments, and publishes nothing."
)


def all_checks(project: Project, settings: Settings) -> list[dg.AssetChecksDefinition]:
    """One check for each table that can be probed."""
    return [_check(project, settings, table) for table in check.checked(project)]


def job(found: Sequence[dg.AssetChecksDefinition]) -> list[dg.JobDefinition]:
    """The job that runs all of these checks, if there are any."""
    about = "Looks for what rows say that was not yet known: each table's newest partition."
    chosen = dg.AssetSelection.checks(*found)
    return [dg.define_asset_job(JOB, selection=chosen, description=about)] if found else []


def tell(settings: Settings, outcome: Outcome) -> None:
    """Shows an outcome that did not come from a run of Dagster's. Raises LakeError where Dagster's store cannot be used."""
    with told_of_damage(settings), instance(settings) as store:
        store.report_runless_asset_event(evaluation(outcome))


def evaluation(outcome: Outcome) -> dg.AssetCheckEvaluation:
    """An outcome as Dagster keeps it."""
    return dg.AssetCheckEvaluation(asset_key=describe.key(TableName.parse(outcome.table)), check_name=NAME, **_shown(outcome))


def _check(project: Project, settings: Settings, table: TableName) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=describe.key(table), name=NAME, description=_ABOUT)
    def look(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        try:
            with one_interrupt():
                end_with_run()
                outcome = check.look(project, settings, table)
        except LakehouseError as error:
            raise failed(error, {}, context.retry_number) from None
        return dg.AssetCheckResult(**_shown(outcome))

    return look


def _shown(outcome: Outcome) -> dict[str, Any]:
    answers = {answer.moment: answer for answer in outcome.answers}
    shown: dict[str, Any] = {
        "partition": outcome.partition or "all",
        "as known at": ", ".join(answers),
        "rows compared": sum(answer.rows for answer in outcome.answers),
        "rows altered": {name: rows for answer in outcome.answers for name, rows in answer.altered.items()},
        "seconds": outcome.seconds,
    }
    if outcome.leaks:
        rows = [{**one.model_dump(exclude={"key"}), "key": ", ".join(one.key.values())} for one in outcome.leaks]
        records = [dg.TableRecord({name: "null" if value is None else value for name, value in row.items()}) for row in rows]
        shown["leaks"] = dg.MetadataValue.table(records)
    if outcome.notebook:
        shown["executed notebook"] = dg.MetadataValue.path(str(outcome.notebook))
    return {"passed": outcome.passed, "severity": dg.AssetCheckSeverity.ERROR, "description": outcome.said, "metadata": shown}
