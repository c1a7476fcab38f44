"""Stores to test, and pairs to put into them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from mosaics.stores import CapacityConfig, ExactConfig, FaissConfig, FeatureConfig, HashConfig, Store
from mosaics.stores.capacity import POLICIES

CONFIGS: dict[str, Any] = {
    "exact": ExactConfig(),
    "hash": HashConfig(tables=3, bits=3),
    "hash, small buckets": HashConfig(tables=3, bits=2, bucket=3),
    "features": FeatureConfig(features=24),
    "features, kept": FeatureConfig(features=24, keep_pairs=True),
    "faiss": FaissConfig(neighbours=5, index="hnsw"),
    "faiss, flat": FaissConfig(neighbours=5, index="flat"),
} | {f"capacity, {policy}": CapacityConfig(capacity=6, policy=policy) for policy in POLICIES}  # type: ignore[arg-type]
EVERY = sorted(CONFIGS)


def made(name: str, score: str = "dot") -> Store:
    if name.startswith("faiss"):
        pytest.importorskip("faiss")
    store: Store = CONFIGS[name].build(score)
    return store


def unit_pairs(n: int, seed: int = 0, *, batch: int = 2, heads: int = 3, width: int = 4) -> tuple[Tensor, Tensor]:
    """Keys of norm 2 and values, float64."""
    generator = torch.Generator().manual_seed(seed)
    key, value = torch.randn(2, batch, heads, n, width, generator=generator, dtype=torch.float64).unbind(0)
    return 2.0 * key / key.norm(dim=-1, keepdim=True), value


def played(store: Any, key: Tensor, value: Tensor) -> Tensor:
    """Store pair t, then ask with key t: outputs (B, heads, n, e)."""
    out = []
    for t in range(key.shape[2]):
        store.store(key[:, :, t : t + 1], value[:, :, t : t + 1])
        out.append(store.retrieve(key[:, :, t : t + 1]))
    return torch.cat(out, 2)
