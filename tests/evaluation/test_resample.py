from __future__ import annotations

import numpy as np
import pytest

from lakehouse.evaluation import resample


def test_the_first_line_is_the_rows_themselves_and_each_draw_has_as_many_clusters() -> None:
    draws = resample.draw(np.array([0, 1, 2, 2]), 3, 50, seed=4)
    assert (draws.weights[0] == 1).all() and (draws.weights.sum(axis=1) == 3).all()
    assert np.array_equal(draws.weights, resample.draw(np.array([0, 1, 2, 2]), 3, 50, seed=4).weights)
    assert not np.array_equal(draws.weights, resample.draw(np.array([0, 1, 2, 2]), 3, 50, seed=5).weights)
    assert draws.sums(np.array([1.0, 2, 3, 4]), np.array([0, 0, 1, -1]), 2)[0].tolist() == [3, 3]


@pytest.mark.parametrize(
    ("shared", "clusters"), [pytest.param(0.0, 40, id="rows alone"), pytest.param(1.0, 40, id="days share luck")]
)
def test_the_interval_of_a_mean_covers_the_truth_as_often_as_it_says(shared: float, clusters: int) -> None:
    """Of days' means the textbook has the standard error, so coverage is known: about 95 of 100."""
    covered, errors = 0, []
    for seed in range(200):
        random = np.random.default_rng(seed)
        codes = np.repeat(np.arange(clusters), 10)
        values = random.normal(size=len(codes)) + shared * random.normal(size=clusters)[codes]
        draws = resample.draw(codes, clusters, 200, seed)
        drawn = draws.sums(values, np.zeros(len(codes), dtype=int), 1) / draws.sums(
            np.ones(len(codes)), np.zeros(len(codes), dtype=int), 1
        )
        found = resample.estimates(drawn, np.array([clusters]))
        covered += bool(found.low[0] <= 0 <= found.high[0])
        errors.append(found.error[0])
    assert 175 <= covered <= 199
    assert np.mean(errors) == pytest.approx(np.sqrt((0.1 + shared**2) / clusters), rel=0.1)


def test_chance_alone_is_called_so() -> None:
    """Were there nothing, `p` is below 0.05 in about 5 of 100."""
    drawn = np.random.default_rng(1).normal(size=(1 + 200, 2000))
    low = (resample.estimates(drawn, np.full(2000, 200)).p < 0.05).mean()
    assert 0.03 < low < 0.07


def test_an_absolute_deviation_is_not_said_to_be_larger_than_it_is() -> None:
    drawn = np.abs(0.01 + np.vstack([[0.0], np.random.default_rng(1).normal(scale=0.02, size=(200, 1))]))
    plain, mirrored = (resample.estimates(drawn, np.array([60]), only_adds=one) for one in (False, True))
    assert mirrored.low[0] == 0 and mirrored.high[0] < plain.high[0]


def test_of_too_few_draws_no_interval_is_told() -> None:
    drawn = np.array([[1.0], [np.nan], [1.1], [0.9]])
    found = resample.estimates(drawn, np.array([3]))
    assert found.values[0] == 1.0 and np.isnan([found.low[0], found.high[0], found.p[0]]).all()
