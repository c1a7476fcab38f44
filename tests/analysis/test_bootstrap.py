"""Intervals against closed forms, hand-worked cases and values that rliable 1.2.0 gives on the same scores."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.bootstrap import (
    Interval,
    as_strata,
    bootstrap_band,
    bootstrap_interval,
    difference,
    interquartile_mean,
    mean,
    median,
    paired_difference,
    performance_profile,
    probability_of_improvement,
    rate_interval,
    resample_indices,
)
from toyworlds.core.validate import InputError

A = np.array([[((7 * i + 3 * j * j + i * j) % 17) / 8 for j in range(3)] for i in range(6)])
B = np.array([[((5 * i + 2 * j + 3 * i * i) % 13) / 8 for j in range(3)] for i in range(5)])
"""Two algorithms, runs x tasks; rliable's numbers on them are quoted in the tests."""


def test_statistics_by_hand():
    strata = as_strata("x", [[0.0, 1.0, 2.0], [10.0]])
    assert mean(strata) == 5.5
    assert median(strata) == 1.5
    assert interquartile_mean(strata) == 1.5
    assert interquartile_mean(as_strata("x", [0, 1, 2, 3, 4, 50, 60])) == pytest.approx((1 + 2 + 3 + 4 + 50) / 5)


def test_aggregates_against_rliable():
    assert float(interquartile_mean(list(A.T))) == pytest.approx(0.875, abs=1e-15)
    assert float(interquartile_mean(list(B.T))) == pytest.approx(0.7083333333333334, abs=1e-15)
    assert float(mean(list(A.T))) == pytest.approx(0.8819444444444445, abs=1e-15)
    assert float(mean(list(B.T))) == pytest.approx(0.7166666666666667, abs=1e-15)


def test_intervals_against_rliable():
    """20,000 resamples there, two times: [0.5125, 1.2375], [0.5125, 1.25]; [0.63194, 1.13194], [0.625, 1.14583]."""
    iqm = bootstrap_interval(A, interquartile_mean, n=20_000)
    assert (iqm.low, iqm.high) == pytest.approx((0.5125, 1.24375), abs=0.02)
    average = bootstrap_interval(A, mean, n=20_000)
    assert (average.low, average.high) == pytest.approx((0.6285, 1.1389), abs=0.01)


def test_profile_against_rliable():
    profile = performance_profile(A, [0, 0.25, 0.5, 1, 1.5, 2], n=20_000)
    np.testing.assert_allclose(profile.estimate, [0.94444444, 0.77777778, 0.61111111, 0.44444444, 0.16666667, 0])
    np.testing.assert_allclose(profile.low, [0.83333333, 0.61111111, 0.38888889, 0.22222222, 0, 0])
    np.testing.assert_allclose(profile.high, [1, 0.94444444, 0.83333333, 0.66666667, 0.33333333, 0])


def test_probability_of_improvement_against_rliable():
    interval = probability_of_improvement(A, B, n=20_000)
    assert interval.estimate == pytest.approx(0.5555555555555555, abs=1e-15)
    assert (interval.low, interval.high) == pytest.approx((0.35, 0.75), abs=0.011)
    assert probability_of_improvement(B, A).estimate == pytest.approx(0.4444444444444444, abs=1e-15)


def test_probability_of_improvement_by_hand():
    assert probability_of_improvement([1, 2, 3], [0, 2]).estimate == pytest.approx((1 + 1.5 + 2) / 6)
    assert str(probability_of_improvement([5, 6], [1, 2])) == "1 [1, 1]"
    even = probability_of_improvement([0, 1], [0, 1])  # resampled apart: one in 16 has all of a above all of b
    assert (even.estimate, even.low, even.high) == (0.5, 0.0, 1.0)
    strata = probability_of_improvement([[1, 2], [1, 2, 3]], [[0, 0], [9, 9]])
    assert strata.estimate == 0.5


def test_interval_against_all_resamples():
    """Of 3 runs there are 27 resamples: the exact quantiles of their means."""
    exact = np.quantile([np.mean(draw) for draw in product([0.0, 1.0, 5.0], repeat=3)], [0.1, 0.9])
    interval = bootstrap_interval([0.0, 1.0, 5.0], n=20_000, level=0.8)
    assert interval == Interval(2.0, interval.low, interval.high, 0.8)
    np.testing.assert_allclose([interval.low, interval.high], exact, atol=1e-12)


def test_interval_has_the_spread_of_theory():
    values = np.sin(np.arange(400.0))
    interval = bootstrap_interval(values, n=4000)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.06)


def test_strata_are_resampled_within():
    interval = bootstrap_interval([[0.0, 0.0], [10.0, 10.0, 10.0]])
    assert str(interval) == "5 [5, 5]"


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-100, 100), min_size=2, max_size=12), st.floats(-50, 50), st.floats(0.01, 50))
def test_interval_moves_with_the_data(values, shift, scale):
    for statistic in (mean, median, interquartile_mean):
        plain = bootstrap_interval(values, statistic, n=50)
        moved = bootstrap_interval([scale * v + shift for v in values], statistic, n=50)
        for name in ("estimate", "low", "high"):
            assert getattr(moved, name) == pytest.approx(scale * getattr(plain, name) + shift, abs=1e-6)
        assert min(values) - 1e-9 <= plain.low <= plain.high <= max(values) + 1e-9


