"""All that Dagster loads of a project: assets from its notebooks and sources, checks, jobs, schedules and sensors."""

from __future__ import annotations

import warnings
from pathlib import Path

import dagster as dg

from lakehouse.errors import NotebookError
from lakehouse.orchestration import approval, leaks, retraining
from lakehouse.orchestration.after_failure import last_good_sensor
from lakehouse.orchestration.assets import all_assets
from lakehouse.orchestration.automation import jobs, schedules
from lakehouse.orchestration.executor import forked_executor
from lakehouse.orchestration.sensors import raw_files_sensor, webhook_sensor
from lakehouse.orchestration.spark import SharedSpark
from lakehouse.project import Project
from lakehouse.settings import Settings

LOCATION = "lakehouse"
"""The code location's name, as workspace.yaml gives it."""


def build_definitions(project_path: Path, settings: Settings, *, probes: bool = True) -> dg.Definitions:
    """The definitions of the project in `project_path`, with the checks that run a notebook again (`probes`) or without.

    Starts nothing.

    Raises NotebookError when a notebook or contract cannot be understood, with every place to mend.
    """
    project = Project.load(project_path)
    _refuse_broken(project)
    # A job of assets with several `backfill_chunk`s takes the smallest, as Dagster tells at each load.
    warnings.filterwarnings("ignore", message=r"Asset job \w+ materializes assets with varying BackfillPolicies")
    with warnings.catch_warnings():
        # Code references and mappings beyond the first month are called beta for years now.
        warnings.simplefilter("ignore", dg.BetaWarning)
        apart = leaks.all_checks(project, settings) if probes else []
        made = jobs(project)
        watching = [raw_files_sensor(project, settings, made), last_good_sensor(project, settings, made)] if made else []
        loops = retraining.jobs(project, settings)
        return dg.Definitions(
            assets=all_assets(project, settings),
            asset_checks=apart,
            jobs=[*made, *leaks.job(apart), *approval.jobs(project, settings), *loops],
            schedules=[*schedules(made), *retraining.schedules(loops)],
            sensors=[*watching, *retraining.sensor(project, settings, loops), webhook_sensor(settings)],
            resources={"spark": SharedSpark()},
            executor=forked_executor(settings.parallel),
        )


def _refuse_broken(project: Project) -> None:
    found = [*project.problems, *(problem for spec in project.notebooks.values() for problem in spec.problems)]
    if found:
        raise NotebookError(
            "The project cannot be loaded:\n" + "\n".join(f"  {problem}" for problem in found),
            "Correct these; `lakehouse check` lists them too.",
        )
