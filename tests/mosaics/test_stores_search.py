"""Hashing and faiss: against brute force and the law of collisions."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import numpy as np
import pytest
import torch
from store_cases import unit_pairs
from torch import Tensor

from mosaics.stores import (
    ExactConfig,
    FaissConfig,
    HashConfig,
    retrieval_recall,
)
from toyworlds.core.validate import InputError


def same_bucket(store: Any, key: Tensor, query: Tensor) -> Tensor:
    """(B, heads, m, n, L): key and query have the same signs in table l."""
    directions = store._directions.unflatten(1, (store.config.tables, store.config.bits))
    signs = [torch.einsum("bhnw,wlj->bhnlj", x, directions) > 0 for x in (query, key)]
    return (signs[0][:, :, :, None] == signs[1][:, :, None]).all(-1)


def test_a_query_looks_at_the_pairs_that_share_a_bucket() -> None:
    key, value = unit_pairs(60)
    query = unit_pairs(9, seed=4)[0]
    store = HashConfig(tables=3, bits=4).build()
    store.store(key, value)
    near = same_bucket(store, key, query).any(-1)
    assert torch.equal(store.weights(query) > 0, near)
    assert torch.equal(store.looked_at(query), near.sum(-1))
    masked = (query @ key.mT).masked_fill(~near, -torch.inf).softmax(-1).nan_to_num(0.0)
    assert torch.allclose(store.weights(query), masked, atol=1e-12)


def test_a_full_bucket_keeps_its_newest_pairs() -> None:
    key, value = unit_pairs(60)
    store = HashConfig(tables=2, bits=1, bucket=5).build()
    store.store(key, value)
    same = same_bucket(store, key, key)
    for b, h, q in np.ndindex(2, 3, 60):
        kept: set[int] = set()
        for table in range(2):
            kept |= set(deque(same[b, h, q, :, table].nonzero().flatten().tolist(), maxlen=5))
        assert set(store.weights(key)[b, h, q].nonzero().flatten().tolist()) == kept


@pytest.mark.parametrize("cosine", [0.95, 0.7, 0.2])
def test_pairs_collide_as_often_as_stated(cosine: float) -> None:
    generator = torch.Generator().manual_seed(1)
    a, b = torch.randn(2, 400, 6, generator=generator, dtype=torch.float64)
    a /= a.norm(dim=1, keepdim=True)
    b -= (a * b).sum(1, keepdim=True) * a
    b /= b.norm(dim=1, keepdim=True)
    query = cosine * a + math.sqrt(1 - cosine**2) * b
    hits, seeds = 0.0, 20
    for seed in range(seeds):
        config = HashConfig(tables=4, bits=3, seed=seed)
        store = config.build()
        store.store(a[:, None, None], a[:, None, None])
        hits += store.looked_at(query[:, None, None]).double().mean().item() / seeds
    assert abs(hits - config.collision(cosine)) < 0.03


def test_hashing_refuses_keys_of_unequal_norms() -> None:
    key, value = unit_pairs(4)
    store = HashConfig().build()
    store.store(key, value)
    with pytest.raises(InputError, match="one norm"):
        store.store(1.1 * key, value)
    with pytest.raises(InputError, match="one norm"):
        store.replace(0, key=1.1 * key[:, :, 0])


def test_hashing_cost_of_a_query_is_bounded() -> None:
    key, value = unit_pairs(300)
    store = HashConfig(tables=2, bits=2, bucket=8).build()
    store.store(key, value)
    assert int(store.looked_at(key).max()) <= 16


def test_faiss_finds_the_nearest() -> None:
    pytest.importorskip("faiss")
    key, value = unit_pairs(80, width=8)
    query = unit_pairs(5, seed=2, width=8)[0]
    flat, graph, exact = FaissConfig(10, "flat").build(), FaissConfig(10, "hnsw").build(), ExactConfig().build()
    for store in (flat, graph, exact):
        store.store(key, value)
    nearest = torch.zeros(2, 3, 5, 80, dtype=torch.bool).scatter_(3, (query @ key.mT).topk(10).indices, True)
    assert torch.equal(flat.weights(query) > 0, nearest)
    assert retrieval_recall(flat, graph, query).mean() > 0.95
    mass = exact.weights(query).masked_fill(~nearest, 0.0).sum(-1)
    assert torch.allclose(retrieval_recall(exact, flat, query), mass, atol=1e-12)
