"""When what a table holds becomes known, by its contract, as SQL over its columns."""

from __future__ import annotations

from lakehouse.contract import Contract


def of_rows(contract: Contract) -> str | None:
    """The column that says by when a row is known, of a feature view when it was created; None where nothing is said."""
    return contract.known_at or (contract.feature_view.created if contract.feature_view else None)


def of_column(contract: Contract, name: str) -> str | None:
    """The column that says when the value in `name` became known, None where it is known when its row is.

    A moment that is known when it comes, such as a departure, names itself; one that is known ahead, such as a schedule's,
    does not.
    """
    column = contract.columns.get(name)
    return column.known_at if column and name != of_rows(contract) else None


def told(contract: Contract) -> bool:
    """Whether the contract says of anything when it became known."""
    return of_rows(contract) is not None or any(column.known_at for column in contract.columns.values())


def naming(contract: Contract) -> set[str]:
    """The columns that name a row, and so are known when the row is."""
    return {*contract.key, *([contract.partitions.column] if contract.partitions else [])}


def open_at(column: str, moment: str) -> str:
    """SQL: whether what is known at `column` was not yet known at `moment`."""
    return f"not coalesce({column} <= {moment}, false)"


def literal(micros: int) -> str:
    """SQL for a moment in microseconds since 1970 (UTC)."""
    return f"timestamp_micros({int(micros)})"
