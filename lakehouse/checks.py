"""Which checks a contract asks for: one list with one set of names, for the gate that runs them and for Dagster.

A contract's columns, key and partitions are checks by themselves, before the expectations it lists; its references
come last.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from lakehouse.contract import Contract, Expectation, Reference

KEY = "key_is_unique"

PARTITIONS = "partitions_are_requested"
"""Every row lies in a partition of the run. What those are is known at the write only, so its kwargs are empty."""

REFERENCE = "reference"
"""The type of a check against another table, which is not Great Expectations' (see `lakehouse.references`)."""

UPSTREAM = "upstream"
"""The type of the check that nothing above was behind, of contracts that say what to do then (see `lakehouse.upstream`)."""

ELSEWHERE = (REFERENCE, UPSTREAM)
"""Types of checks that the gate leaves to others."""

MASK = "(personal)"
"""Stands for the values of personal columns."""


@dataclass(frozen=True)
class Check:
    """One check of a table's rows under a name that stays the same: an expectation of Great Expectations, or a reference."""

    name: str
    column: str | None
    severity: Literal["error", "warn"]
    description: str
    type: str
    kwargs: dict[str, Any]


def of(contract: Contract) -> tuple[Check, ...]:
    """The checks of `contract`, in a fixed order, each name once."""
    seen: dict[str, int] = {}
    named = []
    listed = (*map(_listed, contract.expectations), *map(_reference, contract.references), *_upstream(contract))
    for check in (*_derived(contract), *listed):
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


def _upstream(contract: Contract) -> Iterator[Check]:
    if contract.upstream is not None:
        yield Check("upstream_is_current", None, "warn", "nothing that it reads is behind", UPSTREAM, {})
