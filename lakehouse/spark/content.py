"""What a table holds, as one number for each partition: equal where the rows are, in whatever order and files they lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.inputs import WHOLE

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from lakehouse.contract import Contract


def rounded(frame: DataFrame, contract: Contract | None) -> DataFrame:
    """`frame` with the digits that its contract calls equal: a mean over other partitions differs in its last bits."""
    from pyspark.sql import functions as F

    digits = {name: column.round for name, column in contract.columns.items() if column.round is not None} if contract else {}
    # + 0.0 for there are two zeros, and -0.0 is another text
    exact = {name: F.round(F.col(name), digits[name]) + F.lit(0.0) for name in frame.columns if name in digits}
    return frame.withColumns(exact) if exact else frame


def content(frame: DataFrame, contract: Contract | None) -> dict[str, tuple[int, str]]:
    """Rows and a hash for each partition of a table's rows ("*" where it has none).

    The hash is the sum of the rows' own (xxHash64 over each column's text), so that order does not count and repeats do.
    """
    from pyspark.sql import functions as F

    space = contract.partitions if contract else None
    key = F.col(space.column) if space else F.lit(WHOLE)
    # A null is a value of its own: a hash over columns would pass over it.
    texts = [F.coalesce(F.col(name).cast("string"), F.lit("\0")) for name in sorted(frame.columns)]
    hashed = F.sum(F.xxhash64(*texts).cast("decimal(38,0)"))
    found = rounded(frame, contract).groupBy(key.alias("key")).agg(F.count("*").alias("rows"), hashed.alias("hash")).collect()
    return {str(row["key"]): (row["rows"], str(row["hash"])) for row in found}
