"""Origins of an output: the sum for every option, paths and slopes worked out another way, what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from far_models import far
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad_vec
from torch import Tensor

from mosaics.attending import head_weights
from mosaics.edit import Remove, edited
from mosaics.extractors import PeekingValue
from mosaics.moons_model import MoonsModelConfig
from mosaics.mosaic import MemoryMosaicConfig
from mosaics.mosaic_v2 import MemoryMosaicV2Config
from mosaics.origins import origins
from toyworlds.core.validate import InputError

BASE = MemoryMosaicConfig(vocabulary=7, n_layers=2, n_heads=2, width=8, persistent_size=5)
BASE_V2 = MemoryMosaicV2Config(vocabulary=7, n_layers=2, n_heads=2, width=8, window=4, delay=3)
TOKENS = torch.tensor([1, 4, 2, 2, 6, 0, 3, 1, 5, 2, 4, 1])
OPTIONS = [
    {},
    {"pre_norm": False, "bias": True},
    {"peek": 0, "key_kernel": 2},
    {"peek": 2, "value_kernel": 2, "bias": True},
    {"persistent_banks": 3, "tied_embedding": False, "bias": True},
    {"second": "feedforward", "bias": True},
    {"second": "none", "pre_norm": False},
    {"variant": "nano"},
    {"key_norm": "gaussian"},
    {"key_norm": "dot", "leaky": False, "tied_key_value": True, "bias": True},
    {"vocabulary": 0, "channels": 3, "bias": True, "pre_norm": False},
]
OPTIONS_V2 = [
    {},
    {"delay": 9},
    {"levels": "one"},
    {"gated_key": False, "tied_embedding": False},
    {"levels": "one", "gated_key": False, "adaptive_bandwidth": False},
    {"vocabulary": 0, "channels": 3},
]


def inputs_of(config: Any, length: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    if config.vocabulary:
        return torch.randint(config.vocabulary, (length,), generator=generator)
    return torch.randn(length, config.channels, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("position", [0, 1, 5, -1])
@pytest.mark.parametrize("config", [replace(BASE, **o) for o in OPTIONS] + [replace(BASE_V2, **o) for o in OPTIONS_V2])
def test_inputs_and_constants_sum_to_the_output(config: Any, position: int) -> None:
    model, inputs = far(config), inputs_of(config, 12)
    found = origins(model, inputs, 1, position=position)
    expected = model(inputs[None])[0, position, 1].item()
    assert found.predicted == pytest.approx(expected, abs=1e-12)
    assert found.contributions.sum() + found.constant == pytest.approx(expected, abs=1e-6)
    assert len(found.contributions) == len(found.inputs) == range(12)[position] + 1
    assert found.error <= 1e-6


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    length=st.integers(1, 9),
    config=st.builds(
        MemoryMosaicConfig,
        vocabulary=st.just(7),
        n_layers=st.integers(1, 3),
        n_heads=st.sampled_from([1, 2, 4]),
        width=st.just(8),
        persistent_size=st.integers(1, 6),
        pre_norm=st.booleans(),
        bias=st.booleans(),
        peek=st.integers(0, 3),
        key_kernel=st.integers(1, 2),
        value_kernel=st.integers(0, 3),
        second=st.sampled_from(["persistent", "feedforward", "none"]),
    ),
)
def test_the_sum_for_random_models(seed: int, length: int, config: MemoryMosaicConfig) -> None:
    model, inputs = far(config, seed), inputs_of(config, length, seed)
    found = origins(model, inputs, 2, against="mean")
    logits = model(inputs[None])[0, -1].detach()
    assert found.contributions.sum() + found.constant == pytest.approx(float(logits[2] - logits.mean()), abs=1e-5)


def test_paths_through_two_layers_one_by_one() -> None:
    """Every path of a model of contextual memories, from matrices that are multiplied out."""
    config = replace(BASE, second="none", value_kernel=3)
    model = far(config)
    found = origins(model, TOKENS, 4, against=2)
    length, width = len(TOKENS), config.width
    with torch.no_grad():
        entered = model.ends.embedding(TOKENS)
        stream, whole = entered, torch.eye(length * width).double()  # from all inputs to the stream of all steps
        tables = head_weights(model, TOKENS[None])
        for block, table in zip(model.blocks, tables, strict=True):
            normed, x = norm_matrix(block.norm, stream), block.norm(stream)
            values = value_matrix(block.contextual.value, x)
            looked = torch.zeros(length, width, length, width).double()
            for head, weights in enumerate(table.weights[0]):
                own = slice(4 * head, 4 * head + 4)
                looked[:, own, :, own] = torch.einsum("Tt,ij->Titj", weights, torch.eye(4).double())
            output = torch.kron(torch.eye(length).double(), block.contextual.output.weight)
            step = output @ looked.reshape(length * width, -1) @ values @ normed
            whole = whole + step @ whole
            stream = (whole @ entered.flatten()).view(length, width)
            np.testing.assert_allclose(stream[:1], entered[:1])  # the first step retrieves nothing
        outputs = model.ends.matrix[4] - model.ends.matrix[2]
        last = norm_matrix(model.norm, stream).view(length, width, length, width)[-1, :, -1]
        row = outputs * model.ends.scale @ last @ whole.view(length, width, -1)[-1]
        expected = (row.view(length, width) * entered).sum(1)
    np.testing.assert_allclose(found.contributions, expected.numpy(), rtol=1e-9, atol=1e-12)
    assert found.constant == 0.0


def norm_matrix(norm: Any, stream: Tensor) -> Tensor:
    """The norm of each step as a matrix (T d, T d), sigma frozen."""
    d = stream.shape[1]
    centre = torch.eye(d).double() - 1.0 / d
    sigmas = (stream.var(1, correction=0) + norm.eps).sqrt()
    return torch.block_diag(*(norm.weight[:, None] * centre / sigma for sigma in sigmas))


def value_matrix(value: PeekingValue, x: Tensor) -> Tensor:
    """Values of all steps as a matrix of x (T, d), their lengths frozen; kernel 3, peek 1."""
    length, d = x.shape
    matrix = torch.zeros(length, d, length, d).double()
    assert value.project is not None
    for step in range(length - 1):
        for part in range(3):
            if step + 1 - 2 + part >= 0:
                matrix[step, :, step - 1 + part] = value.project.weight[:, :, part]
    made = (matrix.view(length * d, -1) @ x.flatten()).view(length, value.heads, -1)
    lengths = torch.linalg.vector_norm(made, dim=-1, keepdim=True).masked_fill(made[..., :1] == 0, torch.inf)
    factors = (value.scale()[:, None] / lengths).expand(made.shape).reshape(-1)
    return factors[:, None] * matrix.view(length * d, -1)


def test_a_persistent_memory_hands_on_its_mean_slope() -> None:
    """One block whose contextual memories write nothing: what each input adds to the query, along the line from 0."""
    model = far(replace(BASE, n_layers=1))
    block = model.blocks[0]
    with torch.no_grad():
        block.contextual.output.weight.zero_()
        entered = model.ends.embedding(TOKENS)
        unit, x = block.second, block.second_norm(entered)
        heads = unit.key.project(x).view(len(TOKENS), 2, 4)
        ages = torch.arange(len(TOKENS) - 1, -1, -1).double()
        parts = torch.exp(-ages[:, None] * unit.key.decay())[:, :, None] * heads  # of the last query, by input
        factors = unit.key.scale()[:, None] / torch.linalg.vector_norm(parts.sum(0), dim=-1, keepdim=True)
        parts = parts * factors  # (T, heads, w)
        query = parts.sum(0)

        def slopes(a: float) -> np.ndarray:
            """d f / d a along each part: sum_i w_i (s_i - mean s) V_i, s_i = part . K_i."""
            weights = torch.softmax(a * query[:, None] @ unit.keys[0].mT, -1)[:, 0]
            scores = torch.einsum("thw,hiw->thi", parts, unit.keys[0])
            centred = scores - (weights * scores).sum(-1, keepdim=True)
            return torch.einsum("thi,hi,hiw->thw", centred, weights, unit.scaled_values()[0]).numpy()

        found, _ = quad_vec(slopes, 0.0, 1.0, epsabs=1e-12)
        written = torch.from_numpy(found).flatten(1) @ unit.output.weight.mT
        written[-1] += entered[-1]
        stream = entered[-1] + block.second(x[None])[0, -1]
        sigma = (stream.var(correction=0) + model.norm.eps).sqrt()
        path = model.ends.matrix[3] * model.norm.weight * model.ends.scale
        expected = written @ ((path - path.mean()) / sigma)
    np.testing.assert_allclose(origins(model, TOKENS, 3).contributions, expected.numpy(), atol=1e-7)


def test_later_inputs_and_precision_do_not_matter() -> None:
    model, other = far(BASE), TOKENS.clone()
    other[6:] = 0
    one, two = (origins(model, tokens, 2, position=5) for tokens in (TOKENS, other))
    np.testing.assert_array_equal(one.contributions, two.contributions)
    single = BASE.build(3)
    found = origins(single, TOKENS, 2)
    assert found.error < 1e-6
    assert found.predicted == pytest.approx(single(TOKENS[None])[0, -1, 2].item(), abs=1e-5)
    assert all(p.dtype == torch.float32 and p.grad is None and p.requires_grad for p in single.parameters())
    assert single.training


def test_what_the_output_is_compared_with() -> None:
    model = far(BASE)
    each = [origins(model, TOKENS, output).contributions for output in range(7)]
    np.testing.assert_allclose(origins(model, TOKENS, 3, against=5).contributions, each[3] - each[5], atol=1e-7)
    against_mean = origins(model, TOKENS, 3, against="mean").contributions
    np.testing.assert_allclose(against_mean, each[3] - np.mean(each, 0), atol=1e-7)
    among = origins(model, TOKENS, 3, against="mean", among=[3, 1, 6]).contributions
    np.testing.assert_allclose(among, each[3] - np.mean([each[3], each[1], each[6]], 0), atol=1e-7)


def test_the_model_is_as_before() -> None:
    model = far(BASE)
    before = model(TOKENS[None])
    origins(model, TOKENS, 1)
    assert torch.equal(model(TOKENS[None]), before)
    with (
        pytest.raises(InputError, match=r"^model: expected one that is not being edited already"),
        edited(model, [Remove(0, 1, 3)]),
    ):
        origins(model, TOKENS, 1)
    assert torch.equal(model(TOKENS[None]), before)


def test_what_does_not_fit_is_refused() -> None:
    model = far(BASE)
    with pytest.raises(InputError, match=r"^model: expected a MemoryMosaic or a MemoryMosaicV2; got 'MoonsModel'"):
        origins(MoonsModelConfig().build(0), torch.zeros(4, 6), 0)
    with pytest.raises(InputError, match=r"^model: expected a MemoryMosaic, .*; got 'Linear'"):
        origins(torch.nn.Linear(2, 2), TOKENS, 0)
    with pytest.raises(InputError, match=r"^output: expected a whole number from 0 to 6; got 7"):
        origins(model, TOKENS, 7)
    with pytest.raises(InputError, match=r"^position: expected a whole number from -12 to 11; got 12"):
        origins(model, TOKENS, 1, position=12)
    with pytest.raises(InputError, match=r"^inputs: expected one sequence of tokens \(T,\); got \(1, 12\)"):
        origins(model, TOKENS[None], 1)
    with pytest.raises(InputError, match=r"^against: expected one of mean; got 'meen'"):
        origins(model, TOKENS, 1, against="meen")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"^against: expected a whole number from 0 to 6; got -1"):
        origins(model, TOKENS, 1, against=-1)
    with pytest.raises(InputError, match=r"^among: expected a whole number from 0 to 6; got 9"):
        origins(model, TOKENS, 1, against="mean", among=[9])
    with pytest.raises(InputError, match=r"^among: expected at least one output"):
        origins(model, TOKENS, 1, against="mean", among=[])
    with pytest.raises(InputError, match=r'^among: expected none without against="mean"'):
        origins(model, TOKENS, 1, among=[2])
