"""Stores of pairs: against naive loops, the exact store, the model's full pass, and the laws they state."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mosaics.baselines.recurrent import LSTMConfig
from mosaics.baselines.transformer import TransformerConfig
from mosaics.generate import generate
from mosaics.memory import recall
from mosaics.mosaic import MemoryMosaicConfig
from mosaics.mosaic_v2 import MemoryMosaicV2Config
from mosaics.stores import (
    STORES,
    CapacityConfig,
    ExactConfig,
    FaissConfig,
    FeatureConfig,
    HashConfig,
    Measured,
    Store,
    retrieval_recall,
)
from mosaics.stores.capacity import POLICIES
from mosaics.stores.features import best_damping, relative_variance
from toyworlds.core.validate import InputError

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
KEEPING = [name for name in EVERY if name != "features"]
UNDOING = [name for name in KEEPING if name != "hash, small buckets"]
"""Stores in which an edit undoes what came before; what a full bucket has dropped does not come back."""


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


def exactly(key: Tensor, value: Tensor) -> Tensor:
    """What `played` gives for the exact store, from `recall`."""
    queries = range(key.shape[2])
    parts = [
        recall(key[:, :, t : t + 1], key[:, :, : t + 1], value[:, :, : t + 1], beta=1.0, score="dot") for t in queries
    ]
    return torch.cat(parts, 2)


# Every store


@pytest.mark.parametrize("name", EVERY)
def test_later_pairs_do_not_change_earlier_outputs(name: str) -> None:
    key, value = unit_pairs(30)
    other_key, other_value = unit_pairs(30, seed=1)
    changed = [torch.cat([a[:, :, :20], b[:, :, 20:]], 2) for a, b in ((key, other_key), (value, other_value))]
    first, second = played(made(name), key, value), played(made(name), *changed)
    assert torch.equal(first[:, :, :20], second[:, :, :20])
    assert not torch.allclose(first[:, :, 20:], second[:, :, 20:])


@pytest.mark.parametrize("name", EVERY)
def test_rows_are_served_by_themselves(name: str) -> None:
    key, value = unit_pairs(20, batch=3)
    together, alone = played(made(name), key, value), played(made(name), key[1:2], value[1:2])
    assert torch.allclose(together[1:2], alone, atol=1e-12)


@pytest.mark.parametrize("name", EVERY)
def test_storing_at_once_is_storing_one_by_one(name: str) -> None:
    key, value = unit_pairs(20)
    query = unit_pairs(7, seed=5)[0]
    at_once, one_by_one = made(name), made(name)
    at_once.store(key, value)
    for t in range(20):
        one_by_one.store(key[:, :, t : t + 1], value[:, :, t : t + 1])
    assert at_once.count == one_by_one.count == 20
    if name != "faiss":  # its graph depends on the size of the batches that are added
        assert torch.allclose(at_once.retrieve(query), one_by_one.retrieve(query), atol=1e-12)


@pytest.mark.parametrize("name", EVERY)
def test_an_empty_store_gives_zeros(name: str) -> None:
    query = unit_pairs(2)[0]
    assert torch.equal(made(name).retrieve(query), torch.zeros_like(query))
    assert made(name).weights(query).shape == (2, 3, 2, 0)
    assert torch.equal(made(name).looked_at(query), torch.zeros(2, 3, 2, dtype=torch.int64))


@pytest.mark.parametrize("name", KEEPING)
def test_outputs_are_the_weighted_values(name: str) -> None:
    key, value = unit_pairs(15)
    query = unit_pairs(4, seed=3)[0]
    store = made(name)
    store.store(key, value)
    weights = store.weights(query)
    assert weights.shape == (2, 3, 4, 15)
    total = weights.sum(-1)
    assert torch.all(((total - 1).abs() < 1e-12) | (total == 0))
    assert torch.allclose(weights @ value, store.retrieve(query), atol=1e-12)


@pytest.mark.parametrize("name", KEEPING)
def test_entries_are_the_pairs_that_can_have_weight(name: str) -> None:
    key, value = unit_pairs(15)
    store = made(name)
    store.store(key, value)
    store.remove(14, where=torch.tensor([[True, False, False]] * 2))
    held = store.entries()
    for b, h in np.ndindex(2, 3):
        pairs = held.pair[b, h][held.held[b, h]]
        assert len(set(pairs.tolist())) == len(pairs) == (6 if name.startswith("capacity") else 15) - (h == 0)
        assert torch.equal(held.key[b, h][held.held[b, h]], key[b, h, pairs])
        assert torch.equal(held.value[b, h][held.held[b, h]], value[b, h, pairs])
        assert int(store.looked_at(key)[b, h].max()) <= len(pairs)
        weighed = store.weights(key)[b, h].sum(0).nonzero().flatten().tolist()
        assert set(weighed) <= set(pairs.tolist())


@pytest.mark.parametrize("name", UNDOING)
def test_a_removed_pair_leaves_no_trace(name: str) -> None:
    key, value = unit_pairs(6)
    edited, never = made(name), made(name)
    edited.store(key, value)
    edited.remove(5)
    never.store(key[:, :, :5], value[:, :, :5])
    query = unit_pairs(4, seed=3)[0]
    assert torch.allclose(edited.retrieve(query), never.retrieve(query), atol=1e-12)
    for pair in range(5):
        edited.remove(pair)
    assert torch.equal(edited.retrieve(query), torch.zeros_like(query))


@pytest.mark.parametrize("name", UNDOING)
def test_replacing_is_having_stored_the_other_pair(name: str) -> None:
    key, value = unit_pairs(6)
    new_key, new_value = (x[:, :, 0] for x in unit_pairs(1, seed=9))
    where = torch.tensor([[True, False, True], [False, False, True]])
    store, plain = made(name), made(name)
    store.store(key, value)
    store.replace(2, key=new_key, where=where)
    store.replace(2, value=new_value, where=where)
    key[:, :, 2] = torch.where(where[..., None], new_key, key[:, :, 2])
    value[:, :, 2] = torch.where(where[..., None], new_value, value[:, :, 2])
    plain.store(key, value)
    query = unit_pairs(4, seed=3)[0]
    assert torch.allclose(store.retrieve(query), plain.retrieve(query), atol=1e-12)


@pytest.mark.parametrize(
    ("config", "tolerance"),
    [(ExactConfig(), 1e-12), (CapacityConfig(5), 1e-12), (FeatureConfig(50_000, keep_pairs=True), 0.01)],
    ids=["exact", "capacity", "features"],
)
def test_the_gaussian_score_takes_keys_of_any_norm(config: Any, tolerance: float) -> None:
    generator = torch.Generator().manual_seed(0)
    key, value, query = torch.randn(3, 1, 2, 5, 3, generator=generator, dtype=torch.float64).mul(0.5).unbind(0)
    store = config.build("gaussian")
    store.store(key, value)
    expected = torch.softmax(-0.5 * torch.cdist(query, key).square(), -1)
    assert torch.allclose(store.weights(query), expected, atol=tolerance)
    assert torch.allclose(store.retrieve(query), expected @ value, atol=3 * tolerance)


BAD_CALLS = {
    "three axes": lambda s, k, v: s.store(k[0], v[0]),
    "numbers of pairs": lambda s, k, v: s.store(k, v[:, :, :1]),
    "no pair": lambda s, k, v: s.store(k[:, :, :0], v[:, :, :0]),
    "other width": lambda s, k, v: s.store(k[..., :2], v),
    "other batch": lambda s, k, v: s.store(k[:1], v[:1]),
    "other dtype": lambda s, k, v: s.store(k.float(), v.float()),
    "whole numbers": lambda s, k, v: s.store(k.long(), v.long()),
    "query": lambda s, k, v: s.retrieve(k[..., :2]),
    "pair never stored": lambda s, k, v: s.remove(99),
    "mask": lambda s, k, v: s.remove(0, where=torch.ones(3, dtype=torch.bool)),
    "nothing to replace": lambda s, k, v: s.replace(0),
    "replacing key": lambda s, k, v: s.replace(0, key=torch.zeros(7, dtype=torch.float64)),
}


@pytest.mark.parametrize("call", sorted(BAD_CALLS))
@pytest.mark.parametrize("name", EVERY)
def test_bad_calls_are_refused(name: str, call: str) -> None:
    key, value = unit_pairs(3)
    store = made(name)
    store.store(key, value)
    with pytest.raises(InputError, match=r"expected .*; got"):
        BAD_CALLS[call](store, key, value)


def test_a_refused_first_call_leaves_the_store_empty() -> None:
    key, value = unit_pairs(3)
    for name in EVERY:
        store = made(name)
        with pytest.raises(InputError):
            store.store(key, value[:, :, :1])
        assert torch.equal(store.retrieve(key), torch.zeros_like(key))
        store.store(key[:1], value[:1, ..., :2])
        assert store.retrieve(key[:1]).shape == (1, 3, 3, 2)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", EVERY)
def test_stores_do_the_same_on_a_gpu(name: str) -> None:
    key, value = unit_pairs(30)
    there, here = made(name), made(name)
    outputs = [played(store, key.to(d), value.to(d)).cpu() for store, d in ((there, "cuda"), (here, "cpu"))]
    assert torch.allclose(*outputs, atol=1e-9)
    if name != "features":
        there.remove(29)
        assert there.entries().pair.device.type == "cuda"


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: CapacityConfig(capacity=0), "capacity"),
        (lambda: CapacityConfig(policy="least-recent-used"), "did you mean 'least-recently-used'"),  # type: ignore[arg-type]
        (lambda: CapacityConfig(threshold=-1.0), "threshold"),
        (lambda: HashConfig(bits=0), "bits"),
        (lambda: HashConfig(bits=40), "bits"),
        (lambda: HashConfig(tables=0), "tables"),
        (lambda: FeatureConfig(features=0), "features"),
        (lambda: FeatureConfig(damping=0.5), "damping"),
        (lambda: FaissConfig(neighbours=0), "neighbours"),
        (lambda: FaissConfig(index="ivf"), "index"),  # type: ignore[arg-type]
        (lambda: ExactConfig().build("cosine"), "score"),
        (lambda: STORES["exakt"], "did you mean 'exact'"),
    ],
)
def test_bad_options_are_refused(make: Any, named: str) -> None:
    with pytest.raises(InputError, match=named):
        make()


def test_the_registry_builds_every_store() -> None:
    assert set(STORES) == {"exact", "capacity", "hash", "faiss", "features"}
    for name in STORES:
        if name != "faiss":
            assert isinstance(STORES[name]().build(), Store)


# Exact and capacity


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


# Hashing and faiss


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


# Random features


def kernel_estimates(config: FeatureConfig, query: Tensor, key: Tensor, draws: int) -> tuple[Tensor, float]:
    """Estimates of exp(q . k) over its value, constants included, from `draws` groups of features; and the damping."""
    store = replace(config, features=config.features * draws).build()
    query, key = query[None, None, None], key[None, None, None]
    store.store(key, key)
    damping = float(store._damping)
    constant = 0.5 * key.shape[-1] * math.log((1 + damping) / 2)
    logs = store.log_features(query) + store.log_features(key) + constant
    return (logs - (query * key).sum()).exp().view(draws, config.features).mean(1), damping


@pytest.mark.parametrize("damping", [1.0, 1.7, 0.0])
def test_the_kernel_is_estimated_without_bias_and_with_the_stated_variance(damping: float) -> None:
    key, query = torch.tensor([0.5, 0.2, 0.0], dtype=torch.float64), torch.tensor([0.3, -0.4, 0.2], dtype=torch.float64)
    config = FeatureConfig(8, damping, orthogonal=False)
    estimates, chosen = kernel_estimates(config, query, key, 4000)
    assert chosen == (damping or float(best_damping(4 * key.square().sum(), 3)))
    variance = relative_variance(float((query + key).square().sum()), 3, 8, chosen)
    assert abs(float(estimates.mean()) - 1) < 4 * math.sqrt(variance / 4000)
    assert 0.85 < float(estimates.var()) / variance < 1.15


@pytest.mark.parametrize("damping", [1.0, 0.0])
def test_orthogonal_directions_keep_the_mean_and_stay_below_the_bound(damping: float) -> None:
    key = torch.tensor([0.6, 0.5, 0.1], dtype=torch.float64)
    estimates, chosen = kernel_estimates(FeatureConfig(9, damping), key, key, 4000)
    bound = relative_variance(float(4 * key.square().sum()), 3, 9, chosen)
    assert abs(float(estimates.mean()) - 1) < 4 * math.sqrt(bound / 4000)
    assert float(estimates.var()) < 0.95 * bound


@pytest.mark.parametrize("sum_square", [0.0, 0.5, 10.0, 100.0])
def test_the_best_damping_is_the_best(sum_square: float) -> None:
    best = float(best_damping(torch.tensor(sum_square, dtype=torch.float64), 8))
    others = [max(1.0, best * (1 + change)) for change in (-0.2, -0.01, 0.01, 0.2)]
    least = relative_variance(sum_square, 8, 1, best)
    assert best >= 1.0
    assert all(relative_variance(sum_square, 8, 1, other) >= least for other in others)
    assert relative_variance(sum_square, 8, 1, 1.0) == pytest.approx(math.expm1(sum_square))


def test_orthogonal_directions_are_normal_and_orthogonal_in_groups() -> None:
    directions = FeatureConfig(features=3000).directions(5)
    assert directions.shape == (3000, 5)
    products = directions[:5] @ directions[:5].mT
    assert torch.allclose(products, torch.diag(products.diagonal()), atol=1e-12)
    assert torch.allclose(directions.mT @ directions / 3000, torch.eye(5, dtype=torch.float64), atol=0.1)
    assert float((directions**4).mean()) == pytest.approx(3.0, rel=0.1)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 40.0])
def test_sums_equal_the_table_of_feature_products(scale: float) -> None:
    key, value = unit_pairs(600)
    store = FeatureConfig(16, keep_pairs=True).build()
    store.store(scale * key[:, :, :550], value[:, :, :550])
    store.store(scale * key[:, :, 550:], value[:, :, 550:])
    query = scale * unit_pairs(3, seed=8)[0]
    found = store.retrieve(query)
    assert found.isfinite().all()
    assert torch.allclose(found, store.weights(query) @ value, atol=1e-10)


def test_sums_do_not_grow_with_the_pairs() -> None:
    key, value = unit_pairs(500)
    store = FeatureConfig(16).build()
    store.store(key[:, :, :1], value[:, :, :1])
    before = store.nbytes
    store.store(key[:, :, 1:], value[:, :, 1:])
    assert store.nbytes == before


@pytest.mark.parametrize("call", ["entries", "weights", "remove", "replace"])
def test_sums_alone_cannot_tell_pairs_apart(call: str) -> None:
    key, value = unit_pairs(3)
    store = FeatureConfig(16).build()
    store.store(key, value)
    calls = {
        "entries": store.entries,
        "weights": lambda: store.weights(key),
        "remove": lambda: store.remove(0),
        "replace": lambda: store.replace(0, value=value[:, :, 0]),
    }
    with pytest.raises(InputError, match="keep_pairs"):
        calls[call]()  # type: ignore[operator]


# Recall of retrieval mass


@pytest.mark.parametrize("name", KEEPING)
def test_recall_is_the_mass_kept(name: str) -> None:
    key, value = unit_pairs(25)
    store = Measured(made(name))
    played(store, key, value)
    recalls = torch.stack(store.recalls, -1)[:, :, 0]
    assert recalls.shape == (2, 3, 25)
    assert torch.all((recalls > -1e-12) & (recalls < 1 + 1e-12))
    if name == "exact":
        assert torch.allclose(recalls, torch.ones_like(recalls))
    else:
        assert recalls.mean() < 0.99
    if not name.startswith("features"):
        mass = store.exact.weights(key).masked_fill(store.inner.weights(key) == 0, 0.0).sum(-1)
        assert torch.allclose(retrieval_recall(store.exact, store.inner, key), mass, atol=1e-12)


def test_recall_before_the_first_pair_is_undefined() -> None:
    store = Measured(ExactConfig().build())
    store.retrieve(unit_pairs(1)[0])
    assert store.recalls[0].isnan().all()


# In the models


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

    def full_pass(key: Tensor, value: Tensor) -> Tensor:
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
