"""What Dagster shows of profiles: numbers that it plots over time, and each batch's columns as a table.

Profiles import numpy, which starts threads where nobody tells it not to (see executor.preload): so in the functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from lakehouse import record
from lakehouse.names import TableName
from lakehouse.profiles.profile import WHOLE
from lakehouse.record import RunRecord

if TYPE_CHECKING:
    from lakehouse.profiles.kept import TableProfile

Metadata = dict[str, dg.MetadataValue]


def of_run(root: Path, table: TableName, done: RunRecord | None) -> dict[str | None, Metadata]:
    """By partition (None: the whole table) what a run's profile of `table` says."""
    from lakehouse.profiles import kept

    found = kept.read(record.folder(root, TableName.parse(done.asset), done.run_id)) if done else None
    profile = found.tables.get(table.dotted) if found else None
    return {None if key == WHOLE else key: _of_batch(profile, key) for key in profile.batches} if profile else {}


def _of_batch(profile: TableProfile, key: str) -> Metadata:
    """Names stay the same from batch to batch, as Dagster plots what has the same name."""
    from lakehouse.profiles import shown

    batch = profile.batches[key]
    measured = [one for one in profile.measured if one.batch == key]
    numbers: Mapping[str, float] = {
        **{f"missing {name}": column.missing / batch.rows for name, column in batch.columns.items() if column.missing},
        **{f"distance {one.column}": one.observed for one in measured if one.kind == "distribution"},
    }
    return {
        "rows": dg.MetadataValue.int(batch.rows),
        "unusual": dg.MetadataValue.int(sum(one.unusual for one in measured)),
        **{name: dg.MetadataValue.float(round(value, 6)) for name, value in numbers.items()},
        "profile": dg.MetadataValue.md(shown.markdown(batch, measured)),
    }
