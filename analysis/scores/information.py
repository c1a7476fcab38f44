"""I = sum_ij p_ij ln(p_ij / (p_i p_j)): what a unit tells of a factor, with no linear map assumed.

Units and factors are vectors, so each is cut into cells before counting: centres by farthest-first traversal from the
row farthest from the mean, a few sweeps of k-means, cell = nearest centre. That is deterministic, and does not change
when the group is turned, shifted or scaled as a whole. Groups with fewer distinct rows than cells keep one cell a
value. Factors get 8 cells and units 64, finer, as cell borders of the two never coincide.

Counting overestimates I: of two unrelated variables by about (K_u - 1)(K_f - 1) / 2n nats. So the expectation E of I
over all tables with the same margins is taken off, exactly, from both I and its maximum H, the factor's entropy:

    share of information = max(0, (I - E) / (H - E))      0 in the mean where nothing is related, 1 where u fixes f

Reference: Gonzalez, Clustering to minimize the maximum intercluster distance, Theoretical Computer Science 38 (1985);
Vinh, Epps and Bailey, Information theoretic measures for clusterings comparison, JMLR 11 (2010), equation 24a.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analysis.scores.codes import check_size, codes_and_factors
from toyworlds.core.validate import integer, reject

UNIT_CELLS = 64
FACTOR_CELLS = 8
SWEEPS = 10


def cells(group: np.ndarray, count: int) -> np.ndarray:
    """Label 0 .. count - 1 of each row of `group` (n, width), int64, by the module's rule."""
    points = group - group.mean(axis=0)
    distance = np.square(points).sum(axis=1)
    closest = 1e-18 * distance.max(initial=0.0)
    chosen = [int(distance.argmax())]
    distance = np.square(points - points[chosen[0]]).sum(axis=1)
    while len(chosen) < count and distance.max() > closest:
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.square(points - points[chosen[-1]]).sum(axis=1))
    centres = points[chosen]
    labels = _nearest(points, centres)
    for _ in range(SWEEPS):
        size = np.bincount(labels, minlength=len(centres))
        sums = np.stack([np.bincount(labels, column, len(centres)) for column in points.T], axis=1)
        centres = np.where(size[:, None] > 0, sums / np.maximum(size, 1)[:, None], centres)
        labels = _nearest(points, centres)
    return labels


def _nearest(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Index of the nearest centre of each row, 4096 rows at a time."""
    half = 0.5 * np.square(centres).sum(axis=1)
    parts = [(points[i : i + 4096] @ centres.T - half).argmax(axis=1) for i in range(0, len(points), 4096)]
    return np.concatenate(parts)


def entropy(counts: np.ndarray) -> float:
    """-sum p ln p of counts, in nats."""
    p = counts[counts > 0] / counts.sum()
    return float(-(p * np.log(p)).sum())


def mutual_information(table: np.ndarray) -> float:
    """I of the module's equation for a table of counts (cells of u, cells of f), in nats; not corrected."""
    return entropy(table.sum(axis=1)) + entropy(table.sum(axis=0)) - entropy(table)


def expected_information(rows: np.ndarray, columns: np.ndarray) -> float:
    """Mean of I over all tables with these margins, in nats: each entry is hypergeometric.

    sum_ij sum_k (k / n) ln(n k / (a_i b_j)) a_i! b_j! (n - a_i)! (n - b_j)! /
                 (n! k! (a_i - k)! (b_j - k)! (n - a_i - b_j + k)!),       max(1, a_i + b_j - n) <= k <= min(a_i, b_j)
    """
    from scipy.special import gammaln

    rows, columns = rows[rows > 0], columns[columns > 0]
    n = int(rows.sum())
    log_factorial = gammaln(np.arange(n + 1) + 1.0)
    a, b = (margin.ravel() for margin in np.broadcast_arrays(rows[:, None], columns[None, :]))
    first = np.maximum(1, a + b - n)
    length = np.minimum(a, b) - first + 1
    offset = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    a, b, k = np.repeat(a, length), np.repeat(b, length), np.repeat(first, length) + offset
    weight = log_factorial[a] + log_factorial[b] + log_factorial[n - a] + log_factorial[n - b] - log_factorial[n]
    weight -= log_factorial[k] + log_factorial[a - k] + log_factorial[b - k] + log_factorial[n - a - b + k]
    return float((k / n * np.log(n * k / (a * b)) * np.exp(weight)).sum())


def information_share(unit: np.ndarray, factor: np.ndarray) -> float:
    """max(0, (I - E) / (H - E)) of two labelings (n,) of the same rows; H is the factor's entropy."""
    table = np.zeros((unit.max() + 1, factor.max() + 1), dtype=np.int64)
    np.add.at(table, (unit, factor), 1)
    expected = expected_information(table.sum(axis=1), table.sum(axis=0))
    return max(0.0, (mutual_information(table) - expected) / (entropy(table.sum(axis=0)) - expected))


def information_matrix(
    codes: Any, factors: Any, *, unit_cells: int = UNIT_CELLS, factor_cells: int = FACTOR_CELLS, units: int = 1
) -> np.ndarray:
    """Share of information (units, factors) that each unit holds of each factor, in [0, 1].

    Codes and factors as in `analysis.scores.codes`, at least `units` of them, and at least unit_cells * factor_cells
    rows, one a cell of the joint table.
    """
    unit_groups, factor_groups = codes_and_factors(codes, factors, units=units)
    least = integer("unit_cells", unit_cells, 2) * integer("factor_cells", factor_cells, 2)
    if len(unit_groups[0]) < least:
        reject("codes", f"at least {least} rows ({unit_cells} x {factor_cells} cells)", len(unit_groups[0]))
    check_size("codes", unit_groups)
    unit_labels = [cells(group, unit_cells) for group in unit_groups]
    factor_labels = [cells(group, factor_cells) for group in factor_groups]
    return np.array([[information_share(u, f) for f in factor_labels] for u in unit_labels])
