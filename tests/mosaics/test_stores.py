"""Every store: order, batch, weights, entries, edits, recall, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from store_cases import EVERY, made, played, unit_pairs

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
from toyworlds.core.validate import InputError

KEEPING = [name for name in EVERY if name != "features"]
UNDOING = [name for name in KEEPING if name != "hash, small buckets"]
"""Stores in which an edit undoes what came before; what a full bucket has dropped does not come back."""


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
