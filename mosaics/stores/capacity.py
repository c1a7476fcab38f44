"""Capacity: at most `capacity` pairs; a new one takes the place of one that is evicted.

    y = sum_{i held} softmax_i(s_i) v_i
    pair i is used by a query when   w_i > threshold / (pairs held)

    policy                  evicts
    least-recently-used     the pair whose last use lies furthest back; being stored counts as a use
    oldest                  the pair stored first
    least-total-weight      the pair whose weights, summed over all queries since it was stored, are least
    random                  any pair with equal probability, from the stream (seed, "eviction")

Ties fall on the pair stored first. The recall of retrieval mass is the exact weight of the pairs held. As long as no
more than `capacity` pairs were stored the store equals the exact one.

Storing n pairs at once is storing them one after the other with no query in between.

Reference: Memory Mosaics, arXiv 2405.06394, sec. 6, which proposes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from mosaics.stores.exact import EMPTY, ExactStore
from mosaics.stores.interface import STORES
from toyworlds.core.seeds import Stream
from toyworlds.core.validate import choice, integer, real

POLICIES = ("least-recently-used", "oldest", "least-total-weight", "random")


@STORES.register("capacity")
@dataclass(frozen=True)
class CapacityConfig:
    """Hold at most `capacity` pairs and evict by a policy."""

    capacity: int = 256
    """Pairs held in each memory."""
    policy: Literal["least-recently-used", "oldest", "least-total-weight", "random"] = "least-recently-used"
    """Which pair makes room for a new one."""
    threshold: float = 1.0
    """Weight over which a pair counts as used, in shares 1 / (pairs held)."""
    seed: int = 0
    """Seed of random eviction."""

    def __post_init__(self) -> None:
        integer("capacity", self.capacity, 1)
        choice("policy", self.policy, POLICIES)
        real("threshold", self.threshold, 0.0)
        integer("seed", self.seed, 0)

    def build(self, score: str = "dot") -> CapacityStore:
        """Return an empty store."""
        return CapacityStore(self, score)


class CapacityStore(ExactStore):
    """The store of this file."""

    def __init__(self, config: CapacityConfig, score: str = "dot") -> None:
        super().__init__(score)
        self.config = config
        self._queries = 0
        self._marks = torch.empty(0)
        """Last use (in queries) or total weight of each place, (B, heads, room) float64."""

    @property
    def nbytes(self) -> int:
        """Bytes of the tensors, room that is not used yet included."""
        return super().nbytes + self._marks.nbytes

    def _store(self, key: Tensor, value: Tensor) -> None:
        appended = min(self.config.capacity - self._used, key.shape[2])
        if appended:
            start = self._used
            self._append(key[:, :, :appended], value[:, :, :appended])
            self._grow_marks()
            self._marks[:, :, start : self._used] = self._first_mark()
        for index in range(appended, key.shape[2]):
            self._exchange(self.count + index, key[:, :, index], value[:, :, index])

    def _room(self, least: int) -> int:
        return min(super()._room(least), self.config.capacity)

    def _grow_marks(self) -> None:
        missing = self._pairs.shape[2] - (self._marks.shape[2] if self._marks.dim() > 1 else 0)
        if missing:
            more = torch.zeros(*self._pairs.shape[:2], missing, dtype=torch.float64, device=self._pairs.device)
            self._marks = torch.cat([self._marks, more], 2) if self._marks.dim() > 1 else more

    def _first_mark(self) -> int:
        return self._queries if self.config.policy == "least-recently-used" else 0

    def _exchange(self, pair: int, key: Tensor, value: Tensor) -> None:
        """Put one pair in the place of the one that is evicted; an empty place is taken first."""
        place = self._victims(pair)[:, :, None]
        self._pairs.scatter_(2, place, pair)
        self._marks.scatter_(2, place, self._first_mark())
        self._keys.scatter_(2, place[..., None].expand(*place.shape, key.shape[2]), key[:, :, None])
        self._values.scatter_(2, place[..., None].expand(*place.shape, value.shape[2]), value[:, :, None])

    def _victims(self, pair: int) -> Tensor:
        """Place (B, heads) that pair number `pair` gets in each memory."""
        empty = self._pairs == EMPTY
        if self.config.policy == "random":
            rank = self._drawn(pair)
        else:
            rank = self._pairs.double() if self.config.policy == "oldest" else self._marks
        rank = rank.masked_fill(empty, -1.0)
        least = rank.amin(2, keepdim=True)
        return self._pairs.masked_fill(rank > least, torch.iinfo(torch.int64).max).argmin(2)

    def _drawn(self, pair: int) -> Tensor:
        """0 in the place drawn for the victim of `pair`, one draw a head, and 1 elsewhere."""
        heads = self._pairs.shape[1]
        draws = Stream(self.config.seed, "eviction").below(self.config.capacity, pair * heads, heads)
        rank = torch.ones(heads, self.config.capacity, dtype=torch.float64, device=self._pairs.device)
        rank[torch.arange(heads), torch.from_numpy(draws)] = 0.0
        return rank.expand(self._pairs.shape)

    def _retrieve(self, query: Tensor) -> Tensor:
        weights = self._place_weights(query)
        self._note(weights)
        return weights @ self._values[:, :, : self._used]

    def _note(self, weights: Tensor) -> None:
        """Keep what the policy needs to know of the weights (B, heads, m, places)."""
        marks = self._marks[:, :, : self._used]
        if self.config.policy == "least-total-weight":
            marks += weights.sum(2)
        elif self.config.policy == "least-recently-used":
            held = self._used if not self._gaps else (self._pairs[:, :, : self._used] >= 0).sum(2)[..., None, None]
            times = torch.arange(1, weights.shape[2] + 1, device=weights.device) + self._queries
            used = torch.where(weights * held > self.config.threshold, times[:, None], 0).amax(2)
            torch.maximum(marks, used.double(), out=marks)
        self._queries += weights.shape[2]
