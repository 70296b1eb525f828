"""The model of late arrivals: what goes in, how past and future are told apart, what it is measured by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import pandas as pd
from sklearn.base import TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from threadpoolctl import threadpool_limits


class Classifier(Protocol):
    """A fitted model, or one that was loaded from the lake."""

    def predict_proba(self, features: pd.DataFrame, /) -> np.ndarray: ...


CATEGORIES = ["carrier", "origin", "destination"]
NUMBERS = [
    "departure_minute", "weekday", "distance", "scheduled_minutes", "plane_age", "plane_seats",
    "temperature", "humidity", "wind_speed", "wind_gust", "precipitation", "pressure", "visibility",
    "origin_departures", "origin_delay", "origin_overdue", "carrier_departures", "carrier_delay",
    "destination_arrivals", "destination_delay", "plane_last_delay", "plane_hours_since",
]  # fmt: skip
INPUTS = CATEGORIES + NUMBERS


def inputs(features: pd.DataFrame) -> pd.DataFrame:
    """The model's columns in their order: categories as text, numbers as float64 with NaN for what is not known."""
    return features[INPUTS].astype(dict.fromkeys(NUMBERS, "float64"))


def split(features: pd.DataFrame, train_until: str, test_month: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows to train on and those to evaluate on, of flights whose outcome is known, each sorted by `flight_id`.

    The training rows lie in the months up to `train_until`, and their outcome was known before the first question of
    `test_month` was asked: a flight still in the air then is left out.
    """
    answered = features[features["is_late"].notna()].sort_values("flight_id", ignore_index=True)
    test = answered[answered["month"] == test_month]
    if test.empty:
        raise ValueError(f"There is no flight with a known outcome in {test_month} to evaluate on")
    past = (answered["month"] <= train_until) & (answered["label_known_at"] < test["asked_at"].min())
    return answered[past], test


SETTINGS = {
    "learning_rate": [0.03, 0.05, 0.1],
    "max_leaf_nodes": [15, 31, 63],
    "min_samples_leaf": [20, 100, 400],
    "l2_regularization": [0.0, 1.0, 10.0],
}
"""Of the boosted trees, what a search may choose from."""


def boosted_trees(rounds: int, learning_rate: float, random_state: int, **settings: float) -> Pipeline:
    """Gradient-boosted trees; a category not seen in training counts as missing, missing values are the trees' own.

    `settings` are others of scikit-learn's HistGradientBoostingClassifier. With more than 10,000 rows it sets a tenth of
    them aside and ends early where these are no longer predicted better.
    """
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    trees = HistGradientBoostingClassifier(
        max_iter=rounds,
        learning_rate=learning_rate,
        categorical_features=list(range(len(CATEGORIES))),
        random_state=random_state,
        **settings,
    )
    return Pipeline(
        [("columns", ColumnTransformer([("codes", codes, CATEGORIES), ("numbers", "passthrough", NUMBERS)])), ("trees", trees)]
    )


def linear(fill: TransformerMixin) -> Pipeline:
    """Logistic regression, the simple baseline: categories one-hot, numbers scaled, missing ones filled by `fill`."""
    numbers = make_pipeline(fill, StandardScaler())
    columns = ColumnTransformer([("codes", OneHotEncoder(handle_unknown="ignore"), CATEGORIES), ("numbers", numbers, NUMBERS)])
    return Pipeline([("columns", columns), ("regression", LogisticRegression(max_iter=200))])


def fit(model: Pipeline, features: pd.DataFrame, outcome: pd.Series) -> Pipeline:
    """`model` fitted to rows of features, on one thread.

    One, because OpenMP's threads spin while they wait for each other: where Spark wants the same cores, two took ten
    times as long as one. And the result is the same to the last bit on any machine.
    """
    with threadpool_limits(1):
        return model.fit(inputs(features), outcome)


def score(model: Classifier, features: pd.DataFrame) -> np.ndarray:
    """The probability of being late for each row of features, shape (rows,)."""
    with threadpool_limits(1):
        return model.predict_proba(inputs(features))[:, 1]


def lately(train: pd.DataFrame, share: float = 0.2) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Of training rows the earlier and the later ones, to try settings on: the latest `share` of the questions, and those
    whose outcome was known before the first of these was asked."""
    first = train["asked_at"].sort_values().iloc[int(len(train) * (1 - share))]
    return train[train["label_known_at"] < first], train[train["asked_at"] >= first]


def some(features: pd.DataFrame, at_most: int, random_state: int) -> pd.DataFrame:
    """At most so many rows, drawn at random, in the order they had."""
    return features.sample(min(len(features), at_most), random_state=random_state).sort_index()


Chooser = Callable[[pd.Series, np.ndarray], float]
"""Of outcomes and the scores told before, both (rows,), the score from which a warning is worth most."""


def attempt(
    past: pd.DataFrame, recent: pd.DataFrame, rounds: int, random_state: int, warn: Chooser, **settings: float
) -> dict[str, float]:
    """What boosted trees with these settings reach on `recent` after learning from `past` (see `measures`), and from which
    score on they should `warn`."""
    model = fit(boosted_trees(rounds=rounds, random_state=random_state, **settings), past, past["is_late"].astype(int))
    late, told = recent["is_late"].astype(int), score(model, recent)
    return {**measures(late, told), "warn_from": warn(late, told)}


def by_round(model: Pipeline) -> dict[str, list[float]]:
    """The log loss after each boosting round (the first: before any), on rows learnt from and on those set aside."""
    trees = model.named_steps["trees"]
    found = {"log_loss_learnt_from": trees.train_score_, "log_loss_set_aside": trees.validation_score_}
    return {name: [-float(value) for value in values] for name, values in found.items() if len(values)}


def measures(outcome: pd.Series, score: np.ndarray) -> dict[str, float]:
    """AUC (higher is better), log loss and Brier score (lower is better) of `score`, probabilities of `outcome`."""
    return {
        "auc": float(roc_auc_score(outcome, score)),
        "log_loss": float(log_loss(outcome, score)),
        "brier": float(brier_score_loss(outcome, score)),
    }


def reliability(outcome: pd.Series, score: np.ndarray, bins: int = 10) -> pd.DataFrame:
    """By equally large groups of rising score: `flights`, the mean `predicted` and the `observed` share."""
    frame = pd.DataFrame({"outcome": np.asarray(outcome, dtype=float), "score": score})
    group = pd.qcut(frame["score"].rank(method="first"), bins, labels=False)
    grouped = frame.groupby(group)
    return pd.DataFrame(
        {"flights": grouped.size(), "predicted": grouped["score"].mean(), "observed": grouped["outcome"].mean()}
    ).reset_index(drop=True)
