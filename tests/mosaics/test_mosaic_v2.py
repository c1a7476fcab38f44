"""Memory Mosaic v2 against its equations written down step by step; delays; contexts of any length."""

from __future__ import annotations

import math

import pytest
import torch

from mosaics.levels import AdaptiveBandwidth, GatedKey, OneLevelMemory, TwoLevelMemory
from mosaics.levels_ablated import SteadyBandwidth, SteadyKey
from mosaics.mosaic_v2 import MemoryMosaicV2Config, SwiGLU

D, HEADS, WINDOW, DELAY = 6, 2, 4, 3


@pytest.fixture
def memory():
    torch.manual_seed(1)
    unit = TwoLevelMemory(D, HEADS, window=WINDOW, delay=DELAY, training_delay=(2, 5))
    with torch.no_grad():
        for parameter in unit.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return unit.double().eval()


def level_by_hand(level, x, reach):
    """Output (T, heads, w) of one level for x (T, d); `reach(T)` names the pairs that step T may see."""
    w = D // HEADS
    found = torch.zeros(len(x), HEADS, w, dtype=x.dtype)
    for h in range(HEADS):
        part = slice(h * w, (h + 1) * w)
        keys, last = [], torch.zeros(w, dtype=x.dtype)
        for step in x:
            gain = torch.exp(level.key.gate.weight[h] @ step)
            stay = torch.exp(-(level.key.decay.weight[h] @ step).abs())
            last = gain * (level.key.project.weight[part] @ step) + stay * last
            keys.append(last / last.norm())
        projected, mix = x @ level.value.project.weight[part].T, level.value.mix[h]
        mixed = (1 - mix) * projected[1:] + mix * projected[:-1]
        values = torch.exp(10 * level.value.value_beta[h]) * mixed / mixed.norm(dim=-1, keepdim=True)
        slope, floor = (torch.exp(p[h]) for p in (level.bandwidth.log_beta_1, level.bandwidth.log_beta_0))
        for step in range(len(x)):
            seen = reach(step)
            if not seen:
                continue
            beta = slope * len(seen) ** torch.sigmoid(level.bandwidth.logit_alpha[h]) + floor
            scores = torch.stack([-beta * (keys[step] - keys[t]).square().sum() for t in seen])
            found[step, h] = torch.softmax(scores, 0) @ values[seen]
    return found


def test_both_levels_by_hand(memory):
    x = torch.randn(11, D, dtype=torch.float64)
    short = level_by_hand(memory.short, x, lambda T: list(range(max(T - WINDOW, 0), T)))
    long = level_by_hand(memory.long, x, lambda T: list(range(max(T - DELAY + 1, 0))))
    expected = torch.cat([short.flatten(1), long.flatten(1)], 1) @ memory.output.weight.T
    torch.testing.assert_close(memory(x[None])[0], expected, rtol=1e-9, atol=1e-11)


def test_the_changes_taken_back_by_hand():
    """Constant decay, constant bandwidth and one memory of all pairs, written down step by step."""
    torch.manual_seed(2)
    unit = OneLevelMemory(D, HEADS, gated=False, adaptive=False).double().eval()
    with torch.no_grad():
        for parameter in unit.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    level, x, w = unit.level, torch.randn(9, D, dtype=torch.float64), D // HEADS
    found = torch.zeros(len(x), HEADS, w, dtype=x.dtype)
    for h in range(HEADS):
        part = slice(h * w, (h + 1) * w)
        projected, decay = x @ level.key.project.weight[part].T, 10 * level.key.leaky_beta[h].abs()
        keys = [sum(torch.exp(-decay * (t - s)) * projected[s] for s in range(t + 1)) for t in range(len(x))]
        keys = torch.stack([key / key.norm() for key in keys])
        raw, mix = x @ level.value.project.weight[part].T, level.value.mix[h]
        mixed = (1 - mix) * raw[1:] + mix * raw[:-1]
        values = torch.exp(10 * level.value.value_beta[h]) * mixed / mixed.norm(dim=-1, keepdim=True)
        beta = torch.exp(level.bandwidth.log_beta[h])
        for step in range(1, len(x)):
            weights = torch.softmax(-beta * (keys[step] - keys[:step]).square().sum(-1), 0)
            found[step, h] = weights @ values[:step]
    torch.testing.assert_close(unit(x[None])[0], found.flatten(1) @ unit.output.weight.T, rtol=1e-9, atol=1e-11)


