"""Retraining in Dagster: for each judged model a job with a partition for each month, its schedule, and a sensor.

The job's one step is `lakehouse models retrain`, whose training, judging and scoring are runs of their own on the page. (One
run of Dagster cannot hold them: whether anything is scored, and by whom, is only known when the judge has spoken.)

(Annotations are evaluated here: Dagster looks at the one of `context`.)
"""

import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Sequence

import dagster as dg

from lakehouse import ledger
from lakehouse.errors import LakehouseError, RunFailed
from lakehouse.names import TableName
from lakehouse.orchestration import partitions
from lakehouse.orchestration.failure import failed
from lakehouse.orchestration.interrupts import end_with_run, one_interrupt
from lakehouse.partitions import PartitionSpace
from lakehouse.project import Project
from lakehouse.retraining import course, due
from lakehouse.retraining.course import Course
from lakehouse.settings import Settings

_COMMAND = [sys.executable, "-c", "import sys; from lakehouse.cli import main; sys.exit(main())"]
_LINES = 5
_EVERY = 3600
_TRIES = 3
_DUE = "lakehouse/due"
"""Run tag of a run that the sensor asked for: up to which month, and after which entry of the ledger. Runs with the same tag
were asked for the same: nothing was decided in between."""


def name(model: TableName) -> str:
    return f"retrain_{model.name}"


def jobs(project: Project, settings: Settings) -> list[dg.JobDefinition]:
    """`retrain_<model>` for each model that can be retrained; a partition is the last month to judge by."""
    return [_job(project, settings, one) for one in course.courses(project)]


def schedules(made: Sequence[dg.JobDefinition]) -> list[dg.ScheduleDefinition]:
    """On the third of each month, for the month before. Stopped until somebody switches it on in Dagster's page."""
    about = "The month before, and those before it that are still due, on the third at 08:00 UTC."
    return [
        dg.build_schedule_from_partitioned_job(job, name=f"{job.name}_schedule", description=about, day_of_month=3, hour_of_day=8)
        for job in made
    ]


def sensor(project: Project, settings: Settings, made: Sequence[dg.JobDefinition]) -> list[dg.SensorDefinition]:
    """Retrains once another month's outcomes have come."""
    found = course.courses(project)

    @dg.sensor(
        name="mature_months",
        jobs=made,
        minimum_interval_seconds=_EVERY,
        description="Retrains a model when the outcomes of another month have come; a run takes all months that are due. "
        f"What fails is tried {_TRIES} times.",
    )
    def mature_months(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        requests, waits = [], []
        for one in found:
            answer = _ask(project, settings, context.instance, one)
            if isinstance(answer, dg.RunRequest):
                requests.append(answer)
            elif answer:
                waits.append(f"{one.model}: {answer}")
        if requests:
            for words in waits:  # Dagster keeps no reason to skip of a tick that asks for runs
                context.log.info(words)
            return dg.SensorResult(run_requests=requests)
        return dg.SkipReason("; ".join(waits) or "Every month whose outcomes have come was decided by.")

    return [mature_months] if found else []


def _ask(project: Project, settings: Settings, store: dg.DagsterInstance, one: Course) -> dg.RunRequest | str:
    """A run for what is due of a model, or in words why none is asked for; nothing to say where all is done.

    Without a run key: by that, Dagster would never ask again for what failed, or is due once more after a rollback.
    """
    try:
        told = due.due(project, settings, one, apart=False)
        entry = ledger.standing(settings.root, one.model).last
    except LakehouseError as error:  # the other models' months have come all the same
        return ". ".join(str(error).splitlines())
    if not told.turns and not told.left:
        return told.waits
    key = str(told.turns[-1].through if told.turns else told.last)
    what = f"{key} after entry {entry.seq if entry else 0}"
    return _hindrance(store, one, key, what) or dg.RunRequest(job_name=name(one.model), partition_key=key, tags={_DUE: what})


def _hindrance(store: dg.DagsterInstance, one: Course, key: str, what: str) -> str:
    """Why no run is asked for now: one is on its way, or those that were asked for the same have changed nothing."""
    runs = store.get_runs(dg.RunsFilter(job_name=name(one.model)))
    if not all(run.is_finished for run in runs):
        return "it is being retrained"
    tried = [run for run in runs if run.tags.get(_DUE) == what]
    by_hand = f"`lakehouse models retrain {one.model.name}` tries it again"
    if any(run.is_success for run in tried):
        return f"{key} is still due after a run that succeeded; {by_hand}"
    if len(tried) >= _TRIES:
        return f"{key} was tried {len(tried)} times without success; once that is mended, {by_hand}"
    return ""


def _job(project: Project, settings: Settings, one: Course) -> dg.JobDefinition:
    space = project.partitions_of(one.outcome.table)
    months = partitions.definition(PartitionSpace("", one.first, space.end if space else None))

    @dg.op(name=f"months_of_{one.model.name}")
    def retrain(context: dg.OpExecutionContext) -> None:
        through = ["--through", context.partition_key] if context.has_partition_key else []
        try:
            with one_interrupt():
                end_with_run()
                _command(context, settings, ["models", "retrain", one.model.name, *through])
        except LakehouseError as error:
            raise failed(error, {}, context.retry_number) from None

    about = (
        f"Trains {one.model}, judges it by the {one.months} months up to the partition's, promotes or refuses it, and scores "
        "the month after; months before it that are still due come first. What was decided is not decided again."
    )
    graph = dg.GraphDefinition(name=name(one.model), node_defs=[retrain])
    return graph.to_job(description=about, partitions_def=months)


def _command(context: dg.OpExecutionContext, settings: Settings, words: list[str]) -> None:
    """`lakehouse …` for this lake, each of its lines in the run's log. Raises RunFailed with what it said last."""
    ours = {"LAKEHOUSE_PROJECT": str(settings.project), "LAKEHOUSE_ROOT": str(settings.root), "PYTHONUNBUFFERED": "1"}
    last: deque[str] = deque(maxlen=_LINES)
    with subprocess.Popen(
        [*_COMMAND, *words],
        env={**os.environ, **ours},
        cwd=settings.project,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            for line in process.stdout or ():
                if told := line.rstrip():
                    last.append(told)
                    context.log.info(told)
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            raise
    if process.returncode:
        raise RunFailed("\n".join(last), f"`lakehouse {' '.join(words)}` goes on where it was.")
