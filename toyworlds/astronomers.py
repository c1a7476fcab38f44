"""Two astronomers who keep tables: the reference curves of the three-moons world.

Each night T an astronomer looks up the present configuration c_T among the nights t < T whose successor is known,
and answers with what followed the nearest one, if that is near enough:

    t* = argmin_{t < T} d(T, t),     x^_{T+1} = x_{t* + 1} if d(T, t*) <= tolerance, else 0 (no answer)
    d_m(T, t) = |c_T,m - c_t,m| / |c_T,m - c_{T-1},m|

so distances are measured in the moon's own last step: nights t = T - 1, T - 2 ... are not taken for a return.

`joint`     one table of all moons together, d = max_m d_m: it can answer once all moons have returned together,
            after the joint period
`separate`  one table a moon, d = d_m, each looked up by itself: it can answer for all moons once the slowest has
            returned

Neither knows the periods.

Source: Zhang et al., Memory Mosaics, ICLR 2025, section 4 (the two astronomers of the parable).
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from toyworlds.core.validate import choice, real, reject

TOLERANCE = 0.51
"""Half a step, the farthest that the nearer of two neighbouring nights can be from a moon's return, and a little more
because distances are chords: half a step of angle a is 1 / (2 cos(a / 4)) of the whole step's chord."""
LEAST_STEP = 1e-300
"""Square of a moon's step below which it counts as standing still."""


def predict(
    positions: np.ndarray, table: Literal["joint", "separate"], tolerance: float = TOLERANCE
) -> tuple[np.ndarray, np.ndarray]:
    """One-step predictions of an astronomer who sees the moons unmixed.

    Parameters
    ----------
    positions : (batch, steps, 2 n) array, the moons' coordinates, orbit radii.
    table : "joint" or "separate".
    tolerance : the largest distance, in steps, at which an entry of the table counts as the same configuration.

    Returns
    -------
    predictions : (batch, steps - 1, 2 n) float64; row T is the answer for step T + 1 given steps 0 .. T.
    answered : (batch, steps - 1, n) bool; False where the table had no entry and the answer is 0.
    """
    positions = np.asarray(positions, dtype=np.float64)
    if positions.ndim != 3 or positions.shape[1] < 2 or positions.shape[2] % 2:
        reject("positions", "an array (batch, at least 2 steps, 2 n coordinates)", positions.shape)
    if not np.isfinite(positions).all():
        reject("positions", "finite numbers, the moons themselves", "NaN or infinity", "not what was observed of them")
    choice("table", table, ("joint", "separate"))
    real("tolerance", tolerance, above=0.0)
    batch, steps, channels = positions.shape
    predictions = np.zeros((batch, steps - 1, channels))
    answered = np.zeros((batch, steps - 1, channels // 2), dtype=bool)
    for row, sequence in enumerate(positions):
        moons = sequence.reshape(steps, -1, 2)
        squared = _squared_distances(moons)
        if table == "joint":
            squared = np.broadcast_to(squared.max(axis=0), squared.shape)
        for moon, distance in enumerate(squared):
            nearest = distance.argmin(axis=1)
            found = np.take_along_axis(distance, nearest[:, None], axis=1)[:, 0] <= tolerance * tolerance
            successors = moons[np.minimum(nearest + 1, steps - 1), moon]
            answered[row, :, moon] = found[:-1]
            predictions[row, :, 2 * moon : 2 * moon + 2] = np.where(found[:, None], successors, 0.0)[:-1]
    return predictions, answered


def _squared_distances(moons: np.ndarray) -> np.ndarray:
    """(n, steps, steps): squared distance in steps of each moon at T from itself at t < T; infinite for t >= T."""
    by_moon = moons.swapaxes(0, 1)
    difference = by_moon[:, :, None, :] - by_moon[:, None, :, :]
    squared = (difference * difference).sum(axis=-1)
    last_step = np.diagonal(squared, offset=-1, axis1=1, axis2=2)
    squared[:, 1:] /= np.maximum(last_step, LEAST_STEP)[:, :, None]
    squared[:, 0] = np.inf
    squared[:, ~np.tri(moons.shape[0], k=-1, dtype=bool)] = np.inf
    return squared
