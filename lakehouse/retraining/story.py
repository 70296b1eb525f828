"""What became of a model's versions month by month, and what its champions were worth in the months that they scored.

Beside them: the first champion had nobody retrained it, and the newest version had each been promoted unseen. All three are
measured on the same rows, each month on those that none of them had trained on, with the same draws of days.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from lakehouse import ledger, models
from lakehouse.evaluation import measures, resample
from lakehouse.evaluation.measures import Scored
from lakehouse.ledger import Entry
from lakehouse.ledger.entry import CROWNING
from lakehouse.names import TableName
from lakehouse.partitions import month

if TYPE_CHECKING:
    from lakehouse.lake import Lake

WAYS = ("champion", "first", "newest")
MEASURES = ("auc", "log_loss")
MEAN = "mean"


def decisions(told: Iterable[Entry]) -> pd.DataFrame:
    """A line for each month that a version was judged by, of a model's entries in the ledger.

    Columns: `through` (the last month judged by), `month` (the one after, which is scored by what was decided), `version` (the
    challenger), `action`, `failed` (the gates that said no), `why` (what they said), and who would score: the `champion`, the
    `first` champion, the `newest` version. What a rollback or an approval changed counts from the month judged last. Before
    there was a champion, `champion` and `first` are missing.
    """
    lines: dict[str, dict[str, object]] = {}
    champion = first = through = None
    for entry in told:
        if entry.action in CROWNING:
            champion, first = entry.to_version, first or entry.to_version
        judged = entry.evidence.get("months")
        through = judged[-1] if judged else through
        if judged:
            said = {gate["name"]: gate["said"] for gate in entry.gates if gate["passed"] is False}
            why = {"failed": ", ".join(said), "why": "; ".join(f"{name}: {words}" for name, words in said.items())}
            newest = {"version": entry.to_version, "action": entry.action, "newest": entry.to_version}
            lines[through] = {"through": through, "month": str(month(through).shift(1)), **newest, **why}
        if through in lines:
            lines[through] |= {"champion": champion, "first": first}
    columns = ["through", "month", "version", "action", "failed", "why", *WAYS]
    found = pd.DataFrame([lines[key] for key in sorted(lines)], columns=columns)
    return found.astype(dict.fromkeys(("version", *WAYS), "Int64"))


def entries(lake: Lake, model: str) -> list[Entry]:
    """The decisions about a model, the first first."""
    return ledger.entries(lake._root, TableName.parse(model))


def measured(
    lake: Lake,
    model: str,
    rows: pd.DataFrame,
    decided: pd.DataFrame,
    *,
    outcome: str,
    resample_by: str,
    inputs: Callable[[pd.DataFrame], pd.DataFrame],
    resamples: int = 200,
    seed: int = 13,
) -> pd.DataFrame:
    """AUC and log loss of each way (see `WAYS`) in each month of `decided` that `rows` have, and their `MEAN` over months.

    Months before there was a champion are left out: nobody scored them, so there is nothing to compare.
    `rows` have the columns `month`, `outcome` (0 or 1, none missing) and `resample_by` (what is drawn, such as days); `inputs`
    makes of them what the model takes. Columns: month, way, version, measure, value, `low` and `high` (95 percent of `resamples`
    draws of whole days) and `gain`, `gain_low`, `gain_high`: how much better than the first, on the same draws.
    """
    who = decided.dropna(subset=["champion"]).set_index("month")
    rows = rows[rows["month"].isin(who.index)].reset_index(drop=True)
    scores = _scores(lake, TableName.parse(model), rows, who, inputs)
    codes, days = pd.factorize(rows[resample_by])
    draws = resample.draw(codes, len(days), resamples, seed)
    came = rows[outcome].to_numpy(dtype=float)
    months = sorted(rows["month"].unique())
    groups = rows["month"].map({key: place for place, key in enumerate(months)}).to_numpy()
    drawn = {way: _drawn(Scored(came, scores[way], 0.5, None), draws, groups, len(months)) for way in WAYS} if months else {}
    columns = ["month", "way", "version", "measure", *_FIGURES, *(f"gain{end}" for end in _ENDS)]
    return pd.DataFrame(_lines(drawn, months, who) if months else [], columns=columns)


_FIGURES, _ENDS = ("value", "low", "high"), ("", "_low", "_high")


def _scores(
    lake: Lake, model: TableName, rows: pd.DataFrame, who: pd.DataFrame, inputs: Callable[[pd.DataFrame], pd.DataFrame]
) -> dict[str, np.ndarray]:
    """By way the score of each row, by the version that this way would have scored its month with."""
    found = {way: np.full(len(rows), np.nan) for way in WAYS}
    taken = inputs(rows)
    wanted = {way: rows["month"].map(who[way]).to_numpy(dtype=float) for way in WAYS}
    for version in sorted({int(one) for own in wanted.values() for one in np.unique(own)}):
        opened = models.load(lake._settings, model, version)
        needed = np.any([own == version for own in wanted.values()], axis=0)
        with threadpool_limits(1):
            told = opened.predict_proba(taken[needed])[:, 1]
        for way in WAYS:
            here = wanted[way] == version
            found[way][here] = told[here[needed]]
    return found


def _drawn(one: Scored, draws: resample.Resamples, groups: np.ndarray, count: int) -> measures.Drawn:
    """By measure its value in each draw for each month, and last their mean, shape (1 + resamples, months + 1)."""
    log_loss = measures.sums(one, draws, groups, count)["log_loss"]
    found = {"auc": measures.auc(one, draws, groups, count), "log_loss": log_loss}
    return {name: np.column_stack([values, values.mean(axis=1)]) for name, values in found.items()}


def _lines(drawn: dict[str, measures.Drawn], months: Sequence[str], who: pd.DataFrame) -> list[dict[str, object]]:
    lines = []
    for measure in MEASURES:
        sign = 1 if measure in measures.HIGHER else -1
        for way in WAYS:
            values = drawn[way][measure]
            gains = sign * (values - drawn["first"][measure]) + 0.0  # no -0
            for place, label in enumerate([*months, MEAN]):
                version = who.loc[label, way] if label in who.index else None
                told = dict(zip(_FIGURES, _figure(values[:, place]), strict=True))
                told |= {f"gain{end}": one for end, one in zip(_ENDS, _figure(gains[:, place]), strict=True)}
                lines.append({"month": label, "way": way, "version": version, "measure": measure, **told})
    return lines


def _figure(values: np.ndarray) -> tuple[float, float, float]:
    low, high = np.percentile(values[1:], resample.COVERED)
    return float(values[0]), float(low), float(high)
