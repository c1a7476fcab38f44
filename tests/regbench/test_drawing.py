"""Text, Graphviz source and picture of a small automaton."""

import matplotlib as mpl
import pytest

from regbench.automaton import Automaton
from regbench.drawing import dot, picture, text
from regbench.vocabulary import characters, decode, encode
from toyworlds.core.validate import InputError

EDGES = [(0, "a", 1), (0, "b", 1), (1, "a", 1), (1, "b", 0)]


def test_text():
    assert text(Automaton.from_edges(EDGES, symbols=2)) == "start 0\n0  a -> 1   b -> 1\n1  a -> 1   b -> 0"
    weighted = Automaton.from_edges([(0, "a", 0, 1), (0, "b", 0, 3)], symbols=2)
    assert str(weighted) == "start 0\n0  a -> 0 (0.250)   b -> 0 (0.750)"


def test_dot_joins_parallel_edges():
    source = dot(Automaton.from_edges(EDGES, symbols=2))
    assert '0 -> 1 [label="a, b"];' in source
    assert '1 -> 0 [label="b"];' in source
    assert "start -> 0;" in source
    assert source.count("->") == 4


def test_picture_shows_every_state_and_arrow():
    mpl.use("agg")
    ax = picture(Automaton.from_edges(EDGES, symbols=2), marked=1)
    assert sorted(label.get_text() for label in ax.texts if label.get_text()) == ["0", "1", "a", "a, b", "b"]
    assert len(ax.collections) == 2
    mpl.pyplot.close(ax.figure)


def test_vocabulary():
    assert characters(20) == ".abcdefghijklmnopqr|"
    assert decode(encode("hello|fog.", 20), 20) == "hello|fog."
    with pytest.raises(InputError, match="got 's' at place 1"):
        encode("as", 20)
    with pytest.raises(InputError, match="from 0 to 4"):
        decode([5], 5)
    with pytest.raises(InputError, match="vocabulary"):
        characters(65)
