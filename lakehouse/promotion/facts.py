"""What lake and records know of a challenger that no evaluation measures: leaks of what it was trained on, parity of its scores,
whether it was taken out of use before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from lakehouse import checks, record
from lakehouse.leaks import check
from lakehouse.leaks import outcome as kept
from lakehouse.leaks.outcome import Outcome
from lakehouse.names import TableName
from lakehouse.partitions import ALL
from lakehouse.project import Project
from lakehouse.promotion.gates import Answer, Facts

_SCORINGS = 20  # runs that are looked back at


def gather(project: Project, root: Path, model: TableName, version: int, rolled_back: str = "") -> Facts:
    """The facts on a version; `rolled_back` is what the ledger says of that. Only files of the lake are read."""
    return Facts(
        leaks={table.dotted: _leak(project, root, table) for table in checkable(project, root, model, version)},
        parity=dict(_parities(project, root, model)),
        rolled_back=rolled_back,
    )


def checkable(project: Project, root: Path, model: TableName, version: int) -> list[TableName]:
    """The tables that a version was trained on of which it can be looked whether they leak."""
    found = set(trained_on(project, root, model, version))
    return [table for table in check.checked(project) if table in found]


def trained_on(project: Project, root: Path, model: TableName, version: int) -> Iterator[TableName]:
    """The tables and raw tables that the run read that made a version."""
    for result in record.results_newest_first(root, project.writer_of(model) or model):
        if any(made.name == model.dotted and made.version == version for made in result.models):
            yield from (TableName.parse(name) for name in result.inputs)
            return


def present(project: Project, root: Path, table: TableName) -> list[Outcome]:
    """The newest leak check of each partition of `table` that ran the code that makes it now."""
    code = check.present_code(project, table)
    return [outcome for outcome in kept.newest(root, table).values() if outcome.code == code]


def _leak(project: Project, root: Path, table: TableName) -> Answer:
    found = present(project, root, table)
    if not found:
        return False, f"not looked at since its code changed; look by `lakehouse leaks {table}`"
    outcome = next((one for one in found if not one.passed), found[0])
    where = f"{outcome.partition}: " if outcome.partition else ""
    return outcome.passed, f"{where}{outcome.said}"


def _parities(project: Project, root: Path, model: TableName) -> Iterator[tuple[str, Answer]]:
    for spec in project.notebooks.values():
        if any(read.table == model and read.coverage != ALL for read in spec.models_read):
            for name in _parity_checks(project, spec.outputs):
                yield name[0], _last(root, spec.name, *name)


def _parity_checks(project: Project, tables: Iterable[TableName]) -> Iterator[tuple[str, str]]:
    for table in tables:
        contract = project.contracts.get(table)
        for one in checks.of(contract) if contract else ():
            if one.type == checks.PARITY:
                yield table.dotted, one.name


def _last(root: Path, asset: TableName, table: str, name: str) -> Answer:
    """The newest outcome of a check, whether its run succeeded or not."""
    for run in islice(record.results_newest_first(root, asset), _SCORINGS):
        for found in run.checks:
            if (found.table, found.name) == (table, name):
                return found.passed, f"{found.observed or 'passed'} (run {run.run_id})"
    return None, "not scored yet"
