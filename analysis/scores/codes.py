"""Codes and factors: n rows; a unit and a factor are each a vector per row, not a number.

    codes     (n, units, width), or a list of (n, width_u): what each memory unit retrieved; (n, units) for width 1
    factors   the same shapes, one group of columns a factor:
                  a number                    1 column
                  a phase, in turns           2 columns, (sin, cos): `phase_targets`
                  one of k classes            k columns of 0 and 1: `class_targets`

Rows are taken to be exchangeable: draw them far apart in time, or from different sequences. Linear tools work on an
orthonormal basis Q_u of each unit's centred columns (Q_u' Q_u = n I, from a singular value decomposition), so nothing
below changes when a unit is turned, scaled, shifted or mapped by any invertible matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from analysis.arrays import finite
from toyworlds.core.validate import reject

RANK_TOLERANCE = 1e-9
"""Singular values below this share of a group's largest, or of a thousandth of its entries' size, count as 0."""
SMALLEST, LARGEST = 1e-140, 1e140
"""Sizes of a group's largest entry whose squares neither vanish nor overflow, with room for sums and rounding."""


def phase_targets(turns: Any) -> np.ndarray:
    """(sin, cos)(2 pi turns), shape (..., 2): a phase as a factor without a seam.

    >>> phase_targets([[0.0, 0.25]]).round(3).tolist()
    [[[0.0, 1.0], [1.0, 0.0]]]
    """
    angle = 2.0 * np.pi * finite("turns", turns, 1, at_least=True)
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1)


def class_targets(labels: Any) -> np.ndarray:
    """(n, classes) of 0 and 1 for n labels, none of them None or NaN; classes in the order of `numpy.unique`.

    >>> class_targets(["b", "a", "b"]).tolist()
    [[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or not len(labels):
        reject("labels", "a list of labels, one a row", f"shape {labels.shape}")
    try:
        table = labels[:, None] == np.unique(labels)
    except TypeError:
        reject("labels", "labels of one kind, in order, and no None", labels.tolist()[:8])
    unknown = np.flatnonzero(~table.any(axis=1))
    if len(unknown):
        reject("labels", "labels that equal themselves, unlike NaN", labels.tolist()[unknown[0]])
    return table.astype(np.float64)


def as_groups(argument: str, value: Any) -> list[np.ndarray]:
    """List of (n, width) float64 arrays, one a unit or factor, from any of the module's shapes."""
    if isinstance(value, list | tuple) and len(value) and all(np.ndim(group) == 2 for group in value):
        groups = [finite(f"{argument}[{i}]", group, 2) for i, group in enumerate(value)]
        if len({len(group) for group in groups}) > 1:
            reject(argument, "groups of equally many rows", [len(group) for group in groups])
        return groups
    array = finite(argument, value, 2, at_least=True)
    if array.ndim > 3:
        reject(argument, "an array (rows, groups) or (rows, groups, width), or a list of (rows, width)", array.shape)
    return list(np.moveaxis(array.reshape(len(array), array.shape[1], -1), 1, 0))


def check_size(argument: str, groups: Sequence[np.ndarray]) -> None:
    """Refuse groups whose squares leave the range of float64; a group of zeros passes."""
    for index, group in enumerate(groups):
        size = float(np.abs(group).max())
        if size and not SMALLEST <= size <= LARGEST:
            reject(argument, f"groups with a largest size from {SMALLEST:g} to {LARGEST:g}", size, f"group {index}")


def codes_and_factors(
    codes: Any, factors: Any, *, units: int = 1, minimum_factors: int = 1
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Both as groups, with equally many rows, at least `units` and `minimum_factors` groups, no constant factor."""
    unit_groups, factor_groups = as_groups("codes", codes), as_groups("factors", factors)
    if len(unit_groups[0]) != len(factor_groups[0]):
        reject("factors", f"{len(unit_groups[0])} rows, as in codes", len(factor_groups[0]))
    if len(unit_groups) < units:
        reject("codes", f"at least {units} units", len(unit_groups))
    if len(factor_groups) < minimum_factors:
        reject("factors", f"at least {minimum_factors} factors", len(factor_groups))
    check_size("factors", factor_groups)
    for index, group in enumerate(factor_groups):
        if not orthonormal(group).shape[1]:
            reject("factors", "factors that vary over the rows", f"factor {index}, which is constant")
    return unit_groups, factor_groups


def orthonormal(group: np.ndarray) -> np.ndarray:
    """Q (n, rank) with Q' Q = n I and the span of the group's centred columns; no columns for a constant group."""
    n = len(group)
    left, singular, _ = np.linalg.svd(group - group.mean(axis=0), full_matrices=False)
    floor = RANK_TOLERANCE * max(singular[0], 1e-3 * np.abs(group).max() * np.sqrt(n))
    return left[:, singular > floor] * np.sqrt(n)


def standardised(group: np.ndarray) -> np.ndarray:
    """Centred, and scaled so that the mean squared norm of a row is 1."""
    centred = group - group.mean(axis=0)
    return centred / np.sqrt(np.square(centred).sum(axis=1).mean())


def adjusted_r2(basis: np.ndarray, target: np.ndarray) -> float:
    """max(0, 1 - (1 - R^2) (n - 1) / (n - r - 1)), R^2 = |Q' Y / n|^2 for a standardised target Y and r columns of Q.

    The share of the target's variance that a linear map of the r columns explains, with the share that r columns of
    noise would explain taken off (Ezekiel 1930): 0 in the mean where nothing is related, 1 where all is.
    """
    n, rank = basis.shape
    if n < rank + 2:
        reject("codes", f"at least {rank + 2} rows for {rank} independent columns", n)
    explained = float(np.square(basis.T @ standardised(target) / n).sum())
    return max(0.0, 1.0 - (1.0 - explained) * (n - 1) / (n - rank - 1))


def r2_matrix(units: Sequence[np.ndarray], factors: Sequence[np.ndarray]) -> np.ndarray:
    """(units, factors): adjusted R^2 of the linear regression of each factor on each unit alone."""
    bases = [orthonormal(unit) for unit in units]
    return np.array([[adjusted_r2(basis, factor) for factor in factors] for basis in bases])


def mean_gap(matrix: np.ndarray) -> float:
    """Mean over columns of the largest entry minus the second largest; the matrix has at least two rows."""
    ordered = np.sort(matrix, axis=0)
    return float((ordered[-1] - ordered[-2]).mean())
