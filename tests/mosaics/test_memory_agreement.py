"""The fast implementations of retrieval against the reference in float64: outputs and every gradient."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mosaics.memory import native, retrieve

LENGTHS = (1, 2, 3, 7, 31, 64, 65)
WIDTHS = ((2, 2), (1, 3), (5, 2))
TOLERANCE = {torch.float64: 1e-10, torch.float32: 2e-5, torch.bfloat16: 0.1, torch.float16: 0.02}
"""Largest error of outputs and gradients over 1 + the largest true entry. The native kernel computes the two short
dtypes in float32, so that only its results are rounded; torch's attention rounds weights and queries too."""


def need(way, dtype, widths):
    if way == "native" and isinstance(problem := native.build(dtype == torch.float64, *widths), str):
        pytest.skip(problem)


def outputs_and_gradients(way, tensors, score):
    """Return the output of `retrieve`, then the gradients of key, value, query and beta where they are given."""
    tensors = {name: x.detach().clone().requires_grad_() for name, x in tensors.items()}
    sent = tensors.pop("gradient").detach()
    out = retrieve(**{"beta": 1.3, **tensors}, score=score, implementation=way)
    return [out, *torch.autograd.grad(out, list(tensors.values()), sent)]


def compare(way, tensors, score, dtype):
    """Compare with the reference in float64 on the same numbers, rounded to dtype."""
    tensors = {name: x.to(dtype) for name, x in tensors.items()}
    found = outputs_and_gradients(way, tensors, score)
    right = outputs_and_gradients("reference", {name: x.double() for name, x in tensors.items()}, score)
    for name, one, other in zip(("out", *tensors), found, right, strict=False):
        assert one.dtype == dtype
        error = (one.double() - other).abs().max() / (1 + other.abs().max())
        assert error < TOLERANCE[dtype], name


def draw(leading, length, widths, *, seed=0, query=True, beta_shape=None):
    """Keys of unequal norms, values, the gradient sent back, and perhaps queries and a tensor beta."""
    generator = torch.Generator().manual_seed(seed)
    key_width, value_width = widths
    shapes = {
        "key": key_width,
        "value": value_width,
        "gradient": value_width,
        **({"query": key_width} if query else {}),
    }
    tensors = {
        name: torch.randn(*leading, length, width, generator=generator, dtype=torch.float64)
        for name, width in shapes.items()
    }
    if beta_shape is not None:
        tensors["beta"] = 2 * torch.rand(beta_shape, generator=generator, dtype=torch.float64)
    sent = tensors.pop("gradient")
    return {**tensors, "gradient": sent}


@pytest.mark.parametrize("way", ["fused", "native"])
@pytest.mark.parametrize("dtype", list(TOLERANCE), ids=lambda dtype: str(dtype)[6:])
@pytest.mark.parametrize("score", ["gaussian", "dot"])
def test_all_lengths(way, dtype, score):
    need(way, dtype, (2, 2))
    for length in LENGTHS:
        for query in (False, True):
            for beta_shape in (None, (3,)):
                compare(
                    way, draw((2, 3), length, (2, 2), seed=length, query=query, beta_shape=beta_shape), score, dtype
                )


@settings(max_examples=60, deadline=None)
@given(
    way=st.sampled_from(["fused", "native"]),
    dtype=st.sampled_from([torch.float64, torch.float32]),
    widths=st.sampled_from(WIDTHS),
    score=st.sampled_from(["gaussian", "dot"]),
    leading=st.lists(st.integers(1, 3), max_size=3),
    length=st.integers(1, 80),
    query=st.booleans(),
    tensor_beta=st.booleans(),
    mask=st.lists(st.booleans(), min_size=3, max_size=3),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_shape(*, way, dtype, widths, score, leading, length, query, tensor_beta, mask, seed):
    need(way, dtype, widths)
    beta_shape = tuple(size if keep else 1 for size, keep in zip(leading, mask, strict=False)) if tensor_beta else None
    compare(way, draw(leading, length, widths, seed=seed, query=query, beta_shape=beta_shape), score, dtype)


@pytest.mark.parametrize("way", ["fused", "native"])
@pytest.mark.parametrize("score", ["gaussian", "dot"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_scores_of_ten_thousand(way, score, dtype):
    need(way, dtype, (2, 2))
    tensors = {name: x.to(dtype) for name, x in draw((2,), 70, (2, 2), beta_shape=(2,)).items()}
    tensors["key"] *= 60.0
    tensors["query"] *= 60.0
    found = outputs_and_gradients(way, tensors, score)
    right = outputs_and_gradients("reference", {name: x.double() for name, x in tensors.items()}, score)
    scores = tensors["query"].double() @ tensors["key"].double().mT
    assert scores.abs().max() > 1e4
    for one, other in zip(found, right, strict=True):
        assert one.isfinite().all()
        error = (one.double() - other).abs().max() / (1 + other.abs().max())
        assert error < (1e-10 if dtype == torch.float64 else 1e-2)


@pytest.mark.parametrize("way", ["fused", "native"])
def test_wide(way):
    need(way, torch.float32, (16, 16))
    compare(way, draw((2,), 40, (16, 16), beta_shape=()), "gaussian", torch.float32)


@pytest.mark.parametrize("way", ["fused", "native"])
@pytest.mark.parametrize("width", [3, 17, 32])
@pytest.mark.parametrize("window", [(1, None), (0, None), (0, 1), (1, 3)])
@pytest.mark.parametrize("beta", [0.0, 1e-50, torch.zeros(()), torch.zeros(2)], ids=["0", "1e-50", "one", "each"])
def test_without_sharpness_every_pair_weighs_the_same(way, width, window, beta):
    if way == "native" and (width > native.WIDEST or window[1] is not None):
        way = None
    need(way, torch.float64, (width, width))
    for score in ("gaussian", "dot"):
        for length in (1, 2, 3, 40):
            tensors = draw((2,), length, (width, width))
            sent = tensors.pop("gradient")
            leaves = [x.requires_grad_() for x in (*tensors.values(), beta) if isinstance(x, torch.Tensor)]
            found, right = (
                retrieve(**tensors, beta=beta, score=score, window=window, implementation=each)
                for each in (way, "reference")
            )
            torch.testing.assert_close(found, right)
            for one, other in zip(*(torch.autograd.grad(out, leaves, sent) for out in (found, right)), strict=True):
                torch.testing.assert_close(one, other)


@pytest.mark.parametrize("dtype", list(TOLERANCE), ids=lambda dtype: str(dtype)[6:])
@pytest.mark.parametrize("score", ["gaussian", "dot"])
def test_without_sharpness_in_any_dtype(dtype, score):
    key, value = (torch.randn(9, 17, generator=torch.Generator().manual_seed(seed)).to(dtype) for seed in (0, 1))
    mean = value.double().cumsum(0)[:-1] / torch.arange(1, 9)[:, None]
    for beta in (0.0, torch.zeros(())):
        found = retrieve(key, value, beta=beta, score=score)
        assert not found[0].any()
        torch.testing.assert_close(found[1:].double(), mean, atol=TOLERANCE[dtype], rtol=0)
