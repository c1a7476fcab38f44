"""c* = min { c : error(c') < threshold for all measured c' >= c }: the context length from which on a model predicts.

    context    1     50    100   134   200   267   400
    error     0.9   0.7   0.4   0.05  0.01  0.01  0.01      threshold 0.1: c* = 134

An ideal predictor that treats every factor alone has c* = slowest, the longest single period; one that only knows joint
configurations has c* = joint, the period after which all factors return together (`ground_truth` of
`toyworlds.three_moons`). A dip below the threshold that does not last does not count. Where the last measured error is
not below the threshold, c* is infinite.

Reference: Zhang et al., Memory Mosaics, ICLR 2025, arXiv 2405.06394, section 4 (the two astronomers).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from analysis.arrays import finite
from analysis.scores.score import SCORES
from toyworlds.core.seeds import Stream
from toyworlds.core.validate import integer, real, reject

LABELS = ("separate", "between", "joint", "later", "never")
"""What :func:`horizon_label` says of a horizon, from the best to the worst."""


def horizon(errors: Any, threshold: float, contexts: Any = None) -> float | np.ndarray:
    """c* of the module's equation for `errors` (..., contexts), in steps: a float, or an array of the leading axes.

    `contexts` (contexts,) are the context lengths measured, increasing; 1, 2, 3 ... when not given.
    """
    errors = finite("errors", errors, 1, at_least=True)
    threshold = real("threshold", threshold, above=0.0)
    lengths = np.arange(1.0, errors.shape[-1] + 1) if contexts is None else finite("contexts", contexts, 1)
    if lengths.shape != errors.shape[-1:] or (np.diff(lengths) <= 0).any() or lengths[0] < 0:
        reject("contexts", f"{errors.shape[-1]} increasing lengths, one an error", lengths.tolist())
    failing = errors >= threshold
    first = np.where(failing.any(axis=-1), errors.shape[-1] - failing[..., ::-1].argmax(axis=-1), 0)
    result = np.append(lengths, math.inf)[first]
    return float(result) if result.ndim == 0 else result


@SCORES.register("horizon", "errors")
def horizon_score(errors: Any, threshold: float, slowest: float, contexts: Any = None) -> float | np.ndarray:
    """min(1, slowest / c*): the slowest factor's period over the context that the model needs.

    Arguments as in :func:`horizon`; `slowest` in steps. Range [0, 1]: 1 for an ideal predictor of separate factors,
    slowest / joint for an ideal predictor of joint configurations, 0 when the error never stays below the threshold.
    Chance level: 0, as noise errs at every length. Permutation null: :func:`horizon_null`.

    Reference: arXiv 2405.06394, section 4.
    """
    slowest = real("slowest", slowest, above=0.0)
    result = np.minimum(1.0, slowest / np.maximum(horizon(errors, threshold, contexts), np.finfo(float).tiny))
    return float(result) if np.ndim(result) == 0 else result


def horizon_null(
    errors: Any, threshold: float, slowest: float, contexts: Any = None, *, seed: int = 0, n: int = 1000
) -> np.ndarray:
    """Scores (n,) of `errors` (contexts,) shuffled: the same errors, but in no relation to the context length."""
    errors = finite("errors", errors, 1)
    words = Stream(seed, "horizon_null").words(0, integer("n", n, 1) * len(errors)).reshape(n, -1)
    return np.asarray(horizon_score(errors[words.argsort(axis=1)], threshold, slowest, contexts))


def horizon_label(steps: float, slowest: float, joint: float, tolerance: float = 0.1) -> str:
    """Place a horizon against the two ideal predictors: one of `LABELS`.

    "separate" up to (1 + tolerance) slowest, "between" below joint, "joint" up to (1 + tolerance) joint, "later"
    beyond, "never" when infinite. `joint` may be infinite (incommensurate periods); it must exceed (1 + tolerance)
    slowest, or the two predictors cannot be told apart.
    """
    slowest, tolerance = real("slowest", slowest, above=0.0), real("tolerance", tolerance, 0.0)
    if math.isnan(steps) or steps < 0:
        reject("steps", "a number of at least 0, or infinity", steps)
    if not joint > (1 + tolerance) * slowest:
        reject("joint", f"a period above (1 + tolerance) slowest = {(1 + tolerance) * slowest:g}", joint)
    if math.isinf(steps):
        return "never"
    limits = ((1 + tolerance) * slowest, joint, (1 + tolerance) * joint, math.inf)
    if steps <= limits[0]:
        return "separate"
    return "between" if steps < joint else "joint" if steps <= limits[2] else "later"
