"""Evaluation: what a challenger's scores are worth beside the champion's, on the same rows, each figure with its uncertainty.

Pure functions of scores, outcomes and slices: nothing here reads or writes a table, but for the model card.
"""

from __future__ import annotations

from lakehouse import lazily

# Looked up when asked for: pandas and scikit-learn take seconds, and Dagster's processes fork.
_FROM = {
    "behaviour": ("Directional", "EdgeCase", "Invariance", "Outcome"),
    "business": ("best_threshold", "carry", "threshold_of"),
    "evidence": ("Evidence", "Figure"),
    "records": ("trained_with",),
    "trial": ("evaluate",),
}
__all__ = [name for names in _FROM.values() for name in names]
__getattr__ = lazily.attributes(__name__, _FROM)
