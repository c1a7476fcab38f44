"""The public door of leaky-average keys: leaky average, unit norm and scale in one.

    y_T = g_T x_T + exp(-a_T) y_{T-1},     k_T = s y_T / (|y_T| + offset);     a zero vector stays zero

Shapes: x (batch, T, heads, w) floats; decay a (heads,) or (batch, T, heads); scale s (heads,); gate g (batch, T, heads)
or None; segments (batch, T) whole numbers or None, as in `mosaics.memory.leaky_average`; keys (batch, heads, T, w) of
the dtype of x, with `by_head` head by head in memory where a kernel writes them. Sums and norms are taken in float32 at
least. Gradients reach x, decay, scale and gate.

    "reference", "chunked"    the average of that name (`mosaics.memory.leaky_average`), then norm and scale in torch
    "native"                  our C kernel (`mosaics.memory.extract`): CPU, one decay a head, no gate, no segments
    "triton"                  our Triton kernels: CUDA; x is read once and the keys are written once, half of what an
                              average and a norm move one after the other

The variable MOSAICBENCH_LEAKY_AVERAGE forces one of them.

Reference: Memory Mosaics, arXiv 2405.06394, sec. 6; at scale, arXiv 2507.03285, sec. 3.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mosaics.memory import extract, leaky_average
from mosaics.memory.api import Choice
from toyworlds.core.validate import choice, real, reject

IMPLEMENTATIONS = ("reference", "chunked", "native", "triton")


def leaky_keys(
    x: Tensor,
    decay: Tensor,
    scale: Tensor,
    offset: float = 0.0,
    *,
    gate: Tensor | None = None,
    segments: Tensor | None = None,
    by_head: bool = False,
    implementation: str | None = None,
) -> Tensor:
    """Keys (batch, heads, T, w) of x; see the module.

    >>> x, ones = torch.tensor([[3.0, 4.0], [0.0, 0.0]]).view(1, 2, 1, 2), torch.ones(1)
    >>> leaky_keys(x, ones, 5 * ones).flatten().tolist()
    [3.0, 4.0, 3.0, 4.0]
    """
    leaky_average.check(x, decay, gate, segments)
    if scale.shape != (x.shape[2],):
        reject("scale", f"shape {(x.shape[2],)}", tuple(scale.shape))
    real("offset", offset, 0.0)
    way = choose(x, decay, gate=gate, segments=segments, implementation=implementation).name
    with torch.autocast(x.device.type, enabled=False):
        if way == "native":
            return extract.keys(widened(x), torch.exp(-decay), scale, offset, by_head=by_head).to(x.dtype)
        if way == "triton":
            from mosaics.memory.triton_leaky_ops import leaky

            decay, gate, starts = leaky_average.triton_arguments(x, decay, gate, segments)
            return leaky(x, decay, gate, starts, scale.to(decay.dtype)[None], offset, by_head)[0]
        wide = widened(x)
        average = leaky_average.leaky_average(wide, decay, gate=gate, segments=segments, implementation=way)
        return unit(average, scale[:, None], offset).to(x.dtype).transpose(1, 2)


def choose(
    x: Tensor,
    decay: Tensor,
    *,
    gate: Tensor | None = None,
    segments: Tensor | None = None,
    implementation: str | None = None,
) -> Choice:
    """Choose the implementation of `leaky_keys`.

    `implementation` or else the variable MOSAICBENCH_LEAKY_AVERAGE forces one. Otherwise "native" on a CPU where it can
    serve, "triton" on a CUDA device where it can, and "chunked" everywhere else.
    """
    argument, name = leaky_average.asked(implementation)
    problem = native_obstacle(x, decay, gate, segments)
    if name in ("native", None) and problem is None:
        return Choice("native", "one pass over the numbers on cpu" if name is None else f"forced by {argument}")
    if name == "native":
        reject(argument, "an implementation for these tensors", name, str(problem))
    if name is not None:
        choice(argument, name, IMPLEMENTATIONS)
    return leaky_average.choose(x, implementation)


def native_obstacle(x: Tensor, decay: Tensor, gate: Tensor | None, segments: Tensor | None) -> str | None:
    """Say why the C kernel cannot serve; None when it can."""
    if decay.dim() != 1 or gate is not None or segments is not None:
        return "decays of steps, gates or segments, and the C kernel is for one decay a head"
    return None if extract.available(x) else "the C kernel is for cpu, outside torch.compile"


def widened(x: Tensor) -> Tensor:
    """Return 16-bit numbers as float32, others as they are."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def unit(x: Tensor, scale: Tensor, offset: float) -> Tensor:
    """Return scale x / (|x| + offset) along the last axis; a zero vector stays zero, and so does its gradient."""
    norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x * (scale / (norm.masked_fill(norm == 0, torch.inf) + offset))
