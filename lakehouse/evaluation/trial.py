"""Challenger and champion measured on the same rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from lakehouse.errors import EvaluationError
from lakehouse.evaluation import fairness, measures, resample
from lakehouse.evaluation import slices as slicing
from lakehouse.evaluation.behaviour import Directional, EdgeCase, Invariance, sample
from lakehouse.evaluation.business import threshold_of
from lakehouse.evaluation.evidence import Evidence
from lakehouse.evaluation.measures import Drawn, Scored
from lakehouse.evaluation.resample import Resamples
from lakehouse.evaluation.sheet import Sheet, joined
from lakehouse.evaluation.slices import Cut, cut
from lakehouse.evaluation.words import ALL, GAIN, GROUP

if TYPE_CHECKING:
    from lakehouse.promotion.contract import Business

_CHUNK = 5000  # rows scored at once
SCORE_GROUPS = 10
"""Groups of rows of rising score, for the reliability curve."""


class Model(Protocol):
    """A version of a model; a loaded one also tells `size_bytes`, and its estimator may carry a threshold."""

    @property
    def version(self) -> int: ...

    def predict_proba(self, features: pd.DataFrame, /) -> np.ndarray: ...


class Contest(Protocol):
    @property
    def challenger(self) -> Model: ...

    @property
    def champion(self) -> Model | None: ...


def evaluate(
    contest: Contest,
    rows: pd.DataFrame,
    *,
    outcome: str,
    month: str,
    resample_by: str | pd.Series,
    inputs: Callable[[pd.DataFrame], pd.DataFrame],
    base_rate: float,
    slices: Mapping[str, pd.Series] | None = None,
    groups: Sequence[str] = (),
    business: Business | None = None,
    behaviour: Sequence[Directional | Invariance] = (),
    edge_cases: Sequence[EdgeCase] = (),
    trained_until: Mapping[int, str] | None = None,
    at_least: int = 200,
    resamples: int = 200,
    seed: int = 13,
) -> Evidence:
    """Measures the challenger and the champion (else the `base_rate`, the outcome's share in rows known before) on `rows`.

    The columns `outcome` (0 or 1, none missing) and `month` of `rows` are named; `inputs` makes of such rows what the models
    take. `resample_by` (a column, or a value by row) tells which rows share their luck, such as those of a day: each figure
    gets its interval by drawing them `resamples` times. `slices` give a label by row; those of less than `at_least` rows or
    ten days are left out, pairs of them are searched for differences, and fairness looks at those in `groups`.
    `trained_until` tells the last month that each version learnt from (see `trained_with`); the gates refuse a contest in which
    one was not told. Raises EvaluationError where that is not before these rows, where there is no row or no base rate, for
    groups that are no slices, rows without an outcome, and scores that are no probabilities.
    """
    _refuse_nothing(rows, base_rate)
    months = sorted(map(str, rows[month].unique()))
    _refuse_learnt(trained_until or {}, months)
    _refuse_unsliced(groups, slices or {})
    came, few = _outcome(rows, outcome), sample(rows)
    codes, clusters = pd.factorize(rows[resample_by] if isinstance(resample_by, str) else resample_by)
    models = [one for one in (contest.challenger, contest.champion) if one is not None]
    scores, seconds = _scores(models, inputs(rows))
    draws, sheet = resample.draw(codes, len(clusters), resamples, seed), Sheet(months[-1])
    trial = Trial(models, scores, came, base_rate, business, draws, sheet)
    looked_at = trial.measure(rows[month], slices or {}, groups, at_least)

    def score(some: pd.DataFrame) -> np.ndarray:
        return _scores(models[:1], inputs(some))[0][0]

    return Evidence(
        challenger=models[0].version,
        champion=models[1].version if len(models) > 1 else None,
        months=months,
        rows=len(rows),
        positives=int(came.sum()),
        days=len(clusters),
        base_rate=base_rate,
        table=sheet.frame(),
        at_least=at_least,
        looked_at=looked_at,
        trained_until={version: str(last) for version, last in (trained_until or {}).items()},
        size_bytes={one.version: int(getattr(one, "size_bytes", 0)) for one in models},
        seconds_per_1000={one.version: value for one, value in zip(models, seconds, strict=True)},
        thresholds={one.version: threshold_of(one) for one in models},
        behaviour=[one.run(score, few) for one in behaviour],
        edge_cases=[one.run(score, rows, outcome, base_rate) for one in edge_cases],
    )


@dataclass(frozen=True)
class Trial:
    """The `scores` of `models` (the challenger, then the champion if there is one) for rows of which `outcome` came (rows,)."""

    models: Sequence[Model]
    scores: Sequence[np.ndarray]
    outcome: np.ndarray
    base_rate: float
    business: Business | None
    draws: Resamples
    sheet: Sheet

    @property
    def sides(self) -> list[Scored]:
        """Challenger and opponent. Where that is the base rate, it is acted on from the challenger's threshold on."""
        told = [
            Scored(self.outcome, score, threshold_of(one), self.business)
            for one, score in zip(self.models, self.scores, strict=True)
        ]
        if len(told) == 1:
            constant = np.full(len(self.outcome), self.base_rate)
            told.append(Scored(self.outcome, constant, told[0].threshold, self.business))
        return told

    @property
    def against(self) -> int:
        return self.models[1].version if len(self.models) > 1 else 0

    def measure(self, month: pd.Series, slices: Mapping[str, pd.Series], groups: Sequence[str], at_least: int) -> int:
        """Everything goes into the sheet; how many pairs of slices were looked at."""
        sides = self.sides
        for one in (cut(ALL, pd.Series(ALL, month.index), self.draws), cut("month", month.astype(str), self.draws)):
            self._slices(one, sides, [*measures.WHOLE])
        cuts = [cut(kind, values, self.draws, at_least, slicing.FEW_CLUSTERS) for kind, values in slices.items()]
        for one in cuts:
            self._slices(one, sides, ["auc"])
        for model, side in zip(self.models, sides, strict=False):
            self._reliability(model.version, side)
            for name in groups:
                self._fairness(model.version, side, cut(GROUP + name, slices[name], self.draws, at_least))
        return self._search(slicing.pairs(cuts, at_least), sides)

    def _slices(self, one: Cut, sides: Sequence[Scored], more: Sequence[str]) -> None:
        if not one.labels:
            return
        found = [self._measured(one, side, more) for side in sides]
        for model, drawn in zip(self.models, found, strict=False):
            self.sheet.add(one, drawn, model.version)
        self.sheet.add(one, measures.gains(*found, self.business), self.models[0].version, self.against)

    def _measured(self, one: Cut, side: Scored, more: Sequence[str]) -> Drawn:
        size = len(one.labels)
        whole = {name: measures.WHOLE[name](side, self.draws, one.groups, size) for name in more}
        return {**measures.sums(side, self.draws, one.groups, size), **whole}

    def _reliability(self, version: int, side: Scored) -> None:
        place = measures.bins(side.score, SCORE_GROUPS)
        one = cut("score", pd.Series(place + 1).map("{:02d}".format), self.draws)
        found = measures.sums(side, self.draws, one.groups, len(one.labels))
        self.sheet.add(one, {name: found[name] for name in ("predicted", "base_rate")}, version)

    def _fairness(self, version: int, side: Scored, one: Cut) -> None:
        found = fairness.rates(side, self.draws, one.groups, len(one.labels))
        self.sheet.add(one, found, version)
        if len(one.labels) > 1:
            self.sheet.add(*fairness.gaps(one, found), version)

    def _search(self, pairs: Sequence[Cut], sides: Sequence[Scored]) -> int:
        """Adds those pairs of slices where the difference is no chance; returns how many were looked at."""
        if not sum(len(one.labels) for one in pairs):
            return 0
        found = [[self._measured(one, side, []) for side in sides] for one in pairs]
        gain = [measures.gains(*two, None)[f"log_loss{GAIN}"] for two in found]
        p = np.concatenate([resample.estimates(one, each.clusters).p for one, each in zip(gain, pairs, strict=True)])
        q, size = slicing.adjusted(p), np.concatenate([one[0] for one in gain])
        chosen = slicing.telling(size, q)
        version = self.models[0].version
        some = ("log_loss", "base_rate", "bias")
        self.sheet.add(*joined(pairs, [{name: two[0][name] for name in some} for two in found], chosen), version)
        told, drawn = joined(pairs, [{f"log_loss{GAIN}": one} for one in gain], chosen)
        self.sheet.add(told, drawn, version, self.against, q[chosen])
        return int(np.isfinite(p).sum())


def _refuse_nothing(rows: pd.DataFrame, base_rate: float | None) -> None:
    if rows.empty:
        raise EvaluationError("There is no row to judge on", "Judge on months that have rows whose outcome is known.")
    if base_rate is None or not 0 <= base_rate <= 1:
        hint = "Give the outcome's share in rows known before; where there are none, judge on later months."
        raise EvaluationError(f"The base rate is {base_rate}, which is no share of rows", hint)


def _refuse_learnt(trained_until: Mapping[int, str], months: Sequence[str]) -> None:
    for version, last in trained_until.items():
        if str(last) >= months[0]:
            what = f"Version {version} learnt from {last}, so it cannot be judged on {months[0]}"
            raise EvaluationError(what, "Judge it on later months, or train on earlier ones.")


def _refuse_unsliced(groups: Sequence[str], slices: Mapping[str, pd.Series]) -> None:
    for name in groups:
        if name not in slices:
            what = f"Groups by {name!r} cannot be compared: slices has {', '.join(map(repr, slices)) or 'nothing'}"
            raise EvaluationError(what, f"Give evaluate each row's label: slices={{{name!r}: rows[…], …}}.")


def _outcome(rows: pd.DataFrame, outcome: str) -> np.ndarray:
    missing = int(rows[outcome].isna().sum())
    if missing:
        what = f"{outcome} is missing in {missing:,} of {len(rows):,} rows"
        raise EvaluationError(what, "Judge on rows whose outcome is known: leave the others out.")
    return rows[outcome].to_numpy(dtype=float)


def _scores(models: Sequence[Model], features: pd.DataFrame) -> tuple[list[np.ndarray], list[float]]:
    """Each model's scores, and the seconds that it took for 1,000 rows: the median of chunks that the models take in turn, on
    one thread, so that what else the machine does weighs on all alike."""
    told: list[list[np.ndarray]] = [[] for _ in models]
    took: list[list[float]] = [[] for _ in models]
    with threadpool_limits(1):
        for begin in range(0, len(features), _CHUNK):
            chunk = features.iloc[begin : begin + _CHUNK]
            for model, scores, seconds in zip(models, told, took, strict=True):
                began = time.perf_counter()
                scores.append(np.asarray(model.predict_proba(chunk))[:, 1])
                seconds.append((time.perf_counter() - began) / len(chunk) * 1000)
    found = [np.concatenate(scores) if scores else np.empty(0) for scores in told]
    for model, score in zip(models, found, strict=True):
        wrong = int((~((score >= 0) & (score <= 1))).sum())
        if wrong:
            what = f"Version {model.version} gave {wrong:,} of {len(score):,} rows scores that are no probabilities"
            raise EvaluationError(what, "A model is judged by predict_proba: let it tell a number from 0 to 1 for every row.")
    return found, [float(np.median(seconds)) if seconds else 0.0 for seconds in took]
