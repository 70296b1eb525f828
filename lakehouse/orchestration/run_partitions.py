"""A run's partitions as Dagster's tags."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG, PARTITION_NAME_TAG

from lakehouse.partitions import month


def month_ranges(months: Iterable[str]) -> list[list[str]]:
    """The months in order, cut into stretches without a gap."""
    stretches: list[list[str]] = []
    for key in sorted(set(months)):
        if stretches and month(stretches[-1][-1]).shift(1) == key:
            stretches[-1].append(str(key))
        else:
            stretches.append([str(key)])
    return stretches


def range_tags(months: Sequence[str]) -> dict[str, str]:
    """Tags that make a run one over exactly these months, which have no gap; none for none."""
    if not months:
        return {}
    if len(months) == 1:
        return {PARTITION_NAME_TAG: months[0]}
    return {ASSET_PARTITION_RANGE_START_TAG: months[0], ASSET_PARTITION_RANGE_END_TAG: months[-1]}
