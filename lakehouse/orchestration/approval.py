"""The job by which Dagster's page says yes or no to a version of a model that waits for it.

(Annotations are evaluated here: Dagster looks at the one of `context`.)
"""

import dagster as dg
from pydantic import Field

from lakehouse.errors import LakehouseError
from lakehouse.ledger import byhand
from lakehouse.orchestration.failure import failed
from lakehouse.project import Project
from lakehouse.settings import Settings
from lakehouse.training.which import Which

JOB = "approve_model"


class Decision(dg.Config):
    """What somebody decides about a version that has passed its gates."""

    model: str = Field(description="such as flight_delay")
    version: int = Field(description="the version that waits")
    approve: bool = Field(default=True, description="true: it becomes the champion; false: it is refused")
    note: str = Field(description="who decides, and why: it stands in the ledger")


def jobs(project: Project, settings: Settings) -> list[dg.JobDefinition]:
    """The job, where the project judges any model."""

    @dg.op(description="Writes the decision into the ledger; MLflow's aliases follow.")
    def decide(context: dg.OpExecutionContext, config: Decision) -> None:
        work, who = byhand.promote if config.approve else byhand.refuse, f"{JOB} in Dagster, run {context.run_id}"
        try:
            entry = work(settings, Which.alone(config.model, "`version`"), config.version, note=config.note, who=who)
        except LakehouseError as error:
            raise failed(error, {}, context.retry_number) from None
        context.log.info(f"{entry.model}: entry {entry.seq} of the ledger: {entry.said}")

    @dg.job(name=JOB, description="Says yes or no to a version of a model that waits for approval.")
    def approve_model() -> None:
        decide()

    return [approve_model] if project.judges else []
