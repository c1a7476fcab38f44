"""The Memory Mosaic: a hand-worked memory, its start, its parts in the open, dropout, flops."""

from __future__ import annotations

import math

import pytest
import torch

from mosaics.base import seeded
from mosaics.extractors import LeakyKey, PeekingValue
from mosaics.mosaic import MemoryMosaicConfig
from mosaics.pairs import Pairs, RecentPairs
from mosaics.units import ContextualMemory, PersistentMemory


def one_head(width=2, **options):
    """Return a memory of one head whose maps are the identity, whose keys are sharp and not averaged."""
    key = LeakyKey(width, 1, leaky=False)
    unit = ContextualMemory(key, PeekingValue(width, 1), torch.nn.Linear(width, width, bias=False), **options)
    with torch.no_grad():
        for module in (key.project, unit.value.project, unit.output):
            module.weight.copy_(torch.eye(width))
        key.kernel_beta.fill_(0.5)
        unit.value.mix.fill_(0.0)
        unit.value.value_beta.fill_(0.0)
    return unit.double().eval()


def test_a_memory_by_hand():
    """Key = value of the next step, sharpness e^10: after a b a, the memory says b."""
    a, b, c = (torch.tensor(v, dtype=torch.float64) for v in ((1.0, 0.0), (0.0, 1.0), (0.6, 0.8)))
    out = one_head()(torch.stack([a, b, a, c, b, a])[None])[0]
    expected = torch.stack([torch.zeros_like(a), b, b, a, a, (b + c) / 2])
    expected[3] = a  # c is nearest to b, and b was followed by a
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-9)


def test_values_peek_and_never_leak():
    unit = one_head()
    x = torch.randn(1, 6, 2, dtype=torch.float64)
    key, value = unit.pairs(x)
    torch.testing.assert_close(value[0, 0, :5], torch.nn.functional.normalize(x[0, 1:], dim=-1))
    assert (value[0, 0, 5] == 0).all()
    changed = x.clone()
    changed[0, 5] += 3
    assert torch.equal(unit(changed)[0, :5], unit(x)[0, :5])
    torch.testing.assert_close(unit.weights(key) @ value, unit.retrieve(key, value).transpose(1, 2))


def test_persistent_memory_is_the_average_of_its_banks():
    with seeded(0, "test"):
        key = LeakyKey(8, 2, power=2, by_head=True)
        unit = PersistentMemory(key, torch.nn.Linear(8, 8, bias=False), 5, banks=3).double()
    query = unit.key(torch.randn(2, 4, 8, dtype=torch.float64))
    weights = unit.weights(query)
    assert weights.shape == (2, 3, 2, 4, 5)
    plain = (weights @ unit.values).mean(1) * torch.exp(10 * unit.value_beta)[:, None, None]
    torch.testing.assert_close(unit.retrieve(query), plain.transpose(1, 2))


def test_unequal_norms_keep_the_kernel():
    """Under "gaussian" the weights are those of -|k_T - k_t|^2 / 2, whatever the norms."""
    config = MemoryMosaicConfig(vocabulary=5, n_heads=2, width=8, key_norm="gaussian")
    unit = config.build().double().blocks[0].contextual
    key, _ = unit.pairs(torch.randn(1, 5, 8, dtype=torch.float64))
    norms = key.norm(dim=-1)
    assert norms.max() > 1.2 * norms.min()
    distances = torch.cdist(key, key).square()[0, 0, 4, :4]
    torch.testing.assert_close(unit.weights(key)[0, 0, 4, :4], torch.softmax(-distances / 2, 0))


def test_the_start_of_the_library_variant():
    model = MemoryMosaicConfig(vocabulary=50, n_layers=4).build(seed=2)
    block = model.blocks[1]
    assert block.contextual.key.leaky_beta.tolist() == pytest.approx([0.05 + 0.45 * i / 7 for i in range(8)])
    assert block.contextual.key.scale().tolist() == pytest.approx([math.e] * 8)
    assert block.second.key.scale().tolist() == pytest.approx([math.e**2] * 8)
    assert block.contextual.value.scale().tolist() == pytest.approx([math.exp(-0.5)] * 8)
    assert block.second.keys.shape == (1, 8, 448, 16)
    for weight, std in (
        (block.contextual.key.project.weight, 128**-0.5),
        (block.contextual.output.weight, 128**-0.5 / 2),
        (block.second.output.weight, 128**-0.5 / 2),
        (model.ends.embedding.weight, 128**-0.5),
        (block.second.keys, 0.25),
    ):
        assert weight.std().item() == pytest.approx(std, rel=0.04)
    assert 0 <= block.contextual.value.mix.min() < block.contextual.value.mix.max() <= 1


