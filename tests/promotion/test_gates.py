"""Planted bad challengers, each refused by the right gate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lakehouse.promotion import gates
from lakehouse.promotion.gates import Facts, Verdict
from tests.promotion import challengers
from tests.promotion.challengers import CHAMPION, GOOD, Told, contract, evidence, measured, rides

CLEAN = Facts(
    leaks={"features.rides": (True, "900 rows stay the same")}, parity={"scores.rides": (True, "50 entities, none differs")}
)


def decide(challenger: Told, champion: Told | None = CHAMPION, facts: Facts = CLEAN, **changes: Any) -> Verdict:
    return gates.decide(contract(**changes), measured(challenger, champion), facts)


def test_who_is_better_by_more_than_noise_is_promoted() -> None:
    verdict = decide(GOOD)
    assert verdict.outcome == "promoted", str(verdict)
    assert [gate.passed for gate in verdict.gates if gate.name != "edge_cases"] == [True] * 13
    assert verdict.said == "models.rides version 5 against version 3: promoted"


def test_the_first_one_is_held_against_the_base_rate() -> None:
    verdict = decide(GOOD, None)
    assert (verdict.outcome, verdict.against) == ("promoted", None), str(verdict)
    said = {gate.name: gate.said for gate in verdict.gates}
    assert "better than the base rate" in said["better"]
    assert said["slices"] == "there is no champion to be worse than"
    nothing = Told(1, lambda rows: rows["rain"] * 0 - 0.6)
    assert [gate.name for gate in decide(nothing, None).failed] == ["better"]


def test_who_passes_waits_where_a_person_decides() -> None:
    assert decide(GOOD, approval="manual").outcome == "waiting"
    assert decide(challengers.SLOW, approval="manual").outcome == "refused"


REFUSED = [
    pytest.param(
        challengers.NOISE, {}, ["better"], ["not better by more than noise", "3,600 rows of 2013-03 to 2013-04"], id="noise"
    ),
    pytest.param(
        challengers.OVERSURE, {}, ["calibrated"], ["expected calibration error", "too high", "more than 0.05"], id="miscalibrated"
    ),
    pytest.param(
        challengers.BAD_ON_RED,
        {"gates": {"fairness": {"gap": 0.6}, "calibrated": {"at_most": 0.08}}},
        ["slices"],
        ["line red: log loss worse by", "on 900 rows; 0.02 is tolerated"],
        id="one line worse",
    ),
    pytest.param(challengers.SLOW, {}, ["speed"], ["s for 1,000 rows; at most 0.05"], id="slower"),
    pytest.param(challengers.LARGE, {}, ["size"], ["5.0 MB of files; at most 1"], id="larger"),
    pytest.param(
        challengers.UNFAIR,
        {"gates": {"slices": False, "calibrated": False}},
        ["fairness"],
        ["of line differs by", "more than 0.3, and than the champion's"],
        id="unfair",
    ),
    pytest.param(challengers.FOND_OF_STORMS, {}, ["behaviour"], ["more rain never helps", "fell by more than"], id="behaviour"),
    pytest.param(
        GOOD,
        {"facts": Facts(leaks={"features.rides": (False, "2013-04: from what was not yet known: own_delay (31 rows)")})},
        ["leaks"],
        ["own_delay (31 rows)"],
        id="leaky",
    ),
    pytest.param(
        GOOD, {"facts": Facts(leaks={"features.rides": (False, "not looked at")})}, ["leaks"], ["not looked at"], id="not looked at"
    ),
    pytest.param(
        GOOD,
        {"facts": Facts(parity={"scores.rides": (False, "3 of 50 differ")})},
        ["parity"],
        ["scores.rides: 3 of 50"],
        id="parity",
    ),
    pytest.param(
        GOOD, {"facts": Facts(rolled_back="taken out of use")}, ["not_rolled_back"], ["taken out of use"], id="rolled back"
    ),
]


@pytest.mark.parametrize(("challenger", "more", "names", "words"), REFUSED)
def test_a_bad_challenger_is_refused_by_the_right_gate(
    challenger: Told, more: dict[str, Any], names: list[str], words: list[str]
) -> None:
    verdict = decide(challenger, **more)
    assert verdict.outcome == "refused"
    assert [gate.name for gate in verdict.failed] == names, str(verdict)
    for word in words:
        assert word in verdict.said
        assert word in verdict._repr_markdown_()


FEW = [
    pytest.param(rides().head(1500), "1,500 rows with an outcome, 2,000 are needed", id="rows"),
    pytest.param(rides()[rides()["day"].isin([*range(10), *range(40, 50)])], "20 days, 28 are needed", id="days"),
    pytest.param(
        rides()[(rides()["is_late"] == 0) | (rides().index % 20 == 0)], "of them in which it came, 200 are needed", id="positives"
    ),
    pytest.param(rides()[rides()["month"] == "2013-04"], "1 months, 2 are needed", id="months"),
]


@pytest.mark.parametrize(("rows", "words"), FEW)
def test_too_few_rows_are_no_verdict(rows: Any, words: str) -> None:
    verdict = gates.decide(contract(), evidence(GOOD, CHAMPION, rows.reset_index(drop=True)), CLEAN)
    assert verdict.outcome == "not enough evidence"
    assert words in verdict.said


DECLARED = {"slices": ["line", "hour"], "groups": ["line", "hour"]}
HOUR = rides().index.to_series() % 5
NOT_TOLD = [
    pytest.param({}, {"evaluate": DECLARED}, ["slices", "fairness"], "log loss was not measured by hour", id="a kind of two"),
    pytest.param(
        {"slices": {"line": rides()["line"], "hour": HOUR}},
        {"evaluate": DECLARED},
        ["fairness"],
        "no gap between groups by hour was measured",
        id="groups of two",
    ),
    pytest.param(
        {},
        {"gates": {"slices": {"rows": 50}}},
        ["slices"],
        "slices of less than 200 rows were not measured: give evaluate at_least=50",
        id="small slices",
    ),
    pytest.param({}, {"gates": {"slices": {"rows": 901}}}, ["slices"], "no line has 901 rows", id="no slice large enough"),
    pytest.param({"trained_until": None}, {}, ["unseen"], "which months version 5, 3 learnt from was not told", id="never told"),
    pytest.param({"trained_until": {5: "2013-02"}}, {}, ["unseen"], "which months version 3 learnt from", id="champion untold"),
]


@pytest.mark.parametrize(("given", "changes", "names", "words"), NOT_TOLD)
def test_what_the_evaluation_leaves_out_is_not_passed(
    given: dict[str, Any], changes: dict[str, Any], names: list[str], words: str
) -> None:
    verdict = gates.decide(contract(**changes), evidence(GOOD, CHAMPION, rides(), **given), CLEAN)
    assert verdict.outcome == "refused"
    assert [gate.name for gate in verdict.failed] == names, str(verdict)
    assert words in verdict.said


def test_a_kind_of_which_all_slices_are_small_is_told() -> None:
    given = {"slices": {"line": rides()["line"], "hour": HOUR}, "groups": []}
    guarded = contract(evaluate={"slices": ["line", "hour"]}, gates={"slices": {"rows": 721}})
    verdict = gates.decide(guarded, evidence(GOOD, CHAMPION, rides(), **given), CLEAN)
    said = {gate.name: gate.said for gate in verdict.gates}
    assert verdict.outcome == "promoted" and said["slices"].endswith("; no hour has 721 rows"), str(verdict)


def test_a_model_that_learnt_from_a_judged_month_is_refused() -> None:
    learnt = replace(measured(GOOD), trained_until={5: "2013-03", 3: "2013-02"})
    assert [gate.name for gate in gates.decide(contract(), learnt, CLEAN).failed] == ["unseen"]


def test_a_gate_that_is_switched_off_says_so() -> None:
    verdict = decide(challengers.SLOW, gates={"speed": False})
    assert verdict.outcome == "promoted"
    assert {gate.name: gate.said for gate in verdict.gates}["speed"] == "switched off by the contract"


def test_a_refusal_says_why_the_gate_is_there() -> None:
    reasons = {gate.name: gate.reason for gate in decide(challengers.BAD_ON_RED).failed}
    assert reasons["slices"] == "Nobody is told worse for the good of others."
