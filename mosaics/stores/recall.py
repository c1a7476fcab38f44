"""Recall of retrieval mass: how much of the exact weights a store keeps.

    recall_j = sum_i min(w_ji, w~_ji) = 1 - TV(w_j, w~_j)      w exact, over all pairs ever stored; w~ the store's

For a store that looks at some of the pairs, R, and divides by their exact weight, w~ >= w there, so that recall is the
exact weight of R. 1 is perfect, 0 is nothing in common; no pairs stored yet: NaN.

>>> from mosaics.stores import CapacityConfig
>>> key = torch.tensor([[[[3.0], [0.0]]]])
>>> store = Measured(CapacityConfig(capacity=1).build())
>>> store.store(key, key)
>>> store.retrieve(torch.zeros(1, 1, 1, 1)).item(), store.recalls[0].item()      # two equal weights, one pair left
(0.0, 0.5)
"""

from __future__ import annotations

import torch
from torch import Tensor

from mosaics.stores.exact import ExactStore
from mosaics.stores.interface import Store


def retrieval_recall(exact: Store, store: Store, query: Tensor) -> Tensor:
    """Recall (B, heads, m) of `store` for queries (B, heads, m, w), where `exact` was given the same pairs."""
    if exact.count == 0:
        return query.new_full(query.shape[:3], torch.nan)
    return torch.minimum(exact.weights(query), store.weights(query)).sum(-1)


class Measured:
    """A store beside an exact one; every retrieval adds to the two lists."""

    def __init__(self, store: Store) -> None:
        self.inner, self.exact = store, ExactStore(store.score)
        self.recalls: list[Tensor] = []
        """Recall, (B, heads, m) each."""
        self.looked: list[Tensor] = []
        """Pairs compared with the queries, (B, heads, m) each."""

    @property
    def count(self) -> int:
        """Pairs stored so far."""
        return self.inner.count

    def store(self, key: Tensor, value: Tensor) -> None:
        """Store n pairs in both."""
        self.inner.store(key, value)
        self.exact.store(key, value)

    def retrieve(self, query: Tensor) -> Tensor:
        """Retrieve from the store, and note its recall."""
        self.recalls.append(retrieval_recall(self.exact, self.inner, query))
        self.looked.append(self.inner.looked_at(query))
        return self.inner.retrieve(query)
