"""Keys and values of memory units in one pass over the projected inputs, by our own C kernel (CPU).

    keys      y_t = x_t + f y_{t-1},                    k_t = s y_t / (|y_t| + offset)          f = exp(-a)
    values    y_t = (1 - c) x_{t+peek} + c x_t,         v_t = s y_t / (|y_t| + offset)          the last `peek` are zero

The readable form of both is what `mosaics.memory.leaky_keys` and `mosaics.extractors` do where this kernel cannot
serve; the equations of the gradients stand in `extract_kernel.c`, which is compiled and kept like the kernel of
`mosaics.memory.native`.

Shapes: x (batch, T, heads, w) float32 or float64, w <= 64; f, s, c (heads,); the results (batch, heads, T, w), held in
memory as (heads, batch, T, w) where `by_head` is set. Gradients reach x, f, s and c, once. Under torch.vmap the
members of a population count as heads.
"""

from __future__ import annotations

import ctypes
import functools
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mosaics.memory import native
from mosaics.memory.api import VARIABLE

WIDEST = 64
SOURCE = Path(__file__).with_name("extract_kernel.c")


def available(x: Tensor) -> bool:
    """Tell whether the kernel can serve x, 16-bit numbers as float32.

    The variable MOSAICBENCH_RETRIEVAL, set to another way than "native", forbids it.
    """
    if x.device.type != "cpu" or not x.is_floating_point() or x.shape[-1] > WIDEST:
        return False
    if torch.compiler.is_compiling() or os.environ.get(VARIABLE, "native") != "native":
        return False
    return build(x.dtype == torch.float64, x.shape[-1]) is not None


@functools.cache
def build(double: bool, width: int) -> ctypes.CDLL | None:
    """Load the kernel for this width, compiled if need be; None where that fails."""
    built = native.compiled(SOURCE, f"-DWIDTH={width}", *(["-DDOUBLE"] if double else []))
    return None if isinstance(built, str) else built


def keys(x: Tensor, factor: Tensor, scale: Tensor, offset: float, *, by_head: bool = False) -> Tensor:
    """Keys of x; see the module."""
    found, _ = _Keys.apply(x, factor.to(x.dtype), scale.to(x.dtype), (offset, int(by_head)))
    return found.transpose(0, 1) if by_head else found


def values(x: Tensor, mix: Tensor, scale: Tensor, offset: float, peek: int) -> Tensor:
    """Values of x; see the module."""
    found, _ = _Values.apply(x, mix.to(x.dtype), scale.to(x.dtype), (offset, peek))
    return found


class _Keys(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor, factor: Tensor, scale: Tensor, how: tuple[float, int]) -> tuple[Tensor, Tensor]:
        offset, by_head = how
        batch, length, heads, width = x.shape
        leading = (heads, batch) if by_head else (batch, heads)
        out, norm = x.new_empty(*leading, length, width), x.new_empty(*leading, length)
        tensors = (x.contiguous(), factor.contiguous(), scale.contiguous(), out, norm)
        _call("keys_forward", out, (batch, length, heads, by_head), offset, *tensors)
        return out, norm

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        x, factor, scale, (ctx.offset, by_head) = inputs
        ctx.sizes = (*x.shape[:3], by_head)
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(factor.contiguous(), scale.contiguous(), *output)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, _: Any) -> tuple[Tensor | None, ...]:
        factor, scale, out, norm = ctx.saved_tensors
        batch, length, heads, _ = ctx.sizes
        dx = out.new_empty(batch, length, heads, out.shape[-1])
        sums = out.new_empty(2, batch, heads, dtype=torch.float64)
        _call("keys_backward", out, ctx.sizes, ctx.offset, factor, scale, out, norm, gradient.contiguous(), dx, *sums)
        return (dx, *sums.sum(1).to(out.dtype), None)

    @staticmethod
    def vmap(info: Any, places: Any, *given: Any) -> Any:
        *tensors, how = given
        found = _Keys.apply(*_members_as_heads(info.batch_size, places, *tensors), how)
        axis = 0 if how[1] else 1
        return tuple(part.unflatten(axis, (info.batch_size, -1)) for part in found), axis


class _Values(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor, mix: Tensor, scale: Tensor, how: tuple[float, int]) -> tuple[Tensor, Tensor]:
        offset, peek = how
        batch, length, heads, width = x.shape
        out, norm = x.new_empty(batch, heads, length, width), x.new_empty(batch, heads, length)
        tensors = (x.contiguous(), mix.contiguous(), scale.contiguous(), out, norm)
        _call("values_forward", out, (batch, length, heads, peek), offset, *tensors)
        return out, norm

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        x, mix, scale, (ctx.offset, peek) = inputs
        ctx.sizes = (*x.shape[:3], peek)
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(x.contiguous(), mix.contiguous(), scale.contiguous(), *output)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, _: Any) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors  # once: activation checkpointing hands them out a single time
        x = saved[0]
        dx, sums = torch.empty_like(x), x.new_empty(2, x.shape[0], x.shape[2], dtype=torch.float64)
        _call("values_backward", x, ctx.sizes, ctx.offset, *saved, gradient.contiguous(), dx, *sums)
        return (dx, *sums.sum(1).to(x.dtype), None)

    @staticmethod
    def vmap(info: Any, places: Any, *given: Any) -> Any:
        *tensors, how = given
        found = _Values.apply(*_members_as_heads(info.batch_size, places, *tensors), how)
        return tuple(part.unflatten(1, (info.batch_size, -1)) for part in found), 1


def _members_as_heads(members: int, places: Any, x: Tensor, *of_heads: Tensor) -> list[Tensor]:
    """Make heads of members: x (batch, T, members * heads, w) and what there is one of a head, (members * heads,)."""
    x = x[..., None, :, :].expand(*x.shape[:2], members, *x.shape[2:]) if places[0] is None else x.movedim(places[0], 2)
    rest = (
        part.expand(members, -1) if place is None else part.movedim(place, 0)
        for part, place in zip(of_heads, places[1:], strict=False)
    )
    return [x.flatten(2, 3), *(part.flatten() for part in rest)]


def _call(function: str, out: Tensor, sizes: tuple[int, ...], offset: float, *tensors: Tensor) -> None:
    """Call the C function on contiguous tensors; `out` tells dtype and width."""
    library = build(out.dtype == torch.float64, out.shape[-1])
    numbers = [ctypes.c_long(size) for size in sizes[:3]]
    pointers = [ctypes.c_void_p(tensor.data_ptr()) for tensor in tensors]
    getattr(library, function)(*numbers, sizes[3], torch.get_num_threads(), ctypes.c_double(offset), *pointers)
