"""Which checks a contract asks for: one list with one set of names, for the gate that runs them and for Dagster.

A contract's columns, key and partitions are checks by themselves, before the expectations it lists; its references
come after these, and what its batches' profiles are held against last.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from lakehouse.contract import Contract, Expectation, Reference, RowSeverity
from lakehouse.contracts.profiling import KINDS, TIMES, Profiling
from lakehouse.record import CheckRecord

KEY = "key_is_unique"

PARTITIONS = "partitions_are_requested"
"""Every row lies in a partition of the run. What those are is known at the write only, so its kwargs are empty."""

REFERENCE = "reference"
"""The type of a check against another table, which is not Great Expectations' (see `lakehouse.references`)."""

PROFILE = "profile"
"""The type of a check of a batch's profile beside those of other batches (see `lakehouse.profiles`)."""

UPSTREAM = "upstream"
"""The type of the check that nothing above was behind, of contracts that say what to do then (see `lakehouse.upstream`)."""

PARITY = "parity"
"""The type of the check that scores are those of the features as their table holds them (see `lakehouse.scoring.parity`)."""

ELSEWHERE = (REFERENCE, PROFILE, UPSTREAM, PARITY)
"""Types of checks that the gate leaves to others."""

MASK = "(personal)"
"""Stands for the values of personal columns."""


@dataclass(frozen=True, eq=False)
class Check:
    """One check of a table's rows under a name that stays the same. `type` is an expectation of Great Expectations,
    REFERENCE or PROFILE."""

    name: str
    column: str | None
    severity: RowSeverity
    description: str
    type: str
    kwargs: dict[str, Any]


def outcome(contract: Contract, check: Check, *, passed: bool, **seen: Any) -> CheckRecord:
    """The record of how one check of `contract` came out, with what was `seen`."""
    return CheckRecord(
        table=contract.table.dotted,
        name=check.name,
        column=check.column,
        severity=check.severity,
        passed=passed,
        description=check.description,
        **seen,
    )


def broke(check: CheckRecord) -> bool:
    """Whether nothing may be published for it."""
    return not check.passed and check.severity != "warn"


def in_words(check: CheckRecord) -> str:
    """A check's failure in one line: which, on what, how many rows, a few of the values."""
    count = f", {check.unexpected:,} row{'s' if check.unexpected > 1 else ''}" if check.unexpected else ""
    examples = f", as in {', '.join(map(repr, check.examples[:3]))}" if check.examples else ""
    return f"{check.name}{count}{examples}" + (f" ({check.observed})" if check.observed else "")


def of(contract: Contract) -> tuple[Check, ...]:
    """The checks of `contract`, in a fixed order, each name once."""
    seen: dict[str, int] = {}
    named = []
    listed = (*map(_listed, contract.expectations), *map(_reference, contract.references), *_parity(contract), *_upstream(contract))
    for check in (*_derived(contract), *listed, *_profiled(contract)):
        seen[check.name] = count = seen.get(check.name, 0) + 1
        named.append(check if count == 1 else replace(check, name=f"{check.name}_{count}"))
    return tuple(named)


def _derived(contract: Contract) -> Iterator[Check]:
    for name, column in contract.columns.items():
        if not column.nullable:
            said = f"{name} is never null"
            yield Check(f"not_null_{name}", name, "error", said, "expect_column_values_to_not_be_null", {"column": name})
    if len(contract.key) == 1:
        key = contract.key[0]
        yield Check(KEY, key, "error", f"{key} names one row", "expect_column_values_to_be_unique", {"column": key})
    elif contract.key:
        said = f"{', '.join(contract.key)} together name one row"
        kwargs = {"column_list": list(contract.key)}
        yield Check(KEY, None, "error", said, "expect_compound_columns_to_be_unique", kwargs)
    if contract.partitions:
        column = contract.partitions.column
        said = f"{column} holds the partitions that were asked for, and no other"
        yield Check(PARTITIONS, column, "error", said, "expect_column_values_to_be_in_set", {})


def _listed(expectation: Expectation) -> Check:
    columns = expectation.columns
    name = "_".join((expectation.type.removeprefix("expect_"), *columns))
    said = expectation.reason or name.replace("_", " ")
    column = columns[0] if len(columns) == 1 else None
    return Check(name, column, expectation.severity, said, expectation.type, dict(expectation.kwargs))


def _reference(reference: Reference) -> Check:
    name = f"{'_'.join(reference.columns)}_is_in_{reference.to.layer}_{reference.to.name}"
    there = ", ".join(f"{reference.to}.{theirs}" for _, theirs in reference.pairs)
    said = reference.reason or f"{', '.join(reference.columns)} stands in {there}"
    column = reference.columns[0] if len(reference.columns) == 1 else None
    kwargs = {"to": reference.to, "pairs": reference.pairs}
    return Check(name, column, reference.severity, said, REFERENCE, kwargs)


_SAID = {
    "volume": "As many rows as other batches have",
    "freshness": "Times as new as in other batches",
    "missing": "As many missing values as in other batches",
    "distribution": "Values distributed as in other batches",
    "cardinality": "As many distinct values as in other batches",
    "categories": "Values that other batches have, too",
}


def profiled(contract: Contract) -> Profiling | None:
    """What the contract says of profiles; None where there are none. What monitoring itself writes is not profiled: that
    would move what it reads."""
    return contract.profile or None if contract.table.layer != "monitoring" else None


def _profiled(contract: Contract) -> Iterator[Check]:
    """One check for each kind of finding, all columns together, so that names stay."""
    rules = profiled(contract)
    timed = contract.partitions and any(column.type in TIMES for column in contract.columns.values())
    for kind in KINDS:
        if rules and rules.rule(kind) and (timed or kind != "freshness"):
            yield Check(f"profile_{kind}", None, rules.severity_of(kind), _SAID[kind], PROFILE, {"kind": kind})


def _parity(contract: Contract) -> Iterator[Check]:
    if contract.parity is not None:
        said = f"scores are what a notebook gets from {contract.parity.features}"
        yield Check("parity", None, "error", said, PARITY, {})


def _upstream(contract: Contract) -> Iterator[Check]:
    if contract.upstream is not None:
        yield Check("upstream_is_current", None, "warn", "nothing that it reads is behind", UPSTREAM, {})
