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

    Below the months stands which version was champion, and what became of the challenger that was judged right before. Months
    before there was a champion show that alone.
    """
    unscored = decided.loc[decided["champion"].isna(), "month"]
    months = sorted({*found["month"], *unscored} - {MEAN})
    for axis, measure in zip(axes, MEASURES, strict=False):
        _lines(axis, found[found["measure"] == measure], months, "value", "low", "high")
        axis.set_ylabel(f"{_WORDS[measure]} ({'higher' if measure == 'auc' else 'lower'} is better)")
    axes[0].legend(*axes[0].get_legend_handles_labels(), loc="lower left", fontsize=8)
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
    champions = ("champion " + known["champion"].astype("string")).fillna("no champion")
    labels = [f"{key}\n{champion}" for key, champion in champions.items()]
    axis.set_xticks(range(len(months)), labels, fontsize=8)
    foot = axis.get_ylim()[0]
    for action, (mark, colour) in _MARKS.items():
        places = [place for place, one in enumerate(known["action"]) if one == action]
        if places:
            axis.scatter(places, [foot] * len(places), marker=mark, color=colour, s=60, zorder=3, clip_on=False, label=action)
    for place, one in enumerate(known.itertuples()):
        if one.action in _MARKS:
            told = f"{one.version}: {one.failed}" if one.failed else f"{one.version}"
            axis.annotate(told, (place, foot), (0, 8), textcoords="offset points", ha="center", fontsize=7)
    marks = axis.get_legend_handles_labels()[0][-len(_MARKS) :]
    axis.legend(handles=[mark for mark in marks if mark.get_label() in _MARKS], loc="upper left", fontsize=8, title="challenger")
