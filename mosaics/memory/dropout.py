"""Which retrieval weights are dropped: a table that any program can make anew, entry by entry, from a seed.

    weight (T, t) of item i is kept where Philox4x32-10(key = seed, counter = (t, T, i, 0))[0] >> 1 >= round(p 2^31)

An item is one memory's sequence: i counts the leading sizes (batch, head ...) in row-major order. The key is the seed's
64 bits, low half first. Nothing of the size of the table is held: forward and backward pass each draw it again.

Reference: Salmon, Moraes, Dror and Shaw, Parallel random numbers: as easy as 1, 2, 3 (2011).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
INCREMENTS = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10
WORD = 0xFFFFFFFF


def dropout_mask(
    seed: int | Tensor, probability: float, leading: Sequence[int], length: int, device: torch.device | str = "cpu"
) -> Tensor:
    """Truth table (*leading, T, T) of the weights that are kept; entry (T, t) is that of pair t at step T.

    >>> dropout_mask(1, 0.5, (), 4).int().tolist()
    [[1, 1, 0, 1], [1, 0, 1, 0], [0, 0, 1, 0], [1, 0, 0, 1]]
    """
    item = torch.arange(math.prod(leading), device=device).reshape(*leading, 1, 1)
    steps = torch.arange(length, device=device)
    word = philox(seed, (steps, steps[:, None], item, torch.zeros_like(steps)))
    return (word >> 1) >= threshold(probability)


def threshold(probability: float) -> int:
    """Smallest 31-bit number that is kept."""
    return min(round(probability * 2**31), 2**31 - 1)


def philox(seed: int | Tensor, counter: tuple[Tensor, Tensor, Tensor, Tensor]) -> Tensor:
    """First word of Philox4x32-10; words of 32 bits held in int64, counters broadcast against each other."""
    low, high = (seed & WORD), (seed >> 32) & WORD
    c0, c1, c2, c3 = counter
    for _ in range(ROUNDS):
        first, second = c0 * MULTIPLIERS[0], c2 * MULTIPLIERS[1]  # 64 bits: the sign is the highest of them
        c0, c1, c2, c3 = (second >> 32 & WORD) ^ c1 ^ low, second & WORD, (first >> 32 & WORD) ^ c3 ^ high, first & WORD
        low, high = (low + INCREMENTS[0]) & WORD, (high + INCREMENTS[1]) & WORD
    return c0.broadcast_to(torch.broadcast_shapes(*(x.shape for x in counter)))