def test_the_ablated_parts_are_those_asked_for():
    full = MemoryMosaicV2Config(vocabulary=5, n_heads=2, width=8).build().blocks[0].contextual
    assert isinstance(full.short.key, GatedKey)
    assert isinstance(full.long.bandwidth, AdaptiveBandwidth)
    for level in ("short", "long"):
        off = MemoryMosaicV2Config(vocabulary=5, n_heads=2, width=8, gated_key=False).build().blocks[0].contextual
        assert isinstance(getattr(off, level).key, SteadyKey)
        assert isinstance(getattr(off, level).bandwidth, AdaptiveBandwidth)
        off = MemoryMosaicV2Config(vocabulary=5, n_heads=2, width=8, adaptive_bandwidth=False).build()
        assert isinstance(getattr(off.blocks[0].contextual, level).bandwidth, SteadyBandwidth)
        assert isinstance(getattr(off.blocks[0].contextual, level).key, GatedKey)
    assert SteadyBandwidth(1)(torch.ones(3)).flatten().tolist() == pytest.approx([2.0] * 3)


def test_the_bandwidth_sharpens_with_the_number_of_pairs():
    bandwidth = AdaptiveBandwidth(1, 12)
    betas = bandwidth(torch.tensor([0.0, 1.0, 2.0**8, 2.0**16])).flatten().tolist()
    assert betas == pytest.approx([2.0, 2.0, 1 + 2.0, 1 + 4.0])  # alpha = 2 / 16 at the start


def test_the_delay_is_random_in_training_and_fixed_after(memory):
    x = torch.randn(1, 11, D, dtype=torch.float64)
    drawn = [memory.train()(x) for _ in range(40)]
    kinds = {tuple(out.detach().flatten().tolist()) for out in drawn}
    assert len(kinds) == 4  # delays 2, 3, 4 and 5
    assert tuple(memory.eval()(x).detach().flatten().tolist()) in kinds
    assert torch.equal(memory(x), memory(x))


def test_training_never_looks_ahead(memory):
    x = torch.randn(1, 11, D, dtype=torch.float64, requires_grad=True)
    memory.train()
    for _ in range(8):
        (gradient,) = torch.autograd.grad(memory(x)[:, 6].sum(), x)
        assert (gradient[:, 7:] == 0).all()


def test_keys_go_on_from_where_they_were():
    torch.manual_seed(0)
    key = GatedKey(D, HEADS).double()
    x = torch.randn(2, 50, D, dtype=torch.float64)
    whole, last = key(x)
    first, middle = key(x[:, :23])
    rest, end = key(x[:, 23:], middle)
    torch.testing.assert_close(torch.cat([first, rest], 2), whole)
    torch.testing.assert_close(end, last)


def test_any_context_length():
    """What it says within the first steps does not depend on how much follows, far beyond window and delay."""
    model = MemoryMosaicV2Config(vocabulary=5, n_heads=2, width=8, window=16, delay=8).build().double().eval()
    tokens = torch.randint(5, (1, 3000), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        long, short = model(tokens), model(tokens[:, :40])
    assert long.isfinite().all()
    torch.testing.assert_close(long[:, :40], short, rtol=0, atol=1e-12)


def test_persistent_memory_is_swiglu():
    unit = SwiGLU(3, 4)
    x = torch.randn(2, 3)
    gate, value = unit.hidden.weight[:4] @ x[0], unit.hidden.weight[4:] @ x[0]
    torch.testing.assert_close(unit(x)[0], unit.output.weight @ (gate * torch.sigmoid(gate) * value))


def test_flops_follow_the_pairs_in_reach():
    model = MemoryMosaicV2Config(vocabulary=5).build()
    assert model.flops_per_token(1000) - model.flops_per_token(256) == 2 * 4 * 128 * 744
    assert model.flops_per_token(64) - model.flops_per_token(0) == 2 * 4 * 128 * 64
    assert math.isclose(model.flops_per_token(0), 2 * model.num_parameters())
