"""Every study, registered: one import line a file that defines one."""

from __future__ import annotations

import analysis.studies.regbench_classical
import analysis.studies.stores
import analysis.studies.three_moons  # noqa: F401  (imported for its registration)
from analysis.studies import STUDIES

__all__ = ["STUDIES"]
