"""The Triton leaky average as one operator that torch can differentiate, compile and batch over members.

    leaky(x, decay, gate, starts, None)            y_t = g_t x_t + exp(-a_t) y_{t-1}             (batch, T, heads, w)
    leaky(x, decay, gate, starts, scale, offset)   k_t = s y_t / (|y_t| + offset)                (batch, heads, T, w)

registered as `mosaicbench::leaky` with its backward `mosaicbench::leaky_backward`, their shapes (register_fake), their
derivative (register_autograd, once) and their batching rule (register_vmap: members become sequences). The second
result is |y_t|, (batch, T, heads); empty without a scale.

    x (batch, T, heads, w)      decay (1 or batch, 1 or T, heads)      gate (batch, T, heads) or None
    starts (batch, T) int8 or None                                     scale (1 or batch, heads) or None

decay, gate, scale and |y| are float32 (float64 for float64 x). With `by_head` keys lie head by head in memory.
Arguments are checked by `mosaics.memory.leaky_average` and `mosaics.memory.leaky_keys`; the kernels stand in
`mosaics.memory.triton_leaky`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from mosaics.memory import triton_leaky as kernels

BLOCK = 32
"""Most steps in a tile."""
PROGRAMS = 512
"""A sequence is cut into stretches until there are so many programs, about four a multiprocessor."""
MOST_STRETCHES = 64


@torch.library.custom_op("mosaicbench::leaky", mutates_args=())
def leaky(  # noqa: PLR0917 (an operator takes its tensors one by one)
    x: Tensor,
    decay: Tensor,
    gate: Tensor | None,
    starts: Tensor | None,
    scale: Tensor | None,
    offset: float = 0.0,
    by_head: bool = False,
) -> tuple[Tensor, Tensor]:
    """Return the leaky average, or keys and norms; see the module."""
    x, decay = x.contiguous(), decay.contiguous()
    gate, starts, scale = _contiguous(gate), _contiguous(starts), _contiguous(scale)
    plan = Plan.of(x, decay, gate, starts)
    out, norm = _outputs(x, scale is not None, by_head)
    ends, totals = plan.states(x)
    with torch.cuda.device_of(x):
        if plan.stretches > 1:
            kernels.forward_ends[plan.grid](
                *(x, decay, gate, starts, ends, totals, *plan.sizes, _batch_stride(decay)), **plan.constants
            )
        kernels.forward[plan.grid](
            *(x, decay, gate, starts, scale, ends, totals, out, norm, *plan.sizes, offset),
            *(_batch_stride(decay), _batch_stride(scale), *_strides(out, scale is not None)),
            **plan.constants,
            **plan.products(x.dtype, scale is not None),
        )
    return out, norm


@torch.library.custom_op("mosaicbench::leaky_backward", mutates_args=())
def leaky_backward(  # noqa: PLR0917 (an operator takes its tensors one by one)
    gradient: Tensor,
    out: Tensor,
    norm: Tensor,
    x: Tensor | None,
    decay: Tensor,
    gate: Tensor | None,
    starts: Tensor | None,
    scale: Tensor | None,
    offset: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of x, decay, gate and scale; the last two are empty where there is none. x is needed with a gate."""
    keys = scale is not None
    gradient = gradient if gradient.stride(-1) == 1 else gradient.contiguous()
    decay, norm = decay.contiguous(), norm.contiguous()
    x, gate, starts, scale = _contiguous(x), _contiguous(gate), _contiguous(starts), _contiguous(scale)
    shaped = out.transpose(1, 2) if keys else out
    plan = Plan.of(shaped, decay, gate, starts)
    dx, ddecay, dgate, dscale = (shaped.new_empty(shape, dtype=d) for shape, d in plan.gradients(shaped, decay, keys))
    ends, totals = plan.states(shaped)
    strides = (*_strides(out, keys), *_strides(gradient, keys))
    more = (*plan.sizes, offset, _batch_stride(decay), _batch_stride(scale), *strides)
    with torch.cuda.device_of(out):
        if plan.stretches > 1:
            constants = {name: value for name, value in plan.constants.items() if name != "GATED"}
            kernels.backward_ends[plan.grid](
                *(gradient, out, norm, decay, starts, scale, ends, totals, *more), **constants, UNIT=keys
            )
        kernels.backward[plan.grid](
            *(gradient, out, norm, x, decay, gate, starts, scale, ends, totals, dx, ddecay, dgate, dscale, *more),
            **plan.constants,
            **plan.products(out.dtype, keys),
        )
    return dx, _sum_to(ddecay, decay), dgate, dscale if scale is None else _sum_to(dscale, scale[:, None])[:, 0]


