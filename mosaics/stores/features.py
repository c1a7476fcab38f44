"""Random features: the kernel is estimated by a product of features, so sums over the pairs are all that is kept.

    exp(q . k) = E[f(q) . f(k)],     f_j(x) = m^(-1/2) D exp(A |r_j|^2 + B r_j . x - |x|^2 / 2),     r_j ~ N(0, I_w)
    A = (1 - a) / 8,  B = sqrt(1 - 4 A),  D = (1 - 4 A)^(w / 4)           damping a >= 1;  a = 1: Performer (FAVOR+)

    y = sum_i w~_i v_i,   w~_i = f(q) . f(k_i) / sum_u f(q) . f(k_u)      "dot"
    f(x) exp(-|x|^2 / 2) in place of f(x)                                 "gaussian": exp(-|q - k|^2 / 2)

    S_j = sum_i f_j(k_i) v_i,   z_j = sum_i f_j(k_i)      m (e + 1) numbers, however many pairs;   y = f(q) S / f(q) . z

Variance of f(q) . f(k), m independent features, in units of its mean squared:

    V = (1 / m) (((1 + a)^2 / (4 a))^(w / 2) exp(|q + k|^2 / a) - 1)       a = 1:  (exp(|q + k|^2) - 1) / m

exactly. Directions that are orthogonal in groups of w, as here unless told otherwise, lower it (proved for a = 1), so
that V is a bound for them. The least V for |q + k|^2 = R is at a = (w + 2 R + sqrt((w + 2 R)^2 + 8 w R)) / (2 w);
damping 0 takes that for R = 4 |k_0|^2, the largest |q + k|^2 of keys with the norm of the first one. V grows
exponentially with R, that is with the sharpness: only flat memories can be kept this way.

Each feature keeps the largest exponent it has seen beside its sums, so nothing overflows or vanishes.

Reference: Choromanski et al., Rethinking attention with Performers, arXiv 2009.14794; Likhosherstov et al., Chefs'
random tables, arXiv 2205.15317 (damping).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mosaics.stores.exact import ExactStore
from mosaics.stores.interface import STORES, Entries, Store
from toyworlds.core.seeds import Stream
from toyworlds.core.validate import integer, real, reject

PAIRS_AT_ONCE = 256


@STORES.register("features")
@dataclass(frozen=True)
class FeatureConfig:
    """Keep sums of random features of the pairs, not the pairs."""

    features: int = 256
    """Features m."""
    damping: float = 0.0
    """Damping a; 1 is FAVOR+, 0 takes the best for the norm of the first key."""
    orthogonal: bool = True
    """Draw the directions orthogonal, in groups of w."""
    keep_pairs: bool = False
    """Keep the pairs as well, for weights, entries and edits."""
    seed: int = 0
    """Seed of the directions."""

    def __post_init__(self) -> None:
        integer("features", self.features, 1)
        if real("damping", self.damping, 0.0) != 0.0 and self.damping < 1.0:
            reject("damping", "a number of at least 1, or 0 for the best", self.damping)
        integer("seed", self.seed, 0)

    def build(self, score: str = "dot") -> FeatureStore:
        """Return an empty store."""
        return FeatureStore(self, score)

    def directions(self, width: int) -> Tensor:
        """Directions r_j, (m, w) float64, each N(0, I)."""
        stream = Stream(self.seed, "features")
        groups = -(-self.features // width)
        draws = torch.from_numpy(stream.normal(0, groups * width * width)).view(groups, width, width)
        if self.orthogonal:
            turn, triangle = torch.linalg.qr(draws)
            lengths = torch.linalg.vector_norm(draws, dim=1) * triangle.diagonal(dim1=1, dim2=2).sign()
            draws = turn.mT * lengths[:, :, None]
        return draws.flatten(0, 1)[: self.features]


def relative_variance(sum_square: float, width: int, features: int, damping: float) -> float:
    """V of the module for |q + k|^2 = `sum_square`."""
    growth = 0.5 * width * math.log((1.0 + damping) ** 2 / (4.0 * damping)) + sum_square / damping
    return math.expm1(growth) / features


def best_damping(sum_square: Tensor, width: int) -> Tensor:
    """Damping a >= 1 of least variance for |q + k|^2."""
    half = width + 2.0 * sum_square
    return (half + torch.sqrt(half.square() + 8.0 * width * sum_square)) / (2.0 * width)


class FeatureStore(Store):
    """The store of this file."""

    def __init__(self, config: FeatureConfig, score: str = "dot") -> None:
        super().__init__(score)
        self.config = config
        self._pairs = ExactStore(score) if config.keep_pairs else None
        self._directions = self._damping = torch.empty(0)
        self._values = self._total = self._peak = torch.empty(0)

    @property
    def nbytes(self) -> int:
        """Bytes of the tensors."""
        own = (self._directions, self._damping, self._values, self._total, self._peak)
        return sum(part.nbytes for part in own) + (self._pairs.nbytes if self._pairs else 0)

    def entries(self) -> Entries:
        """Return the pairs; only with keep_pairs."""
        return self._kept().entries()

    def log_features(self, x: Tensor) -> Tensor:
        """Log f (B, heads, n, m) of keys or queries (B, heads, n, w), without the factors that all features share."""
        damping = self._damping[:, :, None, None]
        slope = torch.sqrt((1.0 + damping) / 2.0)
        norms = x.square().sum(-1, keepdim=True) * (0.5 if self.score == "dot" else 1.0)
        lengths = self._directions.square().sum(-1) * ((1.0 - damping) / 8.0)
        return slope * (x @ self._directions.mT) + lengths - norms

    def _store(self, key: Tensor, value: Tensor) -> None:
        if not self.count:
            self._begin(key)
            self._clear(value)
        if self._pairs:
            self._pairs.store(key, value)
        self._sum(key, value, None)

    def _begin(self, key: Tensor) -> None:
        width = key.shape[3]
        self._directions = self.config.directions(width).to(key)
        largest = 4.0 * key[:, :, 0].square().sum(-1)
        chosen = self.config.damping
        self._damping = torch.full_like(largest, chosen) if chosen else best_damping(largest, width)

    def _clear(self, like: Tensor) -> None:
        """Start the sums for values like these, (B, heads, n, e)."""
        sums = (*like.shape[:2], self.config.features)
        self._total = like.new_zeros(sums)
        self._values = like.new_zeros(*sums, like.shape[3])
        self._peak = like.new_full(sums, -torch.inf)

    def _sum(self, key: Tensor, value: Tensor, empty: Tensor | None) -> None:
        """Add pairs to the sums, but for the places `empty` (B, heads, n)."""
        for start in range(0, key.shape[2], PAIRS_AT_ONCE):
            part = slice(start, start + PAIRS_AT_ONCE)
            logs = self.log_features(key[:, :, part])
            if empty is not None:
                logs = logs.masked_fill(empty[:, :, part, None], -torch.inf)
            peak = torch.maximum(self._peak, logs.amax(2))
            floor = peak.clamp_min(torch.finfo(peak.dtype).min)
            earlier, new = torch.exp(self._peak - floor), torch.exp(logs - floor[:, :, None])
            self._total = self._total * earlier + new.sum(2)
            self._values = self._values * earlier[..., None] + new.mT @ value[:, :, part]
            self._peak = peak

    def _retrieve(self, query: Tensor) -> Tensor:
        logs = self.log_features(query) + self._peak[:, :, None]
        shares = torch.exp(logs - logs.amax(3, keepdim=True))
        found = (shares @ self._values) / (shares @ self._total[..., None])
        return found.masked_fill((self._total == 0).all(2)[..., None, None], 0.0)

    def _looked_at(self, query: Tensor) -> Tensor:
        return torch.zeros(query.shape[:3], dtype=torch.int64, device=query.device)

    def _weights(self, query: Tensor) -> Tensor:
        held = self._kept().entries()
        logs = self.log_features(query)[..., None, :] + self.log_features(held.key)[:, :, None]
        empty = ~held.held[:, :, None]
        return torch.logsumexp(logs, -1).masked_fill(empty, -torch.inf).softmax(-1).masked_fill(empty, 0.0)

    def _replace(self, pair: int, key: Tensor | None, value: Tensor | None, where: Tensor) -> None:
        self._kept().replace(pair, key=key, value=value, where=where)
        self._sum_again()

    def _remove(self, pair: int, where: Tensor) -> None:
        self._kept().remove(pair, where=where)
        self._sum_again()

    def _sum_again(self) -> None:
        held = self.entries()
        self._clear(held.value)
        self._sum(held.key, held.value, ~held.held)

    def _kept(self) -> ExactStore:
        if self._pairs is None:
            reject("keep_pairs", "True, for this store keeps sums, in which single pairs cannot be told apart", False)
        return self._pairs
