"""Retrieval, forward and forward with backward, next to torch's attention, FlexAttention and the slow twin.

All ways do the strictly causal retrieval of a sequence with its own keys (query = key), score "dot", bfloat16:

    triton, fused, reference    `mosaics.memory.retrieve` in that implementation; reference is the slow twin, T x T
    flash, cudnn                torch's attention on rows 1 .. T - 1 against pairs 0 .. T - 2, that backend alone
    flex                        compiled FlexAttention with the mask t < T

    operations    4 w a pair forward, 10 w backward, T (T - 1) / 2 pairs a head

Rates are shares of the matrix product's rate in the same run.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.gpu.measure import Context, Way, interleaved, peak_memory, tidy
from mosaics.memory import retrieve

TOKENS = 16384
MODEL_WIDTH = 1024
LONGEST_TABLE = 8192
"""Longest sequence whose T x T table is computed."""
SECONDS = 4.0
Retrieval = Callable[[Tensor, Tensor], Tensor]


def rows(context: Context) -> Iterator[dict[str, Any]]:
    """One row a length, a width and a direction; then memory by length."""
    for length in (16,) if context.tiny else (2048, 8192, 512, 32768):
        for width in (8,) if context.tiny else (64, 128):
            for backward in (False, True):
                if context.left < 0:
                    return
                yield row(context, length, width, backward)
                tidy(context)
    for length in (16, 32) if context.tiny else (16384, 32768, 65536):
        if context.left < 0:
            return
        yield memory(context, length)
        tidy(context)


def row(context: Context, length: int, width: int, backward: bool) -> dict[str, Any]:
    """Time all ways at one shape."""
    shape = (
        (max(1, TOKENS // length), MODEL_WIDTH // width, length, width) if not context.tiny else (1, 1, length, width)
    )
    key, value = context.random(*shape) / width**0.25, context.random(*shape, seed=1)
    gradient = context.random(*shape, seed=2)
    ways = {name: _call(way, key, value, gradient, backward) for name, way in contestants(context, length).items()}
    found = interleaved(context, ways, SECONDS)
    pairs = shape[0] * shape[1] * length * (length - 1) / 2
    operations = pairs * width * (14.0 if backward else 4.0)
    for measured in found.values():
        if "median" in measured:
            measured["flops"] = operations / measured["median"]
            measured["share_of_matmul"] = measured["flops"] / context.ceilings["matmul"]
    ours = found["triton"].get("median")
    ratios = {name: m["median"] / ours for name, m in found.items() if ours and "median" in m and name != "triton"}
    what = "forward and backward" if backward else "forward"
    return {"what": what, "shape": shape, "ways": found, "times_as_long_as_triton": ratios}


def memory(context: Context, length: int) -> dict[str, Any]:
    """Most bytes that one forward and backward pass takes, a token; it should not grow with the length."""
    shape = (1, 1, length, 8) if context.tiny else (1, 16, length, 64)
    key, value, gradient = context.random(*shape), context.random(*shape, seed=1), context.random(*shape, seed=2)
    way = _call(functools.partial(_door, "triton"), key, value, gradient, True)
    way()
    taken = peak_memory(context, way)
    return {"what": "memory", "shape": shape, "bytes_a_token": None if taken is None else taken / length}


def contestants(context: Context, length: int) -> dict[str, Retrieval]:
    """Return the ways to retrieve, by name."""
    ways: dict[str, Retrieval] = {
        "triton": functools.partial(_door, "triton"),
        "fused": functools.partial(_door, "fused"),
    }
    if context.device.type == "cuda":
        ways["flash"] = functools.partial(_shifted, SDPBackend.FLASH_ATTENTION)
        ways["cudnn"] = functools.partial(_shifted, SDPBackend.CUDNN_ATTENTION)
        ways["flex"] = _flex(context, length)
    if length <= LONGEST_TABLE:
        ways["reference"] = functools.partial(_door, "reference")
    return ways


def _door(way: str, key: Tensor, value: Tensor) -> Tensor:
    return retrieve(key, value, beta=1.0, score="dot", implementation=way)


def _shifted(backend: SDPBackend, key: Tensor, value: Tensor) -> Tensor:
    """Retrieval by torch's attention, by one backend alone."""
    query, stored = key[..., 1:, :], key[..., :-1, :]
    with sdpa_kernel(backend):
        found = functional.scaled_dot_product_attention(query, stored, value[..., :-1, :], is_causal=True, scale=1.0)
    return functional.pad(found, (0, 0, 1, 0))


def _flex(context: Context, length: int) -> Retrieval:
    """Compiled FlexAttention; what fails here fails when it is called."""

    def strictly_before(_batch: Any, _head: Any, step: Any, pair: Any) -> Any:
        return pair < step

    @functools.cache
    def ready() -> tuple[Any, Any]:
        from torch.nn.attention.flex_attention import create_block_mask, flex_attention

        mask = create_block_mask(strictly_before, None, None, length, length, device=str(context.device))
        return torch.compile(flex_attention, dynamic=False), mask

    def way(key: Tensor, value: Tensor) -> Tensor:
        compiled, mask = ready()
        found: Tensor = compiled(key, key, value, block_mask=mask, scale=1.0)
        return found

    return way


def _call(way: Retrieval, key: Tensor, value: Tensor, gradient: Tensor, backward: bool) -> Way:
    """Return one call to be timed."""
    if not backward:

        def forward() -> Any:
            with torch.no_grad():
                return way(key, value)

        return forward
    leaves = key.detach().requires_grad_(), value.detach().requires_grad_()
    return lambda: torch.autograd.grad(way(*leaves), leaves, gradient)
