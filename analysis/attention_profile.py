"""Where memories look: mean retrieval weight by distance and by position, its entropy and its flatness.

    w_T(t)             weight of pair t at step T, of one head; means are over sequences and T = n / 2 .. n - 1
    by distance        p(d) = mean of w_T(T - d),   d < n / 2
    by position        q(t) = mean of w_T(t),       t < n / 2
    entropy            mean of -sum_t w_T(t) ln w_T(t) / ln(pairs available at T)    0: one pair, 1: all alike
    flatness           exp(mean ln p) / mean p over distances (of q over positions)  0 .. 1, 1: flat (spectral flatness)
    first, nearest     mean weight of the first pair, and of the nearest that is available

The entropy is that of each retrieval; the flatness that of the mean profile: heads that look sharply at ever other
places have a low entropy and a flat profile. Distances below that of the nearest pair are left out (a memory that peeks
one step ahead has none at distance 0), and a level that ends at a window ends the distances.

Weights that are exactly 0 count as 1e-12 in the flatness.

Reference: Memory Mosaics, arXiv 2405.06394, figure of attention profiles: flat for the mosaic, peaked at the first and
the nearest tokens for the transformer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.arrays import finite
from analysis.bootstrap import RESAMPLES, Interval, bootstrap_interval
from toyworlds.core.validate import reject

TINY = 1e-12
AT_ONCE = 4
SUMS = 1e-3
NUMBERS = ("flatness_by_distance", "flatness_by_position", "first", "nearest")


@dataclass(frozen=True)
class Where:
    """Which head, and what it can retrieve."""

    module: str = ""
    """Name of its module."""
    layer: int = 0
    """Number of the module, from the first."""
    head: int = 0
    """Number in the module."""
    nearest: int = 0
    """Least distance of a pair that can be retrieved: 1 for a memory that peeks one step ahead, 0 for attention."""
    furthest: int = 0
    """Largest such distance; 0: any."""


@dataclass(frozen=True)
class Profile:
    """Where one head looks."""

    where: Where
    """Which head."""
    by_distance: np.ndarray
    """Mean weight at each distance, from the nearest to n / 2 - 1 or the furthest."""
    by_position: np.ndarray
    """(n / 2,) mean weight at each position."""
    entropy: Interval
    """Mean over sequences, relative to that of equal weights; 0 .. 1."""

    @property
    def flatness_by_distance(self) -> float:
        """Flatness of the mean weights by distance."""
        return flatness(self.by_distance)

    @property
    def flatness_by_position(self) -> float:
        """Flatness of the mean weights by position."""
        return flatness(self.by_position)

    @property
    def first(self) -> float:
        """Mean weight of the first pair."""
        return float(self.by_position[0])

    @property
    def nearest(self) -> float:
        """Mean weight of the nearest pair."""
        return float(self.by_distance[0])


def flatness(profile: Any) -> float:
    """exp(mean ln p) / mean p: 1 for a flat profile, near 0 for one with a single peak.

    >>> flatness([0.25, 0.25]), round(flatness([0.1, 0.4]), 3)
    (1.0, 0.8)
    """
    profile = np.maximum(finite("profile", profile, 1), TINY)
    return float(np.exp(np.log(profile).mean()) / profile.mean())


def profile_of(weights: Any, where: Where, *, seed: int = 0, n: int = RESAMPLES) -> Profile:
    """Profile of one head from its weights (sequences, n, n), entry (T, t) that of pair t at step T."""
    weights = finite("weights", weights, 3)
    length = weights.shape[-1]
    half = length // 2
    if weights.shape[1] != length or half <= where.nearest + 1 or len(weights) < 2:
        reject("weights", f"(sequences, n, n), 2 sequences at least, n / 2 > {where.nearest + 1}", weights.shape)
    late, steps = weights[:, half:], np.arange(half, length)
    sums = late.sum(-1)
    if weights.min() < 0.0 or np.abs(sums - 1.0).max() > SUMS:
        reject("weights", "rows from n / 2 on that sum to 1, none negative", [weights.min(), sums.min(), sums.max()])
    mean = late.mean(axis=0)
    furthest = min(where.furthest or half, half - 1)
    distances = np.arange(where.nearest, furthest + 1)
    by_distance = mean[np.arange(len(steps))[:, None], steps[:, None] - distances].mean(axis=0)
    available = np.minimum(steps + 1, (where.furthest or length) + 1) - where.nearest
    entropy = -(late * np.log(np.maximum(late, TINY))).sum(-1) / np.log(np.maximum(available, 2))
    interval = bootstrap_interval(entropy.mean(axis=1), seed=seed, n=n)
    return Profile(where, by_distance, mean[:, :half].mean(axis=0), interval)


def profiles(model: Any, tokens: Any, *, seed: int = 0, n: int = RESAMPLES) -> list[Profile]:
    """Profiles of every head of `model` reading sequences of one length, tokens (sequences, n) int64."""
    import torch

    from mosaics.attending import head_weights

    rows = torch.as_tensor(np.asarray(tokens), dtype=torch.int64)
    if rows.dim() != 2:
        reject("tokens", "(sequences, n)", tuple(rows.shape))
    device = next(model.parameters()).device
    parts = [head_weights(model, rows[i : i + AT_ONCE].to(device)) for i in range(0, len(rows), AT_ONCE)]
    found = []
    for layer, modules in enumerate(zip(*parts, strict=True)):
        weights = torch.cat([part.weights for part in modules]).double().cpu().numpy()
        for head in range(weights.shape[1]):
            where = Where(modules[0].module, layer, head, modules[0].nearest, modules[0].furthest)
            found.append(profile_of(weights[:, head], where, seed=seed, n=n))
    return found


def profile_table(found: list[Profile]) -> pd.DataFrame:
    """One line a head: module, layer, head, entropy with limits, both flatnesses, first, nearest."""
    return pd.DataFrame(
        [
            {
                "module": profile.where.module,
                "layer": profile.where.layer,
                "head": profile.where.head,
                "entropy": profile.entropy.estimate,
                "entropy_low": profile.entropy.low,
                "entropy_high": profile.entropy.high,
                **{name: getattr(profile, name) for name in NUMBERS},
            }
            for profile in found
        ]
    )
