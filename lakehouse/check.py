"""`lakehouse check`: holds a project's files against their contract, without starting a kernel, Spark or Dagster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from lakehouse import contract as contracts
from lakehouse import source as sources
from lakehouse import style
from lakehouse.contracts import versions
from lakehouse.errors import LakehouseError, PartitionError
from lakehouse.finding import Finding
from lakehouse.ingest import form as forms
from lakehouse.names import OWN_TABLES, TableName, did_you_mean
from lakehouse.notebook import NotebookSpec
from lakehouse.parameters import Parameter, ParameterType
from lakehouse.partitions import NEW, PartitionSpace
from lakehouse.project import Project
from lakehouse.promotion import findings as promotions

__all__ = ["Finding", "check"]


def check(path: Path, *, form: bool = True, root: Path | None = None) -> list[Finding]:
    """All that is wrong in the project at `path`, sorted by file, cell and line; empty is good.

    Without `form` only what makes the graph unsound, not how a notebook looks. With the lake's `root`, contracts are
    also held against what they were: a breaking change needs a new version.
    """
    project = Project.load(path)
    found = set(project.problems)
    try:
        project.sources  # noqa: B018  # runs sources.py
    except LakehouseError as error:
        found.add(Finding(sources.FILE, 0, 0, "bad-source", error.what, error.hint))
        project.sources = {}  # so that the rest can be checked
    found.update(_forms(project))
    for spec in (*project.notebooks.values(), *project.explore.values()):
        found.update(spec.problems)
        if form:
            found.update(style.check(spec, path))
        found.update(_reads(project, spec))
    for spec in project.notebooks.values():
        found.update(_writes(project, spec))
        found.update(_partitions(project, spec))
        found.update(_merges(project, spec))
    found.update(_unused_contracts(project))
    found.update(_references(project))
    found.update(_parities(project))
    found.update(promotions.findings(project))
    found.update(_cycles(project))
    if root is not None:
        found.update(versions.findings(project, root))
    return sorted(found)


def _forms(project: Project) -> Iterator[Finding]:
    """Sources of which it cannot be told how their files are written."""
    for source in project.sources.values():
        if isinstance(source, sources.Stream):
            continue  # its records land as they come
        try:
            forms.of(source)
        except LakehouseError as error:
            yield Finding(sources.FILE, 0, 0, "bad-source", error.what, error.hint)


def _reads(project: Project, spec: NotebookSpec) -> Iterator[Finding]:
    for read in spec.reads:
        if spec.explore and read.table in spec.outputs:
            continue  # a table of the user's own sandbox
        if read.table.layer == "raw" and read.table not in project.writers:
            yield Finding(
                spec.file,
                read.cell,
                read.line,
                "unknown-table",
                f"No source declares {read.table}",
                f"Declare it in {sources.FILE}.{did_you_mean(read.table, project.sources)}",
            )
        elif read.table not in (*project.writers, *project.contracts, *OWN_TABLES):
            near = did_you_mean(read.table, project.tables).strip()
            hint = near or "Write it by a notebook, with a contract, or correct the name."
            yield Finding(spec.file, read.cell, read.line, "unknown-table", f"There is no table {read.table}", hint)
        elif read.view and read.table in project.contracts and not project.contracts[read.table].feature_view:
            hint = f"Add feature_view to {contracts.FOLDER}/{read.table.slashed}.yaml, or join it by hand."
            yield Finding(spec.file, read.cell, read.line, "no-view", f"{read.table} is no feature view", hint)
    for read in spec.models_read:
        if read.table not in project.writers:
            models = [name for name in project.writers if name.layer == "models"]
            hint = f"Log it by lake.log_model in a notebook.{did_you_mean(read.table, models)}"
            yield Finding(spec.file, read.cell, read.line, "unknown-model", f"No notebook logs the model {read.table}", hint)


def _writes(project: Project, spec: NotebookSpec) -> Iterator[Finding]:
    for write in (*spec.writes, *spec.models_written):
        if write.table in OWN_TABLES:
            message = f"{write.table} is written by the library itself"
            yield Finding(spec.file, write.cell, write.line, "two-writers", message, "Choose another name.")
        first = project.writers[write.table][0]
        if first != spec.name:
            message = f"{write.table} is written by {project.notebooks[first].file} already"
            yield Finding(spec.file, write.cell, write.line, "two-writers", message, "A table has one writer: choose one.")
        if write.table not in project.contracts and write.table.layer != "models":
            file = f"{contracts.FOLDER}/{write.table.slashed}.yaml"
            if not any(problem.file == file for problem in project.problems):
                message = f"{write.table} has no contract"
                yield Finding(spec.file, write.cell, write.line, "no-contract", message, f"Write {file}.")
    if not spec.outputs and not _unreadable(spec):
        hint = f'End with lake.write(df, "{spec.name}"), or move it to notebooks/explore.'
        yield Finding(spec.file, 0, 0, "writes-nothing", "The notebook writes no table and logs no model", hint)
    elif spec.outputs and spec.name not in spec.outputs:
        hint = f"Name the notebook after its main output, such as notebooks/{spec.outputs[0].slashed}.ipynb."
        yield Finding(spec.file, 0, 0, "main-output", f"The notebook does not write {spec.name}, its own name", hint)


def _merges(project: Project, spec: NotebookSpec) -> Iterator[Finding]:
    for write in spec.writes:
        contract = project.contracts.get(write.table)
        if write.merged and contract is not None and not contract.key:
            hint = f"Name the key in {contracts.FOLDER}/{write.table.slashed}.yaml, or use lake.write."
            message = f"{write.table} has no key by which rows could be merged"
            yield Finding(spec.file, write.cell, write.line, "merge-without-key", message, hint)
    for read in spec.reads:
        if read.coverage == NEW and not spec.only_merges:
            message = f'{read.table} is read as "new", but not all that is written is merged by key, without months'
            hint = "Use lake.merge for every table of the notebook, and no list[month]; or read all of it."
            yield Finding(spec.file, read.cell, read.line, "new-needs-merge", message, hint)


def _unreadable(spec: NotebookSpec) -> bool:
    """A write may well stand where it could not be read; that is a finding of its own."""
    return any(problem.rule in ("syntax-error", "not-literal", "bad-name", "open-missing") for problem in spec.problems)


def _partitions(project: Project, spec: NotebookSpec) -> Iterator[Finding]:
    contracts_of = [project.contracts[table] for table in spec.outputs if table in project.contracts]
    spaces = {contract.table: contract.partitions for contract in contracts_of if contract.partitions}
    if not spaces:
        return
    of_months = [one for one in spec.parameters if one.type == ParameterType("month", many=True)]
    if len(of_months) == 1:
        yield from _sample(spec, of_months[0], spaces)
    elif not _bad_parameters(spec):
        cell, line = (of_months[1].cell, of_months[1].line) if of_months else (0, 0)
        message = f"{min(spaces)} has partitions, so the notebook takes exactly one list[month], not {len(of_months)}"
        hint = 'Write `months: list[month] = ["2013-02"]  # months to build` in the parameters cell.'
        yield Finding(spec.file, cell, line, "partition-parameter", message, hint)
    if len({(space.start, space.end) for space in spaces.values()}) > 1:
        message = f"{' and '.join(map(str, spaces))} have different partitions, but one notebook writes both"
        yield Finding(spec.file, 0, 0, "partition-mismatch", message, "Give both contracts the same partitions.")


def _sample(spec: NotebookSpec, own: Parameter, spaces: Mapping[TableName, PartitionSpace]) -> Iterator[Finding]:
    for table, space in spaces.items():
        try:
            space.existing(own.default)
        except PartitionError as error:
            message = f"The sample of {own.name} is no partition of {table}: {error.what}"
            yield Finding(spec.file, own.cell, own.line, "partition-sample", message, error.hint)


def _bad_parameters(spec: NotebookSpec) -> bool:
    return any(problem.rule in ("bad-parameter", "parameters-cell") for problem in spec.problems)


def _unused_contracts(project: Project) -> Iterator[Finding]:
    for table in sorted(set(project.contracts) - set(project.writers)):
        written = [name for name in project.writers if name.layer not in ("raw", "models")]
        hint = f"Write it by notebooks/{table.slashed}.ipynb, or remove the contract.{did_you_mean(table, written)}"
        file = f"{contracts.FOLDER}/{table.slashed}.yaml"
        yield Finding(file, 0, 0, "no-writer", f"No notebook writes {table}", hint)


def _references(project: Project) -> Iterator[Finding]:
    """References to what no contract knows, or to columns of another type."""
    for table, contract in sorted(project.contracts.items()):
        file = f"{contracts.FOLDER}/{table.slashed}.yaml"
        for reference in contract.references:
            other = project.contracts.get(reference.to)
            if other is None:
                near = did_you_mean(reference.to, project.contracts).strip()
                message = f"{table} refers to {reference.to}, which has no contract"
                yield Finding(file, 0, 0, "bad-reference", message, near or "Correct the name, or write its contract.")
                continue
            for ours, theirs in reference.pairs:
                if theirs not in other.columns:
                    near = did_you_mean(theirs, other.columns).strip()
                    message = f"{table}.{ours} refers to {reference.to}.{theirs}, which is no column"
                    yield Finding(file, 0, 0, "bad-reference", message, near or "Name one by to_columns.")
                elif ours in contract.columns and contract.columns[ours].type != other.columns[theirs].type:
                    types = f"{contract.columns[ours].type}, {reference.to}.{theirs} {other.columns[theirs].type}"
                    hint = "A reference compares values of one type."
                    yield Finding(file, 0, 0, "bad-reference", f"{table}.{ours} is {types}", hint)


def _parities(project: Project) -> Iterator[Finding]:
    """Scores that are to be held against features of which no contract says what names an entity, or by another name."""
    for table, contract in sorted(project.contracts.items()):
        if contract.parity is None:
            continue
        file, to = f"{contracts.FOLDER}/{table.slashed}.yaml", contract.parity.features
        other = project.contracts.get(to)
        if other is None or not other.key:
            near = did_you_mean(to, [name for name in project.contracts if name.layer == "features"]).strip()
            message = f"{table} is held against {to}, which has no contract with a key"
            yield Finding(file, 0, 0, "bad-parity", message, near or "Correct the name, or give it a key.")
            continue
        needed = [*other.key, "score", "model_version"]
        if lost := [name for name in needed if name not in contract.columns]:
            hint = "Scores carry the key of their features, and what lake.score gives."
            yield Finding(file, 0, 0, "bad-parity", f"{table} has no column {', '.join(lost)}", hint)


def _cycles(project: Project) -> Iterator[Finding]:
    """One finding for each asset that reads its own output, and for each group of assets that feed each other."""
    seen: set[TableName] = set()
    for asset, spec in sorted(project.notebooks.items()):
        for read in (*spec.reads, *spec.models_read):
            if read.table in spec.outputs:
                message = f"{spec.name.slashed} reads {read.table}, which it writes itself"
                yield Finding(spec.file, read.cell, read.line, "cycle", message, "Read from the tables above it.")
        if asset in seen or asset not in project.descendants(asset):
            continue
        around = _path_back(project, asset)
        seen |= project.descendants(asset) & project.ancestors(asset)
        reads = (read for read in (*spec.reads, *spec.models_read) if project.writer_of(read.table) == around[-2])
        cell, line = next(((read.cell, read.line) for read in reads), (0, 0))  # (0, 0): a contract's reference
        message = f"A cycle: {' → '.join(name.slashed for name in around)}"
        yield Finding(spec.file, cell, line, "cycle", message, "Take away one of these reads or references.")


def _path_back(project: Project, asset: TableName) -> list[TableName]:
    """The shortest way from an asset on a cycle down the graph to itself again."""
    paths = [[asset]]
    for path in paths:
        for child in project.children(path[-1]):
            if child == asset:
                return [*path, asset]
            if all(child not in other for other in paths):
                paths.append([*path, child])
    raise AssertionError("the asset is on no cycle")
