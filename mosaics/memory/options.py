"""What can be asked of retrieval beside key, value, query and beta: which pairs a step sees, which weights are dropped.

    step T sees the pairs   T - far <= t <= T - near   of its own segment
    out_T = sum_t w_{T,t} D_{T,t} v_t,   D = 0 with probability p, else 1 / (1 - p)

A segment is a run of equal numbers in `segments`: sequences packed one after the other into one row are segments of
it, and a memory never sees another segment than its own. near = 1 is strict causality; near = 0 lets a step see its own
pair, near = m delays every pair (long-term memory), far = h forgets those older than h steps (short-term memory).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Options:
    """The options of one call, already checked (see `mosaics.memory.api`)."""

    score: str = "gaussian"
    """Score: "gaussian" or "dot"."""
    near: int = 1
    """Age in steps of the newest pair in reach."""
    far: int | None = None
    """Age in steps of the oldest pair in reach; None for any age."""
    segments: Tensor | None = None
    """Whole numbers that broadcast against (..., T); None where a row is one sequence."""
    dropout: float = 0.0
    """Probability p that a weight is dropped."""
    seed: int | Tensor | None = None
    """What fixes the weights that are dropped (`mosaics.memory.dropout`); None draws from torch's generator."""

    @property
    def window(self) -> tuple[int, int | None]:
        """(near, far), as the door asks for it."""
        return self.near, self.far


def runs(segments: Tensor) -> tuple[Tensor, Tensor]:
    """First step of the segment of each step, and one past its last: int32, shaped as `segments`.

    >>> [x.tolist() for x in runs(torch.tensor([7, 7, 3, 7]))]
    [[0, 0, 2, 3], [2, 2, 3, 4]]
    """
    length = segments.shape[-1]
    steps = torch.arange(length, device=segments.device).expand(segments.shape)
    change = segments[..., 1:] != segments[..., :-1]
    edge = torch.ones_like(segments[..., :1], dtype=torch.bool)
    starts = torch.where(torch.cat([edge, change], -1), steps, 0).cummax(-1).values
    ends = torch.where(torch.cat([change, edge], -1), steps + 1, length).flip(-1).cummin(-1).values.flip(-1)
    return starts.int(), ends.int()


def since_start(segments: Tensor) -> Tensor:
    """Steps that each step stands behind the first of its segment: int64, shaped as `segments`.

    >>> since_start(torch.tensor([7, 7, 3, 7])).tolist()
    [0, 1, 0, 0]
    """
    return torch.arange(segments.shape[-1], device=segments.device) - runs(segments)[0]


def visible(length: int, options: Options, device: torch.device) -> Tensor:
    """Which pairs each step sees: a truth table (..., T, T), entry (T, t)."""
    steps = torch.arange(length, device=device)
    age = steps[:, None] - steps
    seen = age >= options.near
    if options.far is not None:
        seen = seen & (age <= options.far)
    if options.segments is not None:
        seen = seen & (steps >= runs(options.segments)[0][..., None])
    return seen
