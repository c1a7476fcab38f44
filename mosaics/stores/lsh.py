"""Locality-sensitive hashing: a query looks only at pairs whose keys point its way.

    code_l(x) = bits (r_lj . x > 0), j = 1 .. bits                    r_lj ~ N(0, I), tables l = 1 .. L
    y = sum_{i in C(q)} softmax_i(s_i) v_i,     C(q) = pairs with code_l(k_i) = code_l(q) for at least one l

    P(i in C(q)) = 1 - (1 - p^bits)^L,   p = 1 - angle(q, k_i) / pi          `HashConfig.collision`

For keys of one norm the pairs of large weight are those of small angle, so that they are the likely ones to be found;
the store refuses keys whose norms differ. Queries may have any norm. No pair in C(q) gives 0, as an empty memory does.

A table is a tensor of buckets, (B, heads, L, 2^bits, places), of pair numbers; places are doubled when a bucket is
full, up to `bucket`, from where on a new pair takes the place of the oldest of its bucket. So a query costs
O(L bucket), whatever the number of pairs.

Reference: Charikar, Similarity estimation techniques from rounding algorithms, STOC 2002.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mosaics.stores.exact import EMPTY
from mosaics.stores.interface import STORES
from mosaics.stores.search import SearchStore
from toyworlds.core.seeds import Stream
from toyworlds.core.validate import integer, real, reject

FIRST_PLACES = 4
MOST_BITS = 20
NORM_TOLERANCE = 1e-3


@STORES.register("hash")
@dataclass(frozen=True)
class HashConfig:
    """Look at the pairs that share a bucket with the query (sign-projection hashing; unit keys)."""

    tables: int = 8
    """Tables L, each with projections of its own."""
    bits: int = 4
    """Bits of a code; a table has 2^bits buckets."""
    bucket: int = 0
    """Most pairs in one bucket, the newest; 0 for any number."""
    seed: int = 0
    """Seed of the projections."""

    def __post_init__(self) -> None:
        integer("tables", self.tables, 1)
        integer("bits", self.bits, 1, MOST_BITS)
        integer("bucket", self.bucket, 0)
        integer("seed", self.seed, 0)

    def build(self, score: str = "dot") -> HashStore:
        """Return an empty store."""
        return HashStore(self, score)

    def collision(self, cosine: float) -> float:
        """Return the probability that a pair at this cosine to the query is found, `bucket` left aside."""
        agree = 1.0 - math.acos(real("cosine", cosine, -1.0, 1.0)) / math.pi
        return 1.0 - (1.0 - agree**self.bits) ** self.tables


class HashStore(SearchStore):
    """The store of this file."""

    def __init__(self, config: HashConfig, score: str = "dot") -> None:
        super().__init__(score)
        self.config = config
        self._directions = self._buckets = self._filled = self._norm = torch.empty(0)

    @property
    def nbytes(self) -> int:
        """Bytes of the tensors, room that is not used yet included."""
        return super().nbytes + sum(part.nbytes for part in (self._directions, self._buckets, self._filled))

    def _store(self, key: Tensor, value: Tensor) -> None:
        if not self.count:
            self._begin(key)
        self._check_norms(key)
        self._append(key, value)
        codes = self._codes(key)
        for index in range(key.shape[2]):
            self._insert(codes[:, :, index], self.count + index)

    def _begin(self, key: Tensor) -> None:
        config, width = self.config, key.shape[3]
        draws = Stream(config.seed, "hash").normal(0, width * config.tables * config.bits)
        self._directions = torch.from_numpy(draws).to(key).view(width, -1)
        buckets = key.shape[0] * key.shape[1] * config.tables, 2**config.bits
        self._filled = torch.zeros(buckets, dtype=torch.int32, device=key.device)
        places = min(FIRST_PLACES, config.bucket or FIRST_PLACES)
        self._buckets = torch.full((*buckets, places), EMPTY, dtype=torch.int32, device=key.device)
        self._norm = torch.linalg.vector_norm(key[:, :, :1], dim=-1)

    def _check_norms(self, key: Tensor) -> None:
        norms = torch.linalg.vector_norm(key, dim=-1)
        tolerance = NORM_TOLERANCE + 8 * torch.finfo(key.dtype).eps
        if bool(((norms - self._norm).abs() > tolerance * self._norm).any()):
            norms = norms.flatten()
            expected = "keys of one norm in each memory, which sign projections rest on"
            reject("key", expected, f"norms from {norms.min():.4g} to {norms.max():.4g}", "the store faiss takes any")

    def _codes(self, x: Tensor) -> Tensor:
        """Codes (B, heads, n, L) of keys or queries (B, heads, n, w)."""
        bits = (x @ self._directions > 0).unflatten(-1, (self.config.tables, self.config.bits))
        return (bits << torch.arange(self.config.bits, device=x.device)).sum(-1)

    def _insert(self, codes: Tensor, pair: int, where: Tensor | None = None) -> None:
        """Put a pair into its buckets, codes (B, heads, L), in the memories `where`."""
        row = torch.arange(len(self._filled), device=codes.device)
        code = codes.flatten()
        if where is not None:
            chosen = where[:, :, None].expand(codes.shape).flatten()
            row, code = row[chosen], code[chosen]
        place = self._filled[row, code]
        self._filled[row, code] += 1
        if self.config.bucket:
            place = place % self.config.bucket
        self._make_place(int(place.max()) + 1)
        self._buckets[row, code, place] = pair

    def _make_place(self, least: int) -> None:
        """Give the buckets at least so many places."""
        places = self._buckets.shape[2]
        if least > places:
            more = min(2 * places, self.config.bucket or 2 * places) - places
            self._buckets = torch.nn.functional.pad(self._buckets, (0, more), value=EMPTY)

    def _find(self, query: Tensor) -> Tensor:
        codes = self._codes(query).transpose(2, 3).flatten(0, 2)
        row = torch.arange(len(codes), device=codes.device)[:, None]
        tables = self._buckets[row, codes].unflatten(0, (*query.shape[:2], self.config.tables))
        found = tables.transpose(2, 3).flatten(3).long().sort(-1, descending=True).values
        again = found[..., 1:] == found[..., :-1]
        found[..., 1:].masked_fill_(again, EMPTY)
        found = found.sort(-1, descending=True).values
        return found[..., : max(int((found != EMPTY).sum(-1).max()), 1)]

    def _replace(self, pair: int, key: Tensor | None, value: Tensor | None, where: Tensor) -> None:
        if key is not None:
            self._check_norms(key[:, :, None])
        super()._replace(pair, key, value, where)

    def _edited(self, pair: int, where: Tensor) -> None:
        rows = where[:, :, None].expand(-1, -1, self.config.tables).flatten()
        self._buckets[(self._buckets == pair) & rows[:, None, None]] = EMPTY
        held = where & (self._pairs[:, :, pair] == pair)
        if held.any():
            self._insert(self._codes(self._keys[:, :, pair : pair + 1])[:, :, 0], pair, held)
