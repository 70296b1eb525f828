from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import (
    MetricFrame,
    demographic_parity_difference,
    false_positive_rate,
    selection_rate,
    true_positive_rate,
)

from lakehouse.errors import EvaluationError
from lakehouse.evaluation import Evidence
from lakehouse.evaluation.sheet import COLUMNS, KEY
from tests.evaluation.conftest import Knowing

Judge = Callable[..., Evidence]


def test_the_better_one_is_called_better_with_its_uncertainty(evidence: Evidence) -> None:
    gain = evidence.find(2, "all", "all", "log_loss_gain")
    own, other = (evidence.find(version, "all", "all", "log_loss") for version in (2, 1))
    assert gain is not None and own is not None and other is not None
    assert gain.value == pytest.approx(other.value - own.value) and 0 < gain.low < gain.value < gain.high
    assert gain.p < 0.001 and (gain.rows, gain.days) == (6000, 60)
    assert gain.error < own.error  # paired: both share the days' luck
    assert (evidence.challenger, evidence.champion, evidence.through, evidence.rows) == (2, 1, "2013-04", 6000)
    assert set(evidence.thresholds.values()) == {0.5} and evidence.size_bytes == {2: 1000, 1: 1000}
    assert all(0 < seconds < 1 for seconds in evidence.seconds_per_1000.values())


def test_a_line_is_found_once_and_what_is_not_there_is_none(evidence: Evidence) -> None:
    assert list(evidence.table.columns) == COLUMNS and not evidence.table.duplicated(KEY).any()
    assert evidence.table["value"].notna().all()
    assert evidence.find(2, "kind", "z", "auc") is None and evidence.find(3, "all", "all", "auc") is None
    assert set(evidence.table.loc[evidence.table["measure"].str.endswith("_gain"), "against"]) == {1}


def test_the_same_again_is_the_same_and_the_champion_is_measured_alike(judge: Judge, evidence: Evidence) -> None:
    again = judge(Knowing(2), Knowing(1, of_z=0), groups=["side"])
    pd.testing.assert_frame_equal(again.table, evidence.table)
    before = judge(Knowing(1, of_z=0), groups=["side"])
    own = [one.table[(one.table["model_version"] == 1) & (one.table["slice_kind"] != "found")] for one in (again, before)]
    own = [one[~one["measure"].str.endswith("_gain")].reset_index(drop=True) for one in own]
    pd.testing.assert_frame_equal(*own)


def test_without_a_champion_the_base_rate_is_met(judge: Judge, rows: pd.DataFrame) -> None:
    found = judge(Knowing(1))
    told = -np.where(rows["came"] == 1, np.log(0.3), np.log(0.7)).mean()
    gain, own = found.find(1, "all", "all", "log_loss_gain"), found.find(1, "all", "all", "log_loss")
    assert gain is not None and own is not None and gain.value == pytest.approx(told - own.value)
    assert found.champion is None and set(found.table["model_version"]) == {1} and set(found.table["against"]) == {0}


def test_groups_are_compared_as_fairlearn_does(evidence: Evidence, rows: pd.DataFrame) -> None:
    acted = Knowing(2).predict_proba(rows)[:, 1] >= 0.5
    rates = {"selection_rate": selection_rate, "true_positive_rate": true_positive_rate, "false_positive_rate": false_positive_rate}
    theirs = MetricFrame(metrics=rates, y_true=rows["came"], y_pred=acted, sensitive_features=rows["side"])
    gaps = theirs.difference()
    assert gaps["selection_rate"] == demographic_parity_difference(rows["came"], acted, sensitive_features=rows["side"])
    for name in rates:
        for side in theirs.by_group.index:
            own = evidence.find(2, "group side", str(side), name)
            assert own is not None and own.value == pytest.approx(theirs.by_group.loc[side, name])
        gap = evidence.find(2, "group side", "gap", name)
        assert gap is not None and gap.value == pytest.approx(gaps[name])
        assert 0 <= gap.low <= gap.high


