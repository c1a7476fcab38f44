"""Leaky average over time, in time and memory linear in its length.

    y_T = sum_{t <= T} exp(-(a_{t+1} + ... + a_T)) x_t,        that is   y_T = x_T + exp(-a_T) y_{T-1}

With one decay a a head this is the paper's leaky average without the factor 1 - exp(-a), which unit norm cancels;
with one a step and a head it is the gated key of Memory Mosaics v2. Any a >= 0; a = 0 sums.

Shapes: x (batch, T, head, width), decay (head,) or (batch, T, head), one dtype; the result has the shape and dtype of
x, under autocast too.

A sequence is cut into chunks of C steps. Inside a chunk y = D x with the triangular matrix
D_{ij} = exp(-(a_{j+1} + ... + a_i)); what a chunk hands on is its last y, and those last y of all chunks obey the
same recurrence with the chunk's total decay, so they are found by the same function: log_C(T) levels.

Reference: Memory Mosaics, arXiv 2405.06394, sec. 6; at scale, arXiv 2507.03285, sec. 3.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from toyworlds.core.validate import reject

CHUNK = 20


def leaky_average(x: Tensor, decay: Tensor) -> Tensor:
    """Leaky average of x (batch, T, head, width) with `decay` (head,) or (batch, T, head); see the module.

    >>> leaky_average(torch.ones(1, 3, 1, 1), torch.log(torch.tensor([2.0]))).flatten().tolist()
    [1.0, 1.5, 1.75]
    """
    if x.dim() != 4:
        reject("x", "a tensor (batch, time, head, width)", tuple(x.shape))
    if decay.shape not in ((x.shape[2],), tuple(x.shape[:3])):
        reject("decay", f"shape {(x.shape[2],)} or {tuple(x.shape[:3])}", tuple(decay.shape))
    with torch.autocast(x.device.type, enabled=False):
        return _scan(x, decay)


def reference(x: Tensor, decay: Tensor) -> Tensor:
    """Leaky average as the published T x T matrix, to be read and to be tested against; memory O(T^2)."""
    matrix = _decays(decay.expand(x.shape[:3]).transpose(1, 2))
    return torch.einsum("bhij,bjhw->bihw", matrix, x)


def _decays(steps: Tensor) -> Tensor:
    """D_{ij} = exp(-(a_{j+1} + ... + a_i)) for j <= i, else 0; steps (..., C) to (..., C, C).

    Every exponent is summed by itself: a difference of two running sums would lose the small ones.
    """
    size = steps.shape[-1]
    lower = torch.ones(size, size, dtype=torch.bool, device=steps.device).tril()
    terms = steps[..., :, None].expand(*steps.shape, size).masked_fill(~lower.tril(-1), 0.0)
    return torch.exp(-terms.cumsum(-2)).masked_fill(~lower, 0.0)


def _scan(x: Tensor, decay: Tensor) -> Tensor:
    batch, length, head, width = x.shape
    size = min(CHUNK, length)
    chunks = -(-length // size)
    padding = chunks * size - length
    cut = functional.pad(x, (0, 0, 0, 0, 0, padding)).view(batch, chunks, size, head, width).transpose(2, 3)
    steps = _steps(decay, chunks, size, padding)
    inside = _decays(steps) @ cut
    if chunks > 1:
        inside = inside + _carried(inside[..., -1, :], steps, decay)
    return inside.transpose(2, 3).reshape(batch, chunks * size, head, width)[:, :length]


def _steps(decay: Tensor, chunks: int, size: int, padding: int) -> Tensor:
    """Decay of each step, (head, C) or (batch, chunks, head, C)."""
    if decay.dim() == 1:
        return decay[:, None].expand(-1, size)
    padded = functional.pad(decay, (0, 0, 0, padding))
    return padded.view(decay.shape[0], chunks, size, decay.shape[2]).transpose(2, 3)


def _carried(last: Tensor, steps: Tensor, decay: Tensor) -> Tensor:
    """What earlier chunks add to each step: exp(-(a_1 + ... + a_i)) times the y that the chunk was handed."""
    total = steps.sum(-1) if decay.dim() == 3 else decay * steps.shape[-1]
    handed = functional.pad(_scan(last[:, :-1], total[:, :-1] if decay.dim() == 3 else total), (0, 0, 0, 0, 1, 0))
    return torch.exp(-steps.cumsum(-1))[..., None] * handed[..., None, :]
