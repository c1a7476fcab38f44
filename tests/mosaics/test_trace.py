"""Traces: parts by hand, the sum for every option, causality of the window, what is refused."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from far_models import far
from hypothesis import given, settings
from hypothesis import strategies as st
from traced_models import BASE, BASE_V2, OPTIONS, OPTIONS_V2, RANDOM, TOKENS, TRANSFORMERS, inputs_of

from mosaics.attending import head_weights
from mosaics.baselines.transformer import TransformerConfig
from mosaics.edit import Remove, edited
from mosaics.moons_model import MoonsModelConfig
from mosaics.mosaic import MemoryMosaicConfig
from mosaics.trace import trace
from mosaics.training.population import member
from toyworlds.core.validate import InputError


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("position", [0, 1, 5, -1])
def test_parts_sum_to_the_outputs_for_every_option(options, position):
    config = replace(BASE, **options)
    model, inputs = far(config), inputs_of(config, 12)
    found = trace(model, inputs, position)
    expected = model(inputs[None])[0, position].detach().numpy()
    np.testing.assert_allclose(found.contributions.sum(0), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.predicted, expected, rtol=0, atol=1e-12)
    assert set(found.parts["kind"]) <= {"embedding", "pair", "entry", "hidden", "bias"}


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 1000),
    length=st.integers(1, 9),
    config=RANDOM,
)
def test_parts_sum_to_the_outputs_for_random_models(seed, length, config):
    found = trace(far(config, seed), inputs_of(config, length, seed))
    assert found.error < 1e-10


def test_one_block_by_hand():
    """One head, one layer, contextual memory only: w_t (R g W_o v_t, centred) / (sqrt(d) sigma)."""
    config = MemoryMosaicConfig(vocabulary=5, n_layers=1, n_heads=1, width=4, second="none")
    model = far(config)
    tokens = torch.tensor([1, 3, 0, 1, 3])
    found = trace(model, tokens)
    embedding = model.ends.embedding.weight.detach()
    unit, block = model.blocks[0].contextual, model.blocks[0]
    with torch.no_grad():
        key, value = unit.pairs(block.norm(embedding[tokens])[None])
        key, value = key[0, 0], value[0, 0]
        weights = torch.softmax(key[:4] @ key[4], 0)
        vectors = [embedding[3], *(w * unit.output.weight @ v for w, v in zip(weights, value[:4], strict=True))]
        stream = sum(vectors)
        sigma = math.sqrt(float(stream.var(correction=0)) + 1e-5)
        parts = [embedding @ ((u - u.mean()) * model.norm.weight) / sigma / math.sqrt(4) for u in vectors]
    np.testing.assert_allclose(found.contributions, torch.stack(parts).numpy(), rtol=1e-12)
    assert found.parts["kind"].tolist() == ["embedding"] + ["pair"] * 4
    assert found.parts["index"].tolist() == [-1, 0, 1, 2, 3]
    np.testing.assert_allclose(found.parts["weight"][1:], weights.numpy(), rtol=1e-12)


def test_weights_of_a_memory_sum_to_one_and_the_window_ends_at_the_last_known_pair():
    found = trace(far(BASE), TOKENS, 7)
    table = found.parts
    for kind in ("pair", "entry"):
        sums = table[table["kind"] == kind].groupby(["layer", "head"])["weight"].sum()
        np.testing.assert_allclose(sums, 1.0, rtol=1e-12)
    assert table[table["kind"] == "pair"]["index"].max() == 6
    assert found.position == 7
    assert found.inputs.tolist() == TOKENS[:8].tolist()


def test_later_inputs_change_nothing():
    model, other = far(BASE), TOKENS.clone()
    other[6:] = 0
    np.testing.assert_array_equal(trace(model, TOKENS, 5).contributions, trace(model, other, 5).contributions)


@pytest.mark.parametrize("options", OPTIONS_V2, ids=str)
@pytest.mark.parametrize("position", [0, 1, 3, 5, -1])
def test_parts_of_the_second_version_sum_to_the_outputs(options, position):
    config = replace(BASE_V2, **options)
    model, inputs = far(config), inputs_of(config, 12)
    found = trace(model, inputs, position)
    expected = model(inputs[None])[0, position].detach().numpy()
    np.testing.assert_allclose(found.predicted, expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.contributions.sum(0), expected, rtol=0, atol=1e-12)
    assert set(found.parts["kind"]) <= {"embedding", "pair", "hidden", "bias"}


@pytest.mark.parametrize("config", TRANSFORMERS, ids=str)
@pytest.mark.parametrize("position", [0, 1, 5, -1])
def test_parts_of_a_transformer_sum_to_the_outputs(config, position):
    model, inputs = far(config), inputs_of(config, 12)
    found = trace(model, inputs, position)
    expected = model(inputs[None])[0, position].detach().numpy()
    np.testing.assert_allclose(found.contributions.sum(0), expected, rtol=0, atol=1e-12)
    assert found.peek == 0
    pairs = found.parts[found.parts["kind"] == "pair"]
    assert pairs["index"].max() == found.position
    for layer, table in enumerate(head_weights(model, inputs[None])):
        part, weights = pairs[pairs["layer"] == layer], table.weights[0, :, position].numpy()
        np.testing.assert_allclose(part["weight"], weights[part["head"], part["index"]], rtol=1e-10)


def test_one_block_of_a_transformer_by_hand():
    """One head, one layer whose network writes nothing: pairs w_t W_o v_t, and what stands where, through the norm."""
    config = TransformerConfig(vocabulary=5, n_layers=1, n_heads=1, width=4, context=8)
    model = far(config)
    tokens = torch.tensor([1, 3, 0, 1])
    block = model.blocks[0]
    with torch.no_grad():
        for parameter in block.second.output.parameters():
            parameter.zero_()
        embedding, place = model.ends.embedding.weight, model.positions.weight
        x = block.norm(embedding[tokens] + place[:4])
        query, key, value = (x @ block.attention.qkv.weight.mT + block.attention.qkv.bias).chunk(3, -1)
        weights = torch.softmax(key @ query[3] / 2.0, 0)
        pairs = [w * block.attention.output.weight @ v for w, v in zip(weights, value, strict=True)]
        vectors = [embedding[1], place[3], *pairs, block.attention.output.bias]
        sigma = (sum(vectors).var(correction=0) + 1e-5).sqrt()
        parts = [embedding @ ((u - u.mean()) * model.norm.weight) / sigma for u in vectors]
    found = trace(model, tokens)
    shown = found.parts["kind"].isin(["embedding", "position", "pair"]) | (
        found.parts["where"] == "blocks.0.attention.output"
    )
    assert found.parts["kind"][shown].tolist() == ["embedding", "position", *["pair"] * 4, "bias"]
    np.testing.assert_allclose(found.contributions[shown], torch.stack(parts).numpy(), rtol=1e-10)
    assert found.parts["index"][shown].tolist() == [-1, -1, 0, 1, 2, 3, -1]


@pytest.mark.parametrize("options", OPTIONS_V2, ids=str)
def test_weights_of_the_second_version_are_those_of_its_heads(options):
    config = replace(BASE_V2, **options)
    model, inputs = far(config), inputs_of(config, 12)
    pairs = trace(model, inputs).parts.query("kind == 'pair'")
    tables = {table.module: table.weights[0, :, -1].numpy() for table in head_weights(model, inputs[None])}
    assert set(pairs["where"]) == set(tables)
    for where, table in tables.items():
        part = pairs[pairs["where"] == where]
        np.testing.assert_allclose(part["weight"], table[part["head"], part["index"]], rtol=1e-10)
        np.testing.assert_allclose(part.groupby("head")["weight"].sum(), 1.0, rtol=1e-12)
        assert set(part["memory"]) == {where.partition("contextual")[2].removeprefix(".")}


def test_second_version():
    model = far(BASE_V2)
    found = trace(model, TOKENS)
    pairs = found.parts[found.parts["kind"] == "pair"].groupby("where")["index"].agg(["min", "max"])
    assert pairs.loc["blocks.1.contextual.short"].tolist() == [7, 10]
    assert pairs.loc["blocks.1.contextual.long"].tolist() == [0, 8]
    model.train()
    assert trace(model, TOKENS).error < 1e-12


def test_moons_model():
    config = MoonsModelConfig(score="gaussian", learn_beta=True)
    model, x = far(config), inputs_of(config, 9)
    for position in (0, 1, 8):
        found = trace(model, x, position)
        np.testing.assert_allclose(
            found.contributions.sum(0), model(x[None])[0, position].detach().numpy(), rtol=0, atol=1e-12
        )
        assert len(found.parts) == 3 * position
    value = model.pairs(x[None])[1]
    part = found.parts.query("head == 2 and index == 4").index[0]
    expected = model.maps()["output"][:, 4:] @ value[0, 2, 4] * found.parts["weight"][part]
    np.testing.assert_allclose(found.contributions[part], expected.detach().numpy(), rtol=1e-10)


def test_float32_models_are_traced_in_float64_and_left_as_they_are():
    model = BASE.build(3)
    found = trace(model, TOKENS)
    assert found.error < 1e-12
    assert next(model.parameters()).dtype == torch.float32
    assert model.training
    np.testing.assert_allclose(found.predicted, model(TOKENS[None])[0, -1].detach().numpy(), rtol=0, atol=1e-5)


def test_frames_and_sums():
    found = trace(far(BASE), TOKENS, outputs=[4, 1, 6])
    assert found.contributions.shape == (len(found.parts), 3)
    plain, centred = found.frame(1), found.contribution(1, "mean")
    assert plain["contribution"].sum() == pytest.approx(found.predicted[1], abs=1e-12)
    assert plain["contribution"].abs().is_monotonic_decreasing
    assert centred.sum() == pytest.approx(found.predicted[1] - found.predicted.mean(), abs=1e-12)
    assert found.contribution(1, 6).sum() == pytest.approx(found.predicted[1] - found.predicted[2], abs=1e-12)
    assert found.by_kind(1).sum() == pytest.approx(found.predicted[1], abs=1e-12)
    assert list(found.by_kind(1).index) == ["embedding", "pair 0", "entry 0", "pair 1", "entry 1"]
    wide = found.by_source(1)
    assert wide.shape == (4, len(TOKENS))
    assert wide.to_numpy().sum() == pytest.approx(found.by_kind(1)[["pair 0", "pair 1"]].sum(), abs=1e-12)


def test_what_does_not_fit_is_refused():
    model = far(BASE)
    with pytest.raises(InputError, match=r"^model: expected a MemoryMosaic, .*; got 'Linear'"):
        trace(torch.nn.Linear(2, 2), TOKENS)
    with pytest.raises(InputError, match=r"^position: expected a whole number from -12 to 11; got 12"):
        trace(model, TOKENS, 12)
    with pytest.raises(InputError, match=r"^inputs: expected one sequence of tokens \(T,\); got \(1, 12\)"):
        trace(model, TOKENS[None])
    with pytest.raises(InputError, match="tokens from 0 to 6; got 7"):
        trace(model, TOKENS + 1)
    with pytest.raises(InputError, match=r"^inputs: expected tokens, whole numbers as int64; got \["):
        trace(model, TOKENS.double())
    for wrong in ("abca", [[1, 2], [3]]):
        with pytest.raises(InputError, match=r"^inputs: expected one sequence of tokens \(T,\); got"):
            trace(model, wrong)
    with pytest.raises(InputError, match=r"^inputs: expected one sequence of vectors \(T, C\); got 'abca'"):
        trace(MoonsModelConfig().build(0), "abca")
    with pytest.raises(InputError, match=r"^outputs: expected a whole number from 0 to 6; got 7"):
        trace(model, TOKENS, outputs=[7])
    with pytest.raises(InputError, match=r"^outputs: expected at least one output"):
        trace(model, TOKENS, outputs=[])
    found = trace(model, TOKENS, outputs=[2])
    with pytest.raises(InputError, match="one of the 1 traced outputs; got 3"):
        found.contribution(3)
    with pytest.raises(InputError, match="against: expected one of mean; got 'meen'"):
        found.contribution(2, "meen")
    with edited(model, [Remove(1, 0, 3)]), pytest.raises(InputError, match="one that is not being edited already"):
        trace(model, TOKENS)
    with edited(model, [Remove(1, 0, 3, bank=0)]), pytest.raises(InputError, match="is it edited"):
        trace(model, TOKENS)


def test_members_of_a_population_are_traced_one_by_one():
    population = MoonsModelConfig().build((3, 4))
    x = torch.randn(5, 6, generator=torch.Generator().manual_seed(0))
    with pytest.raises(InputError, match="a lone model"):
        trace(population, x)
    np.testing.assert_allclose(
        trace(member(population, 1), x).predicted, trace(MoonsModelConfig().build(4), x).predicted, rtol=1e-6
    )
