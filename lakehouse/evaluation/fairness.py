"""Whether groups are treated alike: how often each is acted on, and how often rightly and wrongly.

Demographic parity is an equal selection rate, equalized odds are equal true and false positive rates (Hardt, Price and Srebro
2016, NeurIPS 29:3315-3323). The gap is the largest group's rate less the smallest's, as fairlearn's
`demographic_parity_difference` and `equalized_odds_difference` have it, against which the tests hold these; fairlearn itself
draws single rows anew, not whole days, so its intervals would be too narrow.
"""

from __future__ import annotations

import numpy as np

from lakehouse.evaluation.measures import Drawn, Scored
from lakehouse.evaluation.resample import Resamples
from lakehouse.evaluation.slices import Cut
from lakehouse.evaluation.words import GAP


def rates(one: Scored, draws: Resamples, groups: np.ndarray, count: int) -> Drawn:
    """`selection_rate`, `true_positive_rate` and `false_positive_rate` by group."""
    acted, lacking = one.parts["acted_on"], 1 - one.outcome

    def share(of: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return draws.sums(acted * of, groups, count) / draws.sums(of, groups, count)

    return {
        "selection_rate": share(np.ones(len(groups))),
        "true_positive_rate": share(one.outcome),
        "false_positive_rate": share(lacking),
    }


def gaps(cut: Cut, found: Drawn) -> tuple[Cut, Drawn]:
    """By rate, how far the groups lie apart: one group of all rows that are in any. Groups without that rate, as of true
    alarms where nothing came, are left out; with less than two that have it there is no gap."""
    whole = Cut(cut.kind, [GAP], np.where(cut.groups >= 0, 0, -1), cut.draws)
    return whole, {name: _apart(values)[:, None] for name, values in found.items()}


def _apart(values: np.ndarray) -> np.ndarray:
    """The largest less the smallest of each draw's values, (1 + resamples, groups)."""
    apart = np.fmax.reduce(values, axis=1) - np.fmin.reduce(values, axis=1)
    return np.where(np.isfinite(values).sum(axis=1) > 1, apart, np.nan)
