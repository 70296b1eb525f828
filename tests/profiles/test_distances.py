"""Against SciPy, on counts that it can be given whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon

from lakehouse.profiles import distances


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Two rows of counts over the same bins, neither without rows."""
    bins = draw(st.integers(2, 12))
    counts = st.lists(st.integers(0, 500), min_size=bins, max_size=bins).filter(any)
    return np.array(draw(counts), float), np.array(draw(counts), float)


@given(pairs())
@settings(deadline=None)
def test_psi_is_the_relative_entropy_of_both_directions(pair: tuple[np.ndarray, np.ndarray]) -> None:
    own, other = pair
    p, q = own + 0.5, other + 0.5
    assert distances.psi(own, other) == pytest.approx(stats.entropy(p, q) + stats.entropy(q, p), abs=1e-12)


@given(pairs())
@settings(deadline=None)
def test_jensen_shannon_is_scipys_with_base_two(pair: tuple[np.ndarray, np.ndarray]) -> None:
    own, other = pair
    assert distances.jensen_shannon(own, other) == pytest.approx(float(jensenshannon(own, other, base=2)), abs=1e-7)


@given(pairs())
@settings(max_examples=50, deadline=None)
def test_kolmogorov_smirnov_is_scipys_statistic(pair: tuple[np.ndarray, np.ndarray]) -> None:
    own, other = (np.repeat(np.arange(len(counts)), counts.astype(int)) for counts in pair)
    expected = stats.ks_2samp(own, other, method="asymp").statistic
    assert distances.kolmogorov_smirnov(*pair) == pytest.approx(expected, abs=1e-12)


@given(pairs(), st.data())
@settings(deadline=None)
def test_wasserstein_is_scipys(pair: tuple[np.ndarray, np.ndarray], data: st.DataObject) -> None:
    bins = len(pair[0])
    steps = np.array(data.draw(st.lists(st.floats(0.01, 100), min_size=bins - 1, max_size=bins - 1)))
    points = np.concatenate([[0.0], np.cumsum(steps)])
    expected = stats.wasserstein_distance(points, points, pair[0], pair[1])
    assert distances.wasserstein(*pair, steps) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(pairs())
@settings(deadline=None)
def test_total_variation_is_half_of_scipys_cityblock_distance(pair: tuple[np.ndarray, np.ndarray]) -> None:
    from scipy.spatial.distance import cityblock

    own, other = (counts / counts.sum() for counts in pair)
    assert distances.total_variation(*pair) == pytest.approx(cityblock(own, other) / 2, abs=1e-12)


@given(pairs())
@settings(deadline=None)
def test_nothing_is_far_from_itself(pair: tuple[np.ndarray, np.ndarray]) -> None:
    own, _ = pair
    for name in ("psi", "jensen_shannon", "total_variation", "kolmogorov_smirnov"):
        assert getattr(distances, name)(own, own) == pytest.approx(0, abs=1e-7)


def test_many_are_compared_at_once() -> None:
    own, other = np.array([[1.0, 9], [5, 5]]), np.array([[5.0, 5], [5, 5]])
    assert distances.psi(own, other).shape == (2,)
    assert distances.psi(own, other)[1] == 0


@pytest.mark.parametrize("name", ["psi", "jensen_shannon", "total_variation"])
@pytest.mark.parametrize("rows", [50, 2000])
def test_chance_seldom_makes_more_than_its_allowance(name: str, rows: int) -> None:
    random = np.random.default_rng(7)
    own, other = random.multinomial(rows, [0.1] * 10, size=2000).astype(float), random.multinomial(5 * rows, [0.1] * 10, size=2000)
    apart = getattr(distances, name)(own, other.astype(float))
    assert (apart > distances.noise(name, 10, np.array(rows), np.array(5 * rows))).mean() < 0.01
