"""Retrieval by our Triton kernels, as operators that torch knows: torch.compile, vmap and checkpointing see them whole.

    mosaicbench::retrieve            (key, value, beta, ...) -> (out, L)
    mosaicbench::retrieve_backward   (..., out, L, sent) -> [dkey, dvalue, dquery?, dbeta?]

The equations stand at the heads of `mosaics.memory.triton_forward` and `triton_backward`. Tensors (batch, head, T,
width), beta (batch, head, T) in float32; starts and ends (batch, head, T), int32, of segments; seeds (groups,), int64:
the batch is cut into so many equal groups, each with a mask of its own, and an item's number counts within its group.
So a population's members, which vmap lays into the batch, have the masks that they have alone.

Memory is linear in T: beside inputs and output the forward pass leaves L, one float a step and head, and the backward
pass works with three or four more. There is no second derivative. Under autocast the three tensors are brought to its
dtype. Widths up to 256, float32, bfloat16 and float16; Triton is imported on first use.
"""

from __future__ import annotations

import importlib.util
import math
import os
from typing import Any

import torch
from torch import Tensor

from mosaics.memory.options import Options, runs

WIDEST = 256
FARTHEST = 2**24
"""Numbers between two steps: the offsets within a tile, of up to 128 steps, are 32-bit numbers."""
DTYPES = (torch.float32, torch.bfloat16, torch.float16)
INSTALLED = importlib.util.find_spec("triton") is not None


def obstacle(key: Tensor, value: Tensor) -> str | None:
    """Say why the kernels cannot serve these tensors; None when they can."""
    if not INSTALLED:
        return "Triton is not installed"
    if not key.is_cuda and (key.device.type != "cpu" or os.environ.get("TRITON_INTERPRET") != "1"):
        return f"tensors on {key.device.type}, and Triton's interpreter (TRITON_INTERPRET=1) is off"
    if key.dtype not in DTYPES:
        return f"{str(key.dtype)[6:]}, and the Triton kernels compute in float32"
    if max(key.shape[-1], value.shape[-1]) > WIDEST:
        return f"wider than {WIDEST}, the Triton kernels' limit"
    return None


def retrieve(query: Tensor | None, key: Tensor, value: Tensor, beta: float | Tensor, options: Options) -> Tensor:
    """Retrieve at every step from the pairs that it sees: (..., T, e); query None where it is the key."""
    device = key.device.type
    shape, leading = value.shape, key.shape[:-2]
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
        key, value, query = key.to(dtype), value.to(dtype), None if query is None else query.to(dtype)
    items = (math.prod(leading[:-1]), leading[-1] if leading else 1)
    flat = [x if x is None else x.reshape(*items, *x.shape[-2:]) for x in (key, value, query)]
    starts = ends = None
    if options.segments is not None:
        starts, ends = (x.expand(key.shape[:-1]).reshape(*items, -1) for x in runs(options.segments))
    out, _ = _Retrieval.apply(
        flat[0],
        flat[1],
        _betas(beta, key).reshape(*items, -1),
        flat[2],
        starts,
        ends,
        _seeds(options, key.device),
        options.score == "gaussian",
        options.near,
        -1 if options.far is None else options.far,
        options.dropout,
    )
    return out.reshape(shape)


def _betas(beta: float | Tensor, key: Tensor) -> Tensor:
    """Beta of each item and step (..., T) in float32."""
    if not isinstance(beta, Tensor):
        return torch.full((), beta, dtype=torch.float32, device=key.device).expand(key.shape[:-1])
    beta = beta.float() if beta.dim() == key.dim() - 1 else beta.float()[..., None]
    return beta.expand(key.shape[:-1])


def _seeds(options: Options, device: torch.device) -> Tensor | None:
    """Seed of the dropped weights, (1,), drawn by torch's generator where none is given; None without dropout."""
    if not options.dropout:
        return None
    if options.seed is None:
        return torch.randint(2**62, (1,), device=device)
    if isinstance(options.seed, Tensor):
        return options.seed.reshape(1)
    return torch.full((1,), options.seed, dtype=torch.int64, device=device)


