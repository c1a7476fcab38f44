"""Every kernel against float64 at odd sizes: outputs and gradients, in buffers that held NaN, again and again.

    error = |found - exact| / |exact|, the larger norm of the output taken where a gradient is nearly zero
    passes where it is at most 1e-2 in bfloat16 and float16 and 1e-3 in float32, and all repeats give the same bits

Repeats that differ tell of a race; NaN tells of numbers that were never written.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.measure import Context, error_of, tidy
from mosaics.memory import retrieve
from mosaics.memory.leaky_average import leaky_average
from mosaics.memory.leaky_keys import leaky_keys

LIMITS = {torch.float32: 1e-3, torch.bfloat16: 1e-2, torch.float16: 1e-2}
REPEATS = 5
Operation = Callable[[str, dict[str, Tensor]], Tensor]


SHAPES = {
    torch.bfloat16: ((300, 64), (1025, 128), (17, 16), (2050, 64), (127, 40), (1, 128), (300, 256)),
    torch.float32: ((300, 64), (127, 40), (1025, 128)),
    torch.float16: ((300, 64), (1025, 128)),
}
"""Length and width, what is used most first: each width is compiled anew, and the time may not do for all."""
TINY = {torch.float32: ((18, 3),)}


def rows(context: Context) -> Iterator[dict[str, Any]]:
    """One row a kernel, dtype, shape and set of options."""
    for dtype, shapes in (TINY if context.tiny else SHAPES).items():
        for length, width in shapes:
            for title, tensors, operation in cases(context, length, width):
                if context.left < 0:
                    return
                found = _checked(tensors, operation, dtype, repeats=2 if context.tiny else REPEATS)
                yield {"case": title, "dtype": str(dtype), "limit": LIMITS[dtype]} | found
            tidy(context)


def cases(context: Context, length: int, width: int) -> Iterator[tuple[str, dict[str, Tensor], Operation]]:
    """Name, inputs in float64 and operation of each case."""
    yield from _averages(context, length, width)
    yield from _retrievals(context, length, width)


def _retrievals(context: Context, length: int, width: int) -> Iterator[tuple[str, dict[str, Tensor], Operation]]:
    batch, heads = (1, 2) if context.tiny else (2, 3)
    shape = (batch, heads, length, width)
    base = {
        "key": context.random(*shape, dtype=torch.float64) / width**0.25,
        "value": context.random(*shape, seed=1, dtype=torch.float64),
    }
    beta = {"beta": context.random(heads, seed=2, dtype=torch.float64).abs() + 0.5}
    query = {"query": context.random(*shape, seed=3, dtype=torch.float64) / width**0.25}
    segments = (context.random(batch, 1, length, seed=4, dtype=torch.float32) > 1.5).cumsum(-1)
    variants: list[tuple[str, dict[str, Tensor], dict[str, Any]]] = [
        ("dot", base, {"score": "dot"}),
        ("gaussian, beta a head", base | beta, {}),
        ("dot, queries of their own", base | query | beta, {"score": "dot"}),
        ("gaussian, window", base | beta, {"window": (3, 40)}),
        ("dot, segments", base, {"score": "dot", "segments": segments}),
        ("dot, dropout", base, {"score": "dot", "dropout": 0.1, "seed": 7}),
    ]
    for name, tensors, options in variants:

        def operation(way: str, given: dict[str, Tensor], options: dict[str, Any] = options) -> Tensor:
            return retrieve(
                given["key"],
                given["value"],
                beta=given.get("beta", 1.0),
                query=given.get("query"),
                implementation=way,
                **options,
            )

        yield f"retrieve {name} {shape}", tensors, operation


def _averages(context: Context, length: int, width: int) -> Iterator[tuple[str, dict[str, Tensor], Operation]]:
    batch, heads = (1, 2) if context.tiny else (2, 3)
    shape = (batch, length, heads, width)
    x = {"x": context.random(*shape, dtype=torch.float64)}
    head = {"decay": 2 * context.random(heads, seed=1, dtype=torch.float64).abs()}
    step = {"decay": context.random(*shape[:3], seed=2, dtype=torch.float64).abs()}
    gate = {"gate": context.random(*shape[:3], seed=3, dtype=torch.float64).exp()}
    scale = {"scale": context.random(heads, seed=4, dtype=torch.float64).exp()}
    segments = (context.random(batch, length, seed=5, dtype=torch.float32) > 1.5).cumsum(-1)

    def average(way: str, given: dict[str, Tensor]) -> Tensor:
        packed = segments if "gate" in given else None
        return leaky_average(given["x"], given["decay"], gate=given.get("gate"), segments=packed, implementation=way)

    def keys(way: str, given: dict[str, Tensor]) -> Tensor:
        packed = segments if "gate" in given else None
        return leaky_keys(
            given["x"],
            given["decay"],
            given["scale"],
            1e-3,
            gate=given.get("gate"),
            segments=packed,
            implementation=way,
        )

    yield f"leaky average, decay a head {shape}", x | head, average
    yield f"leaky average, decay a step, gates, segments {shape}", x | step | gate, average
    yield f"leaky keys, decay a head {shape}", x | head | scale, keys
    yield f"leaky keys, decay a step, gates, segments {shape}", x | step | gate | scale, keys


def _checked(tensors: dict[str, Tensor], operation: Operation, dtype: torch.dtype, repeats: int) -> dict[str, Any]:
    """Errors of the kernel, and whether repeats agree to the bit."""
    rounded = {name: tensor.to(dtype).double() for name, tensor in tensors.items()}
    wide = {name: tensor.to(_dtype_of(name, dtype)) for name, tensor in rounded.items()}
    try:
        exact = _results("reference", rounded, operation, dtype)
        with _poisoned():
            first, *others = (_results("triton", wide, operation, dtype) for _ in range(repeats))
    except Exception as error:  # a kernel that fails is a result
        return {"passes": False, "error": error_of(error)}
    errors = {name: _error(first[name], exact, name) for name in exact}
    same = all(torch.equal(first[name], other[name]) for other in others for name in first)
    return {
        "passes": same and all(e <= LIMITS[dtype] for e in errors.values()),
        "errors": errors,
        "repeats_agree": same,
    }


def _dtype_of(name: str, dtype: torch.dtype) -> torch.dtype:
    """Keys, values and inputs have the dtype that is checked, numbers of a head or a step are float32."""
    return dtype if name in ("key", "value", "query", "x") else torch.float32


def _results(way: str, tensors: dict[str, Tensor], operation: Operation, dtype: torch.dtype) -> dict[str, Tensor]:
    """Output and gradients, for a gradient of the output that `dtype` holds."""
    leaves = {name: tensor.detach().clone().requires_grad_() for name, tensor in tensors.items()}
    out = operation(way, leaves)
    generator = torch.Generator(out.device).manual_seed(9)
    gradient = torch.randn(out.shape, generator=generator, device=out.device).to(dtype).to(out.dtype)
    return {
        "out": out.detach(),
        **dict(zip(leaves, torch.autograd.grad(out, list(leaves.values()), gradient), strict=True)),
    }


def _error(found: Tensor, exact: dict[str, Tensor], name: str) -> float:
    if not found.isfinite().all():
        return float("inf")
    size = max(float(exact[name].norm()), float(exact["out"].norm()) if name != "out" else 1e-30)
    return float((found.double() - exact[name]).norm()) / max(size, 1e-30)


@contextmanager
def _poisoned() -> Iterator[None]:
    """Inside, torch fills new room with NaN."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.use_deterministic_algorithms(True, warn_only=True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
