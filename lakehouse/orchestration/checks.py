"""A contract's checks as Dagster's asset checks, and a run's results as theirs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import dagster as dg

from lakehouse import checks
from lakehouse.checks import PROFILE
from lakehouse.contract import Contract
from lakehouse.names import TableName
from lakehouse.orchestration import verdicts
from lakehouse.project import Project
from lakehouse.record import CheckRecord

# A check of severity quarantine fails where more rows break it than may be set aside; then nothing was published.
_SEVERITY = {"error": dg.AssetCheckSeverity.ERROR, "quarantine": dg.AssetCheckSeverity.ERROR, "warn": dg.AssetCheckSeverity.WARN}
_UNPROFILED = "Not compared: the run that published these rows did not profile them."


def specs(table: TableName, contract: Contract) -> Iterator[dg.AssetCheckSpec]:
    """One check for each that the contract asks for; what lies below waits for all but those of severity warn."""
    for check in checks.of(contract):
        yield dg.AssetCheckSpec(
            name=check.name,
            asset=dg.AssetKey([table.layer, table.name]),
            description=check.description,
            blocking=check.severity != "warn",
            metadata={"column": check.column} if check.column else None,
        )


def keys(project: Project, assets: Sequence[TableName]) -> list[dg.AssetCheckKey]:
    """The checks that the runs of these assets tell of; those with a step of their own are not among them."""
    tables = {output for asset in assets if (spec := project.notebooks.get(asset)) for output in spec.outputs}
    contracts = {table: contract for table in sorted(tables) if (contract := project.contracts.get(table))}
    return [check.key for table, contract in contracts.items() for check in specs(table, contract)] + verdicts.keys(project, assets)


def results(
    table: TableName, contract: Contract, records: Iterable[CheckRecord], *, complete: bool
) -> Iterator[dg.AssetCheckResult]:
    """Each check's result for one table.

    `complete` says that the rows were published, so that a check without a result has not done its work: it fails.
    (Dagster itself lets everything below run on when a blocking check yields nothing.)
    """
    found = {record.name: record for record in records if record.table == table.dotted}
    for check in checks.of(contract):
        record = found.get(check.name)
        if record is None and not complete:
            continue
        unprofiled = record is None and check.type == PROFILE and check.severity == "warn"
        missing = _UNPROFILED if unprofiled else "No result: the run published rows that this check did not see."
        yield dg.AssetCheckResult(
            asset_key=dg.AssetKey([table.layer, table.name]),
            check_name=check.name,
            passed=record.passed if record else unprofiled,
            severity=_SEVERITY[check.severity],
            description=_observed(record) if record else missing,
            metadata=_metadata(record) if record else None,
        )


def _observed(record: CheckRecord) -> str:
    return record.observed or record.description


def _metadata(record: CheckRecord) -> dict[str, dg.MetadataValue]:
    shown: dict[str, dg.MetadataValue] = {}
    if record.unexpected is not None:
        shown["unexpected rows"] = dg.MetadataValue.int(record.unexpected)
    if record.examples:
        shown["examples"] = dg.MetadataValue.text(", ".join(map(str, record.examples)))
    if record.rows:
        rows = [dg.TableRecord({name: "" if value is None else str(value) for name, value in row.items()}) for row in record.rows]
        shown["rows"] = dg.MetadataValue.table(rows)
    return shown
