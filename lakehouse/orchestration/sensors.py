"""What Dagster watches: new raw files, and failed runs."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from lakehouse import inputs, raw
from lakehouse.ingest import folder
from lakehouse.ingest.folder import Folder
from lakehouse.inputs import Identity
from lakehouse.names import TableName
from lakehouse.orchestration import automation, checks, describe
from lakehouse.orchestration.run_partitions import month_ranges, range_tags
from lakehouse.orchestration.step import SKIP_UNCHANGED
from lakehouse.project import Project
from lakehouse.settings import Settings
from lakehouse.source import Source, Stream

_SECONDS = 10.0


def raw_files_sensor(project: Project, settings: Settings, made: Sequence[automation.Job]) -> dg.SensorDefinition:
    """Runs what lies below a raw table for the partitions in which files have landed, by whatever way they came, or wait
    in a source's folder: those land first."""

    @dg.sensor(
        name="new_raw_files",
        jobs=made,
        minimum_interval_seconds=60,
        description="Runs what lies below new raw files, for the months they belong to.",
    )
    def new_raw_files(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        landed = {table.dotted: inputs.identity(project, settings.root, table, "all", ()) for table in project.sources}
        named = {table.dotted: source for table, source in project.sources.items()}
        seen = {table: _with_waiting(settings, source, landed[table]) for table, source in named.items()}
        requests = list(_requests(project, json.loads(context.cursor) if context.cursor else landed, seen))
        if not requests and not context.cursor:
            return dg.SensorResult(cursor=json.dumps(seen), skip_reason="First look: what has landed already is not new.")
        if not requests:
            return dg.SkipReason("No new raw files.")
        return dg.SensorResult(run_requests=requests, cursor=json.dumps(seen))

    return new_raw_files


def _with_waiting(settings: Settings, source: Source | Stream, landed: Identity) -> Identity:
    """For each partition what has landed, and which files wait in the source's folder."""
    if isinstance(source, Stream) or not isinstance(source.fetch, Folder):
        return landed
    seen = dict(landed)
    for key in source.partitions.keys() if source.partitions else [None]:
        waiting = folder.news(settings.root, source, key)
        if waiting:
            seen[key or raw.WHOLE] = json.dumps([seen.get(key or raw.WHOLE), waiting])
    return seen


def _requests(project: Project, known: dict[str, Identity], seen: dict[str, Identity]) -> Iterator[dg.RunRequest]:
    """Runs for each stretch of months in which anything is new, more for tables without partitions."""
    moved: dict[str, list[TableName]] = {}
    for name, partitions in seen.items():
        for partition, identity in partitions.items():
            if known.get(name, {}).get(partition) != identity:
                moved.setdefault(partition, []).append(TableName.parse(name))
    whole = moved.pop(raw.WHOLE, [])
    if whole:
        yield from _below(project, whole, seen, None)
    for stretch in month_ranges(moved):
        tables = sorted({table for key in stretch for table in moved[key]})
        yield from _below(project, tables, seen, stretch)


def _below(
    project: Project, tables: list[TableName], seen: dict[str, Identity], months: list[str] | None
) -> Iterator[dg.RunRequest]:
    """What lies below `tables`, a run for each job that it takes: a run of Dagster holds one definition of partitions."""
    below = {asset for table in tables for asset in (table, *project.descendants(table))}
    chosen = [asset for asset in project.order() if asset in below and _takes(project, asset, months)]
    news = {table.dotted: [seen[table.dotted].get(key) for key in months or [raw.WHOLE]] for table in tables}
    for job, assets in automation.by_job(project, chosen).items():
        yield dg.RunRequest(
            run_key=json.dumps({"job": job, **news}, sort_keys=True),
            job_name=job,
            asset_selection=[key for asset in assets for key in describe.keys_of(project, asset)],
            asset_check_keys=checks.keys(project, assets),
            tags={SKIP_UNCHANGED: "true", **(range_tags(months) if months else {})},
        )


def _takes(project: Project, asset: TableName, months: list[str] | None) -> bool:
    """Whether `asset` can be part of a run over `months`: it has those, or no partitions at all."""
    space = project.partitions_of(asset)
    return space is None or (months is not None and set(months) <= set(space.keys()))


def webhook_sensor(settings: Settings) -> dg.SensorDefinition:
    """Tells the webhook of the settings of every failed run. On from the start where there is a webhook."""
    status = dg.DefaultSensorStatus.RUNNING if settings.webhook else dg.DefaultSensorStatus.STOPPED

    @dg.run_failure_sensor(
        name="tell_of_failures", default_status=status, description="POSTs each failed run to LAKEHOUSE_WEBHOOK as JSON."
    )
    def tell_of_failures(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
        if settings.webhook is None:
            return dg.SkipReason("No webhook is set (LAKEHOUSE_WEBHOOK).")
        context.log.info(post(settings.webhook.get_secret_value(), message(context, settings)))
        return None

    return tell_of_failures


def message(context: dg.RunFailureSensorContext, settings: Settings) -> dict[str, Any]:
    """What a webhook is told: which steps failed, with their error's first lines and executed notebooks."""
    run = context.dagster_run
    failures = []
    for event in context.get_step_failure_events():
        data = event.step_failure_data
        failed = data.user_failure_data
        notebook = failed.metadata.get("notebook") if failed else None
        failures.append(
            {
                "step": (event.step_key or "").replace("__", "/"),
                "error": "\n".join((data.error.message if data.error else "").strip().splitlines()[:5]),
                "notebook": getattr(notebook, "path", None),
            }
        )
    return {
        "run": run.run_id,
        "job": run.job_name,
        "failures": failures,
        "url": f"http://127.0.0.1:{settings.dagster_port}/runs/{run.run_id}",
    }


def post(url: str, body: dict[str, Any]) -> str:
    """Sends `body` as JSON; says how it went, never to where, for the address may hold a secret."""
    if not url.lower().startswith(("http://", "https://")):
        return "The webhook is not an http(s) address; nothing was sent."
    try:
        request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST")
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
            return f"The webhook was told (status {answer.status})."
    except urllib.error.HTTPError as error:
        return f"The webhook answered with status {error.code}."
    except (OSError, ValueError) as error:
        return f"The webhook could not be reached ({type(error).__name__})."
