"""The gate: holds computed rows against their contract with Great Expectations, on Spark, before they are visible.

The only module that imports Great Expectations. It costs seconds to import, so it is imported in warm kernels.
"""

from __future__ import annotations

import datetime
import decimal
import math
from typing import TYPE_CHECKING, Any, Literal

import great_expectations as gx
from great_expectations.expectations.expectation import (
    ColumnMapExpectation,
    ColumnPairMapExpectation,
    MulticolumnMapExpectation,
)
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

from lakehouse import checks
from lakehouse.checks import ELSEWHERE, KEY, MASK, PARTITIONS, Check
from lakehouse.contract import Contract
from lakehouse.errors import ContractError
from lakehouse.record import CheckRecord

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_EXAMPLES = 5
_WITH_ROWS = {"result_format": "BASIC", "include_unexpected_rows": True}
# Expectations that judge each row and can name those that do not fit.
_ROW_BY_ROW = (ColumnMapExpectation, ColumnPairMapExpectation, MulticolumnMapExpectation)
# Of these, those that judge a row by the others beside it.
_AMONG_ROWS = (gx.expectations.ExpectColumnValuesToBeUnique, gx.expectations.ExpectCompoundColumnsToBeUnique)


Judging = Literal["all", "rows", "table"]


def audit(frame: DataFrame, contract: Contract, partitions: list[str], judging: Judging = "all") -> list[CheckRecord]:
    """The outcome of every check of `contract` on the rows of `frame`, in the contract's order; references, profiles and
    those of severity quarantine, which the rows keep by now, are left out.

    `partitions` are those the run may write. Of rows that are merged, `judging` "rows" holds what judges each row by
    itself; "table", for the table as it will stand, the rest but the key (see `lakehouse.merge`).
    Examples are bounded, and masked where a column is marked personal.
    Raises ContractError when an expectation does not exist or cannot be computed as written.
    """
    asked = [check for check in checks.of(contract) if check.type not in ELSEWHERE and check.severity != "quarantine"]
    expectations = [_expectation(check, contract, partitions) for check in asked]
    if judging != "all":
        expectations = [one for one in expectations if _judges_each_row(one) == (judging == "rows") and one.meta["check"] != KEY]
        asked = [check for check in asked if check.name in {one.meta["check"] for one in expectations}]
    if not asked:
        return []
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    # persist=False: the default keeps every batch in the server's memory and never frees it.
    asset = context.data_sources.add_spark("lake", persist=False).add_dataframe_asset(contract.table.dotted)
    batch = asset.add_batch_definition_whole_dataframe("write").get_batch({"dataframe": frame})
    # Examples cost a query for each expectation, so they are asked for only where something did not pass, which
    # makes the audit of a good batch several times cheaper.
    quick = [one for one in expectations if isinstance(one, _ROW_BY_ROW)]
    passed = {name for name, result in _validate(batch, quick, "BOOLEAN_ONLY").items() if result.success}
    rest = [one for one in expectations if one.meta["check"] not in passed]
    results = _validate(batch, rest, _WITH_ROWS)
    return [
        _passed(check, contract) if check.name in passed else _record(check, contract, results.get(check.name)) for check in asked
    ]


def _judges_each_row(expectation: Any) -> bool:
    return isinstance(expectation, _ROW_BY_ROW) and not isinstance(expectation, _AMONG_ROWS)


def _validate(batch: Any, expectations: list[Any], result_format: str | dict[str, Any]) -> dict[str, Any]:
    if not expectations:
        return {}
    report = batch.validate(gx.ExpectationSuite(name="write", expectations=expectations), result_format=result_format)
    return {result.expectation_config.meta["check"]: result for result in report.results}


def _passed(check: Check, contract: Contract) -> CheckRecord:
    """A check that all rows passed; with `mostly` some may not have, and how many was not asked."""
    return checks.outcome(
        contract,
        check,
        passed=True,
        unexpected=None if "mostly" in check.kwargs else 0,
    )


def _expectation(check: Check, contract: Contract, partitions: list[str]) -> Any:
    kwargs = dict(check.kwargs)
    if check.name == PARTITIONS:
        kwargs = {"column": check.column, "value_set": partitions}
    try:
        return ExpectationConfiguration(type=check.type, kwargs=kwargs, meta={"check": check.name}).to_domain_obj()
    except Exception as error:  # pydantic v1 or v2 errors, or Great Expectations' own, by version
        raise ContractError(
            f"{contract.table}: expectation {check.type} cannot be used: {_in_a_line(error)}",
            f"Correct its name or kwargs in assets/contracts/{contract.table.slashed}.yaml.",
        ) from None


def _record(check: Check, contract: Contract, result: Any) -> CheckRecord:
    """One outcome. A check that gave no result did not pass."""
    outcome = (result.result or {}) if result is not None else {}
    observed = outcome.get("observed_value")
    return checks.outcome(
        contract,
        check,
        passed=bool(result is not None and result.success),
        observed=_failure_to_compute(result, contract) or ("" if observed is None else f"observed {_plain(observed)}"),
        unexpected=outcome.get("unexpected_count"),
        examples=_examples(check, contract, outcome.get("partial_unexpected_list") or []),
        rows=_rows(check, contract, outcome.get("unexpected_rows")),
    )


def _failure_to_compute(result: Any, contract: Contract) -> str:
    if result is None:
        return "gave no result"
    info = result.exception_info or {}
    raised = next((one for one in (info, *info.values()) if isinstance(one, dict) and one.get("raised_exception")), None)
    if raised is None:
        return ""
    reason = _first_line(raised.get("exception_message")) or _last_line(raised.get("exception_traceback"))
    if any(column.personal for column in contract.columns.values()):
        reason = reason.partition("]")[0] + "]" if reason.startswith("[") else MASK  # Spark's words quote values
    return f"could not be computed: {reason}"


def _examples(check: Check, contract: Contract, values: list[Any]) -> list[Any]:
    named = [check.column] if check.column else check.kwargs.get("column_list", [])
    if any(contract.columns[name].personal for name in named if name in contract.columns):
        return [MASK] * bool(values)
    distinct = list(dict.fromkeys(str(_plain(value)) for value in values if value is not None))
    return distinct[:_EXAMPLES]


def _rows(check: Check, contract: Contract, rows: Any) -> list[dict[str, Any]]:
    """A few rows that do not fit, by the table's key and the columns that the check speaks of; personal values masked."""
    named = [check.column] if check.column else [*check.kwargs.get("column_list", ()), *_pair(check)]
    shown = [name for name in dict.fromkeys((*contract.key, *named)) if name in contract.columns]
    few = rows[:_EXAMPLES] if isinstance(rows, list) and shown else []
    return [{name: MASK if contract.columns[name].personal else _plain(row.get(name)) for name in shown} for row in few]


def _pair(check: Check) -> list[str]:
    return [check.kwargs[name] for name in ("column_A", "column_B") if name in check.kwargs]


def _plain(value: Any) -> Any:
    """A value as a record can hold it."""
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return str(value)
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else str(value)
    return value


def _in_a_line(error: object) -> str:
    return "; ".join(line.strip() for line in str(error).splitlines()[:4] if line.strip())


def _first_line(text: str | None) -> str:
    return next((line.strip() for line in (text or "").splitlines() if line.strip()), "")


def _last_line(text: str | None) -> str:
    return _first_line("\n".join(reversed((text or "").splitlines())))
