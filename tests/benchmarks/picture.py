"""The peers as bars, for the README: on no background, in colours that can be read on white and on black."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

INK, OURS, THEIRS = "#808890", "#d9731a", "#4c8fbd"


def draw(path: Path, bars: Sequence[tuple[str, float, bool]], caption: str) -> None:
    """`bars` are (what, seconds, whether it is ours), drawn from above; `caption` names the machine."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 0.5 * len(bars) + 1.3))
    names, seconds, ours = zip(*reversed(bars), strict=True)
    drawn = axes.barh(names, seconds, color=[OURS if own else THEIRS for own in ours], height=0.62)
    labels = [f" {value:.0f} s" if value >= 10 else f" {value:.1f} s" for value in seconds]
    axes.bar_label(drawn, labels=labels, color=INK, fontsize=10)
    axes.set_xlim(0, 1.12 * max(seconds))
    axes.set_xlabel("seconds, median; less is better", color=INK)
    axes.tick_params(colors=INK, length=0, labelsize=10)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "left")
        spine.set_color(INK)
    figure.text(0.01, 0.01, caption, color=INK, fontsize=7)
    figure.tight_layout(rect=(0, 0.04, 1, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150, transparent=True)
    plt.close(figure)
