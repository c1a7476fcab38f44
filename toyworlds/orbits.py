"""Positions of moons and the mixings of what an observer sees, in operations that round the same everywhere.

    M = 2 pi (t dt / p) + offset        mean anomaly of a moon of period p at step t, kept in turns
    E - e sin E = M                     Kepler's equation, E the eccentric anomaly, 0 <= e < 1
    x = (sqrt(1 - e^2) sin E, cos E - e)

which is (sin M, cos M) on a circle (e = 0). All float64, all from `core.exact`.
"""

from __future__ import annotations

import math

import numpy as np

from toyworlds.core import exact
from toyworlds.core.seeds import Stream

KEPLER_ITERATIONS = 30
SINGULAR_VALUES = (0.5, 2.0)


def mean_anomaly(steps: np.ndarray, period: float | np.ndarray, time_step: float, phase_offset: float) -> np.ndarray:
    """Mean anomaly in turns, (steps dt / p + offset / 2 pi) mod 1, float64; `phase_offset` in radians."""
    turns = np.asarray(steps, dtype=np.float64) * time_step / period + phase_offset / exact.TWO_PI
    return turns - np.floor(turns)


def position(turns: np.ndarray, eccentricity: float = 0.0) -> np.ndarray:
    """Position (..., 2) of a moon whose mean anomaly is `turns`."""
    if eccentricity == 0.0:
        return np.stack(exact.sin_cos(turns), axis=-1)
    sine, cosine = exact.sin_cos(eccentric_anomaly(turns, eccentricity))
    return np.stack([math.sqrt(1.0 - eccentricity * eccentricity) * sine, cosine - eccentricity], axis=-1)


def eccentric_anomaly(turns: np.ndarray, eccentricity: float) -> np.ndarray:
    """Solve E - e sin E = M by Newton's method, M and E in turns, |residual| <= 1e-14 turns for e <= 0.99.

    Newton from E = M + 0.85 e sign(sin M) converges for every e < 1 (Danby, Fundamentals of Celestial
    Mechanics, 1988); the number of iterations is fixed so that the result is the same everywhere.
    """
    scale = eccentricity / exact.TWO_PI
    anomaly = turns + 0.85 * scale * np.sign(exact.sin_cos(turns)[0])
    for _ in range(KEPLER_ITERATIONS):
        sine, cosine = exact.sin_cos(anomaly)
        anomaly = anomaly - (anomaly - scale * sine - turns) / (1.0 - eccentricity * cosine)
    return anomaly


def observe_from_last_moon(positions: np.ndarray) -> np.ndarray:
    """What an observer on the last moon sees, (..., n, 2): the other moons, and the planet in the last place.

    x_m - x_n for m < n, and -x_n: an invertible linear map of the view from the planet.
    """
    last = positions[..., -1:, :]
    return np.concatenate([positions[..., :-1, :] - last, -last], axis=-2)


def observer_matrix(n_moons: int) -> np.ndarray:
    """Return the matrix of :func:`observe_from_last_moon` on the 2 n coordinates."""
    units = np.eye(2 * n_moons).reshape(2 * n_moons, n_moons, 2)
    return observe_from_last_moon(units).reshape(2 * n_moons, 2 * n_moons).T + 0.0


def orthogonal_matrix(stream: Stream, size: int, start: int = 0) -> np.ndarray:
    """A random rotation or reflection, Haar-distributed, (size, size) float64.

    Product of Householder reflections of normal vectors of dimension size, size - 1 .. 1 (Stewart, The
    efficient generation of random orthogonal matrices, 1980). Uses the normals start .. start + size^2 - 1.
    """
    normals = stream.normal(start, size * size).reshape(size, size)
    matrix = np.eye(size)
    for k in range(size):
        v = normals[k].copy()
        v[:k] = 0.0
        sign = 1.0 if v[k] >= 0.0 else -1.0
        v[k] = v[k] + sign * math.sqrt(_dot(v, v))
        scale = 2.0 / _dot(v, v)
        row = exact.matvec(matrix.T, v[None])[0]
        matrix = matrix - scale * (v[:, None] * row[None, :])
        matrix[k] = -sign * matrix[k]
    return matrix


def general_matrix(stream: Stream, size: int) -> np.ndarray:
    """A random invertible matrix U diag(s) V, s uniform in [0.5, 2), so its condition number is below 4."""
    left, right = (orthogonal_matrix(stream, size, start=i * size * size) for i in range(2))
    low, high = SINGULAR_VALUES
    values = low + (high - low) * stream.uniform(4 * size * size, size)
    return np.stack([exact.matvec((right.T * values), left[i][None])[0] for i in range(size)])


def _dot(a: np.ndarray, b: np.ndarray) -> float:
    total = 0.0
    for x, y in zip(a.tolist(), b.tolist(), strict=True):
        total += x * y
    return total
