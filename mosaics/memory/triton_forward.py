"""Retrieval as a Triton kernel, forward: one pass over the pairs, never a T x T table.

    s_Tt = q_T . k_t - n_t,    n_t = |k_t|^2 / 2 ("gaussian") or 0 ("dot")
    z_Tt = b_T s_Tt,           b_T = log2(e) beta_T, twice that for "gaussian"
    w_Tt = 2^(z_Tt - L_T),     L_T = log2 sum_t 2^z_Tt over the pairs that T sees; +inf where there are none
    out_T = sum_t w_Tt D_Tt v_t,     D = 0 where the weight is dropped, else 1 / (1 - p);  0 where T sees no pair

One program holds ROWS rows and passes over the pairs in tiles of COLUMNS, keeping the running maximum of z, the
running sum of 2^(z - maximum) and the running output, all in float32; weights are rounded to the values' dtype for
their product. It returns out and L (float32), from which the backward pass makes the weights anew.

Tensors (batch, head, T, width) with any strides whose last is 1; beta, starts (batch, head, T) likewise.

Reference: FlashAttention-2, arXiv 2307.08691; Memory Mosaics, arXiv 2405.06394, eq. 1-3.
"""

# ruff: noqa: PLR0917 -- Triton passes the arguments of a kernel by position
# mypy: allow-untyped-defs

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from mosaics.memory.triton_common import (
    LOG2E,
    How,
    Tiles,
    dense,
    group,
    item_of,
    kept,
    loop,
    oldest,
    padded_width,
    precision,
    product,
    put,
    room,
    rounded,
    row_products,
    scales,
    strides,
    tile,
    tiles,
)
from mosaics.memory.triton_retrieval import along

SIZES = {
    "ieee": {64: Tiles(128, 64, 4, 3), 128: Tiles(128, 64, 8, 3), 256: Tiles(128, 32, 8, 3)},
    "tf32": {64: Tiles(64, 32, 4, 2), 128: Tiles(64, 32, 4, 2), 256: Tiles(32, 32, 8, 2)},
    "tf32x3": {64: Tiles(64, 32, 4, 2), 128: Tiles(64, 32, 4, 2), 256: Tiles(16, 16, 4, 2)},
}
"""Tiles by precision and padded width, found by compiling for compute capability 9.0: few registers spilled."""


@triton.jit
def absorb(
    found,
    total,
    top,
    block,
    mine,
    pairs,
    drop,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    WIDTH: tl.constexpr,
    PADDED: tl.constexpr,
    VALUE_WIDTH: tl.constexpr,
    VALUE_PADDED: tl.constexpr,
    GAUSSIAN: tl.constexpr,
    DROPPED: tl.constexpr,
    PRECISION: tl.constexpr,
    MASKED: tl.constexpr,
):
    """Take a block of COLUMNS pairs into the running output, sum and maximum of the rows.

    mine = (q, scale, rows, first pair, near), pairs = (key, stride, value, stride, norms, length), drop = (seed, item,
    threshold).
    """
    q, scale, rows, low, near = mine
    key, key_stride, value, value_stride, norms, length = pairs
    now = block * COLUMNS
    columns = now + tl.arange(0, COLUMNS)
    k = tile(key, key_stride, now, length, COLUMNS, WIDTH, PADDED, MASKED)
    s = tl.zeros((ROWS, COLUMNS), tl.float32)
    if GAUSSIAN:
        s -= tl.load(norms + columns)[None, :]
    s = product(q, tl.trans(k), s, PRECISION)
    if MASKED:
        seen = (columns[None, :] >= low[:, None]) & (columns[None, :] <= rows[:, None] - near)
        z = tl.where(seen, s * scale[:, None], float("-inf"))
        higher = tl.maximum(top, tl.max(z, 1))
        base = tl.where(higher == float("-inf"), 0.0, higher)
        weights = tl.exp2(z - base[:, None])
        shrink = tl.exp2(top - base)
    else:
        higher = tl.maximum(top, tl.max(s, 1) * scale)
        weights = tl.exp2(s * scale[:, None] - higher[:, None])
        shrink = tl.exp2(top - higher)
    total = total * shrink + tl.sum(weights, 1)
    if DROPPED:
        weights = tl.where(kept(drop, rows[:, None], columns[None, :]), weights, 0.0)
    v = tile(value, value_stride, now, length, COLUMNS, VALUE_WIDTH, VALUE_PADDED, MASKED)
    found = product(weights.to(v.dtype), v, found * shrink[:, None], PRECISION)
    return found, total, higher


