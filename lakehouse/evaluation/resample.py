"""The cluster bootstrap: whole clusters of rows are drawn with replacement, since rows of one day share what befell it.

The intervals are those of the percentiles (Davison and Hinkley 1997, Bootstrap Methods and their Application, 3.8 and 5.3;
Field and Welsh 2007, JRSS B 69:369-390). Two models are measured on the same draws, so that their difference is paired.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

COVERED = (2.5, 97.5)
"""Percent between which an interval lies."""


@dataclass(frozen=True)
class Resamples:
    """`codes` (rows,) tells each row's cluster. `weights` (1 + resamples, clusters) tells how often each is drawn; in the
    first line each is once, so that what is computed of that line is the estimate itself."""

    codes: np.ndarray
    weights: np.ndarray

    @property
    def clusters(self) -> int:
        return self.weights.shape[1]

    def by_cluster(self, values: np.ndarray, groups: np.ndarray, count: int) -> np.ndarray:
        """Sums of `values` (rows,) by group and cluster, shape (count, clusters). Rows of group -1 are left out."""
        there = groups >= 0
        place = groups[there] * self.clusters + self.codes[there]
        return np.bincount(place, values[there], count * self.clusters).reshape(count, self.clusters)

    def sums(self, values: np.ndarray, groups: np.ndarray, count: int) -> np.ndarray:
        """Sums of `values` (rows,) by group in each draw, shape (1 + resamples, count)."""
        return self.weights @ self.by_cluster(values, groups, count).T


def draw(codes: np.ndarray, clusters: int, resamples: int, seed: int) -> Resamples:
    """So many draws of as many clusters as there are; the same for the same seed."""
    each = np.full(clusters, 1 / clusters) if clusters else np.empty(0)
    drawn = np.random.default_rng(seed).multinomial(clusters, each, resamples) if clusters else np.empty((resamples, 0))
    return Resamples(codes, np.vstack([np.ones((1, clusters)), drawn]))


@dataclass(frozen=True)
class Estimates:
    """Of `values` (the estimates, shape (n,)): the interval from `low` to `high`, the standard `error`, and `p`, how likely a
    value as far from zero would be if the truth were zero."""

    values: np.ndarray
    low: np.ndarray
    high: np.ndarray
    error: np.ndarray
    p: np.ndarray


def estimates(drawn: np.ndarray, clusters: np.ndarray, *, only_adds: bool = False) -> Estimates:
    """Of a measure in each draw, shape (1 + resamples, n); `clusters` (n,) are those that there are of each.

    Of a measure to which noise `only_adds` (an absolute deviation) the interval is mirrored at the estimate (the basic
    one, Davison and Hinkley 5.2), as its draws lie too high. `p` is two-sided, of the estimate in standard errors by
    Student's t with one degree of freedom less than clusters: so few draws tell no small probability by counting.
    """
    from scipy.stats import t

    value, draws = drawn[0], drawn[1:]
    told = np.isfinite(draws).mean(axis=0) > 0.9  # of too few draws nothing can be said
    with np.errstate(all="ignore"):
        clean = np.where(np.isfinite(draws) & told, draws, np.where(told, value, np.nan))
        low, high = np.percentile(clean, COVERED, axis=0)
        error = clean.std(axis=0, ddof=1)
        p = 2 * t.sf(np.abs(value) / error, np.maximum(clusters - 1, 1))
    if only_adds:
        low, high = np.maximum(2 * value - high, 0), np.maximum(2 * value - low, 0)
    return Estimates(value, low, high, error, np.where(error > 0, p, np.where(value == 0, 1.0, np.nan)))
