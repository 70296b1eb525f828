"""What profiles tell of distributions, against the samples that they were made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lakehouse.profiles import bins
from lakehouse.profiles.profile import ColumnProfile
from lakehouse.profiles.shifts import distance
from tests.profiles.batches import number, text

SHAPES: dict[str, Any] = {
    "normal": lambda random, rows: random.normal(10, 3, rows),
    "skewed": lambda random, rows: random.exponential(20, rows),
    "whole numbers": lambda random, rows: np.round(random.normal(0, 4, rows)),
    "mostly zero": lambda random, rows: np.where(random.random(rows) < 0.9, 0, random.exponential(1, rows)),
    "two values": lambda random, rows: (random.random(rows) < 0.3).astype(float),
    "far outliers": lambda random, rows: np.where(random.random(rows) < 0.01, 1e6, random.normal(0, 1, rows)),
}
CHANGES: dict[str, Any] = {
    "none": lambda values: values,
    "shifted": lambda values: values + 2,
    "in another unit": lambda values: values * 1.609,
    "squeezed": lambda values: values * 0.5,
}


@given(st.sampled_from(sorted(SHAPES)), st.sampled_from(sorted(CHANGES)), st.integers(500, 5000), st.integers(0, 2**31))
@settings(max_examples=80, deadline=None)
def test_distances_of_profiles_are_near_those_of_the_samples(shape: str, change: str, rows: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    before, own = SHAPES[shape](random, 4000), CHANGES[change](SHAPES[shape](random, rows))
    columns, filled = [number(own), number(before)], [rows, 4000]
    ks, _, _ = distance("kolmogorov_smirnov", columns, filled)
    assert ks == pytest.approx(stats.ks_2samp(own, before, method="asymp").statistic, abs=0.025)
    apart, _, _ = distance("wasserstein", columns, filled)
    if shape in ("normal", "whole numbers", "two values"):  # of a long tail's last percent only the ends are known
        assert apart == pytest.approx(stats.wasserstein_distance(own, before) / before.std(), abs=0.06)


@given(st.sampled_from(sorted(SHAPES)), st.sampled_from(sorted(CHANGES)), st.integers(1000, 5000), st.integers(0, 2**31))
@settings(max_examples=80, deadline=None)
def test_psi_of_profiles_is_near_that_of_the_samples_in_the_same_bins(shape: str, change: str, rows: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    before, own = SHAPES[shape](random, 5000), CHANGES[change](SHAPES[shape](random, rows))
    counts, edges = bins.of_numbers(number(own), [number(before)], [rows, 5000])
    exact = [np.diff([0, *((values <= e).sum() if not below else (values < e).sum() for e, below in edges), len(values)])
             for values in (own, before)]  # fmt: skip
    assert np.abs(counts / counts.sum(axis=1, keepdims=True) - [each / each.sum() for each in exact]).max() < 0.021


def test_a_value_with_many_rows_has_a_bin_of_its_own() -> None:
    before = number(np.array([5.0] * 100))
    (own, other), _ = bins.of_numbers(number(np.array([4.0] * 50 + [5.0] * 50)), [before], [100, 100])
    assert own == pytest.approx([50, 50, 0], abs=1)
    assert other.tolist() == [0, 100, 0]


def test_text_has_a_bin_for_each_frequent_value_and_one_for_the_rest() -> None:
    before, own = text({"a": 600, "b": 395, "rare": 5}), text({"a": 10, "c": 90})
    assert bins.of_text(own, [before], [100, 1000]).tolist() == [[10, 0, 90], [600, 395, 5]]


def test_a_histogram_counts_all_rows() -> None:
    column = number(np.random.default_rng(1).normal(0, 1, 5000))
    counted = bins.histogram(column, 5000)
    assert (len(counted), abs(sum(counted) - 5000) < 20) == (20, True)
    assert max(counted) == max(counted[8:12])
    assert bins.histogram(number(np.array([3.0])), 7) == [7]
    assert bins.histogram(ColumnProfile(kind="text", missing=0, distinct=1), 7) == []
