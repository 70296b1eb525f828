"""What the lines of an evaluation are called, and what is held against them wherever they are read.

(Nothing is imported here: gates and pages are read in processes that must stay small.)
"""

from __future__ import annotations

ALL = "all"
"""The kind, and the one slice, of all rows."""
NOT_SLICES = (ALL, "month", "score", "found")
"""Kinds that no correction for many slices is for: the last has its own."""
GROUP, GAP = "group ", "gap"
"""How the kinds of groups begin that are compared, and the slice in which it stands how far they lie apart."""
GAIN = "_gain"
"""What the name of a measure ends with where it tells by how much the challenger is better."""
HIGHER = ("auc", "average_precision")
LOWER = ("log_loss", "brier", "ece")
"""Measures of which more, or less, is better; of a business measure more is."""
RATES = ("selection_rate", "true_positive_rate", "false_positive_rate")
CHANCE = 0.05
"""The share of false alarms that is borne among slices that are called worse or better (see `slices.adjusted`)."""
