"""Profiles of samples, made without Spark."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lakehouse.profiles.profile import LEVELS, Batch, ColumnProfile


def number(values: Any, missing: int = 0, **more: Any) -> ColumnProfile:
    found = np.asarray(values, float)
    quantiles = np.quantile(found, LEVELS, method="inverted_cdf").tolist()
    return ColumnProfile(
        kind="number", missing=missing, distinct=len(np.unique(found)), low=quantiles[0], high=quantiles[-1],
        mean=float(found.mean()), deviation=float(found.std()), quantiles=quantiles, **more,
    )  # fmt: skip


def text(values: Mapping[str, int], missing: int = 0, distinct: int | None = None) -> ColumnProfile:
    return ColumnProfile(kind="text", missing=missing, distinct=distinct or len(values), values=dict(values))


def moments(high: float, missing: int = 0) -> ColumnProfile:
    return ColumnProfile(kind="time", missing=missing, distinct=2, low=0, high=high)


def batch(rows: int, **columns: ColumnProfile) -> Batch:
    return Batch(rows=rows, columns=columns)
