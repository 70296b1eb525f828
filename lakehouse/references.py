"""References: whether the values of some columns stand in another table, by left anti joins on Spark.

All references of a table are asked for in one query, as the distinct values that stand nowhere and their rows; a good
batch pays for that alone. Which values they are is asked only where there are any.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from lakehouse import checks
from lakehouse.checks import MASK, REFERENCE, Check
from lakehouse.contract import Contract
from lakehouse.errors import UnknownName
from lakehouse.names import TableName
from lakehouse.record import CheckRecord

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_EXAMPLES = 5
_ROWS = "rows"

Referenced = Callable[[TableName], "tuple[DataFrame, str]"]
"""The rows of a table that is referred to, and in words which those are. Raises UnknownName where it is not built."""


def audit(
    frame: DataFrame, contract: Contract, contracts: Mapping[TableName, Contract], referenced: Referenced
) -> list[CheckRecord]:
    """The outcome of each reference of `contract` on the rows of `frame`, in the contract's order.

    `unexpected` counts rows whose values stand nowhere; rows with a null among them do not count. Examples are masked
    where the column, here or there, is personal. A reference that cannot be followed has not passed.
    """
    asked = [check for check in checks.of(contract) if check.type == REFERENCE]
    lost: dict[str, DataFrame] = {}
    said: dict[str, str] = {}
    for check in asked:
        try:
            rows, which = referenced(check.kwargs["to"])
            lost[check.name], said[check.name] = _without_partner(frame, rows, check), f"against {which}"
        except UnknownName as error:
            said[check.name] = f"could not be computed: {error.what}"
    counts = _counts(lost)
    return [
        checks.outcome(
            contract,
            check,
            passed=counts.get(check.name) == 0,
            observed=said[check.name],
            unexpected=counts.get(check.name),
            examples=_examples(lost[check.name], check, contract, contracts) if counts.get(check.name) else [],
        )
        for check in asked
    ]


def _without_partner(frame: DataFrame, rows: DataFrame, check: Check) -> DataFrame:
    """The distinct values of the columns, k0, k1…, that do not stand in `rows`, and on how many rows each."""
    pairs = check.kwargs["pairs"]
    own, other = dict(frame.dtypes), dict(rows.dtypes)
    for ours, theirs in pairs:
        if theirs not in other:
            raise UnknownName(f"{check.kwargs['to']} has no column {theirs}")
        if own[ours] != other[theirs]:
            raise UnknownName(f"{ours} is {own[ours]}, {check.kwargs['to']}.{theirs} is {other[theirs]}")
    keys = [f"k{number}" for number in range(len(pairs))]
    ours = frame.where(" and ".join(f"`{name}` is not null" for name, _ in pairs)).groupBy(*(name for name, _ in pairs))
    there = rows.select(*(theirs for _, theirs in pairs)).toDF(*keys)
    return ours.count().toDF(*keys, _ROWS).join(there, keys, "left_anti")


def _counts(lost: Mapping[str, DataFrame]) -> dict[str, int]:
    """For each check the number of rows without a partner, in one query."""
    query = None
    for name, frame in lost.items():
        one = frame.selectExpr(f"'{name}' as name", f"coalesce(sum({_ROWS}), 0) as {_ROWS}")
        query = one if query is None else query.unionAll(one)
    return {row["name"]: int(row[_ROWS]) for row in query.collect()} if query is not None else {}


def _examples(lost: DataFrame, check: Check, contract: Contract, contracts: Mapping[TableName, Contract]) -> list[Any]:
    theirs = contracts[check.kwargs["to"]].columns if check.kwargs["to"] in contracts else {}
    for ours, other in check.kwargs["pairs"]:
        if contract.columns[ours].personal or (other in theirs and theirs[other].personal):
            return [MASK]
    rows = lost.orderBy(lost[_ROWS].desc(), *lost.columns[:-1]).limit(_EXAMPLES).collect()
    return [", ".join(map(str, row[:-1])) for row in rows]
