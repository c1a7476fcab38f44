"""The n-gram learners against the published distributions, a plain recount of every prefix, and hand-worked rows."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regbench.ngram import NGram
from toyworlds.core.ragged import Ragged
from toyworlds.core.validate import InputError

DATA = Path(__file__).parents[1] / "data"
REFERENCE = json.loads((DATA / "regbench_ngram_problems.json").read_text())
LETTERS = REFERENCE["vocab"]
TEXTS = [[LETTERS.index(letter) for letter in problem["text"]] for problem in REFERENCE["problems"]]


def truth_of(problem):
    """Uniform law over the edges of the state that each prefix reaches, (rows, 20)."""
    edges = {(q, letter): target for q, letter, target in problem["transitions"]}
    rows, state = [], problem["start"]
    for letter in problem["text"]:
        state = problem["start"] if letter == "|" else edges[state, letter]
        allowed = [LETTERS.index(c) for q, c in edges if q == state]
        row = np.zeros(20)
        row[allowed] = 1 / len(allowed)
        rows.append(row)
    return np.array(rows)


def recount(prefix, order, separator):
    """Back-off row after `prefix`, {symbol: probability}, all counts taken anew."""
    strings, counts, total = [[]], Counter(), 0
    for token in prefix:
        if token == separator:
            strings.append([])
        else:
            strings[-1].append(token)
    padded = [["_"] * (order - 1) + string for string in strings]
    for string in padded:
        total += len(string)
        for k in range(1, order + 1):
            counts.update(tuple(string[i : i + k]) for i in range(len(string) - k + 1))
    counts[()] = total
    symbols = sorted({token for string in strings for token in string})

    def law(h):
        p = {c: counts[(*h, c)] / counts[h] for c in symbols if counts[(*h, c)]}
        if h:
            lower = {c: q for c, q in law(h[1:]).items() if c not in p}
            rest, mass = 1 - sum(p.values()), sum(lower.values())
            p.update({c: rest * q / mass for c, q in lower.items() if mass > 0})
        return p

    return law(tuple(padded[-1][len(padded[-1]) - order + 1 :]))


def test_equals_published_trigram():
    published = np.load(DATA / "regbench_ngram_trigram.npz")
    got = NGram(3).predict(Ragged.of(TEXTS, "int64"))
    for i, text in enumerate(TEXTS):
        np.testing.assert_allclose(got[i, : len(text)], published[f"trigram_probs_{i}"], rtol=0, atol=1e-12)
        assert not got[i, len(text) :].any()
    sums = np.concatenate([got[i, : len(text)].sum(axis=1) for i, text in enumerate(TEXTS)])
    assert np.count_nonzero(sums < 1 - 1e-9) == 95
    assert sums.min() == pytest.approx(0.846, abs=5e-4)


@pytest.mark.parametrize(("name", "order"), [("bigram_backoff", 2), ("trigram_backoff", 3)])
def test_equals_published_metrics(name, order):
    got = NGram(order).predict(Ragged.of(TEXTS, "int64"))
    hits, distance = [], []
    for row, text, problem in zip(got, TEXTS, REFERENCE["problems"], strict=True):
        truth, p = truth_of(problem), row[: len(text)]
        hits.append(truth[np.arange(len(text)), p.argmax(axis=1)] > 0)
        distance.append(np.abs(p - truth).sum(axis=1))
    assert np.concatenate(hits).mean() == pytest.approx(REFERENCE["reference"][name]["dfa_accuracy"], abs=1e-9)
    assert np.concatenate(distance).mean() == pytest.approx(REFERENCE["reference"][name]["l1"], abs=1e-9)


def texts(symbols=3, separator=4):
    string = st.lists(st.integers(1, symbols), min_size=1, max_size=6)
    joined = st.lists(string, min_size=1, max_size=4)
    return joined.map(lambda rows: [token for row in rows for token in [*row, separator]][:-1])


@settings(max_examples=60, deadline=None)
@given(st.lists(texts(), min_size=1, max_size=3), st.integers(1, 5))
def test_equals_recount_of_every_prefix(problems, order):
    got = NGram(order).predict(Ragged.of(problems, "int64"), vocabulary=5)
    for b, text in enumerate(problems):
        for i in range(len(text)):
            want = np.zeros(5)
            for symbol, p in recount(text[: i + 1], order, 4).items():
                want[symbol] = p
            np.testing.assert_allclose(got[b, i], want, rtol=0, atol=1e-12)


def test_backoff_by_hand():
    # 'aba|a', bigram, after the last a: N(ab) = 1, N(a) = 3, so p(b) = 1/3; the rest goes to a, the only unseen one
    got = NGram(2).predict(np.array([[1, 2, 1, 4, 1]]), vocabulary=5)[0]
    np.testing.assert_allclose(got[4, 1:3], [2 / 3, 1 / 3])
    # after 'aba|': N(_ a) = 1, N(_) = 2; the rest goes to b
    np.testing.assert_allclose(got[3, 1:3], [1 / 2, 1 / 2])
    # after 'a': nothing followed a, all mass backs off to the unigram, which knows only a
    np.testing.assert_allclose(got[0, 1:3], [1, 0])


def test_witten_bell_by_hand():
    # 'aba', bigram: unigram of a, b: M = 3, D = 2, base 1/3: p1 = (2 + 2/3)/5, (1 + 2/3)/5, (0 + 2/3)/5
    # after a: M(ab) = 1, D = 1: p = (M + p1) / 2
    got = NGram(2, "witten-bell").predict(np.array([[1, 2, 1]]), vocabulary=5)[0, 2, 1:4]
    unigram = np.array([8, 5, 2]) / 15
    np.testing.assert_allclose(got, (np.array([0, 1, 0]) + unigram) / 2)


@settings(max_examples=40, deadline=None)
@given(texts(), st.integers(1, 4))
def test_witten_bell_is_a_distribution_without_zeros(text, order):
    got = NGram(order, "witten-bell").predict(np.array([text]), vocabulary=5)[0]
    np.testing.assert_allclose(got.sum(axis=1), 1, rtol=0, atol=1e-12)
    assert (got[:, 1:-1] > 0).all()


def test_bad_arguments():
    with pytest.raises(InputError, match="smoothing: expected one of backoff, witten-bell"):
        NGram(3, "kneser-ney")
    with pytest.raises(InputError, match="order"):
        NGram(0)
