"""Slices of rows: those that are declared, and those that a search finds among the pairs of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
import pandas as pd

from lakehouse.evaluation.resample import Resamples
from lakehouse.evaluation.words import CHANCE

FEW_CLUSTERS = 10
"""A slice that lies in fewer says more of those days than of itself."""
SHOWN = 10
_NOTHING_NEW = 0.95


@dataclass(frozen=True)
class Cut:
    """One way to divide rows: `groups` (rows,) tells of each the place of its label, -1 where it has none."""

    kind: str
    labels: list[str]
    groups: np.ndarray
    draws: Resamples

    @cached_property
    def rows(self) -> np.ndarray:
        """Rows by label."""
        return np.bincount(self.groups[self.groups >= 0], minlength=len(self.labels))

    @cached_property
    def clusters(self) -> np.ndarray:
        """Clusters in which there are any, by label."""
        there = self.draws.by_cluster(np.ones(len(self.groups)), self.groups, len(self.labels))
        return (there > 0).sum(axis=1)

    def only(self, chosen: np.ndarray) -> Cut:
        """Without the labels that are not `chosen` (labels,); their rows have none."""
        place = np.append(np.where(chosen, np.cumsum(chosen) - 1, -1), -1)  # the last for rows without a label
        labels = [label for label, keep in zip(self.labels, chosen, strict=True) if keep]
        return Cut(self.kind, labels, place[self.groups], self.draws)


def cut(kind: str, values: pd.Series, draws: Resamples, at_least: int = 1, clusters: int = 1) -> Cut:
    """By the values, in their order (a category's own); those with too few rows or clusters are left out, as are nulls."""
    groups, labels = pd.factorize(values, sort=True)
    made = Cut(kind, [str(label) for label in labels], groups, draws)
    return made.only((made.rows >= at_least) & (made.clusters >= clusters))


def pairs(cuts: Sequence[Cut], at_least: int) -> list[Cut]:
    """Each two cuts crossed. A pair that holds nearly all rows of one of its slices is left out: it says nothing new."""
    found = []
    for one, other in combinations(cuts, 2):
        both = np.where((one.groups < 0) | (other.groups < 0), -1, one.groups * len(other.labels) + other.groups)
        labels = [f"{one.kind} {mine}, {other.kind} {theirs}" for mine in one.labels for theirs in other.labels]
        made = Cut("found", labels, both, one.draws)
        smaller = np.minimum.outer(one.rows, other.rows).ravel()
        found.append(made.only((made.rows >= at_least) & (made.clusters >= FEW_CLUSTERS) & (made.rows < _NOTHING_NEW * smaller)))
    return found


def adjusted(p: np.ndarray) -> np.ndarray:
    """How many of those up to each `p` are expected to be chance, as a share: Benjamini and Hochberg 1995, JRSS B
    57:289-300. Missing stays missing and was not looked at."""
    from scipy.stats import false_discovery_control

    found, there = np.full(len(p), np.nan), np.isfinite(p)
    if there.any():
        found[there] = false_discovery_control(p[there])
    return found


def telling(gain: np.ndarray, q: np.ndarray) -> np.ndarray:
    """The places of the slices to be told: of those where the difference is no chance, the worst and the best few."""
    sure = np.flatnonzero(q <= CHANCE)
    rising = sure[np.argsort(gain[sure], kind="stable")]
    worse, better = rising[gain[rising] < 0], rising[gain[rising] > 0]
    return np.concatenate([worse[:SHOWN], better[-SHOWN:]])
