"""Removing heads: what is left, and effects made by hand against the permutation null."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
import torch

from analysis.specialisation import (
    Head,
    explained,
    heads_of,
    removal_effects,
    specialisation,
    story_specialisation,
    without,
)
from analysis.story_prompts import candidate_scores, story_prompts
from mosaics.baselines.recurrent import LSTMConfig
from mosaics.baselines.transformer import TransformerConfig
from mosaics.mosaic import MemoryMosaicConfig
from mosaics.mosaic_v2 import MemoryMosaicV2Config
from mosaics.text.tokenizer import Characters
from toyworlds import Stories
from toyworlds.core.validate import InputError

OPTIONS = {"vocabulary": 257, "n_layers": 1, "n_heads": 2, "width": 8}
FACTORS = ["who"] * 10 + ["where"] * 10


def test_eta2_by_hand() -> None:
    member = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]])
    effects = np.array([[1.0, 1.0, 3.0, 3.0], [1.0, 3.0, 1.0, 3.0], [0.0, 2.0, 2.0, 4.0], [5.0, 5.0, 5.0, 5.0]])
    assert explained(effects, member).tolist() == [1.0, 0.0, 0.5, 0.0]


def test_a_head_of_one_factor_is_found_and_noise_is_not() -> None:
    rng = np.random.default_rng(0)
    effects = rng.normal(size=(3, 20))
    effects[0, :10] += 4.0
    found = specialisation(effects, FACTORS, n=400)
    assert found.factors == ("who", "where")
    assert found.hurt[0].tolist() == pytest.approx([effects[0, :10].mean(), effects[0, 10:].mean()])
    assert found.p_values[0] == pytest.approx(1 / 401)
    assert found.p_largest == pytest.approx(1 / 401)
    assert found.p_values[1:].min() > 0.01
    assert found.causal.share[0, 0] > 0.8


def test_under_the_null_p_values_are_even() -> None:
    effects = np.random.default_rng(1).normal(size=(400, 20))
    found = specialisation(effects, FACTORS, n=100)
    assert np.mean(found.p_values <= 0.2) == pytest.approx(0.2, abs=0.07)
    with pytest.raises(InputError, match="factors: expected 20 names"):
        specialisation(effects, FACTORS[1:])
    with pytest.raises(InputError, match="of two factors at least"):
        specialisation(effects, ["who"] * 20)


V2 = {"window": 4, "delay": 3, "shortest_delay": 1, "longest_delay": 4}


@pytest.mark.parametrize(
    ("config", "count"),
    [
        (MemoryMosaicConfig(**OPTIONS, second="none"), 2),
        (TransformerConfig(**OPTIONS, bias=False), 2),
        (MemoryMosaicV2Config(**OPTIONS, **V2), 4),
        (MemoryMosaicV2Config(**OPTIONS, **V2, levels="one"), 2),
    ],
)
def test_without_its_heads_a_layer_adds_nothing(config: Any, count: int) -> None:
    model = config.build(0).double().eval()
    tokens = torch.arange(9)[None]
    heads = heads_of(model)
    assert [head.number for head in heads] == list(range(count))
    before = model(tokens)
    with ExitStack() as removed:
        for head in heads:
            removed.enter_context(without(model, head))
        streams = model.hidden_states(tokens)
        unit = model.get_submodule(heads[0].module)
        assert not unit(model.blocks[0].norm(streams[0])).any()
    with without(model, heads[0]):
        assert not torch.equal(model(tokens), before)
    assert torch.equal(model(tokens), before)


def test_effects_are_differences_of_log_probabilities() -> None:
    model = MemoryMosaicConfig(**OPTIONS).build(0).double()
    assert len(heads_of(model)) == 4
    [asked] = story_prompts(Stories(), 3, 1)[:1]
    head = Head("blocks.0.second", 1)
    effect = removal_effects(model, Characters(), [asked], [head])
    right = asked.candidates.index(asked.answer)

    def answer() -> float:
        scores = candidate_scores(model, Characters(), asked)
        return float(scores[right] - np.logaddexp.reduce(scores))

    with without(model, head):
        changed = answer()
    assert effect[0, 0] == pytest.approx(answer() - changed)
    assert effect[0, 0] != 0.0


def test_the_story_world_s_factors() -> None:
    model = MemoryMosaicConfig(**OPTIONS).build(0)
    heads, found = story_specialisation(model, Characters(), story_prompts(Stories(), 3, 2), n=20)
    assert found.hurt.shape == (len(heads), len(found.factors))
    assert set(found.factors) <= {"who", "where", "what", "when", "custom"}
    with pytest.raises(InputError, match="model: expected one with memories"):
        heads_of(LSTMConfig(vocabulary=5).build(0))
    with pytest.raises(InputError, match="number"), without(model, Head("blocks.0.contextual", 2)):
        pass
