"""Plots of an evaluation, drawn on matplotlib's axes from its table: so they can be drawn of the lake's table too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_GOOD, _BAD, _EVEN = "tab:green", "tab:red", "grey"


def reliability(axes: Axes, table: pd.DataFrame, versions: Sequence[int]) -> None:
    """What came of rows by what they were told: a dot for each tenth of the rows, its interval as a bar."""
    axes.plot([0, 1], [0, 1], color=_EVEN, linewidth=1)
    top = 0.0
    for version in versions:
        lines = table[(table["slice_kind"] == "score") & (table["model_version"] == version)]
        told, came = (lines[lines["measure"] == name].set_index("slice") for name in ("predicted", "base_rate"))
        x = told["value"].to_numpy()
        axes.plot(x, came["value"], marker="o", markersize=4, label=f"version {version}")
        axes.fill_between(x, came["low"].to_numpy(), came["high"].to_numpy(), alpha=0.2)
        top = max([top, *x, *came["high"]])
    axes.set(xlabel="told", ylabel="came", xlim=(0, top * 1.05), ylim=(0, top * 1.05))
    axes.legend()


def gains(axes: Axes, table: pd.DataFrame, measure: str, kinds: Sequence[str]) -> None:
    """The gain in each slice with its interval, right of the line better; coloured where it is more than noise (`q`, else the
    interval), and larger with more rows."""
    lines = table[(table["measure"] == f"{measure}_gain") & table["slice_kind"].isin(kinds)]
    order = {kind: place for place, kind in enumerate(kinds)}
    lines = lines.sort_values(
        ["slice_kind", "value"], key=lambda column: column.map(order) if column.name == "slice_kind" else column
    )
    place = np.arange(len(lines))[::-1]
    outside = (lines["low"] > 0) | (lines["high"] < 0)
    sure = outside.where(lines["q"].isna(), lines["q"] <= 0.05).to_numpy()
    colours = np.where(~sure, _EVEN, np.where(lines["value"] > 0, _GOOD, _BAD))
    axes.hlines(place, lines["low"], lines["high"], color=colours, linewidth=1.5)
    axes.scatter(lines["value"], place, color=colours, s=8 + 60 * lines["rows"] / max(lines["rows"].max(), 1), zorder=3)
    axes.axvline(0, color="black", linewidth=0.8)
    names = [
        one if kind == one or kind == "found" else f"{kind} {one}"
        for kind, one in zip(lines["slice_kind"], lines["slice"], strict=True)
    ]
    axes.set_yticks(place, names, fontsize=8)
    axes.set_xlabel(f"gain in {measure.replace('_', ' ')}")
