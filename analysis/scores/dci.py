"""D = sum_u rho_u (1 - H_F(P_u)), C = mean_j (1 - H_U(Q_j)), I = mean_j R2_j: the DCI scores.

    R[u, j]        importance of unit u for factor j, below
    P_u            R[u, :] / sum_j R[u, j]      H_F its entropy, logarithm to base F, the number of factors
    Q_j            R[:, j] / sum_u R[u, j]      H_U its entropy, logarithm to base U, the number of units
    rho_u          sum_j R[u, j] / sum R        a unit that predicts nothing does not count
    R2_j           adjusted R^2 of factor j regressed on all units

D is disentanglement (each unit predicts one factor), C completeness (each factor is predicted by one unit), I
informativeness. The paper reads R off a lasso on scalar codes. Here a code is a vector, so R comes from a group lasso
with a small ridge, factor Y (standardised) on the orthonormal bases Q_u of all units (`analysis.scores.codes`),

    min_B  1/2n |Y - sum_u Q_u B_u|^2 + sum_u t_u |B_u| + r/2 sum_u |B_u|^2,    R[u, j] = |B_u|

R is the standard deviation of what unit u contributes. t_u = 2 sqrt(rank_u / n) is twice what a unit of noise would
reach, so such a unit gets exactly 0; r = 0.05 splits the importance evenly between copies of one unit. Solved by
block coordinate descent, unit after unit, in Gram matrices.

Reference: Eastwood and Williams, A framework for the quantitative evaluation of disentangled representations,
ICLR 2018, section 2; Simon and Tibshirani, Standardization and the group lasso penalty, Statistica Sinica 22 (2012),
983-1001, equation 4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from analysis.scores.codes import adjusted_r2, codes_and_factors, orthonormal, standardised
from analysis.scores.score import SCORES
from toyworlds.core.validate import reject

THRESHOLD = 2.0
RIDGE = 0.05
TOLERANCE = 1e-8
MAX_SWEEPS = 20_000


@dataclass(frozen=True)
class Dci:
    """The three scores and the importance matrix R (units, factors); completeness is NaN for a single unit."""

    disentanglement: float
    completeness: float
    informativeness: float
    importance: np.ndarray


def dci(codes: Any, factors: Any) -> Dci:
    """All three scores of the module's equations for codes and factors as in `analysis.scores.codes`."""
    units, targets = codes_and_factors(codes, factors, minimum_factors=2)
    bases = [orthonormal(unit) for unit in units]
    importance = np.stack([_importance(bases, target) for target in targets], axis=1)
    together = orthonormal(np.concatenate([basis for basis in bases if basis.shape[1]] or [np.zeros_like(units[0])], 1))
    informativeness = float(np.mean([adjusted_r2(together, target) for target in targets]))
    return Dci(disentanglement(importance), completeness(importance), informativeness, importance)


def disentanglement(importance: np.ndarray) -> float:
    """sum_u rho_u (1 - H_F(P_u)) of an importance matrix (units, factors >= 2); 0 when nothing has importance."""
    total = importance.sum()
    weight = importance.sum(axis=1) / total if total > 0 else np.zeros(len(importance))
    return float(weight @ (1.0 - _entropy(importance)))


def completeness(importance: np.ndarray) -> float:
    """mean_j (1 - H_U(Q_j)); a factor that no unit predicts counts 0; NaN for a single unit, which has no choice."""
    if len(importance) == 1:
        return math.nan
    return float(np.mean((1.0 - _entropy(importance.T)) * (importance.sum(axis=0) > 0)))


@SCORES.register("dci_disentanglement", "codes")
def dci_disentanglement_score(codes: Any, factors: Any) -> float:
    """sum_u rho_u (1 - H_F(P_u)): each unit predicts one factor.

    Range [0, 1]; 1 when no unit predicts two factors, 0 when each predicts all alike. Chance level: 0 for codes
    unrelated to the factors, whose importance is 0 throughout. Permutation null: `analysis.scores.null`.
    Reference: Eastwood and Williams, ICLR 2018, section 2.
    """
    return dci(codes, factors).disentanglement


@SCORES.register("dci_completeness", "codes")
def dci_completeness_score(codes: Any, factors: Any) -> float:
    """mean_j (1 - H_U(Q_j)): each factor is predicted by one unit.

    Range [0, 1]; 1 when every factor is in one unit, 0 when in all alike, or in none. Chance level: 0. Permutation
    null: `analysis.scores.null`. Needs at least two units. Reference: Eastwood and Williams, ICLR 2018, section 2.
    """
    codes_and_factors(codes, factors, units=2)
    return dci(codes, factors).completeness


@SCORES.register("dci_informativeness", "codes")
def dci_informativeness_score(codes: Any, factors: Any) -> float:
    """mean_j R2_j: how much of the factors a linear map of all units explains.

    Range [0, 1]; 1 when every factor is a linear function of the codes. Chance level: 0 in the mean before negative
    values are cut, about 1 / n after, for n rows and six columns. Permutation null: `analysis.scores.null`.
    Reference: Eastwood and Williams, ICLR 2018, section 2 (there as an error, lower is better).
    """
    return dci(codes, factors).informativeness


def _entropy(rows: np.ndarray) -> np.ndarray:
    """Entropy of each row over its sum, logarithm to the base of its length; 0 for a row of zeros."""
    total = rows.sum(axis=1, keepdims=True)
    p = np.divide(rows, total, out=np.zeros_like(rows), where=total > 0)
    return -(p * np.log(np.where(p > 0, p, 1.0))).sum(axis=1) / math.log(rows.shape[1])


def _importance(bases: Sequence[np.ndarray], target: np.ndarray) -> np.ndarray:
    """|B_u| of the module's group lasso, shape (units,)."""
    n = len(target)
    edges = np.cumsum([0, *(basis.shape[1] for basis in bases)])
    blocks = [slice(a, b) for a, b in pairwise(edges)]
    columns = np.concatenate(list(bases), axis=1)
    gram, moment = columns.T @ columns / n, columns.T @ standardised(target) / n
    weights = np.zeros_like(moment)
    change, sweeps = np.inf, 0
    while change > TOLERANCE:
        before, sweeps = weights.copy(), sweeps + 1
        for block in blocks:
            gradient = moment[block] - gram[block] @ weights + weights[block]
            norm, limit = float(np.linalg.norm(gradient)), THRESHOLD * math.sqrt((block.stop - block.start) / n)
            weights[block] = gradient * max(0.0, 1.0 - limit / norm) / (1.0 + RIDGE) if norm > 0 else 0.0
        change = np.abs(weights - before).max(initial=0.0)
        if sweeps == MAX_SWEEPS:
            reject("codes", f"units distinct enough for {sweeps} sweeps of the group lasso", f"{len(bases)} units")
    return np.array([np.linalg.norm(weights[block]) for block in blocks])
