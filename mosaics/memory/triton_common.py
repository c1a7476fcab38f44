"""What the kernels of retrieval share: tiles of a sequence, the pairs a row sees, the weights that are dropped.

    row T sees the pairs     max(start_T, T - far) <= t <= T - near      start_T: first step of T's segment
    pair t is seen by rows   t + near <= T <= min(t + far, end_t - 1)    end_t: one past the last step of t's
    weight (T, t) is kept    where Philox4x32-10(key = seed, counter = (t, T, item, 0)) / 2 >= threshold, 31 bits each

A block of rows and a block of pairs that see each other as a whole need no mask, and blocks out of reach are skipped.
Both bounds rise with the step, so a block's reach follows from its first and last step.

Where TRITON_INTERPRET=1 stands in the environment when this module is imported, the kernels run on CPU in Triton's
interpreter: for tests, and slow.
"""

# ruff: noqa: PLR0917 -- Triton passes the arguments of a kernel by position
# mypy: allow-untyped-defs

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from mosaics.memory.dropout import threshold

INTERPRETED: bool = triton.knobs.runtime.interpret
WIDENED = tl.constexpr(INTERPRETED)
LOG2E = tl.constexpr(1.4426950408889634)


def interpreted_range(begin: Any, end: Any, step: Any = 1) -> range:
    """Do what tl.range does, in the interpreter: its own fails under NumPy 2.4."""
    begin, end = (x.handle.data.item() if isinstance(x, tl.tensor) else x for x in (begin, end))
    return range(int(begin), int(end), int(step))


loop = interpreted_range if INTERPRETED else tl.range


@dataclass(frozen=True)
class How:
    """What is asked of the kernels beside tensors."""

    gaussian: bool
    """Score -beta |q - k|^2; else beta q . k."""
    near: int
    """Age in steps of the newest pair in reach."""
    far: int
    """Age in steps of the oldest pair in reach; -1 for any age."""
    dropout: float
    """Probability that a weight is dropped; it counts where seeds are given."""

    def bounded(self, length: int) -> bool:
        """Tell whether some pair of `length` steps is too old for some row."""
        return 0 <= self.far < length - 1

    def bound(self, length: int) -> int:
        """Age of the oldest pair in reach."""
        return self.far if self.bounded(length) else length


@dataclass(frozen=True)
class Tiles:
    """Sizes that a kernel is built with."""

    rows: int
    """Steps that one program owns."""
    columns: int
    """Steps that it reads at a time."""
    warps: int
    """Warps of 32 threads a program."""
    stages: int
    """Tiles in flight between device memory and the matrix units."""


@triton.jit
def tile(base, stride, first, limit, ROWS: tl.constexpr, WIDTH: tl.constexpr, PADDED: tl.constexpr, CUT: tl.constexpr):
    """Rows first .. first + ROWS - 1 as (ROWS, PADDED), zero beyond WIDTH and, where CUT, from row `limit` on."""
    rows = tl.arange(0, ROWS)[:, None]
    columns = tl.arange(0, PADDED)[None, :]
    pointers = base + tl.cast(first, tl.int64) * stride + rows * stride + columns
    if CUT:
        inside = (first + rows < limit) & (columns < WIDTH)
        return tl.load(pointers, mask=inside, other=0.0)
    if WIDTH < PADDED:
        return tl.load(pointers, mask=columns < WIDTH, other=0.0)
    return tl.load(pointers)


@triton.jit
def product(a, b, total, PRECISION: tl.constexpr):
    """Add the matrix product a b to `total`, in float32."""
    if WIDENED:  # the interpreter cannot multiply bfloat16
        a, b = a.to(tl.float32), b.to(tl.float32)
    return tl.dot(a, b, total, input_precision=PRECISION)


@triton.jit
def put(base, stride, first, limit, x, ROWS: tl.constexpr, WIDTH: tl.constexpr, PADDED: tl.constexpr):
    """Write x (ROWS, PADDED) to the rows from `first` on that stand before row `limit`."""
    rows = tl.arange(0, ROWS)[:, None]
    columns = tl.arange(0, PADDED)[None, :]
    pointers = base + tl.cast(first, tl.int64) * stride + rows * stride + columns
    tl.store(pointers, x.to(base.dtype.element_ty), mask=(first + rows < limit) & (columns < WIDTH))


@triton.jit
def oldest(steps, starts, far, length, BOUNDED: tl.constexpr, SEGMENTED: tl.constexpr):
    """First pair that each row of `steps` may see."""
    low = steps * 0
    if SEGMENTED:
        low = tl.load(starts + steps, mask=steps < length, other=0)
    if BOUNDED:
        low = tl.maximum(low, steps - far)
    return low


