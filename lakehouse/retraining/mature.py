"""When the outcomes of a month have come.

A month is mature from the first moment, a grace or more after its end, by which a stated share of its rows had an outcome.
That takes nothing that was known later: how many rows will ever have one (cancelled flights have none) nobody knows by then.
So the share is one of all rows, and is stated in the model's contract with those in mind that never will.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse import deltafiles, tables
from lakehouse.deltafiles import DataFile
from lakehouse.errors import LakeError, PartitionError
from lakehouse.partitions import month

if TYPE_CHECKING:
    import numpy as np

    from lakehouse.promotion.contract import Outcome


@dataclass(frozen=True)
class Labels:
    """What is known of one month: its `rows`, how many have an outcome now (`known`), and since when it is `mature`.

    `mature` is None while too few have one. A moment to come is one at which it will be, if nothing is added by then.
    """

    key: month
    rows: int
    known: int
    mature: datetime | None

    def said(self, share: float) -> str:
        """How far it is, in words."""
        if self.mature:
            return f"{self.key}: mature since {self.mature:%Y-%m-%d %H:%M} UTC"
        return f"{self.key}: {self.known:,} of {self.rows:,} rows have an outcome, {share:.0%} are needed"


def labels(root: Path, outcome: Outcome) -> dict[month, Labels]:
    """Every month of the outcomes' table, in order. Raises LakeError where the table cannot be read, or has rows of no month.

    Read in a process of its own: pyarrow leaves a thread behind, and a process with threads cannot fork Dagster's steps.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:
        return apart.submit(read, root, outcome).result()


def read(root: Path, outcome: Outcome) -> dict[month, Labels]:
    """The same in this process."""
    import pyarrow
    from pyarrow import parquet

    found: dict[month, list[tuple[int, np.ndarray, int]]] = {}
    for file in deltafiles.current(tables.lake_path(root, outcome.table)):
        key = _month_of(file, outcome)
        rows = parquet.read_table(file.path, columns=[outcome.column, outcome.known_at, outcome.at], partitioning=None)
        answered = rows.filter(rows[outcome.column].is_valid())[outcome.known_at].drop_null()
        moments = [times.cast(pyarrow.timestamp("us", "UTC")).cast("int64") for times in (answered, rows[outcome.at].drop_null())]
        known, asked = (times.to_numpy() for times in moments)
        found.setdefault(key, []).append((len(rows), known, int(asked.max(initial=0))))
    return {key: _labels(key, parts, outcome) for key, parts in sorted(found.items())}


def _month_of(file: DataFile, outcome: Outcome) -> month:
    try:
        return month(file.partition.partition("=")[2])
    except PartitionError:
        what = f"{outcome.table} has rows of no month, so when their outcomes have come cannot be told: {file.path.name}"
        raise LakeError(what, f"Partition {outcome.table} by month in its contract, and write it again.") from None


def _labels(key: month, parts: list[tuple[int, np.ndarray, int]], outcome: Outcome) -> Labels:
    """Of a month's files: rows, the moments (microseconds since 1970, UTC) by which outcomes were known, the last question."""
    import numpy as np

    rows = sum(count for count, _, _ in parts)
    known = np.sort(np.concatenate([moments for _, moments, _ in parts]))
    end = max(_first_moment(key.shift(1)), _moment(max(last for _, _, last in parts)))
    needed = math.ceil(rows * outcome.share)
    mature = max(end + outcome.grace, _moment(known[needed - 1])) if 0 < needed <= len(known) else None
    return Labels(key, rows, len(known), mature)


def _first_moment(key: month) -> datetime:
    return datetime(key.first_day.year, key.first_day.month, 1, tzinfo=UTC)


def _moment(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(microseconds))


def known_by(found: Mapping[month, Labels], through: month, months: int) -> datetime | None:
    """By when all of the `months` up to `through` were mature; None where one is not."""
    judged = [found.get(through.shift(-back)) for back in range(months)]
    moments = [one.mature for one in judged if one is not None and one.mature is not None]
    return max(moments) if len(moments) == months else None
