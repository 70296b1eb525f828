from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lakehouse.evaluation import Evidence, plots


def test_reliability_rises_with_what_was_told_in_whatever_order_the_table_is(evidence: Evidence) -> None:
    axes = Figure().add_subplot()
    plots.reliability(axes, evidence.table.sample(frac=1, random_state=1), [2, 1])
    _, *curves = axes.get_lines()
    assert [line.get_label() for line in curves] == ["version 2", "version 1"]
    for line in curves:
        told, came = line.get_data()
        assert len(told) == 10 and (np.diff(told) > 0).all() and np.corrcoef(told, came)[0, 1] > 0.9


def test_gains_are_in_order_and_coloured_where_they_are_no_chance(evidence: Evidence) -> None:
    axes = Figure().add_subplot()
    plots.gains(axes, evidence.table.sample(frac=1, random_state=1), "log_loss", ["month", "side", "found"])
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert labels[:4] == ["2013-03", "2013-04", "side left", "side right"] and labels[4] == "kind a, side left"
    dots = axes.collections[1]
    worse = labels.index("kind a, side left")
    assert tuple(dots.get_facecolors()[worse][:3]) != tuple(dots.get_facecolors()[-1][:3])
    assert dots.get_offsets()[worse][0] < 0 < dots.get_offsets()[-1][0]


def test_nothing_to_tell_is_an_empty_plot(evidence: Evidence) -> None:
    axes = Figure().add_subplot()
    plots.gains(axes, evidence.table.head(0), "log_loss", ["found"])
    assert not axes.get_yticks().size
