"""What stores have in common that hold every pair and look at some of them.

    y = sum_{i in C(q)} softmax_i(s_i) v_i        C(q) the pairs that an index finds for q; 0 where it finds none

The recall of retrieval mass is the exact weight of C(q). The place of a pair is its number.
"""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from mosaics.memory.reference import scores
from mosaics.pairs import BETA
from mosaics.stores.exact import EMPTY, ExactStore


class SearchStore(ExactStore):
    """A store of every pair that looks at some of them; subclasses say at which."""

    @abstractmethod
    def _find(self, query: Tensor) -> Tensor:
        """Numbers (B, heads, m, c) of the pairs to look at for queries (B, heads, m, w), each once; -1 for none."""

    @abstractmethod
    def _edited(self, pair: int, where: Tensor) -> None:
        """Bring the index up to date after the pair's place was edited in the memories `where` (B, heads)."""

    def _candidate_weights(self, query: Tensor, found: Tensor) -> Tensor:
        """Weights (B, heads, m, c) of the pairs found."""
        keys = self._gathered(self._keys, found)
        table = scores(query[..., None, :], keys, BETA[self.score], self.score)[..., 0, :]
        none = found == EMPTY
        return table.masked_fill(none, -torch.inf).softmax(-1).masked_fill(none, 0.0)

    def _retrieve(self, query: Tensor) -> Tensor:
        found = self._find(query)
        weights = self._candidate_weights(query, found)
        return (weights[..., None, :] @ self._gathered(self._values, found))[..., 0, :]

    def _weights(self, query: Tensor) -> Tensor:
        found = self._find(query)
        return self._by_pair(self._candidate_weights(query, found), found)

    def _looked_at(self, query: Tensor) -> Tensor:
        return (self._find(query) != EMPTY).sum(-1)

    def _replace(self, pair: int, key: Tensor | None, value: Tensor | None, where: Tensor) -> None:
        touched = self._held(pair, where).any(2)
        super()._replace(pair, key, value, where)
        if key is not None:
            self._edited(pair, touched)

    def _remove(self, pair: int, where: Tensor) -> None:
        touched = self._held(pair, where).any(2)
        super()._remove(pair, where)
        self._edited(pair, touched)

    @staticmethod
    def _gathered(held: Tensor, found: Tensor) -> Tensor:
        """Rows of `held` (B, heads, room, w) that the numbers (B, heads, m, c) name: (B, heads, m, c, w)."""
        batch, heads = (torch.arange(size, device=held.device) for size in held.shape[:2])
        return held[batch[:, None, None, None], heads[:, None, None], found.clamp_min(0)]
