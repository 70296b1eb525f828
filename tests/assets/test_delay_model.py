from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

from assets.transforms import delay_model
from lakehouse import contract as contracts
from lakehouse.features.imputation import imputer
from lakehouse.names import TableName


@pytest.fixture(scope="module")
def features() -> pd.DataFrame:
    """Three months of flights that are late the more the larger `origin_overdue` is, with gaps as in the real ones."""
    random = np.random.default_rng(7)
    count = 1500
    frame = pd.DataFrame({name: random.normal(size=count) for name in delay_model.NUMBERS})
    for name, values in {"carrier": ["UA", "AA"], "origin": ["EWR", "JFK"], "destination": ["IAH", "BOS", "LAX"]}.items():
        frame[name] = random.choice(values, count)
    frame["plane_seats"] = frame["plane_seats"].where(random.random(count) > 0.2)
    frame["flight_id"] = [f"f{number:04d}" for number in random.permutation(count)]
    frame["month"] = random.choice(["2013-01", "2013-02", "2013-03"], count)
    frame["asked_at"] = pd.to_datetime(frame["month"] + "-02")
    frame["label_known_at"] = frame["asked_at"] + pd.Timedelta(hours=6)
    late = random.random(count) < 1 / (1 + np.exp(-2 * frame["origin_overdue"]))
    frame["is_late"] = late.astype(object).where(random.random(count) > 0.03)
    return frame


def test_the_future_and_what_has_no_answer_are_not_trained_on(features: pd.DataFrame) -> None:
    train, test = delay_model.split(features, "2013-01", "2013-02")
    assert set(train["month"]) == {"2013-01"}
    assert set(test["month"]) == {"2013-02"}
    assert train["is_late"].notna().all() and test["is_late"].notna().all()


def test_a_flight_in_the_air_when_the_first_question_is_asked_is_left_out(features: pd.DataFrame) -> None:
    flying = features["month"].eq("2013-01") & features["is_late"].notna()
    late_news = features.copy()
    first = late_news.index[flying][0]
    late_news.loc[first, "label_known_at"] = features.loc[features["month"] == "2013-02", "asked_at"].min()
    train, _ = delay_model.split(late_news, "2013-01", "2013-02")
    assert late_news.loc[first, "flight_id"] not in set(train["flight_id"])
    assert len(train) == flying.sum() - 1


def test_a_month_without_outcomes_cannot_be_evaluated_on(features: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="no flight with a known outcome in 2013-04"):
        delay_model.split(features, "2013-03", "2013-04")


def test_settings_are_tried_on_later_rows_than_they_learn_from(features: pd.DataFrame) -> None:
    train, _ = delay_model.split(features, "2013-02", "2013-03")
    past, recent = delay_model.lately(train)
    assert past["label_known_at"].max() < recent["asked_at"].min()
    assert not recent.empty and len(past) + len(recent) <= len(train)
    sample = delay_model.some(past, 50, 1)
    assert len(sample) == 50 and sample.index.is_monotonic_increasing
    assert sample.equals(delay_model.some(past, 50, 1))


def test_an_attempt_is_measured_and_the_rounds_are_told(features: pd.DataFrame) -> None:
    train, test = delay_model.split(features, "2013-02", "2013-03")
    tried = delay_model.attempt(train, test, 20, 1, lambda late, told: float(told[late == 1].min()), learning_rate=0.1)
    assert tried["auc"] > 0.8 and 0 < tried["warn_from"] < 0.5
    many = pd.concat([train] * 15, ignore_index=True)
    model = delay_model.fit(delay_model.boosted_trees(20, 0.1, 1), many, many["is_late"].astype(int))
    rounds = delay_model.by_round(model)
    assert [len(values) for values in rounds.values()] == [21, 21]
    assert rounds["log_loss_learnt_from"][0] > rounds["log_loss_learnt_from"][-1] > 0


def test_inputs_are_the_models_columns_only_in_order(features: pd.DataFrame) -> None:
    shuffled = features[sorted(features.columns)]
    found = delay_model.inputs(shuffled)
    assert list(found.columns) == delay_model.INPUTS
    assert set(found[delay_model.NUMBERS].dtypes.astype(str)) == {"float64"}
    assert not {"is_late", "label_known_at", "flight_id"} & set(found.columns)


FEATURES = TableName("features", "flight_departure")
PROMISED = contracts.load(Path(__file__).parents[2] / "assets" / "contracts" / f"{FEATURES.slashed}.yaml")


def linear() -> Pipeline:
    return delay_model.linear(imputer({FEATURES: PROMISED}, FEATURES, delay_model.NUMBERS))


@pytest.mark.parametrize("column", [name for name in delay_model.NUMBERS if PROMISED.columns[name].nullable])
def test_every_number_that_may_be_missing_is_filled_by_the_training_rows(features: pd.DataFrame, column: str) -> None:
    train, test = delay_model.split(features, "2013-02", "2013-03")
    outcome = train["is_late"].astype(int)
    model = delay_model.fit(linear(), train, outcome)
    assert np.isfinite(delay_model.score(model, test.assign(**{column: np.nan}))).all()
    never = delay_model.fit(linear(), train.assign(**{column: np.nan}), outcome)
    assert np.isfinite(delay_model.score(never, test)).all()


@pytest.mark.parametrize("make", [lambda: delay_model.boosted_trees(20, 0.1, 1), linear], ids=["trees", "linear"])
def test_models_learn_take_gaps_and_unseen_categories_and_repeat_exactly(features: pd.DataFrame, make) -> None:  # type: ignore[no-untyped-def]
    train, test = delay_model.split(features, "2013-02", "2013-03")
    outcome = train["is_late"].astype(int)
    scores = [delay_model.score(delay_model.fit(make(), train, outcome), test) for _ in range(2)]
    assert np.array_equal(scores[0], scores[1])
    assert delay_model.measures(test["is_late"].astype(int), scores[0])["auc"] > 0.8
    strange = test.assign(carrier="ZZ", destination="XXX", temperature=np.nan)
    assert np.isfinite(delay_model.score(delay_model.fit(make(), train, outcome), strange)).all()


def test_measures_know_a_perfect_and_a_clueless_model() -> None:
    outcome = pd.Series([0, 0, 1, 1])
    perfect = delay_model.measures(outcome, np.array([0.0, 0.0, 1.0, 1.0]))
    clueless = delay_model.measures(outcome, np.full(4, 0.5))
    assert (perfect["auc"], perfect["brier"]) == (1.0, 0.0)
    assert perfect["log_loss"] == pytest.approx(0, abs=1e-9)
    assert (clueless["auc"], clueless["brier"], clueless["log_loss"]) == (0.5, 0.25, pytest.approx(np.log(2)))


def test_reliability_groups_are_equally_large_and_rise() -> None:
    score = np.linspace(0, 1, 100)
    found = delay_model.reliability(pd.Series(score > 0.5), score, bins=4)
    assert list(found["flights"]) == [25, 25, 25, 25]
    assert list(found["observed"]) == [0.0, 0.0, 1.0, 1.0]
    assert found["predicted"].is_monotonic_increasing
    ties = delay_model.reliability(pd.Series([0, 1] * 50), np.full(100, 0.3), bins=5)
    assert list(ties["flights"]) == [20] * 5
