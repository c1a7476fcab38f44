"""The pairs that a contextual memory holds during generation: stored one after the other, all of them kept.

    retrieve(q) = sum_i w_i v_i,   w_i = softmax_i(s_i),   s_i = q . k_i  ("dot")  or  -|q - k_i|^2 / 2  ("gaussian")

Room is doubled when it runs out, so that storing n pairs costs O(n) in all and retrieving O(n) a query.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from mosaics.memory import recall

BETA = {"dot": 1.0, "gaussian": 0.5}
"""Sharpness that goes with each score, for keys that already carry their scale."""


class PairStore(Protocol):
    """What a contextual memory asks of its store; keys (B, heads, n, w), values (B, heads, n, e)."""

    count: int
    """Pairs stored so far."""

    def store(self, key: Tensor, value: Tensor) -> None:
        """Store n pairs."""
        ...

    def retrieve(self, query: Tensor) -> Tensor:
        """Retrieve from all stored pairs for queries (B, heads, m, w): (B, heads, m, e), zero where there are none."""
        ...


class Pairs:
    """Every pair, in order of storing."""

    def __init__(self, score: str = "dot") -> None:
        self.score, self.count = score, 0
        self._keys = self._values = torch.empty(0)

    def __len__(self) -> int:
        return self.count

    @property
    def keys(self) -> Tensor:
        """Stored keys (B, heads, n, w)."""
        return self._keys[..., : self.count, :]

    @property
    def values(self) -> Tensor:
        """Stored values (B, heads, n, e)."""
        return self._values[..., : self.count, :]

    def store(self, key: Tensor, value: Tensor) -> None:
        """Store pairs, (B, heads, n, w) and (B, heads, n, e)."""
        end = self.count + key.shape[-2]
        if self._keys.dim() == 1 or end > self._keys.shape[-2]:
            self._keys, self._values = self._grown(self._keys, key, end), self._grown(self._values, value, end)
        self._keys[..., self.count : end, :] = key
        self._values[..., self.count : end, :] = value
        self.count = end

    def retrieve(self, query: Tensor) -> Tensor:
        """Retrieve from all stored pairs for queries (B, heads, m, w)."""
        if self.count == 0:
            return torch.zeros_like(query)
        return recall(query, self.keys, self.values, beta=BETA[self.score], score=self.score)

    def _grown(self, held: Tensor, new: Tensor, least: int) -> Tensor:
        room = new.new_empty(*new.shape[:-2], max(least, 2 * self.count), new.shape[-1])
        if self.count:
            room[..., : self.count, :] = held[..., : self.count, :]
        return room


class RecentPairs:
    """The last `window` pairs."""

    def __init__(self, window: int, score: str = "dot") -> None:
        self.window, self.score, self.count = window, score, 0
        self.keys = self.values = torch.empty(0)

    def __len__(self) -> int:
        return self.keys.shape[-2] if self.keys.dim() > 1 else 0

    def store(self, key: Tensor, value: Tensor) -> None:
        """Store pairs, (B, heads, n, w) and (B, heads, n, e), and forget those that are too old."""
        self.count += key.shape[-2]
        if len(self):
            key, value = torch.cat([self.keys, key], -2), torch.cat([self.values, value], -2)
        self.keys, self.values = key[..., -self.window :, :], value[..., -self.window :, :]

    def retrieve(self, query: Tensor) -> Tensor:
        """Retrieve from the stored pairs for queries (B, heads, m, w)."""
        if not len(self):
            return torch.zeros_like(query)
        return recall(query, self.keys, self.values, beta=BETA[self.score], score=self.score)
