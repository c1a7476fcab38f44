"""Every model and task, registered: one import line a file that defines some."""

from __future__ import annotations

import mosaics.moons_model
import mosaics.tasks.moons  # noqa: F401  (imported for its registration)
from mosaics.registry import MODELS, TASKS

__all__ = ["MODELS", "TASKS"]
