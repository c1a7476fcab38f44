"""What holds for every learner: rows, causality, independence of problems and of padding, errors."""

import numpy as np
import pytest

import regbench.baum_welch
import regbench.ngram
import regbench.state_merging  # noqa: F401 - the imports register the learners
from regbench.learners import LEARNERS, read
from toyworlds.core.ragged import Ragged
from toyworlds.core.validate import InputError

SMALL = {"baum_welch": {"states": 4, "iterations": 3, "restarts": 2}}
BARS = {"ngram": [{"order": 2}, {"order": 3, "smoothing": "witten-bell"}], "state_merging": [{}]}
BARS["baum_welch"] = [SMALL["baum_welch"], {**SMALL["baum_welch"], "emission": "state"}]
CASES = [(name, options) for name in LEARNERS for options in BARS[name]]
ROWS = [
    [1, 2, 3, 1, 2, 9, 1, 2, 9, 3, 1, 2, 3, 3, 9, 2],
    [4, 4, 5, 9, 4, 5, 5, 4, 5, 9],
    [8],
    [1, 2, 1, 2, 1, 2, 1, 2, 1, 9, 1, 2, 1, 9, 1, 1, 2, 1, 2, 9, 1, 2, 2],
]


@pytest.mark.parametrize(("name", "options"), CASES)
def test_rows_depend_on_what_was_read_alone(name, options):
    learner = LEARNERS[name](**options)
    whole = learner.predict(Ragged.of(ROWS, "int8"), vocabulary=10)
    assert whole.shape == (4, 23, 10)
    for b, row in enumerate(ROWS):
        inside = whole[b, : len(row)]
        assert (inside >= 0).all()
        assert not inside[:, [0, -1]].any()
        assert (inside.sum(axis=1) < 1 + 1e-9).all()
        assert not whole[b, len(row) :].any()
        for cut in (1, len(row) // 2 + 1, len(row)):
            alone = learner.predict(np.array([[*row[:cut], 0, 0]]), vocabulary=10)[0]
            np.testing.assert_allclose(alone[:cut], inside[:cut], rtol=0, atol=1e-10)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_learns_a_cycle(name, options):
    # abcabc.. from a: after enough strings the next symbol is certain
    learner = LEARNERS[name](**options)
    text = ([1, 2, 3] * 6 + [9]) * 6 + [1, 2]
    last = learner.predict(np.array([text]), vocabulary=10)[0]
    assert last[-1].argmax() == 3
    assert last[-1, 3] > 0.8
    assert last[-2].argmax() == 2


@pytest.mark.parametrize(
    ("tokens", "match"),
    [
        (np.array([[1, 0, 2]]), "1 to 9 inside a text"),
        (np.array([[1, 10, 2]]), "1 to 9 inside a text"),
        (np.array([[0, 0]]), "at least one token"),
        (np.zeros((0, 3), int), "at least one text"),
        (np.array([[1, 9, 9, 2]]), "two separators"),
        (np.array([[9, 1]]), "two separators"),
        (np.array([[1.0, 2.0]]), "whole numbers"),
        (np.array([1, 2]), "whole numbers of shape"),
    ],
)
def test_bad_tokens(tokens, match):
    with pytest.raises(InputError, match=match):
        read(tokens, 10)
