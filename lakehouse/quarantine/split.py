"""Sets aside the computed rows that break an expectation of severity `quarantine`, before the gate audits the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lakehouse import checks
from lakehouse.checks import MASK, Check
from lakehouse.contract import Contract
from lakehouse.ingest.reading import ORIGIN
from lakehouse.quarantine.conditions import misfit
from lakehouse.record import CheckRecord

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SEVERITY = "quarantine"
_EXAMPLES = 5


@dataclass(frozen=True)
class Split:
    """`fits` are the rows to publish, `aside` the `count` others as the quarantine keeps them (None: there are none),
    `records` the outcome of each check of severity quarantine."""

    fits: DataFrame
    aside: DataFrame | None
    records: list[CheckRecord]
    count: int = 0


def split(frame: DataFrame, contract: Contract, of: str = "true") -> Split:
    """The rows of `frame` (computed already) by whether they keep the checks of severity `quarantine`; those for which the
    SQL `of` is not true are not looked at.

    Costs one query where the contract has such checks, and more only where rows break them.
    """
    judging = [check for check in checks.of(contract) if check.severity == SEVERITY]
    broken_by = {check: f"({of}) and ({misfit(check.type, check.kwargs)})" for check in judging}
    if not broken_by:
        return Split(frame, None, [])
    somewhere = " or ".join(f"coalesce({sql}, false)" for sql in broken_by.values())
    try:
        counts = _counts(frame, [*broken_by.values(), somewhere])
    except Exception as error:  # Spark's own, such as a text that is compared with a number
        return Split(frame, None, [_not_computed(check, contract, error) for check in broken_by])
    records = [
        _record(frame, check, sql, contract, count, counts[-2], counts[-1])
        for (check, sql), count in zip(broken_by.items(), counts, strict=False)
    ]
    if not counts[-2]:
        return Split(frame, None, records)
    rest = frame.where(f"not ({somewhere})")
    return Split(rest, _aside(frame.where(somewhere), contract, broken_by), records, counts[-2])


def _counts(frame: DataFrame, conditions: list[str]) -> list[int]:
    """How many rows each condition is true for, then all rows."""
    counted = [f"count_if({sql}) as c{number}" for number, sql in enumerate(conditions)]
    return [int(value) for value in frame.selectExpr(*counted, "count(*) as n").collect()[0]]


def _record(frame: DataFrame, check: Check, sql: str, contract: Contract, count: int, aside: int, rows: int) -> CheckRecord:
    """It has passed where all the rows set aside, by whichever check, are no larger a share than the contract allows."""
    allowed = contract.quarantine.at_most
    passed = count == 0 or aside <= allowed * rows
    said = f"{count:,} of {rows:,} rows set aside" if count else ""
    more = "" if passed else f": with all checks {aside:,}, more than {100 * allowed:g}%"
    return checks.outcome(
        contract,
        check,
        passed=passed,
        observed=said + more,
        unexpected=count,
        examples=_examples(frame.where(sql), check, contract) if count else [],
    )


def _not_computed(check: Check, contract: Contract, error: Exception) -> CheckRecord:
    personal = any(column.personal for column in contract.columns.values())
    said = MASK if personal else str(error).strip().splitlines()[0]
    return checks.outcome(
        contract,
        check,
        passed=False,
        observed=f"could not be computed: {said}",
    )


def _examples(broken: DataFrame, check: Check, contract: Contract) -> list[Any]:
    named = [name for argument in ("column", "column_A", "column_B") if (name := check.kwargs.get(argument))]
    if any(contract.columns[name].personal for name in named):
        return [MASK]
    rows = broken.select(*named).distinct().limit(_EXAMPLES).collect()
    return [", ".join(map(str, row)) for row in rows]


def _aside(broken: DataFrame, contract: Contract, broken_by: Mapping[Check, str]) -> DataFrame:
    """The rows as the quarantine keeps them; values of personal columns are masked."""

    def told(words: Mapping[Check, str]) -> str:
        each = [f"case when {sql} then {_text(words[check])} end" for check, sql in broken_by.items()]
        return f"concat_ws('; ', {', '.join(each)})"

    values = [
        f"{_text(MASK) if column.personal else f'`{name}`'} as `{name}`"
        for name, column in contract.columns.items()
        if name not in ORIGIN
    ]
    has = set(broken.columns)
    return broken.selectExpr(
        f"{_text(contract.table.dotted)} as table_name",
        f"`{contract.partitions.column}` as partition_key" if contract.partitions else "'*' as partition_key",
        f"{told({check: check.name for check in broken_by})} as check_name",
        f"{told({check: check.description for check in broken_by})} as reason",
        f"{'_source_file' if '_source_file' in has else 'cast(null as string)'} as raw_file",
        f"{'_source_sha256' if '_source_sha256' in has else 'cast(null as string)'} as sha256",
        "cast(null as bigint) as line",
        f"to_json(struct({', '.join(values)}), map('ignoreNullFields', 'false')) as row_text",
    )


def _text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
