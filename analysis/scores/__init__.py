"""Scores of predictive disentanglement: functions of arrays, by name in `SCORES`.

>>> SCORES.names("codes")
['dci_disentanglement', 'dci_completeness', 'dci_informativeness', 'mutual_information_gap', 'sap']
"""

from __future__ import annotations

from analysis.scores.alignment import alignment_score
from analysis.scores.causal import causal_alignment_score
from analysis.scores.dci import dci_completeness_score, dci_disentanglement_score, dci_informativeness_score
from analysis.scores.horizon import horizon_score
from analysis.scores.mig import mig_score
from analysis.scores.null import permutation_null
from analysis.scores.sap import sap_score
from analysis.scores.score import SCORES

__all__ = [
    "SCORES",
    "alignment_score",
    "causal_alignment_score",
    "dci_completeness_score",
    "dci_disentanglement_score",
    "dci_informativeness_score",
    "horizon_score",
    "mig_score",
    "permutation_null",
    "sap_score",
]
