"""The interface of every store of pairs, and its checks.

    store(key, value)          n pairs; they get the numbers count .. count + n - 1, in every memory the same
    retrieve(query)            y_j = sum_i w_ji v_i for m queries; 0 where no pair is found
    weights(query)             w~_ji, one weight a pair ever stored; 0 for a pair that is lost
    replace(pair, key=, value=, where=)       give a pair another key, another value, or both
    remove(pair, where=)       forget a pair
    entries()                  what is held
    looked_at(query)           how many pairs are compared with the query

    exact weights: w_ji = softmax_i(s_ji),   s = q . k  ("dot")   or   -|q - k|^2 / 2  ("gaussian")

Keys and queries carry their scale, as the extractors make them. One store serves all memories of a layer: keys
(B, heads, n, w), values (B, heads, n, e), queries (B, heads, m, w), weights (B, heads, m, count). `where` names the
memories that an edit touches, a mask (B, heads); None is all of them. A memory that has lost the pair is left as it is.

With one pair a step, pair number t is that of step t. What a store does is a function of its config and of what it has
been given, in order, so an output never depends on later inputs; and each row of the batch is served by itself. Stores
are for inference: no gradient passes through them.

Errors: InputError for shapes, dtypes and devices that do not fit, and for an edit of a pair that no memory holds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from mosaics.pairs import BETA
from toyworlds.core.registry import Registry
from toyworlds.core.validate import choice, integer, reject

STORES = Registry("store")
"""Config classes of stores; ``STORES[name](**options).build(score)`` makes one."""


@dataclass(frozen=True)
class Entries:
    """What a store holds; an empty place has the pair number -1, and what stands in it means nothing."""

    pair: Tensor
    """Numbers of the pairs, (B, heads, n) int64."""
    key: Tensor
    """Keys (B, heads, n, w)."""
    value: Tensor
    """Values (B, heads, n, e)."""

    @property
    def held(self) -> Tensor:
        """True where a place holds a pair, (B, heads, n)."""
        return self.pair >= 0


class Store(ABC):
    """A store; subclasses fill in the methods with an underscore, which are given checked arguments."""

    def __init__(self, score: str) -> None:
        self.score = choice("score", score, BETA)
        self.count = 0
        self._like: tuple[Tensor, Tensor] | None = None

    @torch.no_grad()
    def store(self, key: Tensor, value: Tensor) -> None:
        """Store n >= 1 pairs: keys (B, heads, n, w) and values (B, heads, n, e)."""
        first = self._like is None
        for name, item, like in zip(("key", "value"), (key, value), self._like or (key, key), strict=True):
            _four_axes(name, item, None if first else like.shape[3], like)
        if key.shape[2] != value.shape[2] or key.shape[2] < 1:
            reject("key, value", "one value a key, at least one of each", (key.shape[2], value.shape[2]))
        self._store(key, value)
        self._like = key[:, :, :0], value[:, :, :0]
        self.count += key.shape[2]

    @torch.no_grad()
    def retrieve(self, query: Tensor) -> Tensor:
        """Retrieve for queries (B, heads, m, w): (B, heads, m, e); zeros shaped as the query before the first pair."""
        return self._retrieve(query) if self._asked(query) else torch.zeros_like(query)

    @torch.no_grad()
    def weights(self, query: Tensor) -> Tensor:
        """Weight of each pair ever stored, (B, heads, m, count); no trace of the look is left."""
        return self._weights(query) if self._asked(query) else query.new_zeros(*query.shape[:-1], 0)

    @torch.no_grad()
    def looked_at(self, query: Tensor) -> Tensor:
        """Count the pairs that are compared with queries (B, heads, m, w): (B, heads, m) int64."""
        empty = torch.zeros(query.shape[:3], dtype=torch.int64, device=query.device)
        return self._looked_at(query) if self._asked(query) else empty

    @torch.no_grad()
    def replace(
        self, pair: int, *, key: Tensor | None = None, value: Tensor | None = None, where: Tensor | None = None
    ) -> None:
        """Give pair number `pair` the key (B, heads, w), the value (B, heads, e), or what broadcasts to them."""
        if self._like is None or (key is None and value is None):
            reject("replace", "a pair that was stored, and a key or a value for it", (pair, key, value))
        new = [
            None if item is None else self._broadcast(name, item, like)
            for name, item, like in zip(("key", "value"), (key, value), self._like, strict=True)
        ]
        self._replace(integer("pair", pair, 0, self.count - 1), new[0], new[1], self._memories(where))

    @torch.no_grad()
    def remove(self, pair: int, *, where: Tensor | None = None) -> None:
        """Forget pair number `pair`."""
        if self._like is None:
            reject("pair", "a pair that was stored", pair)
        self._remove(integer("pair", pair, 0, self.count - 1), self._memories(where))

    @abstractmethod
    def entries(self) -> Entries:
        """Return what is held."""

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Bytes of the tensors that the store keeps, room that is not used yet included."""

    @abstractmethod
    def _store(self, key: Tensor, value: Tensor) -> None: ...

    @abstractmethod
    def _retrieve(self, query: Tensor) -> Tensor: ...

    @abstractmethod
    def _weights(self, query: Tensor) -> Tensor: ...

    @abstractmethod
    def _looked_at(self, query: Tensor) -> Tensor: ...

    @abstractmethod
    def _replace(self, pair: int, key: Tensor | None, value: Tensor | None, where: Tensor) -> None: ...

    @abstractmethod
    def _remove(self, pair: int, where: Tensor) -> None: ...

    def _asked(self, query: Tensor) -> bool:
        """Check a query; False where nothing has been stored yet."""
        like = query[:, :, :0] if self._like is None else self._like[0]
        _four_axes("query", query, like.shape[3], like)
        return self._like is not None

    def _memories(self, where: Tensor | None) -> Tensor:
        """Mask (B, heads) of the memories that an edit touches."""
        assert self._like is not None
        memories, device = self._like[0].shape[:2], self._like[0].device
        if where is None:
            return torch.ones(memories, dtype=torch.bool, device=device)
        if not isinstance(where, Tensor) or where.dtype != torch.bool or where.shape != memories:
            reject("where", f"a mask of shape {tuple(memories)}", where)
        return where.to(device)

    @staticmethod
    def _broadcast(name: str, item: Tensor, like: Tensor) -> Tensor:
        wanted = (*like.shape[:2], like.shape[3])
        try:
            return torch.as_tensor(item).to(like).broadcast_to(wanted)
        except RuntimeError:
            reject(name, f"a shape that broadcasts to {wanted}", tuple(item.shape))


def _four_axes(name: str, item: Tensor, width: int | None, like: Tensor) -> None:
    """Check a tensor (B, heads, any, width) against one that has the right leading sizes, dtype and device."""
    if not isinstance(item, Tensor) or item.dim() != 4 or not item.is_floating_point():
        reject(name, "floats (batch, heads, pairs, width)", tuple(item.shape) if isinstance(item, Tensor) else item)
    fits = item.shape[:2] == like.shape[:2] and (width is None or item.shape[3] == width)
    if not fits or item.dtype != like.dtype or item.device != like.device:
        wanted = f"({like.shape[0]}, {like.shape[1]}, pairs, {'width' if width is None else width})"
        got = (tuple(item.shape), str(item.dtype), str(item.device))
        reject(name, f"{wanted}, {like.dtype} on {like.device}, as the first keys", got)
