"""Causal alignment on models whose units are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.scores import causal_alignment_score
from analysis.scores.causal import causal_alignment, causal_null, effect_matrix, shift_response
from analysis.scores.null import p_value
from toyworlds.core.validate import InputError


def predictions(parts):
    """Whole prediction and the predictions without each part; parts (units, samples, channels)."""
    return parts.sum(axis=0), parts.sum(axis=0) - parts


def one_factor_a_unit(seed, order, mixing=None):
    parts = np.zeros((len(order), 50, 2 * len(order)))
    for unit, factor in enumerate(order):
        parts[unit, :, 2 * factor : 2 * factor + 2] = np.random.default_rng([seed, unit]).normal(size=(50, 2))
    return parts if mixing is None else parts @ mixing.T


def test_by_hand():
    result = causal_alignment([[4.0, 0.0], [1.0, 3.0]])
    assert (result.score, result.mean_share, result.assignment.tolist()) == (0.75, 0.875, [0, 1])
    np.testing.assert_array_equal(result.share, [[1.0, 0.0], [0.25, 0.75]])


def test_effect_by_hand():
    baseline = np.zeros((2, 4))
    changed = np.array([[[1.0, 1, 0, 0], [3, 1, 0, 0]], [[0, 0, 2, 0], [0, 0, 0, 0]]])
    np.testing.assert_allclose(effect_matrix(baseline, changed), [[(1 + 1 + 9 + 1) / 4, 0], [0, 4 / 4]])
    np.testing.assert_allclose(effect_matrix(baseline, changed, owner=[0, 1, 1, 1])[0], [5.0, 1 / 3])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.permutations([0, 1, 2]), st.floats(0.01, 100))
def test_perfect_units_score_one(seed, order, scale):
    mixing = np.random.default_rng(seed).normal(size=(6, 6))
    baseline, changed = predictions(scale * one_factor_a_unit(seed, order, mixing))
    effect = effect_matrix(baseline, changed, np.linalg.inv(mixing))
    assert causal_alignment(effect).assignment.tolist() == order
    assert causal_alignment_score(baseline, changed, np.linalg.inv(mixing)) == pytest.approx(1.0)
    assert causal_alignment_score(baseline, changed) < 0.95


def test_noise_is_at_chance():
    parts = np.random.default_rng(0).normal(size=(3, 4000, 6))
    score = causal_alignment_score(*predictions(parts))
    assert 0.3 < score < 0.37
    assert p_value(score, causal_null(effect_matrix(*predictions(parts)), n=500)) > 0.05


def test_units_that_share_a_factor_score_zero():
    parts = one_factor_a_unit(0, [0, 1])
    parts[1] = parts[0]
    assert causal_alignment_score(*predictions(parts)) == 0.0


def test_idle_unit_scores_zero():
    parts = one_factor_a_unit(0, [0, 1])
    parts[1] = 0.0
    assert causal_alignment_score(*predictions(parts)) == 0.0


def test_null():
    null = causal_null(np.ones((3, 3)), seed=3, n=800)
    np.testing.assert_array_equal(null, causal_null(np.eye(3), seed=3, n=800))
    assert 0.1 < np.median(null) < 0.35
    assert p_value(1.0, null) == 1 / 801


def test_shift_response():
    rng = np.random.default_rng(0)
    retrieved, other = rng.normal(size=(2, 5000, 2, 3))
    shifted = np.stack([retrieved, retrieved])
    shifted[0, :, 1] = 10.0 * other[:, 1]
    retrieved[:, 1] *= 10.0
    shifted[1, :, 1] = retrieved[:, 1]
    response = shift_response(retrieved, shifted)
    np.testing.assert_array_equal(response[[0, 0, 1], [0, 1, 1]], 0.0)
    assert response[1, 0] == pytest.approx(2.0, rel=0.05)
    assert shift_response(np.ones((4, 1, 2)), np.zeros((3, 4, 1, 2))).tolist() == [[0.0, 0.0, 0.0]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: effect_matrix(np.ones((5, 4)), np.ones((2, 6, 4))), "changed: expected shape"),
        (lambda: effect_matrix(np.ones((5, 4)), np.full((2, 5, 4), np.inf)), "changed: expected finite"),
        (lambda: effect_matrix(np.ones((5, 4)), np.ones((2, 5, 4)), np.eye(3)), "unmix: expected 4 columns"),
        (lambda: causal_alignment([[1.0, -1.0]]), "effect: expected numbers of at least 0"),
        (lambda: causal_alignment(np.ones((0, 2))), "effect"),
        (lambda: shift_response(np.ones((5, 2, 2)), np.ones((2, 4, 2, 2))), "shifted"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
