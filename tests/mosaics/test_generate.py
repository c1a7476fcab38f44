"""Generation: filters by hand, frequencies, reproducibility, batches."""

from __future__ import annotations

import pytest
import torch

from mosaics.baselines.recurrent import LSTMConfig
from mosaics.generate import filtered, generate, sample
from mosaics.mosaic import MemoryMosaicConfig
from toyworlds.core.validate import InputError

MODEL = MemoryMosaicConfig(vocabulary=9, n_heads=2, width=8).build(seed=4)
P = torch.tensor([[0.1, 0.4, 0.2, 0.3]], dtype=torch.float64)


@pytest.mark.parametrize(
    ("top_k", "top_p", "kept"),
    [
        (None, 1.0, [0.1, 0.4, 0.2, 0.3]),
        (2, 1.0, [0, 0.4, 0, 0.3]),
        (9, 1.0, [0.1, 0.4, 0.2, 0.3]),
        (None, 0.4, [0, 0.4, 0, 0]),
        (None, 0.41, [0, 0.4, 0, 0.3]),
        (None, 0.75, [0, 0.4, 0.2, 0.3]),
        (3, 0.75, [0, 0.4, 0, 0.3]),
        (None, 1e-9, [0, 0.4, 0, 0]),
    ],
)
def test_filters_by_hand(top_k, top_p, kept):
    assert filtered(P, top_k, top_p)[0].tolist() == kept


def test_the_drawn_token_is_where_the_cumulative_probability_passes_the_number():
    logits = P.log().expand(6, 4)
    numbers = torch.tensor([0.0, 0.0999, 0.1001, 0.4999, 0.5001, 0.9999999], dtype=torch.float64)
    assert sample(logits, numbers, 1.0, None, 1.0).tolist() == [0, 0, 1, 1, 2, 3]
    assert sample(logits, numbers, 0.0, None, 1.0).tolist() == [1] * 6
    assert sample(logits, numbers, 1.0, 2, 1.0).tolist() == [1, 1, 1, 1, 1, 3]
    assert set(sample(logits[1:], numbers[1:], 0.01, None, 1.0).tolist()) == {1}
    assert set(sample(logits[1:], numbers[1:], 1e-320, None, 1.0).tolist()) == {1}


def test_frequencies_are_the_model_s_probabilities():
    rows = generate(MODEL, torch.full((4000, 1), 3), 1, seed=1)
    found = torch.stack(rows)[:, 1].bincount(minlength=9) / 4000
    expected = MODEL.eval()(torch.tensor([[3]]))[0, 0].softmax(-1)
    chi2 = 4000 * ((found - expected).square() / expected).sum()
    assert chi2 < 26.1  # 99.9 % point for 8 degrees of freedom


def test_most_probable_tokens_follow_the_full_pass():
    (row,) = generate(MODEL, [[1, 2, 3]], 6, temperature=0.0)
    for position in range(3, 9):
        assert row[position] == MODEL(row[None, :position])[0, -1].argmax()


def test_seeds_and_batches():
    prompts = [[1, 2, 3], [4], [5, 6, 7, 8, 0]]
    first = generate(MODEL, prompts, 7, seed=1)
    assert [len(row) for row in first] == [10, 8, 12]
    assert all(row[: len(prompt)].tolist() == prompt for row, prompt in zip(first, prompts, strict=True))
    assert all(map(torch.equal, first, generate(MODEL, prompts, 7, seed=1)))
    assert not all(map(torch.equal, first, generate(MODEL, prompts, 7, seed=2)))
    assert torch.equal(first[0], generate(MODEL, prompts[:1], 7, seed=1)[0])
    shorter = generate(MODEL, prompts, 3, seed=1)
    assert all(torch.equal(row[: len(short)], short) for row, short in zip(first, shorter, strict=True))
    assert [row.tolist() for row in generate(MODEL, prompts, 0)] == prompts


def test_models_without_prefill_read_the_prompt_step_by_step():
    class Stepping(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = LSTMConfig(vocabulary=9, width=8).build()
            self.initial_state, self.step = self.inner.initial_state, self.inner.step

    stepping = Stepping()
    found = generate(stepping, [[1, 2, 3], [4, 5]], 5, seed=3)
    assert all(map(torch.equal, found, generate(stepping.inner, [[1, 2, 3], [4, 5]], 5, seed=3)))


def test_the_mode_is_given_back():
    model = MemoryMosaicConfig(vocabulary=9, n_heads=2, width=8, output_dropout=0.5).build().train()
    rows = [generate(model, [[1]], 5)[0] for _ in range(2)]
    assert torch.equal(*rows)
    assert model.training


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prompts": []}, "prompts: expected at least one row"),
        ({"prompts": [[1], []]}, r"prompts\[1\]: expected at least one token, whole numbers \(T,\); got \[\]"),
        ({"prompts": [1]}, r"prompts\[0\]: expected at least one token"),
        ({"prompts": [[1], "abc"]}, r"prompts\[1\]: expected at least one token, .*; got 'abc'"),
        ({"prompts": [[1.7, 2.9]]}, r"prompts\[0\]: expected tokens, whole numbers as int64; got \[1.7"),
        ({"prompts": torch.ones(2, 3)}, r"prompts\[0\]: expected tokens, whole numbers"),
        ({"prompts": [[2**70]]}, r"prompts\[0\]: expected at least one token"),
        ({"prompts": [[1], [8, 9]]}, r"prompts\[1\]: expected tokens from 0 to 8; got 9"),
        ({"prompts": [[-1]], "new_tokens": 0}, r"prompts\[0\]: expected tokens from 0 to 8; got -1"),
        ({"new_tokens": -1}, "new_tokens: expected a whole number of at least 0"),
        ({"temperature": -1.0}, "temperature: expected a finite number"),
        ({"top_k": 0}, "top_k: expected a whole number of at least 1"),
        ({"top_p": 0.0}, "top_p: expected a finite number above 0"),
        ({"top_p": 1.1}, "top_p: expected a finite number above 0"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(InputError, match=message):
        generate(**({"model": MODEL, "prompts": [[1]], "new_tokens": 2} | options))
