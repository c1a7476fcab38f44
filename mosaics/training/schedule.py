"""Learning-rate schedules: pure functions of the step.

    warm-up     r_s = r_0 (s + 1) / w                                        s < w
    linear      r_s = r_0 + (r_1 - r_0) f                                    f = (s - w) / (steps - w)
    cosine      r_s = r_1 + (r_0 - r_1) (1 + cos(pi f)) / 2
    constant    r_s = r_0

s = 0 .. steps - 1 is the number of updates done, w the warm-up steps, r_0 the learning rate, r_1 the final one,
which would be reached at s = steps, one update after the last.
"""

from __future__ import annotations

import math

SCHEDULES = ("constant", "linear", "cosine")


def learning_rate(schedule: str, step: int, steps: int, *, first: float, final: float, warmup: int = 0) -> float:
    """Return the learning rate of update `step`.

    >>> learning_rate("linear", 250, 500, first=1e-2, final=0.0)
    0.005
    """
    if step < warmup:
        return first * (step + 1) / warmup
    if schedule == "constant":
        return first
    fraction = (step - warmup) / (steps - warmup)
    if schedule == "linear":
        return first + (final - first) * fraction
    return final + (first - final) * (1.0 + math.cos(math.pi * fraction)) / 2.0
