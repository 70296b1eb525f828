"""Jobs and schedules: everything, and a month at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dagster as dg

from lakehouse.names import TableName
from lakehouse.orchestration import checks, describe
from lakehouse.orchestration.step import SKIP_UNCHANGED
from lakehouse.partitions import PartitionSpace
from lakehouse.project import Project

EVERYTHING = "everything"
MONTHLY = "monthly"

Job = dg.JobDefinition


def jobs(project: Project) -> list[Job]:
    """`everything`, and `monthly` for what has partitions with all that it stands on.

    A job of Dagster holds one definition of partitions. Where a project has several, the one of most assets gets
    these names, the others `monthly_from_<start>`. (A backfill from the list of assets, and `lakehouse run`, span all.)
    """
    groups = _by_space(project)
    if not groups:
        return [_job(project, EVERYTHING, project.assets, "Every asset.")] if project.assets else []
    main, *others = _ranked(groups)
    foreign = {asset for space in others for asset in groups[space]}
    everything = [asset for asset in project.assets if asset not in foreign]
    made = [
        _job(project, EVERYTHING, everything, "Every asset that shares the main partitions or has none."),
        _job(project, MONTHLY, _with_ancestors(project, groups[main], foreign), "One month of every asset with partitions."),
    ]
    for space in others:
        rest = foreign - set(groups[space]) | set(groups[main])
        chosen = _with_ancestors(project, groups[space], rest)
        made.append(_job(project, _name(space), chosen, f"Assets with partitions from {space.start}."))
    return made


def by_job(project: Project, assets: Sequence[TableName]) -> dict[str, list[TableName]]:
    """`assets` by the job that can run them together: `everything` first, then those of other partitions."""
    groups = _by_space(project)
    names = {asset: _name(space) for space in _ranked(groups)[1:] for asset in groups[space]}
    found: dict[str, list[TableName]] = {}
    for asset in sorted(assets, key=lambda asset: (asset in names, names.get(asset, ""))):
        found.setdefault(names.get(asset, EVERYTHING), []).append(asset)
    return found


def schedules(made: Sequence[Job]) -> list[dg.ScheduleDefinition]:
    """On the third of each month, the month before. Stopped until somebody switches it on in Dagster's page."""
    return [
        dg.build_schedule_from_partitioned_job(
            job,
            name=f"{job.name}_schedule",
            description="The month before, on the third at 06:00 UTC; what is up to date is not run again.",
            day_of_month=3,
            hour_of_day=6,
            tags={SKIP_UNCHANGED: "true"},
        )
        for job in made
        if job.name.startswith(MONTHLY)
    ]


def _by_space(project: Project) -> dict[PartitionSpace, list[TableName]]:
    """Assets by what Dagster will see of their partitions: start and end, not the column's name."""
    groups: dict[PartitionSpace, list[TableName]] = {}
    for asset in project.assets:
        space = project.partitions_of(asset)
        if space is not None:
            groups.setdefault(PartitionSpace("", space.start, space.end), []).append(asset)
    return groups


def _ranked(groups: Mapping[PartitionSpace, Sequence[TableName]]) -> list[PartitionSpace]:
    """The partitions that most assets have come first."""
    return sorted(groups, key=lambda space: (-len(groups[space]), str(space)))


def _name(space: PartitionSpace) -> str:
    end = f"_to_{space.end.replace('-', '_')}" if space.end else ""
    return f"{MONTHLY}_from_{space.start.replace('-', '_')}{end}"


def _with_ancestors(project: Project, assets: Sequence[TableName], without: set[TableName]) -> list[TableName]:
    above = {parent for asset in assets for parent in project.ancestors(asset)}
    return sorted({*assets, *above} - without)


def _job(project: Project, name: str, assets: Sequence[TableName], description: str) -> Job:
    keys = [key for asset in assets for key in describe.keys_of(project, asset)]
    told = dg.AssetSelection.checks(*checks.keys(project, assets))
    chosen = dg.AssetSelection.assets(*keys).without_checks() | told
    return dg.define_asset_job(name, selection=chosen, description=description)
