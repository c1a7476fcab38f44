"""Which numbers of an observation belong together, estimated from a few observed sequences.

A complex-linear map takes coordinates in pairs. Where the coordinates are an unknown mixing of the moons' planes,
no such pairs are given; but everything turns, and how it turns shows in the observations one step apart:

    S = E[x_t x_t'],   V = (tr S / C)^(1/2) S^(-1/2)            whitening, of the observations' own size
    A = V E[x_{t+1} x_t' - x_t x_{t+1}'] V'                     antisymmetric: each moon's quarter turn, weighted
    J = A (A'A)^(-1/2)                                          its polar factor: J J = -1, a quarter turn of everything
    basis = (b_1, J b_1, b_2, J b_2, ...)' V                    coordinates in which J takes pair by pair

J says what a quarter turn of the whole sky is, not which plane is which moon: every unitary mixing of the moons has
the same J. In the new coordinates the moons are as mixed as before, only by a complex matrix instead of a real one.
"""

from __future__ import annotations

import numpy as np

from toyworlds.core.validate import reject

SMALLEST_SHARE = 1e-6
"""Directions that vary or turn less than this share of the strongest cannot be paired."""


def estimate_basis(observation: np.ndarray) -> np.ndarray:
    """Matrix W (C, C), float64, of the paired coordinates W x, from observations (rows, steps, C); NaN where unseen.

    Raises InputError where a direction neither varies nor turns, or C is odd.
    """
    x = np.asarray(observation, dtype=np.float64)
    if x.ndim != 3 or x.shape[1] < 2 or x.shape[2] % 2:
        reject("observation", "an array (rows, at least 2 steps, an even number of channels)", x.shape)
    now, later = x[:, :-1].reshape(-1, x.shape[2]), x[:, 1:].reshape(-1, x.shape[2])
    seen = np.isfinite(now).all(axis=1) & np.isfinite(later).all(axis=1)
    now, later = now[seen], later[seen]
    variance, axes = np.linalg.eigh(now.T @ now / max(len(now), 1))
    if not variance[0] > SMALLEST_SHARE * variance[-1]:
        reject("observation", "variation in every direction", f"variances from {variance[0]:g} to {variance[-1]:g}")
    whiten = (axes * np.sqrt(variance.mean() / variance)) @ axes.T
    lagged = whiten @ (later.T @ now) @ whiten.T
    left, turning, right = np.linalg.svd(lagged - lagged.T)
    if not turning[-1] > SMALLEST_SHARE * turning[0]:
        reject(
            "observation", "a turn from step to step in every plane", f"turns from {turning[-1]:g} to {turning[0]:g}"
        )
    quarter = left @ right
    return _adapted((quarter - quarter.T) / 2.0) @ whiten


def _adapted(quarter: np.ndarray) -> np.ndarray:
    """Rows b_1, J b_1, b_2, J b_2 ...: an orthonormal basis, by Gram and Schmidt from the coordinate axes."""
    rows: list[np.ndarray] = []
    for axis in np.eye(len(quarter)):
        rest = axis - sum((row * (row @ axis) for row in rows), np.zeros_like(axis))
        if np.linalg.norm(rest) > 0.5 / np.sqrt(len(quarter)) and len(rows) < len(quarter):
            first = rest / np.linalg.norm(rest)
            rows += [first, quarter @ first]
    return np.stack(rows)
