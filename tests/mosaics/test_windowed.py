"""Retrieval from pairs of a certain age and of one's own segment: by hand, and every way against the T x T table."""

from __future__ import annotations

import pytest
import torch

from mosaics.memory import choose, dropout_mask, native, retrieval_weights, retrieve
from mosaics.memory.options import Options, runs
from toyworlds.core.validate import InputError

WINDOWS = [(1, 1), (1, 2), (1, 4), (1, 7), (1, 50), (0, 0), (0, 3), (3, 3), (3, 9), (0, None), (1, None), (2, None)]
WINDOWS += [(5, None), (50, None)]


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_()


@pytest.mark.parametrize("way", ["reference", "fused", "native"])
def test_by_hand(way):
    key, value = torch.zeros(5, 1), torch.tensor([[1.0], [3.0], [5.0], [7.0], [9.0]])

    def found(**options):
        return retrieve(key, value, beta=1.0, implementation=way, **options).flatten().tolist()

    if way == "native" and isinstance(problem := native.build(False, 1, 1), str):
        pytest.skip(problem)
    assert found(window=(3, None)) == [0.0, 0.0, 0.0, 1.0, 2.0]
    assert found(window=(0, None)) == [1.0, 2.0, 3.0, 4.0, 5.0]
    if way != "native":
        assert found(window=(1, 2)) == [0.0, 1.0, 2.0, 4.0, 6.0]
        assert found(window=(2, 2)) == [0.0, 0.0, 1.0, 3.0, 5.0]
        assert found(segments=torch.tensor([4, 4, 4, 2, 2])) == [0.0, 1.0, 2.0, 0.0, 7.0]
        assert found(segments=torch.tensor([1, 0, 0, 1, 1]), window=(0, 1)) == [1.0, 3.0, 4.0, 7.0, 8.0]
    weights = retrieval_weights(key, beta=1.0, window=(3, None)).tolist()
    assert weights == [[0.0] * 5] * 3 + [[1, 0, 0, 0, 0], [0.5, 0.5, 0, 0, 0]]


