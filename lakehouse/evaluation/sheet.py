"""The long table of an evaluation: a line for each version, slice and measure."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from lakehouse.evaluation.measures import Drawn
from lakehouse.evaluation.resample import estimates
from lakehouse.evaluation.slices import Cut, adjusted
from lakehouse.evaluation.words import GAIN, GAP, NOT_SLICES

KEY = ["model_version", "against", "through", "slice_kind", "slice", "measure"]
COLUMNS = [*KEY, "value", "low", "high", "error", "p", "q", "rows", "days"]
ONLY_ADDS = "ece"


class Sheet:
    """Collects what was measured."""

    def __init__(self, through: str) -> None:
        self._through = through
        self._lines: list[dict[str, np.ndarray]] = []

    def add(self, cut: Cut, drawn: Drawn, version: int, against: int = 0, q: np.ndarray | None = None) -> None:
        """What `version` was measured by in each group of `cut`; `against` which version, of differences.

        `q` where it is known already, by group. What could not be measured is left out.
        """
        for measure, values in drawn.items():
            found = estimates(values, cut.clusters, only_adds=measure == ONLY_ADDS or cut.labels == [GAP])
            there, gain, none = np.isfinite(found.values), measure.endswith(GAIN), np.full(len(cut.labels), np.nan)
            same = {"model_version": version, "against": against, "slice_kind": cut.kind, "measure": measure}
            told = {
                "slice": np.array(cut.labels, dtype=object),
                "value": found.values,
                "low": found.low,
                "high": found.high,
                "error": found.error,
                "p": found.p if gain else none,
                "q": none if q is None or not gain else q,
                "rows": cut.rows,
                "days": cut.clusters,
            }
            repeated = {name: np.full(len(cut.labels), value, dtype=object) for name, value in same.items()}
            self._lines.append({name: values[there] for name, values in {**told, **repeated}.items()})

    def frame(self) -> pd.DataFrame:
        """All of it, sorted by its key; `q` is `p` of a slice's gain corrected for the number of slices."""
        columns = {name: [line[name] for line in self._lines] for name in COLUMNS if name != "through"}
        found = pd.DataFrame({name: np.concatenate(parts) if parts else [] for name, parts in columns.items()})
        found = found.assign(through=self._through).astype({"model_version": "int64", "against": "int64"})[COLUMNS]
        sliced = found[found["measure"].astype(str).str.endswith(GAIN) & ~found["slice_kind"].isin(NOT_SLICES)]
        for _, lines in sliced.groupby("measure"):
            found.loc[lines.index, "q"] = adjusted(lines["p"].to_numpy())
        return found.sort_values(KEY, ignore_index=True)


def joined(cuts: Iterable[Cut], drawn: Iterable[Drawn], chosen: np.ndarray) -> tuple[Cut, Drawn]:
    """Several cuts' measures beside each other, only those groups whose place is `chosen`; their rows are not told apart any
    more."""
    cuts, drawn = list(cuts), list(drawn)
    labels = [label for one in cuts for label in one.labels]
    made = Cut(cuts[0].kind, [labels[place] for place in chosen], np.empty(0, dtype=int), cuts[0].draws)
    made.__dict__["rows"] = np.concatenate([one.rows for one in cuts])[chosen]
    made.__dict__["clusters"] = np.concatenate([one.clusters for one in cuts])[chosen]
    return made, {name: np.concatenate([one[name] for one in drawn], axis=1)[:, chosen] for name in drawn[0]}
