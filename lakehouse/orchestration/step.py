"""What one step of a Dagster run does: a source's landing or a notebook's run, and telling Dagster of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from lakehouse import raw, record, runner, tables
from lakehouse.errors import LakehouseError
from lakehouse.ingest import batch
from lakehouse.names import TableName
from lakehouse.notebook import NotebookSpec
from lakehouse.orchestration import checks, describe, last_good, leaks, metadata, profiles, verdicts
from lakehouse.orchestration.failure import failed
from lakehouse.orchestration.grouping import Piece
from lakehouse.orchestration.interrupts import end_with_run, one_interrupt
from lakehouse.plan import Step, plan
from lakehouse.project import Project
from lakehouse.promotion import probing
from lakehouse.record import RunRecord
from lakehouse.retraining import course
from lakehouse.settings import Settings
from lakehouse.source import Stream
from lakehouse.streams import landing

SKIP_UNCHANGED = "lakehouse/skip_unchanged"
"""Run tag of schedules and sensors: what is up to date is told again, not run again. By hand everything runs."""
FORCED = "lakehouse/forced"
"""Run tag of `lakehouse run --force`: inputs that are read as "new" are read whole."""
RUN_LABEL = "dagster run"

Results = Iterator[dg.MaterializeResult | dg.AssetCheckResult]


@dataclass(frozen=True)
class Steps:
    """Runs the assets of one project."""

    project: Project
    settings: Settings

    def notebook(self, context: dg.AssetExecutionContext, spec: NotebookSpec) -> Results:
        """Runs the notebook for the run's partitions and yields a result for each table and model it writes."""
        keys = _partition_keys(context)
        due = self._due(context, spec.name, keys)
        if due is None:
            yield from self._again(context, spec, keys)
            return
        if why := self._waits(context, spec.name, due):
            yield from self._again(context, spec, keys, why)
            return
        values: dict[str, Any] = {**self._moved(spec), **(context.op_execution_context.op_config or {})}
        if due and spec.partition_parameter:
            values[spec.partition_parameter.name] = due
        try:
            with one_interrupt():
                end_with_run()
                for outcome in probing.ensure(self.project, self.settings, spec):
                    context.instance.report_runless_asset_event(leaks.evaluation(outcome))
                done = runner.run(
                    spec.name,
                    values,
                    self.settings,
                    origin="dagster",
                    labels={RUN_LABEL: context.run_id},
                    waited=self._waited(context, spec.name),
                    force=context.run.tags.get(FORCED) == "true",
                    behind=last_good.of_run(context.run.tags, spec.name),
                )
        except LakehouseError as error:
            ended = self._record_of(context.run_id, spec.name)
            yield from self._checks(spec, ended, complete=False)
            raise failed(error, _of_failure(ended), context.retry_number) from None
        for shown in verdicts.pages(self.settings.root, spec):
            context.log_event(shown)
        yield from self._results(context, spec, keys, done)

    def landing(self, context: dg.AssetExecutionContext, table: TableName) -> Results:
        """Lands a source's files for the run's partitions; files that are there already change nothing."""
        keys = _partition_keys(context)
        due = self._due(context, table, keys)
        if due is not None:
            try:
                with one_interrupt():
                    end_with_run()
                    for key in due or [None]:
                        landed = raw.land(tables.open_root(self.settings.root), self.project.sources[table], key)
                        for skipped in landed.skipped:
                            context.log.warning(f"{skipped.filename} {skipped.why}: left for the next time")
            except LakehouseError as error:
                raise failed(error, {}, context.retry_number) from None
        files = raw.files(self.settings.root, table, keys or None)
        for key in keys:
            own = [file for file in files if file.partition == key]
            context.add_asset_metadata({"files": len(own), "bytes": sum(file.size for file in own)}, partition_key=key)
        shown: dict[str, Any] = {"skipped": True} if due is None else {}
        if said := batch.findings(self.settings.root, self.project.sources[table], files):
            shown["findings"] = dg.MetadataValue.md("\n".join(f"- {words}" for words in said))
            context.log.warning("\n".join(said))
        yield dg.MaterializeResult(
            asset_key=describe.key(table),
            metadata={"files": len(files), "bytes": sum(file.size for file in files), **shown},
            data_version=dg.DataVersion(_identity([file.sha256 for file in files])),
        )

    def stream(self, context: dg.AssetExecutionContext, source: Stream) -> Results:
        """Lands what came since by one round of a stream."""
        shown: dict[str, Any] = {"skipped": True}
        if self._due(context, source.name, []) is not None:
            try:
                with one_interrupt():
                    end_with_run()
                    landed = landing.land(self.settings, source)
            except LakehouseError as error:
                raise failed(error, {}, context.retry_number) from None
            shown = {"rows": landed.rows, "files": landed.files, "seconds": landed.seconds}
        yield dg.MaterializeResult(
            asset_key=describe.key(source.name),
            metadata={**shown, **metadata.of_table(self.settings.root, source.name)},
            data_version=metadata.data_version(self.settings.root, source.name, None),
        )

    def _due(self, context: dg.AssetExecutionContext, asset: TableName, keys: list[str]) -> list[str] | None:
        """Which of the run's partitions to run (none where the asset has none); None when all is up to date."""
        if context.run.tags.get(SKIP_UNCHANGED) != "true":
            return keys
        steps = plan(self.project, self.settings, [asset], keys or None)
        return list(steps[0].partitions) if steps else None

    def _moved(self, spec: NotebookSpec) -> dict[str, Any]:
        """Parameters that retraining has moved beyond their samples: a run by hand does not go back in time."""
        last = record.latest(self.settings.root, spec.name, "succeeded") if course.moving(self.project, spec) else None
        return course.moved(self.project, spec, last.parameters) if last else {}

    def _waits(self, context: dg.AssetExecutionContext, asset: TableName, keys: list[str]) -> str:
        """Why a step of a schedule or sensor waits for what is behind above it, by its contract; by hand everything runs."""
        if context.run.tags.get(SKIP_UNCHANGED) != "true" or record.latest(self.settings.root, asset, "succeeded") is None:
            return ""
        step = Step(asset, tuple(keys))
        return last_good.wait(self.project, self.settings, {asset: step}, Piece(asset, step.partitions))

    def _again(self, context: dg.AssetExecutionContext, spec: NotebookSpec, keys: Sequence[str], why: str = "") -> Results:
        """The last result once more: same data version, same checks."""
        last = record.latest(self.settings.root, spec.name, "succeeded")
        shown = {"skipped": dg.MetadataValue.bool(True), **({"waits": dg.MetadataValue.text(why)} if why else {})}
        yield from self._results(context, spec, keys, last, shown)

    def _results(
        self,
        context: dg.AssetExecutionContext,
        spec: NotebookSpec,
        keys: Sequence[str],
        done: RunRecord | None,
        more: Mapping[str, dg.MetadataValue] | None = None,
    ) -> Results:
        root = self.settings.root
        shared = {**(metadata.of_run(done) if done else {}), **(more or {})}
        models = {model.name: model for model in done.models} if done else {}
        for output in spec.outputs:
            key = describe.key(output)
            if output.layer == "models":
                model = models.get(output.dotted)
                yield dg.MaterializeResult(
                    asset_key=key,
                    metadata={**shared, **(metadata.of_model(model) if model else {})},
                    data_version=dg.DataVersion(str(model.version if model else "none")),
                )
                continue
            own = keys if self.project.partitions_of(output) else ()
            profiled = profiles.of_run(root, output, done)
            for partition, shown in metadata.of_partitions(root, output, own).items():
                context.add_asset_metadata({**profiled.get(partition, {}), **shown}, asset_key=key, partition_key=partition)
            yield dg.MaterializeResult(
                asset_key=key,
                metadata={
                    **profiled.get(None, {}),
                    **shared,
                    **metadata.of_table(root, output),
                    **metadata.of_columns(done, output),
                    **metadata.of_checks(done, output),
                    **metadata.of_set_aside(done, output),
                    **metadata.of_view(self.project, root, output),
                },
                data_version=metadata.data_version(root, output, own or None),
            )
        yield from self._checks(spec, done, complete=True)

    def _checks(self, spec: NotebookSpec, done: RunRecord | None, *, complete: bool) -> Iterator[dg.AssetCheckResult]:
        for output in spec.outputs:
            contract = self.project.contracts.get(output)
            if contract is not None:
                yield from checks.results(output, contract, done.checks if done else [], complete=complete)
        yield from verdicts.results(self.project, spec, done)

    def _waited(self, context: dg.AssetExecutionContext, asset: TableName) -> float:
        """Seconds since all that it reads from was there: since the last of its parents in this run, or the run's start."""
        run = context.instance.get_run_record_by_id(context.run_id)
        # Only the newest of each: a parent that is not in this run has a whole history without a record of it.
        parents = [record.latest(self.settings.root, parent) for parent in self.project.parents(asset)]
        own = [parent for parent in parents if parent and parent.labels.get(RUN_LABEL) == context.run_id]
        ended = [parent.started.timestamp() + parent.seconds for parent in own]
        started = run.start_time if run and run.start_time else time.time()
        return max(0.0, time.time() - max([started, *ended]))

    def _record_of(self, dagster_run: str, asset: TableName) -> RunRecord | None:
        """What the attempt that just failed left: the newest record of this very Dagster run."""
        found = record.newest_first(self.settings.root, asset)
        return next((one for one in found if one.labels.get(RUN_LABEL) == dagster_run), None)


def _partition_keys(context: dg.AssetExecutionContext) -> list[str]:
    partitioned = context.assets_def.partitions_def is not None
    return list(context.partition_keys) if partitioned else []


def _of_failure(ended: RunRecord | None) -> dict[str, dg.MetadataValue]:
    if ended is None:
        return {}
    return {**metadata.of_notebook(ended.notebook), "run": dg.MetadataValue.text(ended.run_id)}


def _identity(digests: list[str]) -> str:
    import hashlib

    return hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()[:16]
