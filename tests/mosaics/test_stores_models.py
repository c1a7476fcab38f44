"""Models with stores: full capacity equals the full pass, no look ahead, generation, edits."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from store_cases import CONFIGS, EVERY, made
from torch import Tensor

from mosaics.baselines.recurrent import LSTMConfig
from mosaics.baselines.transformer import TransformerConfig
from mosaics.generate import generate
from mosaics.mosaic import MemoryMosaicConfig
from mosaics.mosaic_v2 import MemoryMosaicV2Config
from mosaics.stores import (
    CapacityConfig,
    ExactConfig,
    FeatureConfig,
)
from mosaics.stores.capacity import POLICIES
from toyworlds.core.validate import InputError


def tokens_of(batch: int, length: int, vocabulary: int, seed: int = 0) -> Tensor:
    return torch.randint(vocabulary, (batch, length), generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def stepped(model: Any, tokens: Tensor, make_store: Any) -> Tensor:
    state, out = model.initial_state(len(tokens), make_store), []
    for t in range(tokens.shape[1]):
        logits, state = model.step(tokens[:, t], state)
        out.append(logits)
    return torch.stack(out, 1)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 1000),
    peek=st.integers(0, 3),
    norm=st.sampled_from(("unit", "gaussian", "dot")),
    length=st.integers(1, 20),
    policy=st.sampled_from((None, *POLICIES)),
)
def test_full_capacity_equals_the_full_pass(seed: int, peek: int, norm: Any, length: int, policy: Any) -> None:
    model = MemoryMosaicConfig(vocabulary=7, width=16, n_heads=4, peek=peek, key_norm=norm).build(seed).double()
    tokens = tokens_of(2, length, 7, seed)
    config: Any = CapacityConfig(length, policy) if policy else ExactConfig()
    assert torch.allclose(stepped(model, tokens, config.build), model(tokens), atol=1e-9)


@pytest.mark.parametrize(
    "config",
    [
        MemoryMosaicV2Config(vocabulary=7, width=16, n_heads=4, window=4, delay=3),
        TransformerConfig(vocabulary=7, width=16, n_heads=4, context=30),
    ],
    ids=["mosaic_v2", "transformer"],
)
def test_full_capacity_equals_the_full_pass_of_other_models(config: Any) -> None:
    model, tokens = config.build(0).double().eval(), tokens_of(2, 25, 7)
    for store in (ExactConfig(), CapacityConfig(25)):
        assert torch.allclose(stepped(model, tokens, store.build), model(tokens), atol=1e-9)


@pytest.mark.parametrize("score", ["unit", "gaussian"])
def test_random_features_equal_the_full_pass_with_the_same_features(score: Any) -> None:
    model = MemoryMosaicConfig(vocabulary=7, width=16, n_heads=4, key_norm=score).build(1).double()
    tokens, config = tokens_of(2, 20, 7), FeatureConfig(features=24)

    def full_pass(key: Tensor, value: Tensor, segments: None = None) -> Tensor:
        """Products of features in one T x T table, pairs t <= T - 1."""
        features = config.build("gaussian" if score == "gaussian" else "dot")
        features.store(key[:, :, :1], value[:, :, :1])
        logs = features.log_features(key)
        table = torch.logsumexp(logs[:, :, :, None] + logs[:, :, None], -1)
        seen = torch.ones(table.shape[-2:], dtype=torch.bool).tril(-1)
        weights = table.masked_fill(~seen, -torch.inf).softmax(-1).masked_fill(~seen, 0.0)
        return (weights @ value).transpose(1, 2)

    incremental, exact = stepped(model, tokens, config.build), model(tokens)
    for block in model.blocks:
        block.contextual.retrieve = full_pass
    assert torch.allclose(incremental, model(tokens), atol=1e-9)
    assert not torch.allclose(incremental, exact, atol=1e-3)


@pytest.mark.parametrize("name", EVERY)
def test_a_mosaic_with_any_store_does_not_look_ahead(name: str) -> None:
    made(name)
    model = MemoryMosaicConfig(vocabulary=7, width=16, n_heads=4).build(0).double()
    tokens, other = tokens_of(2, 24, 7), tokens_of(2, 24, 7, seed=1)
    other[:, :16] = tokens[:, :16]
    first, second = (stepped(model, each, CONFIGS[name].build) for each in (tokens, other))
    assert torch.equal(first[:, :16], second[:, :16])
    assert not torch.allclose(first[:, 16:], second[:, 16:])


@pytest.mark.parametrize("name", EVERY)
def test_generation_with_every_store(name: str) -> None:
    made(name)
    model = MemoryMosaicConfig(vocabulary=7, width=16, n_heads=4).build(0)
    prompts = [[1, 2, 3, 4, 5], [3, 1]]
    first, second = (generate(model, prompts, 12, seed=3, make_store=CONFIGS[name].build) for _ in range(2))
    assert [len(row) for row in first] == [17, 14]
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    if name == "exact":
        plain = generate(model, prompts, 12, seed=3)
        assert all(torch.equal(a, b) for a, b in zip(first, plain, strict=True))


def test_a_model_without_pairs_takes_no_store() -> None:
    model = LSTMConfig(vocabulary=5, width=8).build(0)
    with pytest.raises(InputError, match="make_store"):
        generate(model, [[1]], 2, make_store=ExactConfig().build)


def test_removing_a_pair_of_a_running_mosaic_changes_its_prediction() -> None:
    """The store of layer 0 loses pair 2 in head 1 alone: as if its weight had been zero from there on."""
    model = MemoryMosaicConfig(vocabulary=7, width=16, n_heads=4).build(0).double()
    tokens = tokens_of(1, 10, 7)
    states = [model.prefill(tokens[:, :9], ExactConfig().build)[1] for _ in range(2)]
    where = torch.tensor([[False, True, False, False]])
    states[1].blocks[0][0].pairs.remove(2, where=where)
    with torch.no_grad():
        plain, edited = (model.step(tokens[:, 9], state)[0] for state in states)
    assert not torch.allclose(plain, edited, atol=1e-6)
