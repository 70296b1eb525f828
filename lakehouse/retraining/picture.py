"""A year of retraining drawn: each way's measures by month, and who was promoted or refused when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lakehouse.retraining.story import MEAN, MEASURES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_LOOK = {
    "first": {"color": "tab:grey", "linestyle": "--", "label": "first, never retrained"},
    "newest": {"color": "tab:orange", "linestyle": ":", "label": "newest, promoted unseen"},
    "champion": {"color": "tab:blue", "linestyle": "-", "label": "champion"},
}
_MARKS = {
    "promoted": ("^", "tab:green"),
    "approved": ("^", "tab:green"),
    "refused": ("x", "tab:red"),
    "waiting": ("o", "tab:orange"),
}
_WORDS = {"auc": "AUC", "log_loss": "log loss"}
_APART = {"first": -0.12, "newest": 0.12, "champion": 0.0}


def plot(found: pd.DataFrame, decided: pd.DataFrame, axes: Sequence[Axes]) -> None:
    """Draws `found` (of `story.measured`) on three axes: both measures by month, then the gain of log loss over the first.

    Below the months stands which version was champion, and what became of the challenger that was judged right before.
    """
    months = sorted(set(found["month"]) - {MEAN})
    for axis, measure in zip(axes, MEASURES, strict=False):
        _lines(axis, found[found["measure"] == measure], months, "value", "low", "high")
        axis.set_ylabel(f"{_WORDS[measure]} ({'higher' if measure == 'auc' else 'lower'} is better)")
    axes[0].legend(loc="upper left", fontsize=8)
    last = axes[-1]
    last.axhline(0, color=_LOOK["first"]["color"], linestyle=_LOOK["first"]["linestyle"], linewidth=1)
    gains = found[(found["measure"] == "log_loss") & (found["way"] != "first")]
    _lines(last, gains, months, "gain", "gain_low", "gain_high")
    last.set_ylabel("log loss saved beside the first")
    _decisions(last, decided, months)


def _lines(axis: Axes, found: pd.DataFrame, months: list[str], value: str, low: str, high: str) -> None:
    for way, look in _LOOK.items():
        own = found[found["way"] == way].set_index("month").reindex(months)
        if own[value].isna().all():
            continue
        places = [place + _APART[way] for place in range(len(months))]
        axis.plot(places, own[value], marker="o", markersize=4, **look)
        axis.vlines(places, own[low], own[high], color=look["color"], alpha=0.5, linewidth=3 if way == "champion" else 1.5)
    axis.grid(axis="y", alpha=0.3)


def _decisions(axis: Axes, decided: pd.DataFrame, months: list[str]) -> None:
    """Below: each month's champion. At the lower edge: what became of the version that was judged before that month."""
    known = decided.set_index("month").reindex(months)
    labels = [f"{key}\nchampion {champion}" for key, champion in known["champion"].items()]
    axis.set_xticks(range(len(months)), labels, fontsize=8)
    foot = axis.get_ylim()[0]
    for action, (mark, colour) in _MARKS.items():
        places = [place for place, one in enumerate(known["action"]) if one == action]
        if places:
            axis.scatter(places, [foot] * len(places), marker=mark, color=colour, s=60, zorder=3, clip_on=False, label=action)
    for place, (version, action) in enumerate(zip(known["version"], known["action"], strict=True)):
        if action in _MARKS:
            axis.annotate(f"{version}", (place, foot), (0, 7), textcoords="offset points", ha="center", fontsize=8)
    axis.legend(loc="upper left", fontsize=8)