def test_the_start_of_the_nano_variant():
    model = MemoryMosaicConfig(vocabulary=50, variant="nano", bias=True, tied_embedding=False).build()
    block = model.blocks[0]
    assert block.contextual.output.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert block.second.key.project.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert block.contextual.output.bias.abs().max() == 0
    assert model.ends.scale == 1.0


def test_building_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    MemoryMosaicConfig(vocabulary=5, n_heads=2, width=8).build()
    assert torch.rand(1) == expected


@pytest.mark.parametrize("key_norm", ["unit", "gaussian"])
def test_dropout_of_retrieval_weights_keeps_the_mean(key_norm):
    config = MemoryMosaicConfig(vocabulary=5, n_heads=1, width=4, contextual_dropout=0.5, peek=2, key_norm=key_norm)
    unit = config.build().blocks[0].contextual
    key, value = unit.pairs(torch.randn(1, 7, 4, generator=torch.Generator().manual_seed(1)))
    expected = unit.eval().retrieve(key, value)
    torch.manual_seed(0)
    drawn = torch.stack([unit.train().retrieve(key, value) for _ in range(3000)])
    assert (drawn.std(0)[:, 2:] > 0.05).all()
    torch.testing.assert_close(drawn.mean(0), expected, rtol=0, atol=0.06)
    assert (drawn[:, :, :2] == 0).all()


@pytest.mark.parametrize("field", ["persistent_dropout", "output_dropout", "embedding_dropout"])
def test_other_dropouts_act_in_training_alone(field):
    model = MemoryMosaicConfig(vocabulary=5, n_heads=2, width=8, **{field: 0.5}).build()
    plain = MemoryMosaicConfig(vocabulary=5, n_heads=2, width=8).build().eval()
    tokens = torch.arange(5)[None]
    assert torch.equal(model.eval()(tokens), plain(tokens))
    assert not torch.allclose(model.train()(tokens), plain(tokens))


def test_sizes_and_flops():
    config = MemoryMosaicConfig(vocabulary=20)
    model = config.build()
    block = 12 * 128**2 + 2 * 128 + 8 * (2 + 2 + 2 + 1)  # matrices, norms, betas and mixes
    assert model.num_parameters() == 20 * 128 + 2 * block + 128
    assert model.flops_per_token(401) - model.flops_per_token(1) == 400 * 4 * 128 * 2
    feedforward = MemoryMosaicConfig(vocabulary=20, second="feedforward").build()
    assert feedforward.num_parameters() == pytest.approx(model.num_parameters(), abs=100)


def test_stores_grow_and_forget():
    key, value = torch.randn(2, 3, 10, 4), torch.randn(2, 3, 10, 5)
    pairs, recent = Pairs(), RecentPairs(3)
    assert (pairs.retrieve(torch.ones(2, 3, 1, 4)) == 0).all()
    for start, end in ((0, 1), (1, 2), (2, 7), (7, 10)):
        pairs.store(key[:, :, start:end], value[:, :, start:end])
        recent.store(key[:, :, start:end], value[:, :, start:end])
        assert torch.equal(pairs.keys, key[:, :, :end])
        assert torch.equal(pairs.values, value[:, :, :end])
        assert torch.equal(recent.keys, key[:, :, max(end - 3, 0) : end])
    query = torch.randn(2, 3, 1, 4)
    weights = torch.softmax(query @ key[:, :, 7:].mT, -1)
    torch.testing.assert_close(recent.retrieve(query), weights @ value[:, :, 7:])


def test_another_store_takes_the_place_of_the_pairs():
    """What generation remembers is asked of the store and of nothing else."""

    class Forgetful(Pairs):
        def store(self, key, value):
            pass

    model = MemoryMosaicConfig(vocabulary=5, n_heads=2, width=8, second="none").build().eval()
    state = model.initial_state(1, Forgetful)
    tokens = torch.tensor([[1, 2, 3, 1]])
    for position in range(4):
        logits, state = model.step(tokens[:, position], state)
    alone = model(tokens[:, 3:])
    torch.testing.assert_close(logits, alone[:, 0])
