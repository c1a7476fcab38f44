"""Exact and capacity stores: against `recall`, by hand, and against naive lists."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from store_cases import played, unit_pairs
from torch import Tensor

from mosaics.memory import recall
from mosaics.stores import (
    CapacityConfig,
    ExactConfig,
)
from mosaics.stores.capacity import POLICIES
from toyworlds.core.validate import InputError


def exactly(key: Tensor, value: Tensor) -> Tensor:
    """What `played` gives for the exact store, from `recall`."""
    queries = range(key.shape[2])
    parts = [
        recall(key[:, :, t : t + 1], key[:, :, : t + 1], value[:, :, : t + 1], beta=1.0, score="dot") for t in queries
    ]
    return torch.cat(parts, 2)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 40), policy=st.sampled_from(POLICIES), spare=st.integers(0, 3))
def test_capacity_for_all_is_exact(seed: int, n: int, policy: Any, spare: int) -> None:
    key, value = unit_pairs(n, seed)
    expected = exactly(key, value)
    assert torch.allclose(played(ExactConfig().build(), key, value), expected, atol=1e-13)
    assert torch.allclose(played(CapacityConfig(n + spare, policy).build(), key, value), expected, atol=1e-13)


def test_who_is_evicted_by_hand() -> None:
    """Two places; pair 0 points along x and is asked for once, pair 1 along y; pair 2 comes."""
    key = 10.0 * torch.eye(3)[None, None]
    evicted = {}
    for policy in ("least-recently-used", "oldest", "least-total-weight"):
        store = CapacityConfig(2, policy).build()  # type: ignore[arg-type]
        store.store(key[:, :, :2], key[:, :, :2])
        store.retrieve(key[:, :, :1])
        store.store(key[:, :, 2:], key[:, :, 2:])
        evicted[policy] = ({0, 1, 2} - set(store.entries().pair.flatten().tolist())).pop()
    assert evicted == {"least-recently-used": 1, "oldest": 0, "least-total-weight": 1}


def naive(config: CapacityConfig, key: Tensor, value: Tensor, asked: list[int]) -> Tensor:
    """One memory, one pair and then asked[t] queries a step, by lists: the outputs."""
    held: list[dict[str, Any]] = []
    out, now, cursor = [], 0, 0
    for t, times in enumerate(asked):
        if len(held) == config.capacity:
            mark = {"least-recently-used": "last", "oldest": "number", "least-total-weight": "total"}[config.policy]
            held.remove(min(held, key=lambda pair: (pair[mark], pair["number"])))
        held.append({"number": t, "last": now, "total": 0.0})
        numbers = [pair["number"] for pair in held]
        for _ in range(times):
            now, cursor = now + 1, cursor + 1
            weights = torch.softmax(key[numbers] @ key[(7 * cursor) % len(key)], 0)
            out.append(weights @ value[numbers])
            for pair, weight in zip(held, weights.tolist(), strict=True):
                pair["total"] += weight
                pair["last"] = now if weight * len(held) > config.threshold else pair["last"]
    return torch.stack(out)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    policy=st.sampled_from(("least-recently-used", "oldest", "least-total-weight")),
    capacity=st.integers(1, 8),
    threshold=st.sampled_from((0.3, 1.0, 2.0)),
    asked=st.lists(st.integers(0, 3), min_size=1, max_size=25).filter(any),
)
def test_capacity_against_lists(seed: int, policy: Any, capacity: int, threshold: float, asked: list[int]) -> None:
    key, value = unit_pairs(len(asked), seed)
    config = CapacityConfig(capacity, policy, threshold)
    store, out, cursor = config.build(), [], 0
    for t, times in enumerate(asked):
        store.store(key[:, :, t : t + 1], value[:, :, t : t + 1])
        if times:
            queries = [(7 * (cursor + i + 1)) % len(asked) for i in range(times)]
            out.append(store.retrieve(key[:, :, queries]))
            cursor += times
    found = torch.cat(out, 2)
    for b, h in np.ndindex(2, 3):
        expected = naive(config, key[b, h], value[b, h], asked)
        assert torch.allclose(found[b, h], expected, atol=1e-12)


def test_random_eviction_is_uniform_and_reproducible() -> None:
    """After one eviction from 8, each pair is gone in an eighth of the memories (chi-square, 7 degrees of freedom)."""
    key, value = unit_pairs(9, batch=1, heads=2000)
    stores = [CapacityConfig(8, "random", seed=seed).build() for seed in (0, 0, 1)]
    for store in stores:
        store.store(key, value)
    first, again, other = (store.entries().pair.sort(-1).values for store in stores)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    gone = 36 - first.sum(-1).flatten()
    counts = torch.bincount(gone, minlength=8).double()
    assert len(counts) == 8
    assert ((counts - 250).square() / 250).sum() < 24.3


@pytest.mark.parametrize("policy", POLICIES)
def test_an_emptied_place_is_taken_first(policy: Any) -> None:
    key, value = unit_pairs(5)
    store = CapacityConfig(4, policy, threshold=0.0).build()
    store.store(key[:, :, :4], value[:, :, :4])
    store.retrieve(key[:, :, :4])
    store.remove(2, where=torch.tensor([[True, True, True], [False, False, False]]))
    store.store(key[:, :, 4:], value[:, :, 4:])
    held = store.entries().pair.sort(-1).values
    assert held[0].tolist() == [[0, 1, 3, 4]] * 3
    assert all({4} < set(row) < {0, 1, 2, 3, 4} for row in held[1].tolist())


def test_a_pair_that_all_have_lost_cannot_be_edited() -> None:
    key, value = unit_pairs(3)
    store = CapacityConfig(1, "oldest").build()
    store.store(key, value)
    with pytest.raises(InputError, match="holds"):
        store.remove(0)


def test_room_of_a_capacity_store_is_its_capacity() -> None:
    key, value = unit_pairs(200)
    small, large = CapacityConfig(16).build(), ExactConfig().build()
    small.store(key[:, :, :100], value[:, :, :100])
    before = small.nbytes
    small.store(key[:, :, 100:], value[:, :, 100:])
    large.store(key, value)
    memories = 6
    assert small.nbytes == before == memories * 16 * (4 + 4 + 1 + 1) * 8
    assert large.nbytes == memories * 200 * (4 + 4 + 1) * 8