def compare(way, length, beta, score, **options):
    tensors = [random(2, 3, length, width, seed=width) for width in (5, 5, 4)]
    tensors[1] = random(2, 3, length, 5, seed=9)
    leaves = [*tensors, beta] if isinstance(beta, torch.Tensor) else tensors
    sent = torch.randn(2, 3, length, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    results = []
    for each in (way, "reference"):
        how = {"beta": beta, "score": score, "implementation": each, **options}
        out = retrieve(tensors[1], tensors[2], query=tensors[0], **how)
        results.append([out, *torch.autograd.grad(out, leaves, sent, materialize_grads=True)])
    for ours, plain in zip(*results, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("length", [1, 2, 3, 5, 8, 17, 40])
@pytest.mark.parametrize("score", ["dot", "gaussian"])
@pytest.mark.parametrize("way", ["fused", "native"])
def test_windows_equal_the_table(way, length, score):
    if way == "native" and isinstance(problem := native.build(True, 5, 4), str):
        pytest.skip(problem)
    for window in WINDOWS:
        if way == "fused" or window[1] is None:
            compare(way, length, 0.7, score, window=window)


@pytest.mark.parametrize("score", ["dot", "gaussian"])
def test_segments_equal_the_table(score):
    segments = torch.tensor([0] * 3 + [1] * 1 + [0] * 8 + [2] * 5)
    rows = torch.stack([segments, segments.flip(0)])[:, None]
    for window in [(1, None), (0, None), (2, None), (1, 3), (0, 2), (9, None), (2, 30)]:
        for each in (segments, rows):
            compare("fused", 17, 0.7, score, window=window, segments=each)


@pytest.mark.parametrize("way", ["fused", "native"])
def test_a_beta_of_each_step_equals_the_table(way):
    if way == "native" and isinstance(problem := native.build(True, 5, 4), str):
        pytest.skip(problem)
    for shape in [(1, 3, 11), (2, 1, 1), (1, 1, 11)]:
        beta = random(*shape).detach().abs().requires_grad_()
        for window in [(1, None), (3, None)] + [(1, 4)] * (way == "fused"):
            compare(way, 11, beta, "dot", window=window)
            if way == "fused":
                compare(way, 11, beta, "gaussian", window=window)


def test_packed_sequences_are_those_that_stand_alone():
    key, value, lengths = random(2, 12, 3), random(2, 12, 3, seed=1), [5, 1, 6]
    segments = torch.repeat_interleave(torch.arange(3), torch.tensor(lengths))
    for way in ("reference", "fused"):
        packed = retrieve(key, value, beta=0.5, segments=segments, window=(1, 4), implementation=way)
        alone = [
            retrieve(k, v, beta=0.5, window=(1, 4), implementation=way)
            for k, v in zip(key.split(lengths, 1), value.split(lengths, 1), strict=True)
        ]
        torch.testing.assert_close(packed, torch.cat(alone, 1))


def test_weights_make_the_output():
    query, key, value = (random(2, 9, 3, seed=seed) for seed in range(3))
    for window in [(0, None), (1, None), (4, None), (9, None), (2, 5)]:
        how = {"query": query, "beta": 0.5, "window": window, "segments": torch.tensor([0] * 4 + [1] * 5)}
        weights = retrieval_weights(key, **how)
        torch.testing.assert_close(weights @ value, retrieve(key, value, **how))
        assert set(weights.sum(-1).detach().round(decimals=9).unique().tolist()) <= {0.0, 1.0}


def test_gradients_of_the_reference():
    tensors = [random(2, 7, width, seed=seed) for seed, width in enumerate((3, 3, 2))]
    beta = random(2, 7, seed=5).detach().abs().requires_grad_()
    segments = torch.tensor([0, 0, 0, 0, 0, 1, 1])
    for score in ("dot", "gaussian"):

        def function(query, key, value, beta, score=score):
            how = {"window": (0, 3), "segments": segments, "dropout": 0.3, "seed": 2, "implementation": "reference"}
            return retrieve(key, value, query=query, beta=beta, score=score, **how)

        assert torch.autograd.gradcheck(function, [*tensors, beta])


def test_runs_of_equal_numbers():
    starts, ends = runs(torch.tensor([[3, 3, 3, 3], [0, 1, 1, 0]]))
    assert starts.tolist() == [[0, 0, 0, 0], [0, 1, 1, 3]]
    assert ends.tolist() == [[4, 4, 4, 4], [1, 3, 3, 4]]


def test_dropped_weights_by_hand():
    key, value = torch.zeros(2, 4, 1), torch.arange(8.0).reshape(2, 4, 1)
    mask = dropout_mask(5, 0.5, (2,), 4)
    found = retrieve(key, value, beta=1.0, dropout=0.5, seed=5)
    for item in range(2):
        for step in range(1, 4):
            kept = [2 * float(mask[item, step, t]) * float(value[item, t]) for t in range(step)]
            assert found[item, step].item() == pytest.approx(sum(kept) / step)
    assert torch.equal(found, retrieve(key, value, beta=1.0, dropout=0.5, seed=torch.tensor(5)))


def test_masks_have_their_rate_and_differ():
    mask = dropout_mask(2**40 + 3, 0.3, (2, 3), 60)
    assert mask.shape == (2, 3, 60, 60)
    assert mask.double().mean().item() == pytest.approx(0.7, abs=5 * (0.21 / mask.numel()) ** 0.5)
    agreement = [(mask[0, 0] == other).double().mean().item() for other in (mask[1, 2], mask[0, 0].T)]
    agreement += [(mask == dropout_mask(seed, 0.3, (2, 3), 60)).double().mean().item() for seed in (3, 2**40 + 4)]
    assert all(share == pytest.approx(0.58, abs=0.05) for share in agreement)


def test_philox_of_the_published_examples():
    from mosaics.memory.dropout import philox

    words = [torch.tensor(x) for x in (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344)]
    assert philox(0, (torch.tensor(0),) * 4).item() == 0x6627E8D5
    assert philox(-1, (torch.tensor(0xFFFFFFFF),) * 4).item() == 0x408F276D
    assert philox(0x299F31D0A4093822, tuple(words)).item() == 0xD16CFE09


def test_torch_draws_where_no_seed_is_given():
    key = random(1, 40, 3).detach()
    for way in ("reference", "fused"):
        results = []
        for seed in (0, 0, 1):
            torch.manual_seed(seed)
            results.append(retrieve(key, key, beta=1.0, dropout=0.4, implementation=way))
        assert torch.equal(results[0], results[1])
        assert not torch.equal(results[0], results[2])


def test_what_cannot_be_done_is_done_by_another_way():
    key = torch.zeros(9, 2)
    assert choose(key, key, options=Options(far=3)).name == "fused"
    assert choose(key, key, options=Options(segments=torch.zeros(9).int())).name == "fused"
    assert choose(key, key, options=Options(dropout=0.1)).name == "fused"
    fixed = choose(key, key, options=Options(dropout=0.1, seed=3))
    assert (fixed.name, "seed" in fixed.reason) == ("reference", True)
    assert choose(key, key, beta=torch.ones(9)).reason == "the Gaussian C kernel has one beta for all steps"
    with pytest.raises(InputError, match="implementation: expected an implementation for what is asked; got 'native'"):
        retrieve(key, key, beta=1.0, window=(1, 3), implementation="native")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"window": (1, 0)}, "window far: expected a whole number of at least 1; got 0"),
        ({"window": (-1, None)}, "window near: expected a whole number of at least 0; got -1"),
        ({"window": 3}, r"window: expected \(near, far\)"),
        ({"segments": torch.zeros(3)}, "segments: expected whole numbers that broadcast"),
        ({"segments": torch.zeros(2, dtype=torch.int32)}, "segments: expected whole numbers that broadcast"),
        ({"segments": torch.zeros(2, 3, dtype=torch.int32)}, "segments"),
        ({"dropout": 1.0}, "dropout: expected a number from 0 up to, but not including, 1"),
        ({"dropout": 0.1, "seed": -1}, "seed: expected a whole number"),
        ({"dropout": 0.1, "seed": torch.zeros(2)}, "seed: expected a number or one int64"),
        ({"beta": torch.ones(4)}, "beta: expected a shape that broadcasts against"),
    ],
)
def test_wrong_arguments_are_named(change, words):
    with pytest.raises(InputError, match=words):
        retrieve(torch.zeros(3, 1), torch.zeros(3, 1), **{"beta": 1.0, **change})
