"""MIG = mean_j (J[u1, j] - J[u2, j]): one unit alone holds the information on a factor.

J[u, j] is the share of factor j's entropy that unit u tells, I(u; j) / H(j), counted in cells and corrected for the
bias of counting (`analysis.scores.information`); u1 and u2 are the two units that tell most of factor j. The paper's
codes are scalars; here a code is the vector that a memory unit retrieves.

Factors must be drawn independently. Moons that start at one shared step are not: the phase of the slower moon tells
that of a faster one whose period divides its own, and the gap then vanishes for a perfect code. Use separate starts.

Reference: Chen, Li, Grosse and Duvenaud, Isolating sources of disentanglement in variational autoencoders,
NeurIPS 2018, arXiv 1802.04942, equation 6.
"""

from __future__ import annotations

from typing import Any

from analysis.scores.codes import mean_gap
from analysis.scores.information import information_matrix
from analysis.scores.score import SCORES


@SCORES.register("mutual_information_gap", "codes")
def mig_score(codes: Any, factors: Any) -> float:
    """mean_j (J[u1, j] - J[u2, j]): each factor is told by one unit, in whatever form, and by no other.

    Codes and factors as in `analysis.scores.codes`: at least two units and 512 rows. Range [0, 1]. A perfect code of
    classes has 1; of phases 0.96 to 0.97, as cells of unit and factor straddle each other. Chance level: about 4 / n
    for n rows. Permutation null: `analysis.scores.null`. Says nothing of a unit that serves several factors (see
    DCI's disentanglement).

    Reference: arXiv 1802.04942, equation 6.
    """
    return mean_gap(information_matrix(codes, factors, units=2))
