"""Which rows a model is trained on: all of a table's, or a bounded sample, in the order of the table's key.

Spark gives rows in no stated order, and most models' last bits depend on it. The sample is by a hash of the key: the
same rows each time, whatever files they lie in, and no more than a stated number ever leave Spark.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from lakehouse.contract import Contract
from lakehouse.errors import ContractError, TrainingError
from lakehouse.names import TableName, did_you_mean

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame

_ORDER = "_lakehouse_order"


@dataclass(frozen=True)
class TrainingSet:
    """`rows` of the `of` that there were in `table` at `version`; `where` restricted them, in words."""

    table: str
    version: int
    rows: int
    of: int
    where: str = ""
    seed: int | None = None

    def __str__(self) -> str:
        part = (
            "" if self.rows == self.of else f" of {self.of:,} ({self.rows / self.of:.1%}, by a hash of the key, seed {self.seed})"
        )
        return f"{self.table} version {self.version}: {self.rows:,} rows{part}" + (f" where {self.where}" if self.where else "")

    @property
    def plain(self) -> dict[str, Any]:
        return asdict(self)


def key_of(table: TableName, contract: Contract | None) -> tuple[str, ...]:
    """The columns by which the rows of a training set are put in order. Raises ContractError where there are none."""
    if contract is None or not contract.key:
        hint = f"Name the columns that tell its rows apart: key: […] in assets/contracts/{table.slashed}.yaml."
        raise ContractError(f"{table} has no key by which rows could be put in order", hint)
    return contract.key


def take(frame: DataFrame, table: TableName, key: Sequence[str], at_most: int, seed: int) -> tuple[pd.DataFrame, int]:
    """The rows of `frame` in the order of `key`, `at_most` of them, and how many there were.

    Raises TrainingError where there is none.
    """
    there = frame.count()
    if there == 0:
        raise TrainingError(f"{table} has no row to train on", f"Look at the condition, or build it: lakehouse run {table.slashed}")
    chosen = frame if there <= at_most else sample(frame, key, at_most, there, seed)
    # In pandas, for Spark's order of text is by bytes only by default.
    return chosen.toPandas().sort_values(list(key), kind="stable", ignore_index=True), there


def sample(frame: DataFrame, key: Sequence[str], at_most: int, there: int, seed: int) -> DataFrame:
    """The `at_most` of `there` rows with the smallest hash of their key (xxHash64 with `seed`, uniform over 64 bits).

    Only a few more than that are sorted: of n rows wanted, binomially many lie below the n-th part, n ± 5 √n at most.
    """
    share = min(1.0, (at_most + 5 * math.sqrt(at_most)) / there)
    limit = min(int(-(2**63) + share * 2**64), 2**63 - 1)
    columns = ", ".join(f"`{name}`" for name in key)
    hashed = frame.selectExpr("*", f"xxhash64({int(seed)}L, {columns}) as {_ORDER}")
    return hashed.where(f"{_ORDER} <= {limit}").orderBy(_ORDER, *key).limit(at_most).drop(_ORDER)


def refuse_unknown(table: TableName, wanted: Sequence[str], there: Sequence[str]) -> None:
    """Raises TrainingError for a column that the table does not have (any more)."""
    absent = [name for name in wanted if name not in there]
    if absent:
        near = did_you_mean(absent[0], there)
        hint = f"It has vanished from the table, or is written otherwise there.{near}"
        raise TrainingError(f"{table} has no column {', '.join(absent)}", hint)
