"""Random features: the stated mean and variance, and sums against tables."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from store_cases import unit_pairs
from torch import Tensor

from mosaics.stores import (
    FeatureConfig,
)
from mosaics.stores.features import best_damping, relative_variance
from toyworlds.core.validate import InputError


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
