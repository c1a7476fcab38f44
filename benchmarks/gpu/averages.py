"""The leaky average and leaky keys next to a copy of the same numbers.

    bytes    forward: x read, result written              2 N s           N numbers of s bytes
             backward: gradient and result read, dx written               3 N s

`share_of_copy` is these bytes a second over those of the large copy measured in the same run; a kernel that moves no
more than it must and keeps the memory busy reaches 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.measure import Context, Way, interleaved, tidy
from mosaics.memory.leaky_average import leaky_average
from mosaics.memory.leaky_keys import leaky_keys

SHAPES = (
    (64, 2048, 12, 64),
    (32, 512, 12, 64),
    (8, 2048, 12, 64),
    (2, 8192, 12, 64),
    (1, 65536, 12, 64),
    (8, 2048, 8, 128),
)
"""Batch, length, heads, width; the first is several times the cache."""
SECONDS = 1.5


def rows(context: Context) -> Iterator[dict[str, Any]]:
    """One row a shape, a dtype and a direction."""
    for shape in ((1, 18, 1, 4),) if context.tiny else SHAPES:
        for dtype in (torch.bfloat16, torch.float32):
            for backward in (False, True):
                if context.left < 0:
                    return
                yield row(context, shape, dtype, backward)
        tidy(context)


def row(context: Context, shape: tuple[int, ...], dtype: torch.dtype, backward: bool) -> dict[str, Any]:
    """Time all ways at one shape."""
    x = context.random(*shape, dtype=dtype).requires_grad_(backward)
    decay = context.random(shape[2], seed=1, dtype=torch.float32).abs().requires_grad_(backward)
    steps = context.random(*shape[:3], seed=2, dtype=torch.float32).abs().requires_grad_(backward)
    scale = torch.ones(shape[2], device=context.device).requires_grad_(backward)
    found = interleaved(context, _ways(context, x, (decay, steps, scale), backward), SECONDS)
    size = x.numel() * x.element_size()
    moved = {name: 2.0 * size if not backward or name == "copy" else 3.0 * size for name in found}
    for name, measured in found.items():
        if "median" in measured:
            measured["share_of_copy"] = moved[name] / measured["median"] / context.ceilings["copy"]
    what = "backward" if backward else "forward"
    return {"what": what, "shape": shape, "dtype": str(dtype), "bytes": moved, "ways": found}


def _ways(context: Context, x: Tensor, parts: tuple[Tensor, ...], backward: bool) -> dict[str, Way]:
    decay, steps, scale = parts
    target = torch.empty_like(x)
    chunked = torch.compile(leaky_average, dynamic=False, backend=context.backend)
    forward: dict[str, Way] = {
        "average": lambda: leaky_average(x, decay, implementation="triton"),
        "average, decay a step": lambda: leaky_average(x, steps, implementation="triton"),
        "keys": lambda: leaky_keys(x, decay, scale, implementation="triton"),
        "average, torch, compiled": lambda: chunked(x, decay, implementation="chunked"),
    }
    ways = {name: _backward(way, x) if backward else way for name, way in forward.items()}
    return ways | {"copy": lambda: target.copy_(x.detach())}


def _backward(way: Way, x: Tensor) -> Way:
    """Return the backward pass alone; the forward pass is done here, once."""
    held: list[Tensor] = []

    def run() -> Any:
        if not held:
            result = way()
            held.extend((result, torch.randn_like(result)))
        return torch.autograd.grad(held[0], x, held[1], retain_graph=True)

    return run
