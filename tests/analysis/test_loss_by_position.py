"""Curves and crossings worked by hand, intervals of known width, losses of a model that is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from analysis.loss_by_position import (
    bin_edges,
    binned,
    crossing,
    crossings,
    cut,
    document_losses,
    resampled_crossings,
)
from mosaics.text.stream import tokens_of
from mosaics.text.tokenizer import Characters
from toyworlds.core.validate import InputError

EACH = np.arange(5)
"""Bins of one position."""


def flat(*curve: float, documents: int = 4, seeds: int = 1) -> np.ndarray:
    return np.tile(np.array(curve), (seeds, documents, 1))


def test_edges() -> None:
    assert bin_edges(512, 16)[[0, -1]].tolist() == [0, 512]
    assert (np.diff(bin_edges(512, 16)) > 0).all()
    assert bin_edges(3, 10).tolist() == [0, 1, 2, 3]


def test_a_curve_is_the_mean_over_tokens_then_over_seeds() -> None:
    losses = np.array([[[1.0, 2.0, 4.0], [3.0, np.nan, np.nan]], [[3.0, 2.0, 4.0], [5.0, np.nan, np.nan]]])
    found = binned(losses, np.array([0, 1, 3]))
    assert found.counts.tolist() == [[1, 2], [1, 0]]
    assert found.curve.tolist() == [3.0, 3.0]
    assert found.positions.tolist() == [1.0, pytest.approx(math.sqrt(6))]
    with pytest.raises(InputError, match="the same documents for every seed"):
        binned(np.array([[[1.0, np.nan]], [[1.0, 1.0]]]), np.array([0, 1, 2]))
    with pytest.raises(InputError, match="bins that hold tokens"):
        binned(np.array([[[1.0, np.nan]]]), np.array([0, 1, 2]))


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        ((3.0, 3.0, 1.0, 1.0), math.sqrt(2 * 3)),  # D = 1, 1, -1, -1: half way in the logarithm
        ((3.0, 2.5, 0.5, 1.0), 2 * 1.5 ** (1 / 4)),  # D = 0.5 and -1.5: a quarter of the way
        ((1.0, 1.0, 1.0, 1.0), 1.0),
        ((3.0, 1.0, 3.0, 1.0), math.sqrt(3 * 4)),  # what counts is the last
        ((1.0, 1.0, 1.0, 3.0), math.inf),
        ((3.0, 3.0, 3.0, 3.0), math.inf),
    ],
)
def test_crossings_by_hand(first: tuple[float, ...], expected: float) -> None:
    models = [binned(flat(*curve), EACH) for curve in (first, (2.0, 2.0, 2.0, 2.0))]
    found = crossing(*models, n=50)
    assert (found.position, found.low, found.high) == pytest.approx((expected, expected, expected))
    assert found.share == float(math.isfinite(expected))
    assert ("no crossing in range" in str(found)) == math.isinf(expected)


def test_a_difference_of_exactly_zero_is_not_below() -> None:
    found = crossings(np.array([[0.0, 0.0, 0.0], [1.0, 0.0, -1.0]]), np.array([1.0, 2.0, 4.0]))
    assert found.tolist() == [math.inf, 2.0]


def test_documents_and_seeds_move_the_crossing() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(1, 400, 4))
    second = flat(2.0, 2.0, 2.0, 2.0, documents=400)
    paired = crossing(
        binned(flat(3.0, 2.5, 1.5, 1.0, documents=400) + noise, EACH), binned(second + noise, EACH), n=300
    )
    assert paired.low == pytest.approx(paired.high)  # the same documents for both: their noise cancels
    other = crossing(binned(flat(3.0, 2.5, 1.5, 1.0, documents=400) + noise, EACH), binned(second, EACH), n=300)
    assert other.low < other.position < other.high
    seeds = np.concatenate([flat(3.0, 3.0, 1.0, 1.0), flat(3.0, 3.0, 3.0, 1.0)])
    wide = crossing(binned(seeds, EACH), binned(flat(2.0, 2.0, 2.0, 2.0), EACH), n=300)
    assert wide.low == pytest.approx(math.sqrt(6))
    assert wide.high == pytest.approx(math.sqrt(12))
    sometimes = crossing(binned(np.concatenate([flat(1.0, 1.0), flat(3.0, 4.0)]), EACH[:3]),
                         binned(flat(2.1, 2.1), EACH[:3]), n=300)  # fmt: skip
    assert sometimes.share == pytest.approx(0.25, abs=0.1)  # both drawn seeds are the first
    assert math.isinf(sometimes.position)


def test_bins_that_a_resample_does_not_reach_are_left_out_of_it() -> None:
    first, second = flat(1.0, 1.0, 1.0, 1.0, documents=20), flat(1.5, 1.5, 1.5, 1.5, documents=20)
    for losses in (first, second):
        losses[:, 2:, 2:] = np.nan  # one resample in eight holds none of the two long documents
    low, high = binned(first, EACH), binned(second, EACH)
    assert np.array_equal(low.band(n=300).low, np.ones(4))
    assert (crossing(low, high, n=300).high, crossing(low, high, n=300).share) == (1.0, 1.0)
    assert crossing(high, low, n=300).share == 0.0


def test_a_crossing_among_the_bins_that_are_held() -> None:
    gaps = np.array([[1.0, np.nan, -1.0, -1.0], [1.0, -1.0, np.nan, np.nan], [1.0, 1.0, np.nan, np.nan]])
    found = resampled_crossings(gaps, np.array([1.0, 2.0, 4.0, 8.0]))
    assert found == pytest.approx([2.0, math.sqrt(2.0), math.inf])


def test_the_band_of_a_mean_is_as_wide_as_the_normal_one() -> None:
    losses = np.random.default_rng(1).normal(5.0, 1.0, size=(1, 900, 4))
    band = binned(losses, EACH).band(n=2000)
    np.testing.assert_allclose(band.high - band.low, 2 * 1.96 / 30, rtol=0.1)


def test_crossing_needs_the_same_documents() -> None:
    with pytest.raises(InputError, match="losses on the same documents"):
        crossing(binned(flat(1.0, 1.0), EACH[:3]), binned(flat(1.0, 1.0, documents=5), EACH[:3]))


class Position(nn.Module):
    """Gives the end token probability 1 / 2 behind an odd number of tokens, else predicts evenly."""

    def forward(self, tokens: Tensor) -> Tensor:
        logits = torch.zeros(*tokens.shape, 257)
        logits[:, 0::2, 256] = math.log(256.0)
        return logits


def test_losses_of_a_known_model() -> None:
    tokens = tokens_of(["abc", "a", "abcdefgh"], Characters())
    model = Position().train()
    model.parameter = nn.Parameter(torch.zeros(1))
    found = document_losses(model, tokens, 256, 4)
    assert model.training
    even, odd = math.log(257), math.log(512)
    np.testing.assert_allclose(found[0], [odd, even, odd, even], rtol=1e-6)
    np.testing.assert_allclose(found[1], [odd, even, np.nan, np.nan], rtol=1e-6)
    np.testing.assert_allclose(found[2], [odd, even, odd, even], rtol=1e-6)
    assert cut(tokens, 4).lengths.tolist() == [4, 2, 4]
