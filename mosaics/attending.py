"""Retrieval weights of every contextual memory and attention head of a model, while it reads.

    weights[T, t]      weight of pair t in what the head returns at step T; rows sum to 1, or to 0 where there is none

    memory                 pairs that can be retrieved at T
    contextual memory      t <= T - peek
    short, long level      T - window <= t < T;   t <= T - delay, the delay of inference (one level alone: t < T)
    attention              t <= T

A layer is seen on its own input, as in the forward pass, so its weights are those that made the outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mosaics.baselines.transformer import Attention
from mosaics.levels import Level, OneLevelMemory, TwoLevelMemory
from mosaics.units import ContextualMemory
from toyworlds.core.validate import reject


@dataclass(frozen=True)
class HeadWeights:
    """Weights of the heads of one module."""

    module: str
    """Name of the module in the model, with the level where there are two."""
    weights: Tensor
    """(batch, heads, T, T)"""
    nearest: int
    """Least distance T - t of a pair that can be retrieved."""
    furthest: int = 0
    """Largest such distance; 0: any."""


@torch.no_grad()
def head_weights(model: nn.Module, inputs: Tensor) -> list[HeadWeights]:
    """Return the weights of every head of `model` reading `inputs`, tokens (B, T) or vectors (B, T, C), in order.

    The model is put into evaluation mode while it reads. InputError for a model without memories or attention.
    """
    found: list[HeadWeights] = []
    units = [(name, unit) for name, unit in model.named_modules() if isinstance(unit, UNITS)]
    if not units:
        reject("model", "one with contextual memories or attention", type(model).__name__)
    hooks = [unit.register_forward_pre_hook(partial(_read, found, name)) for name, unit in units]
    training = model.training
    model.eval()
    try:
        model(inputs)
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()
    return found


UNITS = (ContextualMemory, TwoLevelMemory, OneLevelMemory, Attention)


def _read(found: list[HeadWeights], name: str, unit: Any, arguments: tuple[Any, ...]) -> None:
    x = arguments[0]
    if isinstance(unit, TwoLevelMemory):
        for level, part in (("short", unit.short), ("long", unit.long)):
            found.append(HeadWeights(f"{name}.{level}", level_weights(part, x), part.delay, part.window))
    elif isinstance(unit, OneLevelMemory):
        found.append(HeadWeights(name, level_weights(unit.level, x), 1))
    elif isinstance(unit, Attention):
        found.append(HeadWeights(name, unit.weights(x), 0))
    else:
        found.append(HeadWeights(name, unit.weights(unit.pairs(x)[0]), unit.peek))


def level_weights(level: Level, x: Tensor) -> Tensor:
    """Weights (batch, heads, T, T) of one level of a two-level memory for inputs (batch, T, d)."""
    steps = torch.arange(x.shape[1], device=x.device)
    key = level.key.keys(x)
    age = steps[:, None] - steps
    reach = age >= level.delay
    if level.window:
        reach = reach & (age <= level.window)
    scores = (key * level.sharpness(steps, level.delay)) @ key.mT
    return scores.masked_fill(~reach, -torch.inf).softmax(-1).nan_to_num(0.0)