def test_seeds_and_streams():
    first, second = resample_indices([5, 5], 100, 3)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, resample_indices([5, 5], 100, 3)[0])
    assert not np.array_equal(first, resample_indices([5, 5], 100, 4)[0])
    assert set(first.ravel().tolist()) == {0, 1, 2, 3, 4}
    np.testing.assert_array_equal(resample_indices([3], 4, 0)[0], [[2, 0, 1], [2, 0, 2], [2, 1, 2], [2, 2, 0]])


def test_band_is_the_interval_at_each_point(monkeypatch):
    values = np.random.default_rng(0).normal(size=(8, 30)) + np.arange(30)
    band = bootstrap_band(values, median, seed=5, n=300)
    for point in (0, 17, 29):
        interval = bootstrap_interval(values[:, point], median, seed=5, n=300)
        assert (band.estimate[point], band.low[point], band.high[point]) == pytest.approx(
            (interval.estimate, interval.low, interval.high)
        )
    monkeypatch.setattr("analysis.bootstrap.CHUNK", 8 * 300 * 7)
    in_chunks = bootstrap_band(values, median, seed=5, n=300)
    np.testing.assert_array_equal(in_chunks.low, band.low)
    np.testing.assert_array_equal(in_chunks.high, band.high)


def test_paired_difference_uses_the_pairs():
    noise = 10.0 * np.sin(np.arange(20.0))
    paired, apart = paired_difference(noise + 1.0, noise), difference(noise + 1.0, noise)
    assert (paired.low, paired.high) == pytest.approx((1.0, 1.0))
    assert apart.low < 0 < apart.high
    assert paired.estimate == pytest.approx(apart.estimate)


@pytest.mark.parametrize(
    ("k", "n", "method", "low", "high"),
    [
        # z^2 = 3.8414588: centre (0.95 + z^2/200) / (1 + z^2/100), half width from the formula
        (95, 100, "wilson", 0.88825, 0.97846),
        (0, 10, "wilson", 0.0, 0.27753),
        (10, 10, "wilson", 0.72247, 1.0),
        (8, 10, "wilson", 0.49016, 0.94332),
        # k = n: low = (1 - level)/2 ** (1/n); k = 0: high = 1 - that
        (10, 10, "clopper-pearson", 0.025**0.1, 1.0),
        (0, 10, "clopper-pearson", 0.0, 1 - 0.025**0.1),
        (8, 10, "clopper-pearson", 0.44390, 0.97479),
    ],
)
def test_rates(k, n, method, low, high):
    interval = rate_interval(k, n, method=method)
    assert interval.estimate == k / n
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=6e-6)


def test_clopper_pearson_never_covers_less_than_its_level():
    intervals = [rate_interval(k, 12, method="clopper-pearson") for k in range(13)]
    for p in np.linspace(0.01, 0.99, 99):
        weights = [math.comb(12, k) * p**k * (1 - p) ** (12 - k) for k in range(13)]
        covered = sum(w for w, i in zip(weights, intervals, strict=True) if i.low <= p <= i.high)
        assert covered >= 0.95


def test_profile_by_hand():
    profile = performance_profile([[1.0, 3.0], [2.0, 2.0]], [0.0, 1.0, 2.0, 3.0])
    np.testing.assert_array_equal(profile.estimate, [1.0, 0.75, 0.25, 0.0])
    np.testing.assert_array_equal(profile.low, [1.0, 0.5, 0.0, 0.0])
    np.testing.assert_array_equal(profile.high, [1.0, 1.0, 0.5, 0.0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bootstrap_interval([]), "values"),
        (lambda: bootstrap_interval([1.0]), "at least 2 runs in every stratum"),
        (lambda: bootstrap_interval([[1.0, 2.0], [1.0]]), "1 in stratum 1"),
        (lambda: bootstrap_interval([1.0, math.nan]), "finite"),
        (lambda: bootstrap_interval(np.ones((2, 2, 2))), "values"),
        (lambda: bootstrap_interval([1.0, 2.0], level=1.0), "level"),
        (lambda: bootstrap_interval([1.0, 2.0], n=0), "n: expected"),
        (lambda: bootstrap_band(np.ones((1, 5))), "values: expected at least 2 runs"),
        (lambda: paired_difference([1.0, 2.0], [1.0, 2.0, 3.0]), "b: expected strata of"),
        (lambda: probability_of_improvement([1.0, 2.0], [[1.0, 2.0], [1.0, 2.0]]), "b: expected 1 strata"),
        (lambda: rate_interval(11, 10), "successes"),
        (lambda: rate_interval(0, 0), "trials"),
        (lambda: rate_interval(1, 2, method="wilsen"), "did you mean 'wilson'"),
        (lambda: performance_profile([1.0, 2.0], []), "thresholds"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
