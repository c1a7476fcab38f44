"""State merging: the automata that the library finds, the smoothing by hand, the words of the missing library."""

import sys

import numpy as np
import pytest

from regbench.ngram import NGram
from regbench.state_merging import StateMerging, learn, walk
from toyworlds.core.validate import InputError


def test_finds_the_states_of_a_cycle():
    # abab.. and no more: a start, a state after a, a state after b
    automaton = learn([[1, 2] * 10, [1, 2] * 7, [1, 2] * 9], 5, 0.5)
    assert len(automaton) == 3
    states = walk(automaton, [1, 2, 1, 2])
    assert states[1] == states[3]
    assert states[2] == states[4]
    assert len({states[0], states[1], states[2]}) == 3
    assert walk(automaton, [1, 1, 2]).tolist()[2:] == [-1, -1]


def test_rows_by_hand():
    # strings a a, then a b; with no statistics to keep states apart there is the start and one state an entering symbol
    text = np.array([[1, 1, 4, 1, 2, 4, 1]])
    got = StateMerging(epsilon=0.05, back_off=1).predict(text, vocabulary=5)[0]
    base = NGram(1, "witten-bell").predict(text, vocabulary=5)[0]
    # first string: the n-gram alone
    np.testing.assert_allclose(got[:2], base[:2])
    # last row: a was entered twice before, then a and b followed once each: f = (1, 1, 0), n = 2, D = 2
    np.testing.assert_allclose(got[6, 1:4], (np.array([1, 1, 0]) + 2 * base[6, 1:4]) / 4)


def test_off_the_automaton_is_the_ngram():
    text = np.array([[1, 2, 1, 2, 4, 1, 2, 1, 2, 4, 3, 1, 2]])
    got = StateMerging().predict(text, vocabulary=5)[0]
    base = NGram(2, "witten-bell").predict(text, vocabulary=5)[0]
    np.testing.assert_allclose(got[10:], base[10:])
    assert np.abs(got[9] - base[9]).max() > 1e-3


def test_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "aalpy.learning_algs", None)
    with pytest.raises(InputError, match="aalpy"):
        StateMerging().predict(np.array([[1, 4, 1]]), vocabulary=5)


def test_bad_config():
    with pytest.raises(InputError, match="epsilon"):
        StateMerging(epsilon=2.5)
    with pytest.raises(InputError, match="back_off"):
        StateMerging(back_off=0)
