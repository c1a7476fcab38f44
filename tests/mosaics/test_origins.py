"""Origins of an output: the sum for every option, paths and slopes worked out another way, what is refused."""

from __future__ import annotations

from collections.abc import Callable
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
from traced_models import BASE, BASE_V2, OPTIONS, OPTIONS_V2, RANDOM, TOKENS, TRANSFORMER, TRANSFORMERS, inputs_of

from mosaics.attending import head_weights
from mosaics.baselines.transformer import Attention, TransformerBlock
from mosaics.edit import Remove, edited
from mosaics.moons_model import MoonsModelConfig
from mosaics.mosaic import MemoryMosaicConfig
from mosaics.origins import _direction, _followed, origins
from mosaics.units import PersistentMemory
from toyworlds.core.validate import InputError


@pytest.mark.parametrize("position", [0, 1, 5, -1])
@pytest.mark.parametrize(
    "config", [replace(BASE, **o) for o in OPTIONS] + [replace(BASE_V2, **o) for o in OPTIONS_V2] + TRANSFORMERS
)
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
    config=RANDOM,
)
def test_the_sum_for_random_models(seed: int, length: int, config: MemoryMosaicConfig) -> None:
    model, inputs = far(config, seed), inputs_of(config, length, seed)
    tame(model)
    found = origins(model, inputs, 2, against="mean")
    logits = model(inputs[None])[0, -1].detach()
    assert found.contributions.sum() + found.constant == pytest.approx(float(logits[2] - logits.mean()), abs=1e-5)


MULTIPLIED = [
    replace(BASE, second="none", value_kernel=3),
    replace(BASE, second="none", pre_norm=False, bias=True, peek=2),
    replace(BASE, second="none", key_norm="gaussian", peek=0, variant="nano"),
    replace(BASE, second="none", tied_key_value=True, key_kernel=2, bias=True, tied_embedding=False),
    replace(BASE, second="none", vocabulary=0, channels=3),
    replace(BASE, persistent_banks=2, bias=True, value_kernel=2),
    replace(BASE, second="feedforward", bias=True),
    BASE_V2,
    replace(BASE_V2, levels="one", gated_key=False, adaptive_bandwidth=False),
    TRANSFORMER,
    replace(TRANSFORMER, positions="rotary", vocabulary=0, channels=3),
]


@pytest.mark.parametrize("config", MULTIPLIED, ids=str)
def test_paths_multiplied_out(config: Any) -> None:
    """Every path of a small model, from matrices over all steps and numbers, (T d, T d), that are multiplied."""
    model, inputs = far(config), inputs_of(config, 7)
    tame(model)
    with torch.no_grad():
        entered = model.ends.enter(inputs[None])[0]
        stream = model.enter(inputs[None])[0]  # with learned positions
        whole = torch.eye(entered.numel()).double()  # from all inputs to the stream
        tables = iter(head_weights(model, inputs[None]))
        for block in model.blocks:
            first = block.attention if isinstance(block, TransformerBlock) else block.contextual
            for norm, unit in ((block.norm, first), (block.second_norm, block.second)):
                if unit is None:
                    continue
                normed = matrix(norm_frozen(norm, stream), stream)
                post = not getattr(block, "pre_norm", True)
                stream, whole, way = (norm(stream), normed @ whole, torch.eye(len(whole)).double()) if post else (
                    stream, whole, normed
                )  # fmt: skip
                x = stream if post else norm(stream)
                if isinstance(unit, Attention):
                    step = attention(unit, x, next(tables).weights[0])
                elif unit is first:
                    step = contextual(unit, x, [next(tables).weights[0] for _ in unit.memories()])
                else:
                    step = slopes(unit, x)
                whole = whole + step @ way @ whole
                stream = stream + unit(x[None])[0]
        last = matrix(norm_frozen(model.norm, stream), stream).view(*stream.shape, *stream.shape)[-1, :, -1]
        outputs = (model.ends.matrix[1] - model.ends.matrix[2]) * model.ends.scale
        row = (outputs @ last @ whole.view(*stream.shape, -1)[-1]).view(*stream.shape)
        bias = getattr(model.ends.embedding, "bias", None)
        expected = (row * (entered if bias is None else entered - bias)).sum(1)
    found = origins(model, inputs, 1, against=2)
    np.testing.assert_allclose(found.contributions, expected.numpy(), atol=1e-6)


