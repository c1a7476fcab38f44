"""Every study, registered: one import line a file that defines one."""

from __future__ import annotations

import analysis.studies.language
import analysis.studies.language_shift
import analysis.studies.moons_curve
import analysis.studies.regbench_ablation
import analysis.studies.regbench_classical
import analysis.studies.regbench_curve
import analysis.studies.regbench_units
import analysis.studies.stores
import analysis.studies.three_moons
import analysis.studies.traceability  # noqa: F401  (imported for its registration)
from analysis.studies import STUDIES

__all__ = ["STUDIES"]
