"""After a run of Dagster failed: another one, of what may run on what was published last.

Dagster itself runs nothing below a step that failed, and that a step failed must be seen. (`lakehouse run` does the
same for its own runs, see `launch`.)
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

import dagster as dg
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG, PARTITION_NAME_TAG

from lakehouse.names import TableName
from lakehouse.orchestration import abandoned, automation, checks, describe, last_good
from lakehouse.orchestration.grouping import Piece
from lakehouse.orchestration.step import SKIP_UNCHANGED
from lakehouse.partitions import parse_months
from lakehouse.plan import Step
from lakehouse.project import Project
from lakehouse.settings import Settings

_PARTITIONS = (PARTITION_NAME_TAG, ASSET_PARTITION_RANGE_START_TAG, ASSET_PARTITION_RANGE_END_TAG)


def last_good_sensor(project: Project, settings: Settings, made: Sequence[automation.Job]) -> dg.SensorDefinition:
    """On from the start where a contract says `upstream: last_good`."""
    wanted = any(contract.upstream == "last_good" for contract in project.contracts.values())
    status = dg.DefaultSensorStatus.RUNNING if wanted else dg.DefaultSensorStatus.STOPPED

    @dg.run_status_sensor(
        run_status=dg.DagsterRunStatus.FAILURE,
        name="on_last_good",
        request_jobs=made,
        default_status=status,
        description="After a failed run: runs what its contract lets run on what was published last (upstream: last_good).",
    )
    def on_last_good(context: dg.RunStatusSensorContext) -> list[dg.RunRequest] | dg.SkipReason:
        found = list(requests(project, settings, context.instance, context.dagster_run))
        return found or dg.SkipReason("Nothing below may run on what was published last.")

    return on_last_good


def requests(project: Project, settings: Settings, store: dg.DagsterInstance, run: dg.DagsterRun) -> Iterator[dg.RunRequest]:
    """A run for each job that it takes; none after a run of `lakehouse run`, or one that was on last good versions already."""
    if abandoned.PROCESS in run.tags or last_good.TAG in run.tags:
        return
    failed, left = _outcome(project, store, run.run_id)
    chosen = _chosen(project, settings, failed, left, _months(run.tags))
    tags = {name: value for name, value in run.tags.items() if name in _PARTITIONS}
    for job, assets in automation.by_job(project, list(chosen)).items():
        yield dg.RunRequest(
            run_key=f"{run.run_id} {job}",
            job_name=job,
            asset_selection=[key for asset in assets for key in describe.keys_of(project, asset)],
            asset_check_keys=checks.keys(project, assets),
            tags={SKIP_UNCHANGED: "true", last_good.TAG: json.dumps({a.slashed: chosen[a] for a in assets}), **tags},
        )


def _outcome(project: Project, store: dg.DagsterInstance, run_id: str) -> tuple[set[TableName], set[TableName]]:
    """The assets that failed in a run, and those that it left undone because of them."""
    kind = dg.DagsterEventType
    planned = {_asset(project, event) for event in _events(store, run_id, kind.ASSET_MATERIALIZATION_PLANNED)}
    done = {_asset(project, event) for event in _events(store, run_id, kind.ASSET_MATERIALIZATION)}
    steps = {event.step_key for event in _events(store, run_id, kind.STEP_FAILURE)}
    failed = {asset for asset in planned if describe.op_name(asset) in steps}
    return failed, planned - done - failed


def _events(store: dg.DagsterInstance, run_id: str, kind: dg.DagsterEventType) -> Iterator[dg.DagsterEvent]:
    for found in store.get_records_for_run(run_id, of_type=kind).records:
        if found.event_log_entry.dagster_event:
            yield found.event_log_entry.dagster_event


def _asset(project: Project, event: dg.DagsterEvent) -> TableName:
    table = describe.table_name(event.asset_key)
    return project.writer_of(table) or table


def _chosen(
    project: Project, settings: Settings, failed: set[TableName], left: set[TableName], months: tuple[str, ...]
) -> dict[TableName, Mapping[str, str]]:
    """Those that may run after all, each with what of its inputs is behind: by their contract, or as all above them may."""
    chosen: dict[TableName, Mapping[str, str]] = {}
    blockers = {asset: asset for asset in failed}
    for asset in project.order():
        if asset not in left:
            continue
        bad = {parent: blockers[parent] for parent in project.parents(asset) if parent in blockers}
        own = months if project.partitions_of(asset) else ()
        if bad and last_good.refusal(project, settings, Step(asset, own), Piece(asset, own)) is not None:
            blockers[asset] = next(iter(bad.values()))
        else:
            chosen[asset] = last_good.told(project, asset, bad).get(asset.slashed, {})
    return chosen


def _months(tags: Mapping[str, str]) -> tuple[str, ...]:
    if PARTITION_NAME_TAG in tags:
        return (tags[PARTITION_NAME_TAG],)
    if ASSET_PARTITION_RANGE_START_TAG in tags:
        span = f"{tags[ASSET_PARTITION_RANGE_START_TAG]}..{tags[ASSET_PARTITION_RANGE_END_TAG]}"
        return tuple(str(key) for key in parse_months(span))
    return ()
