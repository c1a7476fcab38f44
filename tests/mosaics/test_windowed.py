"""Retrieval from pairs of a certain age, against the T x T table."""

from __future__ import annotations

import pytest
import torch

from mosaics.memory import windowed
from toyworlds.core.validate import InputError


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_()


def test_by_hand():
    key, value = torch.zeros(5, 1), torch.tensor([[1.0], [3.0], [5.0], [7.0], [9.0]])
    assert windowed.retrieve_recent(key, key, value, 2).flatten().tolist() == [0.0, 1.0, 2.0, 4.0, 6.0]
    assert windowed.retrieve_delayed(key, key, value, 3).flatten().tolist() == [0.0, 0.0, 0.0, 1.0, 2.0]
    assert windowed.retrieve_delayed(key, key, value, 0).flatten().tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert windowed.delayed_weights(key, key, 3).tolist() == [[0.0] * 5] * 3 + [[1, 0, 0, 0, 0], [0.5, 0.5, 0, 0, 0]]


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 8, 9, 17, 40])
@pytest.mark.parametrize("score", ["dot", "gaussian"])
def test_both_equal_the_table(length, score):
    tensors = [random(2, 3, length, width, seed=width) for width in (5, 5, 4)]
    for newest, oldest in [
        (1, 1),
        (1, 2),
        (1, 4),
        (1, 7),
        (1, 50),
        (0, None),
        (1, None),
        (2, None),
        (5, None),
        (50, None),
    ]:
        how = {"beta": 0.7, "score": score}
        if oldest is None:
            found = windowed.retrieve_delayed(*tensors, newest, **how)
        else:
            found = windowed.retrieve_recent(*tensors, oldest, **how)
        expected = windowed.reference(*tensors, newest, oldest, **how)
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
        if found.requires_grad and length > newest:
            loss = torch.randn(found.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
            pairs = [torch.autograd.grad((each * loss).sum(), tensors) for each in (found, expected)]
            for ours, plain in zip(*pairs, strict=True):
                torch.testing.assert_close(ours, plain, rtol=1e-9, atol=1e-11)


def test_weights_make_the_output():
    query, key, value = (random(2, 9, 3, seed=seed) for seed in range(3))
    for delay in (0, 1, 4, 9):
        weights = windowed.delayed_weights(query, key, delay)
        torch.testing.assert_close(weights @ value, windowed.retrieve_delayed(query, key, value, delay))
        assert weights.sum(-1).detach().round(decimals=9).unique().tolist() in ([1.0], [0.0, 1.0], [0.0])


def test_bad_sizes():
    x = torch.zeros(3, 1)
    with pytest.raises(InputError, match="window: expected a whole number of at least 1"):
        windowed.retrieve_recent(x, x, x, 0)
    with pytest.raises(InputError, match="delay: expected a whole number of at least 0"):
        windowed.retrieve_delayed(x, x, x, -1)
