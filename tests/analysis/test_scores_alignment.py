"""Alignment score and bottleneck assignment against answers worked out by hand and brute force."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from analysis.scores import SCORES, alignment_score
from analysis.scores.alignment import alignment, alignment_null, complex_linear, norm_share, ownership
from analysis.scores.assignment import best_assignment
from analysis.scores.null import p_value
from toyworlds.core.validate import InputError


def rotation(angle):
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def one_moon_a_head(order, scale=1.0):
    maps = np.zeros((len(order), 2, 2 * len(order)))
    for head, moon in enumerate(order):
        maps[head, :, 2 * moon : 2 * moon + 2] = scale * rotation(0.4 + head)
    return maps


def brute_force(share):
    units, factors = share.shape
    values = [
        min(share[u, f] for u, f in enumerate(choice))
        for choice in product(range(factors), repeat=units)
        if len(set(choice)) == min(units, factors)
    ]
    return max(values)


def test_bottleneck_by_hand():
    score, assignment = best_assignment(np.array([[0.3, 0.7], [0.9, 0.1]]))
    assert (float(score), assignment.tolist()) == (0.7, [1, 0])
    # not the largest sum, 0.95 + 0.2 with minimum 0.2, but 0.5 + 0.6 with minimum 0.5
    score, assignment = best_assignment(np.array([[0.95, 0.5], [0.6, 0.2]]))
    assert (float(score), assignment.tolist()) == (0.5, [1, 0])


def test_bottleneck_takes_the_largest_sum_among_equals():
    score, assignment = best_assignment(np.array([[0.5, 0.4, 0.1], [0.4, 0.9, 0.4], [0.1, 0.5, 0.4]]))
    assert float(score) == 0.4
    assert assignment.tolist() == [0, 1, 2]


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.data())
def test_bottleneck_against_brute_force(units, factors, data):
    share = data.draw(arrays(np.float64, (units, factors), elements=st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.7, 1.0])))
    score, assignment = best_assignment(share)
    assert score == brute_force(share)
    assert len(set(assignment.tolist())) == min(units, factors)
    assert score == min(share[u, f] for u, f in enumerate(assignment))


def test_shares_by_hand():
    maps = np.array([[[3.0, 0, 0, 0], [0, 4, 0.5, 0]]])
    np.testing.assert_allclose(norm_share(maps), [[25 / 25.25, 0.25 / 25.25]], rtol=1e-15)
    np.testing.assert_allclose(norm_share(maps, owner=[0, 1, 1, 0]), [[9 / 25.25, 16.25 / 25.25]], rtol=1e-15)


def test_perfect_maps_score_one_and_name_their_moons():
    result = alignment(one_moon_a_head([2, 0, 1]), one_moon_a_head([2, 0, 1], 0.1))
    assert result.score == 1.0
    assert result.assignment.tolist() == [2, 0, 1]
    assert result.disentangled


def test_keys_and_values_on_different_moons_score_zero():
    assert alignment_score(one_moon_a_head([0, 1]), one_moon_a_head([1, 0])) == 0.0


def test_weaker_of_keys_and_values_counts():
    keys, values = one_moon_a_head([0, 1]), one_moon_a_head([0, 1])
    values[1, :, 0:2] = rotation(1.0) / np.sqrt(3.0)  # 1/3 of the norm of moon 1: share 3/4
    result = alignment(keys, values)
    np.testing.assert_allclose(result.score, 0.75)
    assert not result.disentangled


def test_even_maps_score_one_over_n():
    maps = np.tile(np.eye(2), (1, 3))[None].repeat(3, axis=0)
    assert alignment_score(maps, maps) == pytest.approx(1 / 3)


def test_heads_and_moons_of_different_number():
    spare = np.concatenate([one_moon_a_head([0, 1]), one_moon_a_head([0, 1])[:1]])
    assert alignment(spare, spare).assignment.tolist() == [0, 1, 0]
    assert alignment(spare, spare).disentangled
    one = one_moon_a_head([0, 1])[:1]
    assert alignment_score(one, one) == 1.0
    assert not alignment(one, one).disentangled
    doubled = one.repeat(2, axis=0)
    assert alignment_score(doubled, doubled) == 0.0


def test_dead_head_scores_zero():
    maps = one_moon_a_head([0, 1])
    maps[1] = 0
    assert alignment_score(maps, maps) == 0.0


def test_leading_axes_are_models_and_steps():
    entangled = np.ones((2, 2, 4))
    path = np.stack([(1 - t) * entangled + t * one_moon_a_head([1, 0]) for t in (0.0, 0.5, 1.0)])
    batch = np.stack([path, path[::-1]])
    scores = alignment_score(batch, batch)
    assert scores.shape == (2, 3)
    np.testing.assert_allclose(scores[0], [alignment_score(maps, maps) for maps in path])
    np.testing.assert_allclose(scores[0], scores[1, ::-1])
    assert (scores[0, 0], scores[0, -1]) == (0.5, 1.0)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.floats(1e-150, 1e150))
def test_invariances(seed, scale):
    rng = np.random.default_rng(seed)
    keys, values = rng.normal(size=(2, 3, 2, 6))
    mixing = rng.normal(size=(6, 6))
    score = alignment_score(keys, values)
    heads = rng.permutation(3)
    moons = (2 * rng.permutation(3)[:, None] + [0, 1]).ravel()
    turned = rotation(1.0) @ keys
    assert alignment_score(keys[heads], values[heads]) == pytest.approx(score, rel=1e-12)
    assert alignment_score(keys[..., moons], values[..., moons]) == pytest.approx(score, rel=1e-12)
    assert alignment_score(scale * turned, values) == pytest.approx(score, rel=1e-9)
    unmixed = alignment_score(keys @ np.linalg.inv(mixing), values @ np.linalg.inv(mixing), mixing)
    assert unmixed == pytest.approx(score, rel=1e-6)
    assert 0.0 <= score <= 1.0


def test_mixing_one_a_model():
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(4, 6, 6))
    maps = one_moon_a_head([0, 1, 2]) @ np.linalg.inv(mixing)[:, None]
    np.testing.assert_allclose(alignment_score(maps, maps, mixing), np.ones(4))


def test_null_is_at_chance_and_reproducible():
    null = alignment_null(3, 3, seed=1, n=500)
    assert 0.15 < np.median(null) < 0.21
    assert 0.25 < np.median(alignment_null(3, 3, structure="plain", n=500)) < 0.29
    assert np.quantile(null, 0.99) < 0.6
    np.testing.assert_array_equal(null[:100], alignment_null(3, 3, seed=1, n=100))
    assert not np.array_equal(null, alignment_null(3, 3, seed=2, n=500))
    perfect = one_moon_a_head([0, 1, 2])
    assert p_value(alignment_score(perfect, perfect), null) == 1 / 501
    orthogonal, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))
    assert 0.19 < np.median(alignment_null(3, 3, mixing=orthogonal, n=500)) < 0.24


def test_complex_linear_projection():
    block = np.array([[3.0, 1.0], [5.0, 1.0]])
    np.testing.assert_array_equal(complex_linear(block), [[2.0, -2.0], [2.0, 2.0]])
    maps = complex_linear(np.random.default_rng(0).normal(size=(3, 4, 6)))
    np.testing.assert_array_equal(complex_linear(maps), maps)


def test_registered():
    assert SCORES["alignment"] is alignment_score
    assert SCORES.names("maps") == ["alignment"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: alignment_score(np.ones((2, 4)), np.ones((2, 4))), "maps: expected .* at least 3 axes"),
        (lambda: alignment_score(np.ones((2, 2, 4)), np.ones((3, 2, 4))), "value_maps"),
        (lambda: alignment_score(np.full((2, 2, 4), np.nan), np.ones((2, 2, 4))), "finite"),
        (lambda: alignment_score(np.ones((0, 2, 4)), np.ones((0, 2, 4))), "none of them empty"),
        (lambda: alignment_score(np.ones((2, 2, 4)), np.ones((2, 2, 4)), np.eye(6)), "mixing: expected 4 rows"),
        (lambda: alignment_score(np.ones((2, 2, 3)), np.ones((2, 2, 3))), "owner"),
        (lambda: ownership(4, [0, 0, 2, 2]), "owner"),
        (lambda: ownership(4, [0, 0]), "owner"),
        (lambda: alignment_null(3, 3, width=3), "width: expected an even"),
        (lambda: alignment_null(3, 3, structure="complx"), "did you mean 'complex'"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
