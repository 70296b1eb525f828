"""Plots of an evaluation, drawn on matplotlib's axes from its table: so they can be drawn of the lake's table too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lakehouse.evaluation.words import CHANCE, GAIN

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_GOOD, _BAD, _EVEN = "tab:green", "tab:red", "grey"
_SAY_ENOUGH = ("all", "month", "found")  # kinds whose slices are understood without it


def reliability(axes: Axes, table: pd.DataFrame, versions: Sequence[int]) -> None:
    """What came of rows by what they were told: a dot for each tenth of the rows, its interval as a bar."""
    axes.plot([0, 1], [0, 1], color=_EVEN, linewidth=1)
    top = 0.0
    for version in versions:
        lines = table[(table["slice_kind"] == "score") & (table["model_version"] == version)]
        told, came = (lines[lines["measure"] == name].set_index("slice").sort_index() for name in ("predicted", "base_rate"))
        x = told["value"].to_numpy()
        axes.plot(x, came["value"], marker="o", markersize=4, label=f"version {version}")
        axes.fill_between(x, came["low"].to_numpy(), came["high"].to_numpy(), alpha=0.2)
        top = max([top, *x, *came["high"]])
    axes.set(xlabel="told", ylabel="came", xlim=(0, top * 1.05), ylim=(0, top * 1.05))
    axes.legend()


def gains(axes: Axes, table: pd.DataFrame, measure: str, kinds: Sequence[str]) -> None:
    """The gain in each slice with its interval, right of the line better; coloured where it is more than noise (`q`, else the
    interval), and larger with more rows. Months in their order, other slices by their gain."""
    lines = table[(table["measure"] == f"{measure}{GAIN}") & table["slice_kind"].isin(kinds)]
    by = lines["value"].where(lines["slice_kind"] != "month", 0.0)
    order = lines["slice_kind"].map({kind: place for place, kind in enumerate(kinds)})
    lines = lines.assign(order=order, by=by).sort_values(["order", "by", "slice"])
    place, colours = np.arange(len(lines))[::-1], _colours(lines)
    axes.hlines(place, lines["low"], lines["high"], color=colours, linewidth=1.5)
    axes.scatter(lines["value"], place, color=colours, s=8 + 60 * lines["rows"] / max(lines["rows"].max(), 1), zorder=3)
    axes.axvline(0, color="black", linewidth=0.8)
    alone = lines["slice_kind"].isin(_SAY_ENOUGH)
    axes.set_yticks(place, lines["slice"].where(alone, lines["slice_kind"] + " " + lines["slice"]), fontsize=8)
    axes.set(xlabel=f"gain in {measure.replace('_', ' ')}", ylim=(-0.6, len(lines) - 0.4))


def _colours(lines: pd.DataFrame) -> np.ndarray:
    outside = (lines["low"] > 0) | (lines["high"] < 0)
    sure = outside.where(lines["q"].isna(), lines["q"] <= CHANCE)
    return np.where(~sure, _EVEN, np.where(lines["value"] > 0, _GOOD, _BAD))
