"""Measures of scores by group of rows, in each draw of a bootstrap, vectorised over draws.

Most are sums over rows, so they are summed by cluster once and then weighted. The area under the ROC curve is a sum over
pairs of rows: it is summed once by pair of clusters, and each draw weights those.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from lakehouse.evaluation.business import worth
from lakehouse.evaluation.resample import Resamples
from lakehouse.evaluation.words import GAIN, HIGHER, LOWER

if TYPE_CHECKING:
    from lakehouse.promotion.contract import Business

BINS = 15
_BLOCK = 50  # draws weighted at once

Drawn = dict[str, np.ndarray]
"""By measure, its value in each draw for each group, shape (1 + resamples, groups)."""


@dataclass(frozen=True)
class Scored:
    """One model's `score` of rows, probabilities of `outcome` (0 or 1, both (rows,)), acted on from `threshold` on."""

    outcome: np.ndarray
    score: np.ndarray
    threshold: float
    business: Business | None

    @cached_property
    def parts(self) -> dict[str, np.ndarray]:
        """What is summed over rows. Log loss as scikit-learn's `log_loss` has it, Brier 1950, Monthly Weather Review 78:1-3."""
        sure = np.clip(self.score, np.finfo(float).eps, 1 - np.finfo(float).eps)
        acted = (self.score >= self.threshold).astype(float)
        found = {
            "base_rate": self.outcome,
            "predicted": self.score,
            "log_loss": -np.log(np.where(self.outcome == 1, sure, 1 - sure)),
            "brier": (self.score - self.outcome) ** 2,
            "acted_on": acted,
        }
        if self.business is not None:
            found[self.business.name] = worth(self.business, self.outcome, acted)
        return found


def sums(one: Scored, draws: Resamples, groups: np.ndarray, count: int) -> Drawn:
    """The measures that are means over rows, and `bias`, by how much the outcome is overestimated."""
    with np.errstate(all="ignore"):
        rows = draws.sums(np.ones(len(groups)), groups, count)
        found = {name: draws.sums(values, groups, count) / rows for name, values in one.parts.items()}
    return {**found, "bias": found["predicted"] - found["base_rate"]}


def auc(one: Scored, draws: Resamples, groups: np.ndarray, count: int) -> np.ndarray:
    """The probability that of two rows the one with the outcome has the higher score, ties half (Hanley and McNeil 1982,
    Radiology 143:29-36), shape (1 + resamples, count)."""
    return np.stack([_auc(*_ranked(one, draws, groups == group), draws.weights) for group in range(count)], axis=1)


def _auc(having: np.ndarray, lacking: np.ndarray, weights: np.ndarray) -> np.ndarray:
    below = np.cumsum(lacking, axis=0) - lacking / 2
    some = having.any(axis=1)
    pairs = having[some].T @ below[some]
    with np.errstate(all="ignore"):
        return ((weights @ pairs) * weights).sum(axis=1) / ((weights @ having.sum(axis=0)) * (weights @ lacking.sum(axis=0)))


def average_precision(one: Scored, draws: Resamples, groups: np.ndarray, count: int) -> np.ndarray:
    """The precision at each score, weighted by the share of outcomes found there (scikit-learn's `average_precision_score`,
    the area under the precision-recall curve without interpolation), shape (1 + resamples, count)."""
    return np.stack([_precision(*_ranked(one, draws, groups == group), draws.weights) for group in range(count)], axis=1)


def _precision(having: np.ndarray, lacking: np.ndarray, weights: np.ndarray) -> np.ndarray:
    some = having.any(axis=1)
    here = having[some]
    right = here.sum(axis=0) - np.cumsum(here, axis=0) + here  # of this score and higher ones
    wrong = (lacking.sum(axis=0) - np.cumsum(lacking, axis=0) + lacking)[some]
    found = []
    with np.errstate(all="ignore"):
        for begin in range(0, len(weights), _BLOCK):
            drawn = weights[begin : begin + _BLOCK]
            true = drawn @ right.T
            precision = np.nan_to_num(true / (true + drawn @ wrong.T))
            found.append((precision * (drawn @ here.T)).sum(axis=1) / (drawn @ having.sum(axis=0)))
    return np.concatenate(found)


def _ranked(one: Scored, draws: Resamples, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many of the chosen rows have the outcome, and lack it, by distinct score (rising) and cluster."""
    outcome, clusters = one.outcome[chosen], draws.clusters
    values, rank = np.unique(one.score[chosen], return_inverse=True)
    place, size = rank * clusters + draws.codes[chosen], len(values) * clusters
    having, lacking = (np.bincount(place[outcome == side], minlength=size).astype(float) for side in (1, 0))
    return having.reshape(-1, clusters), lacking.reshape(-1, clusters)


def bins(score: np.ndarray, count: int) -> np.ndarray:
    """In which of `count` groups of as many rows, of rising score, each row lies, shape (rows,). Equal scores lie in one."""
    edges = np.quantile(score, np.arange(1, count) / count) if len(score) else np.empty(0)
    return np.searchsorted(edges, score)


def ece(one: Scored, draws: Resamples, groups: np.ndarray, count: int) -> np.ndarray:
    """The expected calibration error, in 15 bins of as many rows: the mean distance between what was told and what came
    (Naeini et al. 2015, AAAI, 2901-2907; Nguyen and O'Connor 2015 for equal bins), shape (1 + resamples, count)."""
    both = np.where(groups >= 0, groups * BINS, -1)
    for group in range(count):
        chosen = groups == group
        both[chosen] += bins(one.score[chosen], BINS)
    apart = np.abs(draws.sums(one.score - one.outcome, both, count * BINS))
    rows = draws.sums(np.ones(len(groups)), groups, count)
    with np.errstate(all="ignore"):
        return apart.reshape(len(apart), count, BINS).sum(axis=2) / rows


WHOLE = {"auc": auc, "average_precision": average_precision, "ece": ece}
"""What is measured of all rows and of each month beside the sums; of slices only the first."""


def gains(challenger: Mapping[str, np.ndarray], opponent: Mapping[str, np.ndarray], business: Business | None) -> Drawn:
    """By how much the challenger is better, draw by draw: `log_loss_gain` and so on, positive is better."""
    signs = {**dict.fromkeys(HIGHER, 1), **dict.fromkeys(LOWER, -1), **({business.name: 1} if business else {})}
    return {f"{name}{GAIN}": sign * (challenger[name] - opponent[name]) for name, sign in signs.items() if name in challenger}
