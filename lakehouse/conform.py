"""Holds a frame's columns to a contract's: their names and types, in its order, described for readers of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.contract import Contract
from lakehouse.errors import ContractError
from lakehouse.merge import DELETED

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def conform(frame: DataFrame, contract: Contract, delete: str | None = None) -> DataFrame:
    """The contract's columns in its order, with their descriptions.

    With `delete` (a column, or "" for none) also `merge.DELETED`: whether the row takes away the one of its key.
    Raises ContractError for a missing, extra or mistyped column.
    """
    has = {field.name: field.dataType.simpleString() for field in frame.schema.fields}
    if delete and (delete in contract.columns or has.pop(delete, None) != "boolean"):
        hint = "Name a boolean column beside the contract's: true for a row that takes away the one of its key."
        raise ContractError(f"{contract.table}: delete={delete!r} is no boolean column of the frame's own", hint)
    wrong = contract.mismatches(has)
    if wrong:
        raise ContractError(
            f"{contract.table}: {'; '.join(wrong[:8])}" + (f"; and {len(wrong) - 8} more" if len(wrong) > 8 else ""),
            f"Correct the columns before they are written, or the contract assets/contracts/{contract.table.slashed}.yaml.",
        )
    columns = [frame[name].alias(name, metadata={"comment": column.description}) for name, column in contract.columns.items()]
    rows = frame.select(*columns, *([frame[delete].eqNullSafe(True).alias(DELETED)] if delete else []))
    return rows.selectExpr("*", f"false as {DELETED}") if delete == "" else rows
