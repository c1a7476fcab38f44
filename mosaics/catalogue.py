"""Every model and task, registered: one import line a file that defines some."""

from __future__ import annotations

import mosaics.baselines.linear_attention
import mosaics.baselines.recurrent
import mosaics.baselines.state_space
import mosaics.baselines.transformer
import mosaics.moons_model
import mosaics.mosaic
import mosaics.mosaic_v2
import mosaics.tasks.language
import mosaics.tasks.moons
import mosaics.tasks.regbench
import mosaics.tasks.story_answers  # noqa: F401  (imported for its registration)
from mosaics.registry import MODELS, TASKS

__all__ = ["MODELS", "TASKS"]
