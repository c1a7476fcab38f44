"""Profiles of weights made by hand, and the weights of real models against what the models retrieve with them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from analysis.attention_profile import Where, flatness, profile_of, profile_table, profiles
from mosaics.attending import head_weights
from mosaics.baselines.recurrent import LSTMConfig
from mosaics.baselines.transformer import RotaryTransformerConfig, TransformerConfig
from mosaics.mosaic import MemoryMosaicConfig
from mosaics.mosaic_v2 import MemoryMosaicV2Config
from toyworlds.core.validate import InputError

N = 12


def rows(kind: str, nearest: int = 0) -> np.ndarray:
    weights = np.zeros((2, N, N))
    for step in range(N):
        there = step + 1 - nearest
        if there <= 0:
            continue
        if kind == "even":
            weights[:, step, :there] = 1.0 / there
        else:
            weights[:, step, 0 if kind == "first" else there - 1] = 1.0
    return weights


@pytest.mark.parametrize("nearest", [0, 1])
def test_flat_first_and_nearest(nearest: int) -> None:
    even, first, near = (profile_of(rows(k, nearest), Where(nearest=nearest)) for k in ("even", "first", "near"))
    assert even.entropy.estimate == pytest.approx(1.0)
    assert even.flatness_by_distance == pytest.approx(1.0)
    assert even.flatness_by_position == pytest.approx(1.0)
    assert first.entropy.estimate == near.entropy.estimate == pytest.approx(0.0)
    assert first.by_position.tolist() == [1.0] + [0.0] * (N // 2 - 1)
    assert (first.first, near.nearest) == (1.0, 1.0)
    assert near.by_distance.tolist() == [1.0] + [0.0] * (N // 2 - 1 - nearest)
    assert first.flatness_by_position < 1e-6 > near.flatness_by_distance


def test_a_head_that_looks_sharply_anywhere_is_flat_but_not_even() -> None:
    rng = np.random.default_rng(0)
    weights = np.zeros((4000, N, N))
    for step in range(N):
        weights[np.arange(4000), step, rng.integers(0, step + 1, 4000)] = 1.0
    profile = profile_of(weights, Where(), n=10)
    assert profile.entropy.estimate == 0.0
    assert profile.flatness_by_distance > 0.999


def test_a_window_ends_the_distances() -> None:
    weights = np.zeros((2, N, N))
    for step in range(1, N):
        weights[:, step, max(step - 3, 0) : step] = 1.0 / min(step, 3)
    profile = profile_of(weights, Where(nearest=1, furthest=3))
    np.testing.assert_allclose(profile.by_distance, [1 / 3] * 3)
    assert profile.entropy.estimate == pytest.approx(1.0)


def test_flatness_by_hand() -> None:
    assert flatness([0.1, 0.4]) == pytest.approx(0.2 / 0.25)
    with pytest.raises(InputError, match="profile"):
        flatness([])


def test_weights_are_those_the_models_retrieve_with() -> None:
    tokens = torch.randint(0, 11, (2, N), generator=torch.Generator().manual_seed(0))
    options = {"vocabulary": 11, "n_layers": 2, "n_heads": 2, "width": 8}
    mosaic = MemoryMosaicConfig(**options).build(0).double()
    inputs: list[torch.Tensor] = []
    mosaic.blocks[1].contextual.register_forward_pre_hook(lambda _, arguments: inputs.append(arguments[0]))
    found = head_weights(mosaic, tokens)
    assert [(w.module, w.nearest) for w in found] == [("blocks.0.contextual", 1), ("blocks.1.contextual", 1)]
    unit = mosaic.blocks[1].contextual
    key, value = unit.pairs(inputs[0])
    torch.testing.assert_close((found[1].weights @ value).transpose(1, 2), unit.retrieve(key, value))
    for config in (TransformerConfig(**options, context=16), RotaryTransformerConfig(**options)):
        attention = config.build(0).double().blocks[0].attention
        x = torch.randn(2, N, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        value = attention.qkv(x).unflatten(-1, (3, 2, -1)).transpose(1, 3).unbind(2)[2]
        again = attention.output((attention.weights(x) @ value).transpose(1, 2).flatten(2))
        torch.testing.assert_close(again, attention(x))


def test_weights_of_two_levels() -> None:
    config = MemoryMosaicV2Config(
        vocabulary=11, n_layers=1, n_heads=2, width=8, window=3, delay=2, shortest_delay=2, longest_delay=3
    )
    model = config.build(0).double()
    inputs: list[torch.Tensor] = []
    model.blocks[0].contextual.register_forward_pre_hook(lambda _, arguments: inputs.append(arguments[0]))
    tokens = torch.randint(0, 11, (2, N), generator=torch.Generator().manual_seed(0))
    short, long = head_weights(model, tokens)
    assert (short.nearest, short.furthest, long.nearest, long.furthest) == (1, 3, 2, 0)
    for found, level in ((short, model.blocks[0].contextual.short), (long, model.blocks[0].contextual.long)):
        expected = level(inputs[0], level.delay)
        torch.testing.assert_close((found.weights @ level.value(inputs[0])).transpose(1, 2), expected)
    one = dataclasses.replace(config, levels="one").build(0).double()
    [found] = head_weights(one, tokens)
    assert (found.module, found.nearest) == ("blocks.0.contextual", 1)
    assert found.weights[:, :, 1:].sum(-1).allclose(torch.ones(2, 2, N - 1, dtype=torch.float64))


def test_profiles_of_every_head() -> None:
    tokens = np.arange(3 * N).reshape(3, N) % 11
    for config in (MemoryMosaicConfig, TransformerConfig):
        model = config(vocabulary=11, n_layers=2, n_heads=2, width=8).build(0)
        table = profile_table(profiles(model, tokens, n=50))
        assert table[["layer", "head"]].to_numpy().tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
        assert ((table["entropy"] > 0) & (table["entropy"] <= 1)).all()
    with pytest.raises(InputError, match="model: expected one with contextual memories or attention"):
        profiles(LSTMConfig(vocabulary=11).build(0), tokens)
    with pytest.raises(InputError, match="weights"):
        profile_of(np.ones((2, N, N)), Where())