def tame(model: Any) -> None:
    """Let persistent memories look softly, so that few points make up the integral."""
    for block in model.blocks:
        if isinstance(block.second, PersistentMemory):
            block.second.key.kernel_beta.data.fill_(0.03)


def matrix(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The linear part of a function of all steps, (T e, T d)."""
    jacobian = torch.autograd.functional.jacobian(function, x)
    return jacobian.reshape(-1, x.numel())


def norm_frozen(norm: Any, stream: Tensor) -> Callable[[Tensor], Tensor]:
    sigma = (stream.var(-1, correction=0, keepdim=True) + norm.eps).sqrt()
    return lambda y: norm.weight * (y - y.mean(-1, keepdim=True)) / sigma


def contextual(unit: Any, x: Tensor, tables: list[Tensor]) -> Tensor:
    """W_o times the tables of weights times the values, their lengths frozen."""
    parts = []
    for memory, weights in zip(unit.memories().values(), tables, strict=True):
        value = memory.value
        project = memory.key.project if value.project is None else value.project
        made = value.mixed(project(x[None]))[0]
        lengths = torch.linalg.vector_norm(made, dim=-1, keepdim=True) + value.offset
        factors = value.scale()[:, None] / lengths

        def values(y: Tensor, value: Any = value, project: Any = project, factors: Tensor = factors) -> Tensor:
            scaled = value.mixed(project(y[None]))[0] * factors
            return torch.cat([scaled[value.peek :], torch.zeros_like(scaled[: value.peek])])

        held = matrix(values, x).view(len(x), value.heads, -1, x.numel())
        parts.append(torch.einsum("hTt,thwn->Thwn", weights, held).flatten(1, 2))
    return torch.einsum("ij,Tjn->Tin", unit.output.weight, torch.cat(parts, 1)).reshape(x.numel(), -1)


def attention(unit: Attention, x: Tensor, weights: Tensor) -> Tensor:
    """W_o times the table of weights times W_v."""
    values = unit.qkv.weight.chunk(3)[2].view(unit.n_heads, -1, x.shape[1])
    found = torch.einsum("hTt,hwd->Thwtd", weights, values).flatten(1, 2)
    return torch.einsum("ij,Tjtd->Titd", unit.output.weight, found).reshape(x.numel(), x.numel())


def slopes(unit: Any, x: Tensor, points: int = 60) -> Tensor:
    """Mean slope of a network, or of what follows the frozen queries of a persistent memory."""
    if not isinstance(unit, PersistentMemory):
        return mean_jacobian(lambda y: unit(y[None])[0], x, points)
    key = unit.key
    lengths = key(x[None])[0].transpose(0, 1)  # (T, heads, w)

    def average(y: Tensor) -> Tensor:
        heads = key.project(y[None])[0].unflatten(-1, (key.heads, -1))
        ages = torch.arange(len(x))[:, None] - torch.arange(len(x))
        decays = torch.exp(-ages.clamp_min(0)[..., None] * key.decay()) * (ages >= 0)[..., None]
        return torch.einsum("Tth,thw->Thw", decays, heads)

    factors = torch.linalg.vector_norm(lengths, dim=-1, keepdim=True) / torch.linalg.vector_norm(
        average(x), dim=-1, keepdim=True
    )
    queries = matrix(lambda y: average(y) * factors, x)
    found = mean_jacobian(lambda q: unit.output(unit.retrieve(q.transpose(0, 1)[None])[0].flatten(1)), lengths, points)
    return found @ queries


def mean_jacobian(function: Callable[[Tensor], Tensor], x: Tensor, points: int) -> Tensor:
    """Mean over the line from 0 to x, by Simpson's rule."""
    weights = np.ones(points + 1)
    weights[1:-1:2], weights[2:-1:2] = 4.0, 2.0
    return sum(w / (3 * points) * matrix(function, x * (a / points)) for a, w in enumerate(weights))


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
    assert not origins(model, TOKENS, 3, against=3).contributions.any()
    against_mean = origins(model, TOKENS, 3, against="mean").contributions
    np.testing.assert_allclose(against_mean, each[3] - np.mean(each, 0), atol=1e-7)
    among = origins(model, TOKENS, 3, against="mean", among=[3, 1, 6, 1]).contributions
    np.testing.assert_allclose(among, each[3] - np.mean([each[3], each[1], each[6]], 0), atol=1e-7)


def test_what_cancels_in_the_sum_is_integrated_too() -> None:
    """Two inputs whose parts of the query lie crosswise: the sum is exact at once, each of them is not."""
    config = replace(BASE, n_layers=1, n_heads=1, width=4, persistent_size=4)
    model = config.build(0).double().eval()
    block = model.blocks[0]
    unit = block.second
    with torch.no_grad():
        block.contextual.output.weight.zero_()
        unit.key.leaky_beta.zero_()
        unit.key.kernel_beta.fill_(0.3)
        unit.keys[0, 0] = torch.tensor([[1.0, 1, 0, 0], [1, -1, 0, 0], [-1, 0, 0, 0], [-1, 0, 0, 0]])
        unit.values[0, 0] = torch.tensor([1.0, -1.0, 1.0, -1.0])[:, None] * torch.tensor([1.0, -1.0, 0.5, 0.0])
        x = block.second_norm(model.ends.embedding(torch.tensor([1, 2])))
        unit.key.project.weight.copy_(
            (torch.linalg.pinv(x) @ torch.tensor([[0.5, 0.5, 0, 0], [0.5, -0.5, 0, 0]]).double()).mT
        )
    direction = _direction(7, 3, None, None)
    few, many = (_followed(model, torch.tensor([1, 2]), direction, points) for points in (16, 1536))
    predicted = model(torch.tensor([[1, 2]]))[0, -1, 3].item()
    assert few[0].sum() + few[1] == pytest.approx(predicted, abs=1e-9)
    assert np.abs(few[0] - many[0]).max() > 1e-3
    np.testing.assert_allclose(origins(model, [1, 2], 3).contributions, many[0], atol=1e-6)


def test_the_model_is_as_before() -> None:
    model = far(BASE)
    before = model(TOKENS[None])
    plain = origins(model, TOKENS, 1)
    assert torch.equal(model(TOKENS[None]), before)
    for edit in (Remove(0, 1, 3), Remove(0, 1, 3, bank=0)):
        with edited(model, [edit]), pytest.raises(InputError, match=r"^model: expected one that is not being edited"):
            origins(model, TOKENS, 1)
    assert torch.equal(model(TOKENS[None]), before)
    with torch.inference_mode():
        same = origins(model, TOKENS + 0, 1)
        np.testing.assert_array_equal(same.contributions, plain.contributions)
        assert origins(BASE.build(0), TOKENS + 0, 1).error < 1e-6


def test_a_block_that_is_used_twice_is_followed_both_times() -> None:
    model = far(BASE)
    model.blocks[1] = model.blocks[0]
    found = origins(model, TOKENS, 1)
    assert found.contributions.sum() + found.constant == pytest.approx(model(TOKENS[None])[0, -1, 1].item(), abs=1e-6)


def test_what_does_not_fit_is_refused() -> None:
    model = far(BASE)
    with pytest.raises(InputError, match=r"^model: expected a MemoryMosaic, .* or a Transformer; got 'MoonsModel'"):
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
    for options in ({"among": [2]}, {"among": 5, "against": "mean"}):
        with pytest.raises(InputError, match=r'^among: expected a sequence of outputs, with against="mean"; got'):
            origins(model, TOKENS, 1, **options)  # type: ignore[arg-type]
    with torch.no_grad():
        model.norm.weight[0] = torch.nan
    with pytest.raises(InputError, match=r"off with 1536 points: are there numbers that are not finite"):
        origins(model, TOKENS, 1)