@torch.library.custom_op("mosaicbench::retrieve", mutates_args=())
def _retrieve(  # noqa: PLR0917 -- an operator's arguments come by position
    key: Tensor,
    value: Tensor,
    beta: Tensor,
    query: Tensor | None,
    starts: Tensor | None,
    ends: Tensor | None,
    seeds: Tensor | None,
    gaussian: bool,
    near: int,
    far: int,
    dropout: float,
) -> tuple[Tensor, Tensor]:
    from mosaics.memory.triton_common import How
    from mosaics.memory.triton_forward import forward

    asked = key if query is None else query
    return forward(asked, key, value, beta, starts, seeds, How(gaussian, near, far, dropout))


@torch.library.custom_op("mosaicbench::retrieve_backward", mutates_args=())
def _retrieve_backward(  # noqa: PLR0917 -- an operator's arguments come by position
    key: Tensor,
    value: Tensor,
    beta: Tensor,
    query: Tensor | None,
    starts: Tensor | None,
    ends: Tensor | None,
    seeds: Tensor | None,
    out: Tensor,
    log_sums: Tensor,
    sent: Tensor,
    gaussian: bool,
    near: int,
    far: int,
    dropout: float,
    sharp: bool,
) -> list[Tensor]:
    from mosaics.memory.triton_backward import backward
    from mosaics.memory.triton_common import How

    how = How(gaussian, near, far, dropout)
    found = backward(query, key, value, beta, starts, ends, seeds, out, log_sums, sent, how, sharp)
    return [x for x in found if x is not None]


def along(x: Tensor) -> Tensor:
    """Return x (..., T, width) with neighbours along the last axis and steps not too far apart, copied if need be."""
    return x if (x.shape[-1] == 1 or x.stride(-1) == 1) and x.stride(-2) < FARTHEST else x.contiguous()


@_retrieve.register_fake
def _(key: Tensor, value: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    return torch.empty_like(along(value)), key.new_empty(key.shape[:-1], dtype=torch.float32)


@_retrieve_backward.register_fake
def _(key: Tensor, value: Tensor, beta: Tensor, query: Tensor | None, *rest: Any) -> list[Tensor]:
    found = [torch.empty_like(along(x)) for x in (key, value, query) if x is not None]
    return [*found, key.new_empty(key.shape[:-1], dtype=torch.float32)] if rest[-1] else found


class _Retrieval(torch.autograd.Function):
    """The pair of operators; returns out and L, of which only out has gradients."""

    generate_vmap_rule = True

    @staticmethod
    def forward(*inputs: Any) -> tuple[Tensor, Tensor]:
        return _retrieve(*inputs)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(*inputs[:7], *output)
        ctx.how = inputs[7:]

    @staticmethod
    def backward(ctx: Any, sent: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        saved, sharp = ctx.saved_tensors, ctx.needs_input_grad[2]
        gradients = _retrieve_backward if torch.compiler.is_compiling() else _Gradients.apply
        found = gradients(*saved, sent, *ctx.how, sharp)
        return (*found[:2], found[-1] if sharp else None, found[2] if saved[3] is not None else None, *[None] * 7)


class _Gradients(torch.autograd.Function):
    """The operator of the backward pass, whose own derivative is refused."""

    generate_vmap_rule = True

    @staticmethod
    def forward(*inputs: Any) -> tuple[Tensor, ...]:
        return tuple(_retrieve_backward(*inputs))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> None:
        raise RuntimeError("retrieval: 'triton' has no second derivative; use implementation='reference'")


def _merged(info: Any, in_dims: tuple[Any, ...], inputs: tuple[Any, ...]) -> list[Any]:
    """Bring the mapped axis of every tensor into the batch, its first axis."""
    merged = []
    for x, axis in zip(inputs, in_dims, strict=True):
        if isinstance(x, Tensor):
            front = x.movedim(axis, 0) if axis is not None else x.expand(info.batch_size, *x.shape)
            x = front.flatten(0, 1)  # noqa: PLW2901 -- what is mapped replaces what was given
        merged.append(x)
    return merged


@_retrieve.register_vmap
def _(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[tuple[Tensor, ...], tuple[int, int]]:
    out = _retrieve(*_merged(info, in_dims, inputs))
    return tuple(x.unflatten(0, (info.batch_size, -1)) for x in out), (0, 0)


@_retrieve_backward.register_vmap
def _(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[list[Tensor], list[int]]:
    found = _retrieve_backward(*_merged(info, in_dims, inputs))
    return [x.unflatten(0, (info.batch_size, -1)) for x in found], [0] * len(found)
