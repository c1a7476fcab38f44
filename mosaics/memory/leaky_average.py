"""Leaky average over time, in time and memory linear in its length.

    y_T = sum_{t <= T} exp(-(a_{t+1} + ... + a_T)) g_t x_t,        that is   y_T = g_T x_T + exp(-a_T) y_{T-1}

With one decay a a head and no gate g this is the paper's leaky average without the factor 1 - exp(-a), which unit norm
cancels; with one of each a step and a head it is the gated key of Memory Mosaics v2. Any a >= 0; a = 0 sums, an
infinite a forgets. Segments are runs of equal numbers, one for each of the sequences that are packed into a row: where
one starts, y_{T-1} counts as zero.

Shapes: x (batch, T, head, width), decay (head,) or (batch, T, head), gate (batch, T, head) or None, segments (batch, T)
whole numbers or None; the result has the shape and dtype of x, under autocast too. Gradients reach x, decay and gate.

    "reference"   the T x T matrix, to be read and to be tested against; memory O(T^2)
    "chunked"     torch: chunks of C steps. Inside a chunk y = D x with the triangular matrix
                  D_{ij} = exp(-(a_{j+1} + ... + a_i)); what a chunk hands on is its last y, and those last y of all
                  chunks obey the same recurrence with the chunk's total decay, so they are found by the same function:
                  log_C(T) levels
    "triton"      our kernels (`mosaics.memory.triton_leaky`), CUDA: x is read once and y written once

The variable MOSAICBENCH_LEAKY_AVERAGE forces one of them ("native" concerns `mosaics.memory.leaky_keys` alone).

Reference: Memory Mosaics, arXiv 2405.06394, sec. 6; at scale, arXiv 2507.03285, sec. 3.
"""

from __future__ import annotations

import importlib.util
import os
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from mosaics.memory.api import Choice
from toyworlds.core.validate import choice, reject

CHUNK = 20
WIDEST = 256
VARIABLE = "MOSAICBENCH_LEAKY_AVERAGE"
IMPLEMENTATIONS = ("reference", "chunked", "triton")
HAS_TRITON = importlib.util.find_spec("triton") is not None


def leaky_average(
    x: Tensor,
    decay: Tensor,
    *,
    gate: Tensor | None = None,
    segments: Tensor | None = None,
    implementation: str | None = None,
) -> Tensor:
    """Leaky average of x (batch, T, head, width) with `decay` (head,) or (batch, T, head); see the module.

    >>> leaky_average(torch.ones(1, 3, 1, 1), torch.log(torch.tensor([2.0]))).flatten().tolist()
    [1.0, 1.5, 1.75]
    """
    check(x, decay, gate, segments)
    way = choose(x, implementation).name
    with torch.autocast(x.device.type, enabled=False):
        if way == "triton":
            return _by_triton(x, decay, gate, segments)
        wide = x.to(torch.promote_types(x.dtype, decay.dtype))
        gained = wide if gate is None else wide * gate[..., None].to(wide.dtype)
        forgetting = with_starts(decay.to(wide.dtype), segments)
        return (reference if way == "reference" else _scan)(gained, forgetting).to(x.dtype)


def choose(x: Tensor, implementation: str | None = None) -> Choice:
    """Choose the implementation of `leaky_average` for x.

    `implementation` or else the variable MOSAICBENCH_LEAKY_AVERAGE forces one. Otherwise "triton" on a CUDA device
    for float32 and 16-bit numbers where Triton is at hand, and "chunked" everywhere else.
    """
    argument, name = asked(implementation)
    problem = triton_obstacle(x)
    if implementation is None and name == "native":  # of the keys alone
        name = None
    if name is not None:
        choice(argument, name, IMPLEMENTATIONS)
        if name == "triton" and problem and not interpreted(x):
            reject(argument, "an implementation for these tensors", name, problem)
        return Choice(name, f"forced by {argument}")
    return Choice("chunked", problem) if problem else Choice("triton", "one pass over the numbers on cuda")


def asked(implementation: str | None) -> tuple[str, str | None]:
    """Tell what forces an implementation, the argument or the variable, and its name."""
    return ("implementation", implementation) if implementation is not None else (VARIABLE, os.environ.get(VARIABLE))


def triton_obstacle(x: Tensor) -> str | None:
    """Say why the Triton kernels should not serve x; None when they should."""
    if x.device.type != "cuda":
        return f"tensors on {x.device.type}, and the Triton kernels are for cuda"
    if x.dtype == torch.float64:
        return "float64, and the Triton kernels are for float32 and 16 bits"
    if x.shape[-1] > WIDEST:
        return f"wider than {WIDEST}, the Triton kernels' limit"
    return None if HAS_TRITON else "Triton is not installed"


def interpreted(x: Tensor) -> bool:
    """Tell whether Triton's interpreter, where it is switched on, can serve x on a CPU."""
    asked = os.environ.get("TRITON_INTERPRET", "0") == "1" and HAS_TRITON
    return asked and x.device.type == "cpu" and x.shape[-1] <= WIDEST


def check(x: Tensor, decay: Tensor, gate: Tensor | None, segments: Tensor | None) -> None:
    """Check that shapes and dtypes fit each other."""
    if not isinstance(x, Tensor) or not x.is_floating_point():
        reject("x", "a tensor of floats", getattr(x, "dtype", x))
    if x.dim() != 4 or x.shape[1] < 1:
        reject("x", "a tensor (batch, time, head, width) of at least one step", tuple(x.shape))
    if decay.shape not in ((x.shape[2],), tuple(x.shape[:3])):
        reject("decay", f"shape {(x.shape[2],)} or {tuple(x.shape[:3])}", tuple(decay.shape))
    if gate is not None and gate.shape != x.shape[:3]:
        reject("gate", f"shape {tuple(x.shape[:3])}", tuple(gate.shape))
    if segments is not None and (segments.shape != x.shape[:2] or segments.is_floating_point()):
        shown = (tuple(segments.shape), str(segments.dtype))
        reject("segments", f"whole numbers of shape {tuple(x.shape[:2])}", shown)


def starts(segments: Tensor) -> Tensor:
    """Tell of each step whether it starts another segment than the step before it was in: bool, as `segments`."""
    return functional.pad(segments[..., 1:] != segments[..., :-1], (1, 0))


def with_starts(decay: Tensor, segments: Tensor | None) -> Tensor:
    """Make the decay of every step where a segment starts infinite."""
    return decay if segments is None else torch.where(starts(segments)[..., None], torch.inf, decay)


def reference(x: Tensor, decay: Tensor) -> Tensor:
    """Leaky average as the published T x T matrix, to be read and to be tested against; memory O(T^2)."""
    matrix = _decays(decay.expand(x.shape[:3]).transpose(1, 2))
    return torch.einsum("bhij,bjhw->bihw", matrix, x)


def triton_arguments(x: Tensor, decay: Tensor, gate: Tensor | None, segments: Tensor | None) -> tuple[Any, ...]:
    """Decay, gate and starts as `mosaics.memory.triton_leaky_ops.leaky` takes them."""
    exact = torch.float64 if x.dtype == torch.float64 else torch.float32
    decay = decay.to(exact).view(1, 1, -1) if decay.dim() == 1 else decay.to(exact)
    return (
        decay,
        None if gate is None else gate.to(exact),
        None if segments is None else starts(segments).to(torch.int8),
    )


def _by_triton(x: Tensor, decay: Tensor, gate: Tensor | None, segments: Tensor | None) -> Tensor:
    from mosaics.memory.triton_leaky_ops import leaky

    return leaky(x, *triton_arguments(x, decay, gate, segments), None)[0]


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
