"""What a score is: a function of arrays that returns one number; higher is better when its name ends in _score.

maps          (key_maps, value_maps, ...) -> score      weights of the model
predictions   (baseline, changed, ...) -> score         predictions with and without an intervention
codes         (codes, factors) -> score                 what the units retrieved, and the true factors, row by row
errors        (errors, ...) -> score                    error at each context length
"""

from __future__ import annotations

from toyworlds.core.registry import Registry

SCORES = Registry("score")
"""Every score by name, tagged with what it is a function of; one import line in `analysis/scores/__init__.py`."""
