"""What Memory Mosaics v2 changed, taken back one by one: parts that stand in for those of `mosaics.levels`.

    SteadyKey          k-_t = W_k x_t + exp(-a) k-_{t-1},  a = 10 |leaky_beta| one a head, as in the first version
    SteadyBandwidth    beta = exp(log_beta), one a head, whatever the number of pairs; 2 at the start, as the adaptive
                       one is with one pair

The third change, short-term and long-term memories, is taken back by `mosaics.levels.OneLevelMemory`.

Shapes and states are those of `mosaics.levels`.

Reference: Memory Mosaics at scale, arXiv 2507.03285, sec. 3, for the changes; taking them back is ours.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from mosaics.extractors import EXPONENT
from mosaics.memory.leaky_average import leaky_average
from mosaics.memory.leaky_keys import leaky_keys, unit, widened


class SteadyKey(nn.Module):
    """Key extractor with a constant decay; its state is the last k- (batch, heads, w)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(width, width, bias=False)
        self.leaky_beta = nn.Parameter(torch.linspace(0.5, 5.0, heads) / EXPONENT)

    def decay(self) -> Tensor:
        """Decay a of each head, >= 0."""
        return EXPONENT * widened(self.leaky_beta).abs()

    def keys(self, x: Tensor, segments: Tensor | None = None) -> Tensor:
        """Keys (batch, heads, T, w) of whole sequences x (batch, T, d), in one pass."""
        projected, decay = self.project(x).unflatten(-1, (self.heads, -1)), self.decay()
        return leaky_keys(projected, decay, torch.ones_like(decay), segments=segments)

    def forward(self, x: Tensor, last: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Keys (batch, heads, T, w) of x (batch, T, d) that follows `last`, and the last k-."""
        projected, decay = self.project(x), self.decay()
        keys = widened(projected).unflatten(-1, (self.heads, -1))
        average = leaky_average(keys, decay) if x.shape[1] > 1 else keys
        if last is not None:
            steps = torch.arange(1, x.shape[1] + 1, device=x.device, dtype=decay.dtype)
            average = average + torch.exp(-steps[:, None] * decay)[..., None] * last[:, None]
        return unit(average, torch.ones_like(average[..., :1]), 0.0).to(projected.dtype).transpose(1, 2), average[:, -1]


class SteadyBandwidth(nn.Module):
    """One bandwidth a head."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.log_beta = nn.Parameter(torch.full((heads,), math.log(2.0)))

    def forward(self, count: Tensor) -> Tensor:
        """Beta (.., heads, T, 1) for the numbers of pairs (.., T), which do not matter."""
        return torch.exp(self.log_beta)[:, None, None].expand(*count.shape[:-1], -1, count.shape[-1], 1)
