"""Nearest neighbours by faiss: a query looks at the `neighbours` pairs of largest score.

    y = sum_{i in N(q)} softmax_i(s_i) v_i,     N(q) = what the index returns for q

    index     search
    flat      exact: every key is compared
    hnsw      approximate: a walk on a graph of small worlds

The score of the index is the inner product for "dot" and the Euclidean distance for "gaussian", so keys of any norms
will do. Every memory of every row has an index of its own, searched one after the other on the CPU in float32; the
weights are computed from the keys as they are.

Needs the extra ``search`` (faiss-cpu).

Reference: Malkov and Yashunin, arXiv 1603.09320 (HNSW); Douze et al., arXiv 2401.08281 (faiss).
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from mosaics.stores.exact import EMPTY
from mosaics.stores.interface import STORES
from mosaics.stores.search import SearchStore
from toyworlds.core.validate import choice, integer, reject

LINKS = 32
"""Links of a node of the graph."""


@STORES.register("faiss")
@dataclass(frozen=True)
class FaissConfig:
    """Look at the nearest pairs, found by faiss (extra `search`)."""

    neighbours: int = 32
    """Pairs looked at."""
    index: Literal["hnsw", "flat"] = "hnsw"
    """Index of faiss: approximate by a graph, or exact."""

    def __post_init__(self) -> None:
        integer("neighbours", self.neighbours, 1)
        choice("index", self.index, ("hnsw", "flat"))

    def build(self, score: str = "dot") -> FaissStore:
        """Return an empty store."""
        return FaissStore(self, score)


class FaissStore(SearchStore):
    """The store of this file."""

    def __init__(self, config: FaissConfig, score: str = "dot") -> None:
        super().__init__(score)
        if importlib.util.find_spec("faiss") is None:
            reject("store", "one whose library is installed", "faiss", "pip install 'mosaicbench[search]'")
        self.config, self._faiss = config, importlib.import_module("faiss")
        self._indices: list[Any] = []

    @property
    def nbytes(self) -> int:
        """Bytes of the tensors, and of the indices as faiss writes them."""
        return super().nbytes + sum(self._faiss.serialize_index(index).nbytes for index in self._indices)

    def _store(self, key: Tensor, value: Tensor) -> None:
        if not self.count:
            self._indices = [self._index(key.shape[3]) for _ in range(key.shape[0] * key.shape[1])]
        self._append(key, value)
        numbers = np.arange(self.count, self._used)
        for index, rows in zip(self._indices, _rows(key), strict=True):
            index.add_with_ids(rows, numbers)

    def _index(self, width: int) -> Any:
        dot = self.score == "dot"
        metric = self._faiss.METRIC_INNER_PRODUCT if dot else self._faiss.METRIC_L2
        if self.config.index == "flat":
            return self._faiss.IndexIDMap(self._faiss.IndexFlat(width, metric))
        return self._faiss.IndexIDMap(self._faiss.IndexHNSWFlat(width, LINKS, metric))

    def _find(self, query: Tensor) -> Tensor:
        number = min(self.config.neighbours, self.count)
        found = [index.search(rows, number)[1] for index, rows in zip(self._indices, _rows(query), strict=True)]
        return torch.from_numpy(np.stack(found)).to(query.device).unflatten(0, query.shape[:2])

    def _edited(self, pair: int, where: Tensor) -> None:
        """Build the indices of these memories anew: a graph cannot forget a key."""
        entries = self.entries()
        rows, pairs = _rows(entries.key), entries.pair.flatten(0, 1).cpu().numpy()
        for memory in where.flatten().nonzero().flatten().tolist():
            held = pairs[memory] != EMPTY
            self._indices[memory] = self._index(rows.shape[2])
            self._indices[memory].add_with_ids(rows[memory][held], pairs[memory][held])


def _rows(x: Tensor) -> np.ndarray:
    """(B, heads, n, w) as (B heads, n, w) float32 that lies in one piece."""
    return np.ascontiguousarray(x.flatten(0, 1).float().cpu().numpy())