@dataclass(frozen=True)
class Plan:
    """How a call is cut into programs: sizes, stretches, and the constants that the kernels are compiled for."""

    shape: tuple[int, ...]
    stretch: int
    stretches: int
    constants: dict[str, Any]

    @classmethod
    def of(cls, x: Tensor, decay: Tensor, gate: Tensor | None, starts: Tensor | None) -> Plan:
        """Plan a call on x (batch, T, heads, w)."""
        batch, length, heads, width = x.shape
        block = min(BLOCK, max(16, triton.next_power_of_2(length)))
        wanted = min(MOST_STRETCHES, -(-PROGRAMS // (batch * heads)), -(-length // block))
        stretch = -(-length // (wanted * block)) * block
        constants = {
            "ACC": tl.float64 if x.dtype == torch.float64 else tl.float32,
            "BLOCK": block,
            "WIDTH": max(16, triton.next_power_of_2(width)),
            "PER_STEP": decay.shape[1] > 1,
            "RESETS": starts is not None,
            "GATED": gate is not None,
            "num_warps": 8 if width > 64 else 4,
            "num_stages": 3 if width <= 128 else 2,
        }
        return cls((batch, length, heads, width), stretch, -(-length // stretch), constants)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sizes that every kernel takes."""
        return (*self.shape, self.stretch)

    @property
    def grid(self) -> tuple[int, int]:
        """Programs."""
        return self.shape[0] * self.shape[2], self.stretches

    def products(self, dtype: torch.dtype, keys: bool) -> dict[str, Any]:
        """Constants of the kernels that multiply tiles."""
        precision = {torch.float64: "ieee", torch.float32: "tf32x3"}.get(dtype, "tf32")
        return {"PRECISION": precision, "UNIT": keys, "CARRIED": self.stretches > 1}

    def states(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Room for what stretches hand on."""
        batch, _, heads, width = self.shape
        lead = (self.stretches, batch, heads) if self.stretches > 1 else (0, batch, heads)
        return x.new_empty(*lead, width, dtype=accurate(x.dtype)), x.new_empty(lead, dtype=accurate(x.dtype))

    def gradients(self, x: Tensor, decay: Tensor, keys: bool) -> list[tuple[tuple[int, ...], torch.dtype]]:
        """Shapes and dtypes of what the backward kernel writes: one sum a stretch where there is one number a head."""
        batch, length, heads, _ = self.shape
        exact = accurate(x.dtype)
        sums = (self.stretches, batch, heads)
        return [
            (self.shape, x.dtype),
            ((batch, length, heads) if self.constants["PER_STEP"] else sums, exact),
            ((batch, length, heads) if self.constants["GATED"] else (0,), exact),
            (sums if keys else (0,), exact),
        ]


def accurate(dtype: torch.dtype) -> torch.dtype:
    """Dtype of sums, decays, gates and norms."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def _contiguous(x: Tensor | None) -> Tensor | None:
    return None if x is None else x.contiguous()


def _batch_stride(x: Tensor | None) -> int:
    """Step from one sequence to the next of a contiguous decay or scale that may be common to all."""
    return 0 if x is None or x.shape[0] == 1 else x.stride(0)


def _strides(x: Tensor, keys: bool) -> tuple[int, int, int]:
    """Steps along batch, time and head of (batch, T, heads, w), or of keys (batch, heads, T, w)."""
    return (x.stride(0), x.stride(2), x.stride(1)) if keys else (x.stride(0), x.stride(1), x.stride(2))


def _outputs(x: Tensor, keys: bool, by_head: bool) -> tuple[Tensor, Tensor]:
    batch, length, heads, width = x.shape
    if not keys:
        return x.new_empty(x.shape), x.new_empty(0, dtype=accurate(x.dtype))
    lead = (heads, batch) if by_head else (batch, heads)
    out = x.new_empty(*lead, length, width)
    return out.transpose(0, 1) if by_head else out, x.new_empty(batch, length, heads, dtype=accurate(x.dtype))


def _sum_to(sums: Tensor, like: Tensor) -> Tensor:
    """Add up (T, batch, heads) or (batch, T, heads) sums to the shape (1 or batch, 1 or T, heads) of `like`."""
    if like.shape[1] == 1:
        sums = sums.sum(0)[:, None]
    return sums.sum(0, keepdim=True) if like.shape[0] == 1 else sums


@leaky.register_fake
def _(x: Tensor, *given: Any) -> Any:
    return _outputs(x, given[3] is not None, len(given) > 5 and given[5])


@leaky_backward.register_fake
def _(*given: Any) -> Any:
    _, out, _, _, decay, gate, _, scale = given[:8]
    shape = out.shape if scale is None else (out.shape[0], out.shape[2], out.shape[1], out.shape[3])
    exact = accurate(out.dtype)
    gates, scales = ((0,) if part is None else part.shape for part in (gate, scale))
    return (
        out.new_empty(shape),
        decay.new_empty(decay.shape, dtype=exact),
        decay.new_empty(gates, dtype=exact),
        decay.new_empty(scales, dtype=exact),
    )


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    x, decay, gate, starts, scale, ctx.offset, _ = inputs
    ctx.mark_non_differentiable(output[1])
    ctx.save_for_backward(*output, x if gate is not None else None, decay, gate, starts, scale)


def _differentiate(ctx: Any, gradient: Tensor, _: Any) -> tuple[Tensor | None, ...]:
    out, norm, x, decay, gate, starts, scale = ctx.saved_tensors
    dx, ddecay, dgate, dscale = leaky_backward(gradient, out, norm, x, decay, gate, starts, scale, ctx.offset)
    return dx, ddecay, None if gate is None else dgate, None, None if scale is None else dscale, None, None


leaky.register_autograd(_differentiate, setup_context=_keep)


@leaky.register_vmap
def _(info: Any, places: tuple[int | None, ...], *given: Any) -> Any:
    """Members become sequences."""
    members = info.batch_size
    x, decay, gate, starts, scale = _folded(members, given[:5], places[:5])
    out, norm = leaky(x, decay, gate, starts, scale, *given[5:])
    each = out.unflatten(0, (members, -1))
    return ((each, norm), (0, None)) if scale is None else ((each, norm.unflatten(0, (members, -1))), (0, 0))


@leaky_backward.register_vmap
def _(info: Any, places: tuple[int | None, ...], *given: Any) -> Any:
    members = info.batch_size
    found = leaky_backward(*_folded(members, given[:8], places[:8]), *given[8:])
    results = [found[0].unflatten(0, (members, -1))]
    for gradient, index in zip(found[1:], (4, 5, 7), strict=True):
        if given[index] is None:
            results.append(gradient)
            continue
        each, first = gradient.unflatten(0, (members, -1)), _in_front(given[index], places[index])
        results.append(each.sum(1, keepdim=True) if first.shape[1] == 1 else each)
    return tuple(results), tuple(0 if one.numel() else None for one in results)


def _in_front(part: Tensor, place: int | None) -> Tensor:
    """Bring the axis of members to the front; size 1 where there is none."""
    return part[None] if place is None else part.movedim(place, 0)


def _folded(members: int, given: tuple[Any, ...], places: tuple[int | None, ...]) -> list[Any]:
    """Give every tensor the axis of members, in front, and make one axis of it and the next.

    What is common to the sequences of a member (size 1 on the batch axis) is repeated for each of them.
    """
    batch = _in_front(given[0], places[0]).shape[1]
    folded: list[Any] = []
    for part, place in zip(given, places, strict=True):
        if part is None or part.numel() == 0:
            folded.append(part)
        else:
            whole = _in_front(part, place)
            folded.append(whole.expand(members, batch, *whole.shape[2:]).flatten(0, 1))
    return folded
