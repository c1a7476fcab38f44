"""SAP = mean_j (R2[u1, j] - R2[u2, j]): each factor is predicted by one unit alone.

R2[u, j] is the adjusted R^2 of factor j regressed on unit u alone (`analysis.scores.codes`); u1 and u2 are the best two
units for factor j. The paper's codes are scalars and its R^2 a squared correlation; here both unit and factor are
vectors, and a phase counts as the pair (sin, cos).

    R2       factor 0   factor 1
    unit 0      0.9        0.1       gaps 0.9 - 0.2 and 0.8 - 0.1: SAP = 0.7
    unit 1      0.2        0.8

Reference: Kumar, Sattigeri and Balakrishnan, Variational inference of disentangled latent concepts from unlabeled
observations, ICLR 2018, arXiv 1711.00848, section 3.
"""

from __future__ import annotations

from typing import Any

from analysis.scores.codes import codes_and_factors, mean_gap, r2_matrix
from analysis.scores.score import SCORES


@SCORES.register("sap", "codes")
def sap_score(codes: Any, factors: Any) -> float:
    """mean_j (R2[u1, j] - R2[u2, j]): each factor is a linear function of one unit, and of no other.

    Codes and factors as in `analysis.scores.codes`, at least two units. Range [0, 1]; 1 when every factor is linear
    in one unit and unrelated to the others. Chance level: about 1 / n for n rows. Permutation null:
    `analysis.scores.null`. Says nothing of a unit that serves several factors (see DCI's disentanglement).

    Reference: arXiv 1711.00848, section 3.
    """
    units, targets = codes_and_factors(codes, factors, units=2)
    return mean_gap(r2_matrix(units, targets))
