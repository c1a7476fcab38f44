"""Arrays at the public door: converted to float64, of the stated number of axes, not empty, finite.

>>> finite("errors", [0.1, 0.2], 1).tolist()
[0.1, 0.2]
"""

from __future__ import annotations

from typing import Any

import numpy as np

from toyworlds.core.validate import reject


def finite(argument: str, value: Any, axes: int, *, at_least: bool = False) -> np.ndarray:
    """`value` as float64 with `axes` axes (or more, when `at_least`), no axis empty, every entry finite."""
    expected = f"an array of numbers with {'at least ' if at_least else ''}{axes} axes, none of them empty"
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        reject(argument, expected, type(value).__name__)
    if array.size == 0 or (array.ndim < axes if at_least else array.ndim != axes):
        reject(argument, expected, f"shape {array.shape}")
    bad = np.flatnonzero(~np.isfinite(array))
    if len(bad):
        where = tuple(int(i) for i in np.unravel_index(bad[0], array.shape))
        reject(argument, "finite numbers", float(array[where]), f"{len(bad)} of {array.size}, the first at {where}")
    return array