@triton.jit
def latest(steps, ends, far, length, BOUNDED: tl.constexpr, SEGMENTED: tl.constexpr):
    """Last row that may see each pair of `steps`."""
    high = steps * 0 + length - 1
    if SEGMENTED:
        high = tl.load(ends + steps, mask=steps < length, other=0) - 1
    if BOUNDED:
        high = tl.minimum(high, steps + far)
    return high


@triton.jit
def kept(drop, rows, pairs):
    """Tell which weights survive; drop = (seed, item, threshold), rows and pairs broadcast against each other."""
    random, _, _, _ = tl.philox(drop[0], pairs, rows, drop[1], 0)
    return (random >> 1).to(tl.int32) >= drop[2]


@triton.jit
def item_of(base, strides, batch, head):
    """Pointer to the first number of an item of (batch, head, ...)."""
    return base + batch * strides[0] + head * strides[1]


@triton.jit
def scales(beta, stride, rows, length, GAUSSIAN: tl.constexpr):
    """Factor c of the score of each row: beta, twice that for the Gaussian kernel."""
    found = tl.load(beta + rows.to(tl.int64) * stride, mask=rows < length, other=0.0)
    return 2.0 * found if GAUSSIAN else found


@triton.jit
def products_kernel(
    a,
    b,
    out,
    a_strides,
    b_strides,
    heads,
    length,
    room,
    factor,
    WIDTH: tl.constexpr,
    PADDED: tl.constexpr,
    ROWS: tl.constexpr,
):
    """out_T = factor sum_j a_Tj b_Tj in float32, 0 from `length` to `room`; one program, ROWS rows of one item."""
    blocks = room // ROWS
    program = tl.program_id(0)
    item = program // blocks
    first = (program % blocks) * ROWS
    batch, head = (item // heads).to(tl.int64), (item % heads).to(tl.int64)
    x = tile(a + batch * a_strides[0] + head * a_strides[1], a_strides[2], first, length, ROWS, WIDTH, PADDED, True)
    y = tile(b + batch * b_strides[0] + head * b_strides[1], b_strides[2], first, length, ROWS, WIDTH, PADDED, True)
    total = tl.sum(x.to(tl.float32) * y.to(tl.float32), 1) * factor
    tl.store(out + item.to(tl.int64) * room + first + tl.arange(0, ROWS), total)


def row_products(a: Tensor, b: Tensor, factor: float) -> Tensor:
    """Return factor sum_j a_j b_j of each row in float32, (items, room), for two tensors (batch, head, T, width)."""
    batch, heads, length, width = a.shape
    space, rows = room(length), 32
    out = torch.empty((batch * heads, space), dtype=torch.float32, device=a.device)
    products_kernel[(space // rows * batch * heads,)](
        a, b, out, strides(a), strides(b), heads, length, space, factor, width, padded_width(width), rows, num_warps=4
    )
    return out


def room(length: int) -> int:
    """Steps that a vector of one number a step has room for: whole tiles, which are read without a mask."""
    return triton.cdiv(length, 128) * 128


def padded_width(width: int) -> int:
    """Width of a tile: a power of two of at least 16, as the matrix units ask."""
    return max(16, triton.next_power_of_2(width))


def precision(dtype: torch.dtype) -> str:
    """How float32 products are rounded: to tf32 where torch allows it, else in three parts that give float32."""
    if dtype != torch.float32:
        return "ieee"
    return "tf32x3" if torch.get_float32_matmul_precision() == "highest" else "tf32"


def tiles(sizes: dict[str, dict[int, Tiles]], dtype: torch.dtype, widest: int, dropped: bool) -> Tiles:
    """Choose the tiles for heads of this width among `sizes`, which are by precision and padded width."""
    if INTERPRETED:
        return Tiles(16, 16, 4, 1)
    size = sizes[precision(dtype)][padded_width(max(64, widest))]
    return replace(size, columns=max(16, size.columns // 2)) if dropped else size


def rounded(probability: float) -> tuple[int, float]:
    """Threshold of :func:`kept` for a probability of dropping, and the factor 1 / (1 - p) of what is kept."""
    return threshold(probability), 1.0 / (1.0 - probability)


def strides(x: Tensor | None) -> tuple[int, ...]:
    """Strides of batch, head and time in numbers; zeros for a tensor that is not there."""
    return tuple(x.stride()[:3]) if x is not None else (0, 0, 0)


def dense(x: Tensor | None) -> Tensor | None:
    """Return x without gaps and repeats, if it is there."""
    return None if x is None else x.contiguous()


def group(batch: int, seeds: Tensor | None) -> int:
    """Items of a batch that share a seed."""
    return batch // len(seeds) if seeds is not None else batch
