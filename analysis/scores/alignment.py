"""S = max_a min_h min(S_phi[h, a(h)], S_psi[h, a(h)]): each head's maps look at one moon alone.

    S_phi[h, m] = |W_phi[h] M restricted to moon m's coordinates|^2 / |W_phi[h] M|^2      Frobenius norms
    S_psi[h, m] = the same share for the value map W_psi

W_phi[h] (width, channels) maps an observation to head h's key, M (channels, 2 n) maps the moons' own coordinates to
the observation (the identity where nothing is mixed), and a assigns moons to heads (`analysis.scores.assignment`).
Moon m owns coordinates 2 m and 2 m + 1 unless `owner` says otherwise. A map of zeros has share 0 everywhere.

    W_phi[h] M = [ 3 0 | 0 0 ]     S_phi[h] = (9 + 16, 0.25) / 25.25 = (0.990, 0.010)
                 [ 0 4 | 0.5 0 ]

Reference: Zhang et al., Memory Mosaics, ICLR 2025, arXiv 2405.06394, section 4; the share is the diagonal dominance
that its figure of the weight maps shows, as a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.arrays import finite
from analysis.scores.assignment import best_assignment
from analysis.scores.score import SCORES
from toyworlds.core.seeds import Stream
from toyworlds.core.validate import choice, integer, reject

DISENTANGLED = 0.9
"""A model is called disentangled from this score on."""


@dataclass(frozen=True)
class Alignment:
    """Shares (..., heads, moons), the moon of each head (..., heads), and the score (...)."""

    key_share: np.ndarray
    value_share: np.ndarray
    assignment: np.ndarray
    score: np.ndarray

    @property
    def disentangled(self) -> np.ndarray:
        """True (...) where the score is at least 0.9 and no moon is left without a head."""
        heads, moons = self.key_share.shape[-2:]
        return (self.score >= DISENTANGLED) & (heads >= moons)


def norm_share(maps: Any, mixing: Any = None, owner: Sequence[int] | None = None) -> np.ndarray:
    """|W[h] M on moon m|^2 / |W[h] M|^2, shape (..., heads, moons), rows sum to 1 (or to 0 for a map of zeros).

    `maps` (..., heads, width, channels); `mixing` (channels, coordinates), or with leading axes, one a model;
    `owner[c]` is the moon that coordinate c belongs to, c // 2 when not given.
    """
    maps = finite("maps", maps, 3, at_least=True)
    if mixing is not None:
        mixing = finite("mixing", mixing, 2, at_least=True)
        if mixing.shape[-2] != maps.shape[-1]:
            reject("mixing", f"{maps.shape[-1]} rows, one a channel of the maps", f"shape {mixing.shape}")
        maps = maps @ mixing[..., None, :, :]
    largest = np.abs(maps).max(axis=(-2, -1), keepdims=True)
    energy = np.square(maps / np.where(largest > 0, largest, 1.0)).sum(axis=-2) @ ownership(maps.shape[-1], owner)
    total = energy.sum(axis=-1, keepdims=True)
    return np.divide(energy, total, out=np.zeros_like(energy), where=total > 0)


def ownership(coordinates: int, owner: Sequence[int] | None = None) -> np.ndarray:
    """(coordinates, factors) matrix of 0 and 1: which factor each coordinate belongs to."""
    if owner is None:
        if coordinates % 2:
            reject("owner", "a factor for each coordinate, as their number is odd", f"{coordinates} coordinates")
        owner = [c // 2 for c in range(coordinates)]
    owner = [integer("owner", c, 0) for c in owner]
    if len(owner) != coordinates or set(owner) != set(range(max(owner, default=0) + 1)):
        reject("owner", f"a factor for each of {coordinates} coordinates, every one from 0 up used", owner)
    return np.eye(max(owner) + 1)[owner]


def alignment(key_maps: Any, value_maps: Any, mixing: Any = None, owner: Sequence[int] | None = None) -> Alignment:
    """Shares, best assignment and score of the module's equation; leading axes (models, training steps) are kept."""
    key_share, value_share = norm_share(key_maps, mixing, owner), norm_share(value_maps, mixing, owner)
    if key_share.shape != value_share.shape:
        reject("value_maps", f"shares of shape {key_share.shape}, as for key_maps", value_share.shape)
    score, assignment = best_assignment(np.minimum(key_share, value_share))
    return Alignment(key_share, value_share, assignment, score)


@SCORES.register("alignment", "maps")
def alignment_score(
    key_maps: Any, value_maps: Any, mixing: Any = None, owner: Sequence[int] | None = None
) -> float | np.ndarray:
    """max_a min_h min(S_phi[h, a(h)], S_psi[h, a(h)]): each head serves one moon, in its keys and in its values.

    Arguments as in :func:`alignment`: maps (..., heads, width, channels). Returns a float, or an array of the
    leading axes. Range [0, 1]; 1 when every head's maps touch one moon's coordinates only and no two heads share a
    moon. Chance level: 0.18 for three heads and three moons with complex-linear maps, 0.34 at the 95th percentile (see
    :func:`alignment_null`); 1 / n when all moons weigh alike. Random-map null: :func:`alignment_null`.
    With fewer heads than moons the unserved moons do not count (see `Alignment.disentangled`).

    Reference: arXiv 2405.06394, section 4.
    """
    score = alignment(key_maps, value_maps, mixing, owner).score
    return float(score) if score.ndim == 0 else score


def alignment_null(
    heads: int,
    moons: int,
    *,
    width: int = 2,
    structure: str = "complex",
    mixing: Any = None,
    seed: int = 0,
    n: int = 1000,
) -> np.ndarray:
    """Scores (n,) of random maps, which know nothing of the moons: the null that a trained model's score is held to.

    Key and value maps (heads, width, 2 moons) with independent entries uniform in (-1, 1), the law of an untrained
    linear layer up to a scale that the score ignores. `structure` "plain" leaves them; "complex" projects each 2 x 2
    block to a scaled rotation [[p, -q], [q, p]] with p = (w00 + w11) / 2, q = (w10 - w01) / 2. `mixing` as observed.
    """
    heads, moons, width = integer("heads", heads, 1), integer("moons", moons, 1), integer("width", width, 1)
    if choice("structure", structure, ("complex", "plain")) == "complex" and width % 2:
        reject("width", "an even number, for complex-linear maps", width)
    shape = (integer("n", n, 1), 2, heads, width, 2 * moons)
    maps = 2.0 * Stream(seed, "alignment_null", structure).uniform(0, int(np.prod(shape))).reshape(shape) - 1.0
    maps = complex_linear(maps) if structure == "complex" else maps
    return alignment(maps[:, 0], maps[:, 1], mixing).score


def complex_linear(maps: np.ndarray) -> np.ndarray:
    """Nearest map (least squares) whose 2 x 2 blocks are scaled rotations; `maps` (..., 2 a, 2 b)."""
    p = 0.5 * (maps[..., 0::2, 0::2] + maps[..., 1::2, 1::2])
    q = 0.5 * (maps[..., 1::2, 0::2] - maps[..., 0::2, 1::2])
    out = np.empty_like(maps)
    out[..., 0::2, 0::2] = out[..., 1::2, 1::2] = p
    out[..., 1::2, 0::2], out[..., 0::2, 1::2] = q, -q
    return out
