"""Notebooks and sources as Dagster assets, one step each.

(Annotations are evaluated here: Dagster looks at the one of `context`.)
"""

import dagster as dg
from dagster._core.storage.tags import PRIORITY_TAG

from lakehouse import record
from lakehouse.code import code_identity
from lakehouse.names import TableName
from lakehouse.notebook import NotebookSpec
from lakehouse.orchestration import checks, describe, verdicts
from lakehouse.orchestration.step import Results, Steps
from lakehouse.project import Project
from lakehouse.settings import Settings
from lakehouse.source import Source, Stream


def all_assets(project: Project, settings: Settings) -> list[dg.AssetsDefinition]:
    """Every source's landing and every notebook that writes something."""
    steps, tags = Steps(project, settings), _priorities(project, settings)
    landings = [_landing(steps, source, tags[source.name]) for source in project.sources.values()]
    notebooks = [_notebook(steps, spec, tags[spec.name]) for spec in project.notebooks.values() if spec.outputs]
    return [*landings, *notebooks]


def _landing(steps: Steps, source: Source | Stream, tags: dict[str, str]) -> dg.AssetsDefinition:
    table = source.name

    @dg.multi_asset(
        name=describe.op_name(table),
        op_tags=tags,
        specs=[describe.raw_asset(steps.project, source)],
        backfill_policy=dg.BackfillPolicy.single_run() if source.partitions else None,
    )
    def land(context: dg.AssetExecutionContext) -> Results:
        yield from steps.stream(context, source) if isinstance(source, Stream) else steps.landing(context, table)

    return land


def _notebook(steps: Steps, spec: NotebookSpec, tags: dict[str, str]) -> dg.AssetsDefinition:
    project = steps.project
    contracts = {table: project.contracts[table] for table in spec.outputs if table in project.contracts}
    partitioned = project.partitions_of(spec.name) is not None

    @dg.multi_asset(
        name=describe.op_name(spec.name),
        op_tags=tags,
        description=spec.title or None,
        specs=list(describe.notebook_assets(project, spec, code_identity(project, spec)[:16])),
        check_specs=[
            *(check for table, contract in contracts.items() for check in checks.specs(table, contract)),
            *verdicts.specs(project, spec),
        ],
        config_schema=_parameters(spec),
        backfill_policy=dg.BackfillPolicy(project.backfill_chunk(spec.name)) if partitioned else None,  # None: all at once
    )
    def run(context: dg.AssetExecutionContext) -> Results:
        yield from steps.notebook(context, spec)

    return run


def _priorities(project: Project, settings: Settings) -> dict[TableName, dict[str, str]]:
    """Of the steps that could run, the one that begins the longest chain goes first: that chain is what a run waits for.

    How long each takes is known from its last run.
    """
    last = {asset: record.latest(settings.root, asset, "succeeded") for asset in project.notebooks}
    chains = project.longest_chains({asset: run.seconds for asset, run in last.items() if run})
    return {asset: {PRIORITY_TAG: str(round(chain))} for asset, chain in chains.items()}


def _parameters(spec: NotebookSpec) -> dict[str, dg.Field]:
    """The notebook's other parameters, to be set in Dagster's launchpad; they are checked when it runs."""
    return {
        parameter.name: dg.Field(dg.Any, is_required=False, description=f"{parameter.type}: {parameter.help}".rstrip(": "))
        for parameter in spec.parameters
        if parameter != spec.partition_parameter
    }
