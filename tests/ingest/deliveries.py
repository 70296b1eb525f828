"""Sources whose deliveries a test gives one after the other, each landed before the next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lakehouse import raw, tables
from lakehouse.ingest import batch
from lakehouse.ingest.batch import Batch
from lakehouse.partitions import PartitionSpace
from lakehouse.source import Delivery, Source

MONTHS = PartitionSpace("month", "2013-01", "2013-12")


def source(contents: dict[str | None, tuple[str, bytes]], **about: Any) -> Source:
    """`raw.things`, which gives for each partition one file: its name and its bytes."""
    about = {"options": {"header": True}, "partitions": MONTHS if None not in contents else None, **about}
    return Source("raw.things", lambda partition: [Delivery(*contents[partition])], **about)


def take(root: Path, *deliveries: bytes, **about: Any) -> Batch:
    """Lands the deliveries, a month each, and takes the last one."""
    months = [f"2013-{number:02d}" for number in range(1, len(deliveries) + 1)]
    contents = {month: (f"{month}.csv", content) for month, content in zip(months, deliveries, strict=True)}
    made = source(contents, **about)  # type: ignore[arg-type]
    tables.open_root(root)
    for month in months:
        raw.land(root, made, month)
        taken = raw.files(root, made.name, [month])
        if month != months[-1]:
            batch.findings(root, made, taken)
    return batch.take(root, made, taken)
