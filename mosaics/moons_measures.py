"""Errors of a moons model against the context length n, the number of observations read before predicting.

    (a)  one_step_error[n - 1]      = mean |prediction of x_n after x_0 .. x_{n-1}  -  x_n|       teacher-forced
    (b)  free_running_error         = mean over the next `steps` observations, each prediction being the next input,
                                      generated pairs stored
    (c)  the same with ``frozen``     the memory as the context left it

x_0 is the first observation, means are over sequences and channels (of those seen). Arrays of float64; the unit is
the orbit's radius; a population gives one row a member.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from mosaics.moons_model import MoonsModel
from mosaics.tasks.moons import ROWS_AT_ONCE
from toyworlds.core.validate import integer, reject


@torch.no_grad()
def one_step_error(model: MoonsModel, observation: np.ndarray) -> np.ndarray:
    """Measure (a) for contexts 1 .. L - 1: (..., L - 1) from observations (..., B, L, C), NaN where unseen."""
    parts = []
    for x, seen in _chunks(model, observation):
        prediction = model(x[..., :-1, :], None if seen is None else seen[..., :-1])
        parts.append(_error(prediction, x[..., 1:, :], seen if seen is None else seen[..., 1:]))
    return _mean(parts)


@torch.no_grad()
def free_running_error(
    model: MoonsModel,
    observation: np.ndarray,
    contexts: Sequence[int],
    *,
    steps: int = 25,
    frozen: bool = False,
) -> np.ndarray:
    """Measures (b) and (c) after each of `contexts`: (..., len(contexts)) from observations (..., B, L, C)."""
    longest = observation.shape[-2] - integer("steps", steps, 1)
    for n in contexts:
        integer("contexts", n, 1, longest)
    parts = []
    for x, seen in _chunks(model, observation):
        errors = []
        for n in contexts:
            path = model.free_run(x[..., :n, :], steps, frozen=frozen, seen=None if seen is None else seen[..., :n])
            there = None if seen is None else seen[..., n : n + steps]
            errors.append(_error(path, x[..., n : n + steps, :], there).nanmean(-1))
        parts.append(torch.stack(errors, dim=-1))
    return _mean(parts)


def _chunks(model: MoonsModel, observation: np.ndarray) -> list[tuple[Tensor, Tensor | None]]:
    """Cut observations into chunks of sequences on the model's device, with what was seen (None: everything)."""
    if observation.ndim != (3 if model.members is None else 4):
        reject("observation", "axes (sequence, step, channel), after one of members in a population", observation.shape)
    like = next(model.parameters())
    x = torch.as_tensor(observation, dtype=like.dtype, device=like.device)
    chunks = x.split(ROWS_AT_ONCE, dim=-3)
    unseen = bool(x.isnan().any())
    return [(chunk, ~chunk.isnan().any(-1) if unseen else None) for chunk in chunks]


def _error(prediction: Tensor, truth: Tensor, seen: Tensor | None) -> Tensor:
    """Absolute error, mean over channels, NaN where the truth went unseen: (..., B, steps)."""
    error = (prediction - truth).abs().mean(-1)
    return error if seen is None else error.masked_fill(~seen, torch.nan)


def _mean(parts: list[Tensor]) -> np.ndarray:
    """Mean over sequences, the axis before the last, of those that are not NaN; float64."""
    mean: np.ndarray = torch.cat(parts, dim=-2).double().nanmean(-2).cpu().numpy()
    return mean
