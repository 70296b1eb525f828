"""Partitions in Dagster's terms: a contract's months, and what part of a table a read covers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import dagster as dg

from lakehouse.partitions import NEW, Coverage, PartitionSpace, month

_KEY = "%Y-%m"
# Dagster knows no "from the beginning": an offset as long as any table's history says the same.
_YEARS_AHEAD = 20


def definition(space: PartitionSpace) -> dg.MonthlyPartitionsDefinition:
    """Dagster's end is exclusive, ours inclusive. Without an end both stop at the last full month."""
    end = str(space.end.shift(1)) if space.end else None
    return dg.MonthlyPartitionsDefinition(start_date=str(space.start), end_date=end, fmt=_KEY, timezone="UTC")


def mapping(
    coverages: Iterable[Coverage], upstream: PartitionSpace | None, downstream: PartitionSpace | None
) -> dg.PartitionMapping | None:
    """Which partitions of `upstream` one of `downstream` needs, None where partitions do not matter."""
    if upstream is None:
        return None
    widest = _widest(coverages)
    if downstream is None or widest == "all":
        return dg.AllPartitionMapping()
    low, high = _offsets(widest, upstream, downstream)
    return dg.TimeWindowPartitionMapping(start_offset=low, end_offset=high, allow_nonexistent_upstream_partitions=True)


def _widest(coverages: Iterable[Coverage]) -> Coverage:
    """One coverage that holds all of `coverages`."""
    found = ["all" if one == NEW else one for one in coverages] or ["own"]
    ranges = [(0, 0) if one in ("own", "until") else one for one in found if one != "all"]
    if "all" in found:
        return "all"
    low, high = min(one[0] for one in ranges), max(one[1] for one in ranges)
    if "until" in found:
        return "until" if high <= 0 else "all"
    return (low, high)


def _offsets(coverage: Coverage, upstream: PartitionSpace, downstream: PartitionSpace) -> tuple[int, int]:
    if coverage != "until":
        low, high = coverage
        return int(low), int(high)
    last = downstream.end or month.of(datetime.now(UTC).date()).shift(12 * _YEARS_AHEAD)
    months = (int(last[:4]) - int(upstream.start[:4])) * 12 + int(last[5:]) - int(upstream.start[5:])
    return -max(months, 0), 0
