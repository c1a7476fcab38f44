"""A bounded window as dense attention: chunks of `span` rows that each look at two chunks of pairs.

    row T sees the pairs   T - span < t <= T          chunk c = T // span looks at the pairs of chunks c - 1 and c

Time is O(T span) and memory O(T), where attention with a T x T mask takes O(T^2). The rows and pairs are those that are
left after queries and pairs are moved against each other by `near` steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


def pad(x: Tensor, before: int, after: int) -> Tensor:
    """Add rows of zeros before and after along the last axis but one; negative numbers take rows away."""
    return functional.pad(x, (0, 0, before, after)) if before or after else x


@dataclass(frozen=True)
class Chunks:
    """How `length` steps are cut into chunks of `span`."""

    length: int
    span: int

    @property
    def count(self) -> int:
        """Number of chunks; the last may be partly filled."""
        return -(-self.length // self.span)

    def own(self, x: Tensor) -> Tensor:
        """Rows (..., T, width) by chunk: (..., chunks, span, width)."""
        return pad(x, 0, self.count * self.span - self.length).unflatten(-2, (self.count, self.span))

    def two(self, x: Tensor) -> Tensor:
        """Pairs of chunks c - 1 and c, zeros before the first: (..., chunks, 2 span, width)."""
        cut = self.own(x)
        return torch.cat([functional.pad(cut, (0, 0, 0, 0, 1, 0))[..., :-1, :, :], cut], -2)

    def seen(self, starts: Tensor | None, device: torch.device) -> Tensor:
        """Truth table (..., chunks, span, 2 span); `starts` (..., T) bounds the pairs of each row, if given."""
        row = torch.arange(self.span, device=device)
        column = torch.arange(2 * self.span, device=device)
        age = self.span + row[:, None] - column
        pair = (torch.arange(self.count, device=device)[:, None, None] - 1) * self.span + column
        seen = (age >= 0) & (age < self.span) & (pair >= 0)
        return seen if starts is None else seen & (pair >= self.own(starts[..., None]))

    def joined(self, x: Tensor) -> Tensor:
        """Rows by chunk (..., chunks, span, width) as rows (..., T, width)."""
        return x.flatten(-3, -2)[..., : self.length, :]
