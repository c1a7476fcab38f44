"""Exact store: every pair is held, and can be edited.

    y = sum_i softmax_i(s_i) v_i   over the pairs held

The pairs stand in places 0, 1, 2 ... of tensors whose room is doubled when it runs out, so storing n pairs costs O(n)
in all and retrieving O(n) a query. A removed pair leaves its place empty. The other stores of pairs build on this one:
they choose the places anew (capacity) or look at some places only (hash, faiss).

Reference: Memory Mosaics, arXiv 2405.06394, eq. 1-3.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mosaics.memory.reference import scores
from mosaics.pairs import BETA
from mosaics.stores.interface import STORES, Entries, Store
from toyworlds.core.validate import reject

EMPTY = -1


@STORES.register("exact")
@dataclass(frozen=True)
class ExactConfig:
    """Hold every pair."""

    def build(self, score: str = "dot") -> ExactStore:
        """Return an empty store."""
        return ExactStore(score)


class ExactStore(Store):
    """The store of this file; `_pairs` (B, heads, room) is the number of the pair in each place, -1 for none."""

    def __init__(self, score: str = "dot") -> None:
        super().__init__(score)
        self._keys = self._values = torch.empty(0, 0, 0, 0)
        self._pairs = torch.empty(0, 0, 0, dtype=torch.int64)
        self._used, self._gaps = 0, False

    def entries(self) -> Entries:
        """Return the pairs held, place by place."""
        return Entries(
            self._pairs[:, :, : self._used], self._keys[:, :, : self._used], self._values[:, :, : self._used]
        )

    @property
    def nbytes(self) -> int:
        """Bytes of the tensors, room that is not used yet included."""
        return sum(part.nbytes for part in (self._keys, self._values, self._pairs))

    def _store(self, key: Tensor, value: Tensor) -> None:
        self._append(key, value)

    def _append(self, key: Tensor, value: Tensor) -> None:
        """Put pairs into the places behind the last."""
        new, end = key.shape[2], self._used + key.shape[2]
        if end > (self._pairs.shape[2] if self._used else 0):
            room = self._room(end)
            self._keys = self._grown(self._keys, key, room)
            self._values = self._grown(self._values, value, room)
            numbers = torch.empty(*key.shape[:2], 0, 1, dtype=torch.int64, device=key.device)
            self._pairs = self._grown(self._pairs[..., None], numbers, room)[..., 0]
        self._keys[:, :, self._used : end] = key
        self._values[:, :, self._used : end] = value
        self._pairs[:, :, self._used : end] = torch.arange(self.count, self.count + new, device=key.device)
        self._used = end

    def _room(self, least: int) -> int:
        """Places to make room for when `least` are needed."""
        return max(least, 2 * self._used)

    def _grown(self, held: Tensor, like: Tensor, room: int) -> Tensor:
        grown = like.new_empty(*like.shape[:2], room, like.shape[3])
        if self._used:
            grown[:, :, : self._used] = held[:, :, : self._used]
        return grown

    def _place_weights(self, query: Tensor) -> Tensor:
        """Weight of each place in use, (B, heads, m, places)."""
        table = scores(query, self._keys[:, :, : self._used], BETA[self.score], self.score)
        if not self._gaps:
            return table.softmax(-1)
        empty = self._pairs[:, :, None, : self._used] == EMPTY
        return table.masked_fill(empty, -torch.inf).softmax(-1).masked_fill(empty, 0.0)

    def _retrieve(self, query: Tensor) -> Tensor:
        return self._place_weights(query) @ self._values[:, :, : self._used]

    def _weights(self, query: Tensor) -> Tensor:
        return self._by_pair(self._place_weights(query), self._pairs[:, :, None, : self._used])

    def _looked_at(self, query: Tensor) -> Tensor:
        held = (self._pairs[:, :, : self._used] != EMPTY).sum(2, keepdim=True)
        return held.expand(query.shape[:3])

    def _by_pair(self, weights: Tensor, pairs: Tensor) -> Tensor:
        """Weights (B, heads, m, count) by pair number, from weights (B, heads, m, c) of the pairs `pairs`."""
        out = weights.new_zeros(*weights.shape[:3], self.count)
        return out.scatter_add_(3, pairs.clamp_min(0).expand(weights.shape), weights)

    def _replace(self, pair: int, key: Tensor | None, value: Tensor | None, where: Tensor) -> None:
        hit = self._held(pair, where)
        for held, new in ((self._keys, key), (self._values, value)):
            if new is not None:
                held[hit] = new[:, :, None].expand(held.shape)[hit]

    def _remove(self, pair: int, where: Tensor) -> None:
        self._pairs[self._held(pair, where)] = EMPTY
        self._gaps = True

    def _held(self, pair: int, where: Tensor) -> Tensor:
        """Places (B, heads, room) that hold the pair in the memories `where`."""
        hit = (self._pairs == pair) & where[:, :, None]
        hit[:, :, self._used :] = False
        if not hit.any():
            reject("pair", "a pair that one of these memories holds", pair)
        return hit
