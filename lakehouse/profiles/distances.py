"""How far apart two distributions are, by name. All work on counts per bin, for many distributions at once.

`own` and `other` have one row for each pair and one column for each bin; the bins of numbers are in their order. What is
compared with the result, and where it comes from:

    psi                  population stability index, (p - q) ln(p / q) summed up: Siddiqi, Credit Risk Scorecards (2006);
                         the Kullback-Leibler divergences of both directions together
    jensen_shannon       the distance, base 2, from 0 to 1: Lin, Divergence Measures Based on the Shannon Entropy (1991)
    total_variation      half the sum of the differences of the shares, from 0 to 1
    kolmogorov_smirnov   the largest difference of the distribution functions, from 0 to 1
    wasserstein          the area between the distribution functions, in the column's unit (`widths` are the bins')
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.float64]
ORDERED = ("kolmogorov_smirnov", "wasserstein")
"""These need an order among the bins: they are for numbers only, and on fine bins."""

_HALF = 0.5


def psi(own: Counts, other: Counts) -> Counts:
    """A bin without rows counts half a row: the logarithm of nothing is infinite."""
    p, q = (_shares(counts + _HALF) for counts in (own, other))
    return np.sum((p - q) * np.log(p / q), axis=-1)


def jensen_shannon(own: Counts, other: Counts) -> Counts:
    p, q = _shares(own), _shares(other)
    middle = (p + q) / 2
    divergence = (_entropy(p, middle) + _entropy(q, middle)) / 2
    return np.sqrt(np.maximum(divergence, 0))


def total_variation(own: Counts, other: Counts) -> Counts:
    return np.abs(_shares(own) - _shares(other)).sum(axis=-1) / 2


def kolmogorov_smirnov(own: Counts, other: Counts) -> Counts:
    return np.abs(_apart(own, other)).max(axis=-1)


def wasserstein(own: Counts, other: Counts, widths: Counts) -> Counts:
    return np.abs(_apart(own, other)[..., :-1] * widths).sum(axis=-1)


def noise(measure: str, bins: int, rows: Counts, others: Counts) -> Counts:
    """How large a distance between samples of one distribution may well be, by chance alone.

    The PSI of samples of n and m rows is about chi-squared with bins - 1 degrees of freedom, times 1/n + 1/m (Yurdakul,
    Statistical Properties of Population Stability Index, 2018): its mean and four standard deviations.
    """
    apart = 1 / np.maximum(rows, 1) + 1 / np.maximum(others, 1)
    chance = (bins - 1 + 4 * np.sqrt(2 * max(bins - 1, 1))) * apart
    scaled: dict[str, Callable[[], Any]] = {
        "psi": lambda: chance,
        "jensen_shannon": lambda: np.sqrt(chance / (8 * np.log(2))),
        "total_variation": lambda: np.sqrt(chance) / 2,
        "kolmogorov_smirnov": lambda: 2.2 * np.sqrt(apart),  # of two samples of one distribution, one in ten thousand
        "wasserstein": lambda: 4 * np.sqrt(apart),
    }
    return scaled[measure]()


def _shares(counts: Counts) -> Counts:
    return counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1e-300)


def _entropy(p: Counts, middle: Counts) -> Counts:
    """The relative entropy of `p`, in bits."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(p > 0, p * np.log2(p / middle), 0).sum(axis=-1)


def _apart(own: Counts, other: Counts) -> Counts:
    return np.cumsum(_shares(own), axis=-1) - np.cumsum(_shares(other), axis=-1)
