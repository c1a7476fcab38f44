"""Learning curves: area, samples to reach, data-equivalence, on curves worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.learning_curve import (
    LearningCurve,
    area_under_curve,
    data_equivalence,
    monotone,
    samples_to_reach,
)
from toyworlds.core.validate import InputError


def curve(levels, runs, **options):
    """Runs: one list a size."""
    sizes = [size for size, values in zip(levels, runs, strict=True) for _ in values]
    return LearningCurve(sizes, [value for values in runs for value in values], **options)


STEEP = curve([1000, 4000], [[0.7, 0.7], [0.9, 0.9]])


def test_runs_are_grouped_in_any_order():
    mixed = LearningCurve([4, 1, 4, 1], [0.9, 0.1, 0.7, 0.3])
    assert mixed.levels.tolist() == [1, 4]
    assert [stratum.tolist() for stratum in mixed.strata] == [[0.1, 0.3], [0.9, 0.7]]


def test_area_by_hand():
    """Log sizes 0, 1, 3 (base 10): (0.5 (0.2 + 0.6) + 2 * 0.5 (0.6 + 0.8)) / 3."""
    area = area_under_curve(curve([1, 10, 1000], [[0.1, 0.3], [0.6, 0.6], [0.8, 0.8]]))
    assert area.estimate == pytest.approx((0.4 + 1.4) / 3)
    assert (area.low, area.high) == pytest.approx((1.7 / 3 + 0.05 / 3, 1.9 / 3 - 0.05 / 3))


def test_reach_by_hand():
    reach = samples_to_reach(STEEP, 0.8)
    assert reach.estimate == pytest.approx((2000, 2000))
    assert reach.statement == "2,000 samples"
    assert (reach.interval.low, reach.interval.high) == pytest.approx((2000, 2000))


def test_reach_beyond_the_measured_range():
    above, below = samples_to_reach(STEEP, 0.95), samples_to_reach(STEEP, 0.6)
    assert above.estimate == (4000, math.inf)
    assert above.statement == "beyond the measured range: more than 4,000 samples"
    assert math.isnan(above.interval.estimate)
    assert (above.interval.low, above.interval.high) == (4000, math.inf)
    assert below.estimate == (0, 1000)
    assert below.statement == "beyond the measured range: at most 1,000 samples"


def test_statements_of_small_sizes():
    small = curve([0.001, 0.004], [[0.7, 0.7], [0.9, 0.9]])
    assert samples_to_reach(small, 0.8).statement == "0.002 samples"
    assert samples_to_reach(small, 0.95).statement == "beyond the measured range: more than 0.004 samples"
    assert samples_to_reach(small, 0.6).statement == "beyond the measured range: at most 0.001 samples"


def test_reach_at_a_measured_size_and_on_a_plateau():
    steps = curve([1, 10, 100, 1000], [[0.1] * 2, [0.5] * 2, [0.5] * 2, [0.9] * 2])
    assert samples_to_reach(steps, 0.5).estimate == pytest.approx((10, 10))
    assert samples_to_reach(steps, 0.9).estimate == pytest.approx((1000, 1000))


def test_reach_of_errors_counts_downwards():
    falling = curve([1, 100], [[0.8, 0.8], [0.4, 0.4]], higher_is_better=False)
    assert samples_to_reach(falling, 0.6).estimate == pytest.approx((10, 10))
    assert samples_to_reach(falling, 0.3).estimate == (100, math.inf)


def test_reach_interval_when_some_resamples_fall_short():
    """Runs 0.7 and 0.9 at the largest size: a quarter of resamples have mean 0.7, half 0.8, a quarter 0.9."""
    noisy = curve([1, 100], [[0.5, 0.5], [0.7, 0.9]])
    reach = samples_to_reach(noisy, 0.75)
    assert reach.estimate == pytest.approx((100 ** (0.25 / 0.3),) * 2)
    assert reach.interval.low == pytest.approx(100 ** (0.25 / 0.4))
    assert reach.interval.high == math.inf
    assert samples_to_reach(noisy, 0.75, level=0.4).interval.high < 100


def test_monotone_by_hand():
    weights = np.array([1.0, 1.0, 2.0, 1.0])
    np.testing.assert_allclose(monotone(np.array([[1.0, 3.0, 0.0, 5.0]]), weights), [[1, 1, 1, 5]])
    np.testing.assert_allclose(monotone(np.array([[0.0, 3.0, 0.0, 5.0]]), weights), [[0, 1, 1, 5]])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-10, 10), min_size=2, max_size=8), st.integers(0, 1000))
def test_monotone_is_the_projection(means, seed):
    weights = np.random.default_rng(seed).integers(1, 5, len(means)).astype(float)
    means = np.array([means])
    fitted = monotone(means, weights)
    assert (np.diff(fitted) >= -1e-12).all()
    np.testing.assert_allclose(monotone(fitted, weights), fitted, atol=1e-12)
    residual = (means - fitted) * weights
    assert residual.sum() == pytest.approx(0, abs=1e-9)
    assert (np.cumsum(residual[:, ::-1]) <= 1e-9).all()  # dual feasibility of the isotonic projection
    assert float((residual * fitted).sum()) == pytest.approx(0, abs=1e-8)


def test_equivalence_by_hand():
    slow = curve([1000, 4000], [[0.6, 0.6], [0.8, 0.8]])
    ratio = data_equivalence(STEEP, slow, 0.75)
    assert ratio.estimate == pytest.approx((2.0, 2.0))  # 1000 * 4 ** 0.75 against 1000 * 4 ** 0.25
    assert ratio.statement == "2 times as many samples"
    assert data_equivalence(slow, STEEP, 0.75).estimate == pytest.approx((0.5, 0.5))


def test_equivalence_beyond_the_measured_range():
    slow = curve([1000, 4000], [[0.5, 0.5], [0.6, 0.6]])
    more = data_equivalence(STEEP, slow, 0.8)
    assert more.estimate == (pytest.approx(2.0), math.inf)
    assert more.statement == "beyond the measured range: more than 2 times as many samples"
    assert (more.interval.low, more.interval.high) == (pytest.approx(2.0), math.inf)
    less = data_equivalence(slow, STEEP, 0.8)
    assert less.estimate == (0.0, pytest.approx(0.5))
    assert "less than 0.5" in less.statement
    neither = data_equivalence(slow, STEEP, 0.99)
    assert neither.estimate == (0.0, math.inf)
    assert "do not bound" in neither.statement
    assert data_equivalence(STEEP, STEEP, 0.5).estimate == (0.0, math.inf)


def test_equivalence_recovers_a_known_ratio():
    sizes = np.repeat([1000, 2500, 5000, 10000, 20000, 40000], 5)
    noise = 0.01 * np.sin(np.arange(60.0))
    fast = LearningCurve(sizes, 0.1 + 0.08 * np.log(sizes) + noise[:30])
    slow = LearningCurve(sizes, 0.1 + 0.08 * np.log(sizes / 3) + noise[30:])
    ratio = data_equivalence(fast, slow, 0.75)
    assert ratio.interval.low < 3.0 < ratio.interval.high
    assert ratio.interval.estimate == pytest.approx(3.0, rel=0.1)
    assert ratio.interval.high - ratio.interval.low < 1.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: LearningCurve([1, 1], [0.1, 0.2]), "at least 2 different sizes"),
        (lambda: LearningCurve([1, 2], [0.1]), "values: expected 2 numbers"),
        (lambda: LearningCurve([0, 2], [0.1, 0.2]), "sizes: expected numbers above 0"),
        (lambda: LearningCurve([1, 2], [0.1, math.nan]), "values: expected finite"),
        (lambda: LearningCurve([], []), "sizes"),
        (lambda: area_under_curve(LearningCurve([1, 2], [0.1, 0.2])), "at least 2 runs of every size"),
        (lambda: samples_to_reach(LearningCurve([1, 1, 2], [0.1, 0.1, 0.2]), 0.1), "1 run of size 2"),
        (lambda: samples_to_reach(STEEP, math.inf), "target"),
        (lambda: samples_to_reach(STEEP, 0.8, level=0), "level"),
        (
            lambda: data_equivalence(STEEP, curve([1, 2], [[1, 1], [2, 2]], higher_is_better=False), 0.8),
            "higher_is_better",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