@triton.jit(do_not_specialize=["length", "near", "far", "threshold"])
def forward_kernel(
    query,
    key,
    value,
    norms,
    beta,
    starts,
    seeds,
    out,
    log_sums,
    query_strides,
    key_strides,
    value_strides,
    out_strides,
    beta_strides,
    starts_strides,
    heads,
    length,
    room,
    near,
    far,
    group,
    threshold,
    gain,
    WIDTH: tl.constexpr,
    PADDED: tl.constexpr,
    VALUE_WIDTH: tl.constexpr,
    VALUE_PADDED: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    GAUSSIAN: tl.constexpr,
    BOUNDED: tl.constexpr,
    SEGMENTED: tl.constexpr,
    DROPPED: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Retrieve for ROWS rows of one item; the rows with the most pairs come first."""
    blocks = tl.cdiv(length, ROWS)
    item = tl.program_id(0) // blocks
    first = (blocks - 1 - tl.program_id(0) % blocks) * ROWS
    batch, head = (item // heads).to(tl.int64), (item % heads).to(tl.int64)
    rows = first + tl.arange(0, ROWS)
    q = tile(item_of(query, query_strides, batch, head), query_strides[2], first, length, ROWS, WIDTH, PADDED, True)
    betas = item_of(beta, beta_strides, batch, head)
    scale = scales(betas, beta_strides[2], rows, length, GAUSSIAN) * LOG2E
    if SEGMENTED:
        starts = item_of(starts, starts_strides, batch, head)
    low = oldest(rows, starts, far, length, BOUNDED, SEGMENTED)
    seed = tl.load(seeds + batch // group) if DROPPED else 0
    drop = (seed, ((batch % group) * heads + head).to(tl.int32), threshold)
    mine = (q, scale, rows, low, near)
    keys, values = item_of(key, key_strides, batch, head), item_of(value, value_strides, batch, head)
    pairs = (keys, key_strides[2], values, value_strides[2], norms + item.to(tl.int64) * room, length)
    top = tl.full((ROWS,), float("-inf"), tl.float32)
    total = tl.zeros((ROWS,), tl.float32)
    found = tl.zeros((ROWS, VALUE_PADDED), tl.float32)

    # blocks `begin` to `end` hold all pairs in reach; every row sees blocks `whole` to `whole_end` as a whole
    last = tl.minimum(first + ROWS, length) - 1
    end = tl.cdiv(last - near + 1, COLUMNS)
    whole_end = tl.maximum(first - near + 1, 0) // COLUMNS
    whole = 0
    if BOUNDED or SEGMENTED:
        begin = oldest(first, starts, far, length, BOUNDED, SEGMENTED) // COLUMNS
        whole = tl.cdiv(oldest(last, starts, far, length, BOUNDED, SEGMENTED), COLUMNS)
        whole = tl.maximum(begin, tl.minimum(whole, end))
        whole_end = tl.maximum(whole, whole_end)
        for block in loop(begin, whole):
            found, total, top = absorb(
                found, total, top, block, mine, pairs, drop,
                ROWS, COLUMNS, WIDTH, PADDED, VALUE_WIDTH, VALUE_PADDED, GAUSSIAN, DROPPED, PRECISION, True,
            )  # fmt: skip
    for block in loop(whole, whole_end):
        found, total, top = absorb(
            found, total, top, block, mine, pairs, drop,
            ROWS, COLUMNS, WIDTH, PADDED, VALUE_WIDTH, VALUE_PADDED, GAUSSIAN, DROPPED, PRECISION, False,
        )  # fmt: skip
    for block in loop(whole_end, end):
        found, total, top = absorb(
            found, total, top, block, mine, pairs, drop,
            ROWS, COLUMNS, WIDTH, PADDED, VALUE_WIDTH, VALUE_PADDED, GAUSSIAN, DROPPED, PRECISION, True,
        )  # fmt: skip

    none = total == 0.0
    found = found * (gain / tl.where(none, 1.0, total))[:, None]
    results = item_of(out, out_strides, batch, head)
    put(results, out_strides[2], first, length, found, ROWS, VALUE_WIDTH, VALUE_PADDED)
    logs = tl.where(none, float("inf"), top + tl.log2(tl.where(none, 1.0, total)))
    tl.store(log_sums + item.to(tl.int64) * length + rows, logs, mask=rows < length)


def forward(
    query: Tensor, key: Tensor, value: Tensor, beta: Tensor, starts: Tensor | None, seeds: Tensor | None, how: How
) -> tuple[Tensor, Tensor]:
    """Return out, laid out as `value` is, and L (batch, head, T) in float32."""
    query, key, value, starts = along(query), along(key), along(value), dense(starts)
    batch, heads, length, width = key.shape
    out = torch.empty_like(value)
    log_sums = torch.empty((batch, heads, length), dtype=torch.float32, device=key.device)
    if not batch * heads:
        return out, log_sums
    wide = value.shape[-1]
    size = tiles(SIZES, key.dtype, max(width, wide), seeds is not None)
    threshold, gain = rounded(how.dropout)
    with torch.cuda.device_of(key):
        norms = row_products(key, key, 0.5) if how.gaussian else log_sums
        forward_kernel[(triton.cdiv(length, size.rows) * batch * heads,)](
            query, key, value, norms, beta, starts, dense(seeds), out, log_sums,
            *(strides(x) for x in (query, key, value, out, beta, starts)),
            heads, length, room(length), how.near, how.bound(length), group(batch, seeds), threshold, gain,
            width, padded_width(width), wide, padded_width(wide), size.rows, size.columns,
            how.gaussian, how.bounded(length), starts is not None, seeds is not None, precision(key.dtype),
            num_warps=size.warps, num_stages=size.stages,
        )  # fmt: skip
    return out, log_sums
