"""max over assignments a of min over units u of share[u, a(u)]: which unit serves which factor, at its weakest.

With as many units as factors, a is one-to-one. With fewer units, no two units get the same factor. With more units,
every factor gets a unit of its own, and the spare units get the factor they serve most; they count in the minimum.

    share    moon 0   moon 1
    unit 0     0.3      0.7       a = (1, 0), the weakest unit has 0.7: the score
    unit 1     0.9      0.1

The bottleneck assignment problem, solved by bisection over the values of `share`; each step asks SciPy's
Hungarian method whether the entries at least that large hold an assignment.

Reference: Burkard, Dell'Amico and Martello, Assignment Problems, SIAM 2009, section 6.2.
"""

from __future__ import annotations

import numpy as np


def best_assignment(share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Score (...) and assignment (..., units), int64, for `share` (..., units, factors).

    Of the assignments that reach the score, the one with the largest sum over the matched units is returned.
    """
    *leading, units, factors = share.shape
    results = [_bottleneck(matrix) for matrix in share.reshape(-1, units, factors)]
    score = np.array([value for value, _ in results]).reshape(leading)
    return score, np.array([chosen for _, chosen in results], dtype=np.int64).reshape(*leading, units)


def _bottleneck(share: np.ndarray) -> tuple[float, np.ndarray]:
    best = share.max(axis=1)
    assignment = share.argmax(axis=1)
    if len(set(assignment.tolist())) == min(share.shape):
        return float(best.min()), assignment
    levels = np.unique(share[share <= best.min()])
    low, high = 0, len(levels) - 1
    while low < high:
        middle = (low + high + 1) // 2
        rows, columns = _matching(share, levels[middle])
        low, high = (middle, high) if (share[rows, columns] >= levels[middle]).all() else (low, middle - 1)
    rows, columns = _matching(share, levels[low])
    assignment[rows] = columns
    return float(levels[low]), assignment


def _matching(share: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the matching of min(units, factors) pairs with most entries at `level` or above, then the largest sum."""
    from scipy.optimize import linear_sum_assignment

    span = 1.0 + float(np.ptp(share))
    return linear_sum_assignment(share + (share >= level) * (min(share.shape) * span), maximize=True)
