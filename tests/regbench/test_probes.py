"""Probes find what was put into hidden states, and nothing in noise."""

import numpy as np
import pytest

from regbench.ngram import NGram
from regbench.probes import linear_probe, ngram_counts, ngram_distances, same_state_probe
from toyworlds.core.ragged import Ragged
from toyworlds.core.validate import InputError

RNG = np.random.default_rng(0)
N, T = 24, 60
TOKENS = RNG.integers(1, 5, size=(N, T))
INSIDE = np.ones((N, T), bool)
HELD_OUT = np.arange(N) >= 16


def test_distance_of_an_ngram_from_itself_is_zero():
    rows = Ragged.of([[1, 2, 1, 5, 2], [3, 3, 1]], "int64")
    out = ngram_distances(NGram(2).predict(rows, 6), rows, orders=(1, 2, 3))
    assert out.shape == (3, 2, 5)
    np.testing.assert_allclose(out[1][~np.isnan(out[1])], 0, atol=1e-15)
    assert np.isnan(out[:, 1, 3:]).all()
    assert out[0, 0, 2] > 0


def test_distance_by_hand():
    # after 'ab' the unigram gives (1/2, 1/2); a predictor sure of b is half away
    probs = np.zeros((1, 2, 4))
    probs[:, :, 2] = 1.0
    assert ngram_distances(probs, np.array([[1, 2]]), orders=[1])[0, 0].tolist() == [1.0, 0.5]


def test_counts_by_hand():
    tokens = np.array([[1, 2, 1, 3, 1, 2, 1]])  # after the last a: b twice, c once before
    assert ngram_counts(tokens, 2, 5)[0, 6].tolist() == [0, 0, 2, 1, 0]
    np.testing.assert_allclose(ngram_counts(tokens, 2, 5, "frequency")[0, 6], [0, 0, 2 / 3, 1 / 3, 0])
    assert ngram_counts(tokens, 2, 5, "present")[0, 6].tolist() == [0, 0, 1, 1, 0]
    assert ngram_counts(tokens, 1, 5)[0, 6].tolist() == [0, 4, 2, 1, 0]


def test_linear_probe_finds_counts():
    counts = ngram_counts(TOKENS, 2, 6, "frequency")
    mixing = RNG.normal(size=(6, 10))
    hidden = counts @ mixing + 3.0
    assert linear_probe(hidden, counts, INSIDE, HELD_OUT, ridge=1e-9) > 0.999
    noisy = linear_probe(hidden + RNG.normal(size=hidden.shape), counts, INSIDE, HELD_OUT)
    assert 0.05 < noisy < 0.95
    assert abs(linear_probe(RNG.normal(size=(N, T, 10)), counts, INSIDE, HELD_OUT)) < 0.05


def test_linear_probe_leaves_masked_rows_out():
    hidden, target = RNG.normal(size=(N, T, 3)), RNG.normal(size=(N, T, 2))
    inside = INSIDE.copy()
    inside[:, 40:] = False
    want = linear_probe(hidden, target, inside, HELD_OUT)
    hidden[:, 40:], target[:, 40:] = np.nan, np.nan
    assert linear_probe(hidden, target, inside, HELD_OUT) == want


def test_same_state_probe_finds_states():
    states = RNG.integers(4, size=(N, T))
    codes = np.eye(4)[states] @ RNG.normal(size=(4, 8))
    assert same_state_probe(codes, states, INSIDE, HELD_OUT) > 0.999
    # names of states do not matter: rename them in each problem
    renamed = np.stack([np.random.default_rng(b).permutation(4)[row] for b, row in enumerate(states)])
    assert same_state_probe(codes, renamed, INSIDE, HELD_OUT) > 0.999
    noise = RNG.normal(size=(N, T, 8))
    assert abs(same_state_probe(noise, states, INSIDE, HELD_OUT) - 0.5) < 0.02
    weak = same_state_probe(codes + 3 * RNG.normal(size=codes.shape), states, INSIDE, HELD_OUT, rank=3)
    assert 0.5 < weak < 0.98


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"held_out": np.ones(N, bool)}, "held_out"),
        ({"inside": np.ones((N, T))}, "inside"),
        ({"hidden": np.full((N, T, 2), np.nan)}, "hidden: expected finite"),
        ({"hidden": np.zeros((N, T - 1, 2))}, "hidden: expected shape"),
        ({"target": np.ones((N, T, 2))}, "target"),
        ({"ridge": -1.0}, "ridge"),
    ],
)
def test_bad_arguments(change, match):
    arguments = {
        "hidden": RNG.normal(size=(N, T, 2)),
        "target": RNG.normal(size=(N, T, 2)),
        "inside": INSIDE,
        "held_out": HELD_OUT,
        **change,
    }
    with pytest.raises(InputError, match=match):
        linear_probe(**arguments)


def test_bad_form_and_states():
    with pytest.raises(InputError, match="form"):
        ngram_counts(TOKENS, 2, 6, "ratio")
    with pytest.raises(InputError, match="held_out"):
        same_state_probe(RNG.normal(size=(N, T, 2)), np.zeros((N, T), int), INSIDE, HELD_OUT)
    with pytest.raises(InputError, match="probs"):
        ngram_distances(np.zeros((2, 3)), TOKENS)
