"""Horizon: the context length from which the error stays below a threshold."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.scores import horizon_score
from analysis.scores.horizon import horizon, horizon_label, horizon_null
from toyworlds.core.validate import InputError

CONTEXTS = [1, 50, 100, 134, 200, 267, 400]
ERRORS = [0.9, 0.7, 0.4, 0.05, 0.01, 0.01, 0.01]


def test_by_hand():
    assert horizon(ERRORS, 0.1, CONTEXTS) == 134
    assert horizon_score(ERRORS, 0.1, 134, CONTEXTS) == 1.0
    assert horizon_score(ERRORS, 0.02, 134, CONTEXTS) == 134 / 200
    assert horizon(ERRORS, 1.0) == 1


def test_a_dip_does_not_count():
    assert horizon([0.9, 0.05, 0.9, 0.05, 0.05], 0.1) == 4


def test_the_threshold_itself_is_not_below():
    assert horizon([0.2, 0.1, 0.05], 0.1) == 3


def test_never():
    assert horizon([0.05, 0.05, 0.5], 0.1) == math.inf
    assert horizon_score([0.05, 0.05, 0.5], 0.1, 2) == 0.0
    assert horizon_label(math.inf, 133.3, 266.7) == "never"


def test_ideal_predictors():
    contexts = np.arange(1, 801)
    separate, joint = np.where(contexts >= 134, 0.0, 0.5), np.where(contexts >= 267, 0.0, 0.5)
    assert horizon_score(separate, 0.02, 134) == 1.0
    assert horizon_score(joint, 0.02, 134) == pytest.approx(134 / 267)
    labels = [horizon_label(horizon(e, 0.02), 133.3, 266.7) for e in (separate, joint)]
    assert labels == ["separate", "joint"]


@pytest.mark.parametrize(
    ("steps", "label"), [(100, "separate"), (146, "separate"), (150, "between"), (267, "joint"), (300, "later")]
)
def test_labels(steps, label):
    assert horizon_label(steps, 133.3, 266.7) == label
    if label in ("separate", "between"):
        assert horizon_label(steps, 133.3, math.inf) == label


def test_noise_scores_zero():
    noise = 0.5 + np.random.default_rng(0).random((5, 300))
    np.testing.assert_array_equal(horizon_score(noise, 0.3, 134), np.zeros(5))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.floats(0.01, 1), st.floats(1, 5))
def test_scaling_errors_with_the_threshold_changes_nothing(errors, threshold, factor):
    steps = horizon(errors, threshold)
    assert horizon([2.0 * e for e in errors], 2.0 * threshold) == steps
    assert horizon(errors, threshold * factor) <= steps
    if math.isfinite(steps):
        assert max(errors[int(steps) - 1 :]) < threshold


def test_rows_are_independent():
    rng = np.random.default_rng(0)
    errors = rng.random((3, 4, 20))
    batch = horizon(errors, 0.6)
    assert batch.shape == (3, 4)
    assert batch[1, 2] == horizon(errors[1, 2], 0.6)


def test_null():
    errors = np.where(np.arange(1, 401) >= 134, 0.0, 0.5)
    null = horizon_null(errors, 0.1, 134, n=300)
    assert horizon_score(errors, 0.1, 134) == 1.0
    assert null.max() < 0.5
    np.testing.assert_array_equal(null, horizon_null(errors, 0.1, 134, n=300))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: horizon([0.1, math.nan], 0.1), "errors: expected finite"),
        (lambda: horizon([], 0.1), "errors"),
        (lambda: horizon([0.1], 0.0), "threshold"),
        (lambda: horizon([0.1, 0.2], 0.1, [1]), "contexts"),
        (lambda: horizon([0.1, 0.2], 0.1, [2, 1]), "contexts"),
        (lambda: horizon_score([0.1], 0.2, 0), "slowest"),
        (lambda: horizon_label(5, 100, 105), "joint"),
        (lambda: horizon_label(math.nan, 100, 200), "steps"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
