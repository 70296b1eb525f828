"""Two versions of a model beside each other: where each is better, by what their evaluations wrote down. Nothing is scored anew."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse.errors import UnknownName
from lakehouse.evaluation import records
from lakehouse.evaluation.words import CHANCE, GAIN, LOWER, RATES
from lakehouse.names import TableName
from lakehouse.project import Project

if TYPE_CHECKING:
    import pandas as pd

_OF_ONE = ("base_rate", "predicted", "acted_on", "bias", *RATES)
"""Measures that are neither better nor worse."""


@dataclass(frozen=True)
class Comparison:
    """`one` and `other` are versions; `met` says in words on which rows. `lines` has a row for each slice and measure that both
    were measured by: slice_kind, slice, measure, one, other (values), gain (of `one`, positive is better), low, high, rows,
    sure (whether the gain is more than noise; None where they were never measured on the same rows at once)."""

    model: str
    one: int
    other: int
    met: str
    lines: pd.DataFrame

    def better(self, version: int) -> pd.DataFrame:
        """Where a version is better by more than noise, the largest gain first."""
        sign = 1 if version == self.one else -1
        found = self.lines[(self.lines["sure"] == True) & (sign * self.lines["gain"] > 0)]  # noqa: E712 (it may be None)
        return found.reindex((sign * found["gain"]).sort_values(ascending=False, kind="stable").index)


def compare(project: Project, root: Path, model: TableName, one: int, other: int) -> Comparison:
    """Where they met in a contest, the gains measured there; else what each was measured by on the same months.

    Raises UnknownName where nobody judges the model, or one of them was not measured.
    """
    judge = project.judge_of(model)
    if judge is None:
        raise UnknownName(f"No notebook judges {model}, so its versions were not measured", "See: lakehouse models list")
    found = records.measured(root, judge)
    for version in (one, other):
        if version not in set(found["model_version"]):
            there = ", ".join(map(str, sorted(set(found["model_version"]))))
            hint = f"Measured were {there}." if there else f"To measure the newest: lakehouse run {judge.slashed}"
            raise UnknownName(f"{model} version {version} was not measured by {judge.slashed}", hint)
    through = _common(found, one, other)
    if through is None:
        hint = f"They were measured on different months. Train and judge them again for the same: lakehouse run {judge.slashed}"
        raise UnknownName(f"{model} versions {one} and {other} were never measured on the same rows", hint)
    return _beside(found[found["through"] == through], model, one, other, through)


def _common(found: pd.DataFrame, one: int, other: int) -> str | None:
    """The last month through which both were measured; one in which they met each other before others."""
    ours, theirs = (
        set(found[(found["model_version"] == version) & (found["against"] == 0)]["through"]) for version in (one, other)
    )
    met = set(_contest(found, one, other)["through"])
    return max(met or ours & theirs, default=None)


def _contest(found: pd.DataFrame, one: int, other: int) -> pd.DataFrame:
    """The gains of `one` over `other`, whichever of them was the challenger."""
    own = found[(found["model_version"] == one) & (found["against"] == other)]
    if len(own):
        return own
    turned = found[(found["model_version"] == other) & (found["against"] == one)]
    return turned.assign(value=-turned["value"], low=-turned["high"], high=-turned["low"])


def _beside(found: pd.DataFrame, model: TableName, one: int, other: int, through: str) -> Comparison:
    key = ["slice_kind", "slice", "measure"]
    own = found[(found["against"] == 0) & ~found["measure"].str.endswith(GAIN) & ~found["measure"].isin(_OF_ONE)]
    sides = [own[own["model_version"] == version].set_index(key) for version in (one, other)]
    lines = sides[0][["value", "rows"]].join(sides[1]["value"].rename("other"), how="inner").rename(columns={"value": "one"})
    lines = lines.reset_index()
    sign = lines["measure"].map(lambda name: -1 if name in LOWER else 1)
    lines["gain"] = sign * (lines["one"] - lines["other"])
    gains = _contest(found, one, other)
    gains = gains[gains["measure"].str.endswith(GAIN)].assign(measure=lambda rows: rows["measure"].str.removesuffix(GAIN))
    lines = lines.merge(gains[[*key, "low", "high", *(["q"] if "q" in gains else [])]], on=key, how="left")
    lines["sure"] = _sure(lines)
    met = f"on the same rows, through {through}" + ("" if len(gains) else ", in different contests: what is noise is not known")
    return Comparison(model.dotted, one, other, met, lines[[*key, "one", "other", "gain", "low", "high", "rows", "sure"]])


def _sure(lines: pd.DataFrame) -> list[Any]:
    """Whether the interval leaves out zero, and, of many slices, whether the difference is no chance among so many."""
    found: list[Any] = []
    for line in lines.to_dict("records"):
        if line["low"] != line["low"]:
            found.append(None)
            continue
        q = line.get("q")
        outside = line["low"] > 0 or line["high"] < 0
        found.append(bool(outside and (q is None or q != q or q <= CHANCE)))
    return found
