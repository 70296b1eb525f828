"""What is asked of feature views, held against their contracts and the questions before anything is computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from lakehouse.contract import Contract
from lakehouse.contracts.features import FeatureView
from lakehouse.errors import ContractError, NotebookError, UnknownName
from lakehouse.names import TableName, did_you_mean

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Wanted = Mapping[str, Sequence[str] | Mapping[str, str]]
"""By view the columns that are asked for: a list, or a mapping from each to the name that it gets."""


Contracts = Mapping[TableName, Contract]


def answer(contracts: Contracts, asked: DataFrame, wanted: Wanted, at: str, rows: Callable[[TableName], DataFrame]) -> DataFrame:
    """What is asked for, joined (see `pointintime.join`); `rows` gives those of a view. Raises what `check` raises."""
    from lakehouse.features import pointintime

    check(asked, contracts, wanted, at)
    views = []
    for name, columns in wanted.items():
        table = TableName.parse(name)
        view = contract_of(contracts, table)[1]
        found = rows(table)
        views.append(pointintime.View(found, view.entity, view.event_timestamp, view.created, renamed(columns), view.ttl))
    return pointintime.join(asked, views, at)


def renamed(wanted: Sequence[str] | Mapping[str, str]) -> dict[str, str]:
    """Each column with the name that it gets."""
    return dict(wanted) if isinstance(wanted, Mapping) else {name: name for name in wanted}


def contract_of(contracts: Contracts, table: TableName) -> tuple[Contract, FeatureView]:
    """The contract of a feature view. Raises UnknownName for a table without one, ContractError for one that is no view."""
    contract = contracts.get(table)
    if contract is None:
        views = [name for name, one in contracts.items() if one.feature_view]
        raise UnknownName(f"There is no feature view {table}", f"Write its contract.{did_you_mean(table, views)}")
    if contract.feature_view is None:
        hint = "Add feature_view: {entity: [...], event_timestamp: ...} to its contract, or join it by hand."
        raise ContractError(f"{table} is no feature view: its contract has no section feature_view", hint)
    return contract, contract.feature_view


def check(asked: DataFrame, contracts: Contracts, wanted: Wanted, at: str) -> None:
    """Raises what `contract_of` raises, UnknownName for a column that is not there, NotebookError for a moment that is
    none, an entity of another type, a name that is there twice, or a map, which has no order."""
    there = {field.name: field.dataType.simpleString() for field in asked.schema.fields}
    _moment(there, at)
    taken = {name.lower(): "the questions" for name in there}
    for name, columns in wanted.items():
        table = TableName.parse(name)
        contract, view = contract_of(contracts, table)
        for key in view.entity:
            _entity(there, table, key, contract.columns[key].type)
        for column, called in renamed(columns).items():
            _column(contract, column)
            if called.lower() in taken:
                message = f"{table}.{column} would be called {called}, as is a column of {taken[called.lower()]}"
                raise NotebookError(message, f'Give it another name: {{"{name}": {{"{column}": "…"}}}}.')
            taken[called.lower()] = str(table)


def _moment(there: Mapping[str, str], at: str) -> None:
    if at not in there:
        raise UnknownName(f"The questions have no column {at!r} (at=)", f"They have {', '.join(there)}.{did_you_mean(at, there)}")
    if there[at] != "timestamp":
        hint = f'Make it one, such as F.to_timestamp("{at}"), with the zone that it is meant in.'
        raise NotebookError(f"The column {at} (at=) is {there[at]}: a moment is a timestamp", hint)


def _entity(there: Mapping[str, str], table: TableName, key: str, kind: str) -> None:
    if key not in there:
        hint = f'Rename the column that holds it: asked.withColumnRenamed("…", "{key}").{did_you_mean(key, there)}'
        raise UnknownName(f"The questions have no column {key}, the entity of {table}", hint)
    if there[key] != kind:
        hint = f'Cast it: F.col("{key}").cast("{kind}").'
        raise NotebookError(f"{key} is {there[key]} in the questions, {kind} in {table}", hint)


def _column(contract: Contract, column: str) -> None:
    if column not in contract.columns:
        near = did_you_mean(column, contract.columns)
        raise UnknownName(f"{contract.table} has no column {column!r}", f"It has {', '.join(contract.columns)}.{near}")
    if "map<" in contract.columns[column].type:
        hint = "Write its values as columns, or as an array of structs."
        raise NotebookError(f"{contract.table}.{column} is a map: of those none is the largest", hint)
