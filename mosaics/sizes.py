"""Models of equal size: the field of a config that sets its parameter count, chosen to match another model's.

    match_parameters(config, target):  the config whose count N is nearest to the target, |N / target - 1| <= tolerance

Each config says which field that is (`size_field`): the pairs of a persistent memory, the hidden units of a
feed-forward network, the width where there is neither. Counting builds the model on torch's "meta" device: no memory,
no random numbers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar

import torch

from toyworlds.core.validate import integer, real, reject

T = TypeVar("T")
LARGEST = 2**24


def count(config: Any) -> int:
    """Parameters of the model that `config` describes."""
    with torch.device("meta"):
        return int(config.build().num_parameters())


def match_parameters(config: T, target: int, *, tolerance: float = 0.05) -> T:
    """Return `config` with its size field changed so that the model has `target` parameters, as nearly as it can.

    InputError when the nearest is further off than `tolerance`, a share of the target.
    """
    integer("target", target, 1)
    real("tolerance", tolerance, 0.0)
    name = getattr(config, "size_field", None)
    if not isinstance(name, str):
        reject("config", "a config that names its size field", type(config).__name__)
    step = getattr(config, "n_heads", 1) if name == "width" else 1

    def sized(steps: int) -> Any:
        return dataclasses.replace(config, **{name: steps * step})  # type: ignore[type-var]

    high = _first(lambda steps: count(sized(steps)) >= target)
    nearest = min((sized(steps) for steps in {max(high - 1, 1), high}), key=lambda each: abs(count(each) - target))
    if abs(count(nearest) - target) > tolerance * target:
        reject(
            "target",
            f"a parameter count that {name} can reach within {tolerance:.0%}",
            target,
            f"the nearest is {count(nearest)}",
        )
    return nearest


def _first(reached: Callable[[int], bool]) -> int:
    """Smallest n >= 1 for which `reached` is true, by doubling and halving."""
    high = 1
    while not reached(high) and high < LARGEST:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high
