"""Baum-Welch against hmmlearn, enumeration of all paths, and its own promises."""

import itertools

import numpy as np
import pytest
from hmmlearn import hmm

from regbench.baum_welch import BaumWelch, Strings, expected_counts, log_likelihood, maximise
from toyworlds.core.validate import InputError

LENGTHS = np.array([6, 3, 9, 1])


def data(rng, symbols):
    symbol = rng.integers(symbols, size=(len(LENGTHS), 9))
    return symbol, Strings.of(symbol, LENGTHS, np.zeros(len(LENGTHS), np.int64))


def state_model(start, transition, emission):
    """Textbook parameters as one model with a start state of its own at the end."""
    states, symbols = emission.shape
    rows = np.vstack([transition, start])
    model = np.zeros((1, symbols, states + 1, states + 1))
    model[0, :, :, :-1] = rows[None] * emission.T[:, None, :]
    return model


def test_equals_hmmlearn():
    rng = np.random.default_rng(0)
    symbol, strings = data(rng, 4)
    start, transition = rng.dirichlet(np.ones(3)), rng.dirichlet(np.ones(3), 3)
    emission = rng.dirichlet(np.ones(4), 3)
    other = hmm.CategoricalHMM(3, n_iter=6, tol=-np.inf, init_params="", n_features=4)
    other.startprob_, other.transmat_, other.emissionprob_ = start, transition, emission
    flat = np.concatenate([row[:n] for row, n in zip(symbol, LENGTHS, strict=True)])[:, None]
    model = state_model(start, transition, emission)
    assert log_likelihood(model, 3, strings)[0] == pytest.approx(other.score(flat, LENGTHS), abs=1e-10)
    other.fit(flat, LENGTHS)
    for _ in range(6):
        counts, _ = expected_counts(model, 3, strings)
        model = maximise(counts, "state", 0.0)
    fitted = state_model(other.startprob_, other.transmat_, other.emissionprob_)
    np.testing.assert_allclose(model, fitted, rtol=0, atol=1e-10)


@pytest.mark.parametrize("start", [0, 2])
def test_expected_counts_equal_sum_over_paths(start):
    rng = np.random.default_rng(1)
    symbol = rng.integers(2, size=(2, 4))
    length = np.array([4, 2])
    model = rng.random((1, 2, 3, 3))
    model /= model.sum(axis=(1, 3), keepdims=True)
    want, likelihood = np.zeros((2, 3, 3)), 0.0
    for row, n in zip(symbol, length, strict=True):
        paths = {(start, *rest): 1.0 for rest in itertools.product(range(3), repeat=int(n))}
        for path in paths:
            for t in range(n):
                paths[path] *= model[0, row[t], path[t], path[t + 1]]
        total = sum(paths.values())
        likelihood += np.log(total)
        for path, p in paths.items():
            for t in range(n):
                want[row[t], path[t], path[t + 1]] += p / total
    counts, got = expected_counts(model, start, Strings.of(symbol, length, np.zeros(2, np.int64)))
    np.testing.assert_allclose(counts[0], want, rtol=0, atol=1e-12)
    assert got[0] == pytest.approx(likelihood, abs=1e-12)


@pytest.mark.parametrize("emission", ["edge", "state"])
def test_likelihood_never_falls(emission):
    rng = np.random.default_rng(2)
    _, strings = data(rng, 4)
    learner = BaumWelch(states=3, emission=emission, restarts=1)
    model, last = learner.first_models(4), -np.inf
    for _ in range(25):
        counts, value = expected_counts(model, learner.start, strings)
        assert value[0] >= last - 1e-9
        last = value[0]
        model = maximise(counts, emission, 0.0)
    np.testing.assert_allclose(model.sum(axis=(1, 3))[0, : 3 if emission == "edge" else 4], 1, atol=1e-12)


def test_models_of_a_batch_do_not_mix():
    rng = np.random.default_rng(3)
    symbol = rng.integers(3, size=(4, 5))
    length, owner = np.array([5, 2, 4, 5]), np.array([0, 1, 1, 0])
    model = BaumWelch(states=3, restarts=2).first_models(3)
    counts, value = expected_counts(model, 0, Strings.of(symbol, length, owner))
    for m in (0, 1):
        mine = owner == m
        alone = Strings.of(symbol[mine], length[mine], np.zeros(2, np.int64))
        one, v = expected_counts(model[m : m + 1], 0, alone)
        np.testing.assert_allclose(counts[m], one[0], rtol=0, atol=1e-12)
        assert value[m] == pytest.approx(v[0])


def test_learns_what_a_bigram_cannot():
    # aab aab aab: after an a, only the state tells whether a or b comes
    text = ([1, 1, 2] * 5 + [4]) * 8 + [1, 1, 2, 1, 1]
    p = BaumWelch(states=3, iterations=20, restarts=4).predict(np.array([text]), vocabulary=5)[0]
    assert p[-1, 2] > 0.9
    assert p[-2, 1] > 0.9


def test_seed_decides_the_start():
    text = np.array([[1, 2, 2, 1, 4, 2, 1, 1, 2, 4, 1]])
    first, again, other = (BaumWelch(states=3, seed=s).predict(text, vocabulary=5) for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-6


@pytest.mark.parametrize("bad", [{"states": 0}, {"emission": "both"}, {"pseudo_count": 0.0}, {"restarts": 0}])
def test_bad_config(bad):
    with pytest.raises(InputError, match=next(iter(bad))):
        BaumWelch(**bad)