def test_a_group_in_which_nothing_came_does_not_hide_the_others(judge: Judge, rows: pd.DataFrame) -> None:
    none = rows.assign(came=rows["came"].where(rows["kind"] != "c", 0))
    found = judge(Knowing(2), rows=none, groups=["kind"])
    rate = {kind: found.find(2, "group kind", kind, "true_positive_rate") for kind in "abc"}
    gap = found.find(2, "group kind", "gap", "true_positive_rate")
    assert rate["c"] is None and gap is not None
    assert gap.value == pytest.approx(abs(rate["a"].value - rate["b"].value))  # type: ignore[union-attr]
    alone = none.assign(came=none["came"].where(none["kind"] == "a", 0))
    assert judge(Knowing(2), rows=alone, groups=["kind"]).find(2, "group kind", "gap", "true_positive_rate") is None


def test_reliability_is_told_by_tenths(evidence: Evidence) -> None:
    lines = evidence.table[(evidence.table["slice_kind"] == "score") & (evidence.table["model_version"] == 2)]
    told = lines[lines["measure"] == "predicted"].set_index("slice")["value"]
    assert list(told.index) == [f"{number:02d}" for number in range(1, 11)] and told.is_monotonic_increasing
    assert set(lines["rows"]) == {600}


def test_a_miscalibrated_one_shows(judge: Judge) -> None:
    found = judge(Knowing(2, shift=1.0), Knowing(1))
    bias, ece = (found.find(2, "all", "all", name) for name in ("bias", "ece"))
    assert bias is not None and ece is not None and bias.low > 0.1 and ece.low > 0.1
    assert found.find(2, "all", "all", "auc_gain").value == pytest.approx(0)  # type: ignore[union-attr]


def test_what_is_kept_in_the_ledger_is_plain(evidence: Evidence) -> None:
    plain = json.loads(json.dumps(evidence.plain()))
    assert {one["measure"] for one in plain["measures"]} >= {"auc", "log_loss", "log_loss_gain", "minutes_gain"}
    assert (plain["months"], plain["rows"], plain["champion"]) == (["2013-03", "2013-04"], 6000, 1)
    assert plain["slices"]["measure"] == "log_loss_gain"
    told = {(one["slice_kind"], one["slice"]): one["value"] for one in plain["slices"]["gains"]}
    assert set(told) == {("kind", "a"), ("kind", "b"), ("kind", "c"), ("side", "left"), ("side", "right")}
    assert told["kind", "b"] == evidence.find(2, "kind", "b", "log_loss_gain").value  # type: ignore[union-attr]
    assert evidence.plain("auc")["slices"]["measure"] == "auc_gain"


@pytest.mark.parametrize("few", [1, 5], ids=["one row", "five rows"])
def test_too_few_rows_are_measured_as_far_as_they_go(judge: Judge, rows: pd.DataFrame, few: int) -> None:
    """Whether it is enough is for the gates to say."""
    found = judge(Knowing(2), Knowing(1), rows=rows.head(few))
    assert (found.rows, found.days) == (few, 1) and list(found.table.columns) == COLUMNS


@pytest.mark.parametrize(
    ("given", "change", "message"),
    [
        pytest.param({"trained_until": {1: "2013-01", 2: "2013-03"}}, {}, r"2 learnt from 2013-03, .* on 2013-03", id="learnt"),
        pytest.param({"base_rate": None}, {}, r"The base rate is None", id="no base rate"),
        pytest.param({"groups": ["age"]}, {}, r"Groups by 'age' cannot be compared: slices has 'kind', 'side'", id="groups"),
        pytest.param({}, {"came": [np.nan] + [1.0] * 5999}, r"came is missing in 1 of 6,000 rows", id="outcome"),
        pytest.param({}, {"x": [np.nan] + [1.0] * 5999}, r"Version 2 gave 1 of 6,000 rows scores that are no prob", id="scores"),
    ],
)
def test_what_cannot_be_judged_is_refused(judge: Judge, rows: pd.DataFrame, given: dict, change: dict, message: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(EvaluationError, match=message) as caught:
        judge(Knowing(2), replace(Knowing(1)), rows=rows.assign(**change), **given)
    assert caught.value.hint


def test_without_a_row_it_is_said_that_there_is_none(judge: Judge, rows: pd.DataFrame) -> None:
    with pytest.raises(EvaluationError, match="There is no row to judge on"):
        judge(Knowing(2), Knowing(1), rows=rows.head(0))
