"""Retrieval as a Triton kernel, backward: each program owns a block of steps in both their roles.

    P_Tt  = 2^(z_Tt - L_T)                                   weights, made anew from the scores
    dP_Tt = D_Tt (dout_T . v_t),     delta_T = dout_T . out_T = sum_t P_Tt dP_Tt
    dS_Tt = P_Tt (dP_Tt - delta_T)
    dv_t    = sum_T P_Tt D_Tt dout_T
    dk_t    = sum_T c_T dS_Tt (q_T - [k_t])                  c_T = beta_T, 2 beta_T for "gaussian"; [] "gaussian" only
    dq_T    = sum_t c_T dS_Tt (k_t - [q_T])                  sum_t dS_Tt = 0, so [q_T] takes away rounding alone
    dbeta_T = c_T / beta_T (sum_t dS_Tt s_Tt - [sum_t dS_Tt sum_t P_Tt s_Tt])             for both scores

A program first passes over the rows that see its pairs (dk, dv), then over the pairs that its rows see (dq, dbeta):
under causality the two passes of any block are together as long as those of any other. Where key and query are one,
each block is loaded once and dk + dq is added up in one place. Nothing is added by atomic operations, so a result has
the same bits every time. Names, shapes and L are those of `mosaics.memory.triton_forward`.

Reference: FlashAttention-2, arXiv 2307.08691.
"""

# ruff: noqa: PLR0917, PLR0912, PLR0915 -- a kernel takes its arguments by position and is one function
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
    latest,
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
    "ieee": {64: Tiles(128, 64, 8, 3), 128: Tiles(128, 64, 8, 3), 256: Tiles(64, 32, 8, 3)},
    "tf32": {64: Tiles(64, 32, 4, 2), 128: Tiles(32, 32, 4, 2), 256: Tiles(32, 32, 8, 2)},
    "tf32x3": {64: Tiles(32, 32, 4, 2), 128: Tiles(16, 16, 4, 2), 256: Tiles(16, 16, 8, 2)},
}
"""Tiles by precision and padded width, found by compiling for compute capability 9.0: few registers spilled."""


@triton.jit
def from_rows(
    dk,
    dv,
    taken,
    block,
    mine,
    theirs,
    drop,
    OWN: tl.constexpr,
    ROWS: tl.constexpr,
    WIDTH: tl.constexpr,
    PADDED: tl.constexpr,
    VALUE_WIDTH: tl.constexpr,
    VALUE_PADDED: tl.constexpr,
    GAUSSIAN: tl.constexpr,
    DROPPED: tl.constexpr,
    PER_STEP: tl.constexpr,
    PRECISION: tl.constexpr,
    MASKED: tl.constexpr,
):
    """Add what a block of ROWS rows sends to the pairs: to dk, dv and the column sums of c dS.

    mine = (k, v, norms, pairs, last row, near), theirs = (query, stride, dout, stride, c, c of row 0, L, delta,
    length), drop = (seed, item, threshold, 1 / (1 - p)).
    """
    k, v, norm, pairs, high, near = mine
    query, query_stride, sent, sent_stride, factors, scale, log_sums, deltas, length = theirs
    now = block * ROWS
    rows = now + tl.arange(0, ROWS)
    if PER_STEP:
        scale = tl.load(factors + rows)[None, :]
    log_sum = tl.load(log_sums + rows)
    delta = tl.load(deltas + rows)
    q = tile(query, query_stride, now, length, ROWS, WIDTH, PADDED, MASKED)
    s = tl.zeros((OWN, ROWS), tl.float32)
    if GAUSSIAN:
        s -= norm[:, None]
    s = product(k, tl.trans(q), s, PRECISION)
    exponent = s * (scale * LOG2E) - log_sum[None, :]
    if MASKED:
        seen = (rows[None, :] >= pairs[:, None] + near) & (rows[None, :] <= high[:, None])
        exponent = tl.where(seen, exponent, float("-inf"))
    weights = tl.exp2(exponent)
    dout = tile(sent, sent_stride, now, length, ROWS, VALUE_WIDTH, VALUE_PADDED, MASKED)
    dp = product(v, tl.trans(dout), tl.zeros((OWN, ROWS), tl.float32), PRECISION)
    used = weights
    if DROPPED:
        factor = tl.where(kept(drop, rows[None, :], pairs[:, None]), drop[3], 0.0)
        used = weights * factor
        dp = dp * factor
    dv = product(used.to(dout.dtype), dout, dv, PRECISION)
    ds = (weights * (dp - delta[None, :]) * scale).to(q.dtype)
    dk = product(ds, q, dk, PRECISION)
    if GAUSSIAN:
        taken += tl.sum(ds.to(tl.float32), 1)
    return dk, dv, taken


@triton.jit
def from_pairs(
    dq,
    taken,
    slopes,
    block,
    mine,
    theirs,
    drop,
    OWN: tl.constexpr,
    COLUMNS: tl.constexpr,
    WIDTH: tl.constexpr,
    PADDED: tl.constexpr,
    VALUE_WIDTH: tl.constexpr,
    VALUE_PADDED: tl.constexpr,
    GAUSSIAN: tl.constexpr,
    DROPPED: tl.constexpr,
    SHARP: tl.constexpr,
    PRECISION: tl.constexpr,
    MASKED: tl.constexpr,
):
    """Add what a block of COLUMNS pairs sends to the rows: to dq, the row sums of c dS, and the slopes.

    slopes = (sum dS s, sum dS, sum P s), mine = (q, dout, scale, L, delta, rows, first pair, near),
    theirs = (key, stride, value, stride, norms, length).
    """
    q, dout, scale, log_sum, delta, rows, low, near = mine
    key, key_stride, value, value_stride, norms, length = theirs
    now = block * COLUMNS
    pairs = now + tl.arange(0, COLUMNS)
    k = tile(key, key_stride, now, length, COLUMNS, WIDTH, PADDED, MASKED)
    s = tl.zeros((OWN, COLUMNS), tl.float32)
    if GAUSSIAN:
        s -= tl.load(norms + pairs)[None, :]
    s = product(q, tl.trans(k), s, PRECISION)
    exponent = s * (scale * LOG2E)[:, None] - log_sum[:, None]
    if MASKED:
        seen = (pairs[None, :] >= low[:, None]) & (pairs[None, :] <= rows[:, None] - near)
        exponent = tl.where(seen, exponent, float("-inf"))
    weights = tl.exp2(exponent)
    v = tile(value, value_stride, now, length, COLUMNS, VALUE_WIDTH, VALUE_PADDED, MASKED)
    dp = product(dout, tl.trans(v), tl.zeros((OWN, COLUMNS), tl.float32), PRECISION)
    if DROPPED:
        dp = tl.where(kept(drop, rows[:, None], pairs[None, :]), dp * drop[3], 0.0)
    rates = weights * (dp - delta[:, None])
    if SHARP:
        slopes = (slopes[0] + tl.sum(rates * s, 1), slopes[1] + tl.sum(rates, 1), slopes[2] + tl.sum(weights * s, 1))
    ds = (rates * scale[:, None]).to(k.dtype)
    dq = product(ds, k, dq, PRECISION)
    if GAUSSIAN:
        taken += tl.sum(ds.to(tl.float32), 1)
    return dq, taken, slopes


@triton.jit(do_not_specialize=["length", "near", "far", "threshold"])
def backward_kernel(
    query,
    key,
    value,
    norms,
    facts,
    starts,
    ends,
    seeds,
    sent,
    dquery,
    dkey,
    dvalue,
    dbeta,
    query_strides,
    key_strides,
    value_strides,
    sent_strides,
    dquery_strides,
    dkey_strides,
    dvalue_strides,
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
    OWN: tl.constexpr,
    STREAM: tl.constexpr,
    GAUSSIAN: tl.constexpr,
    BOUNDED: tl.constexpr,
    SEGMENTED: tl.constexpr,
    DROPPED: tl.constexpr,
    TIED: tl.constexpr,
    PER_STEP: tl.constexpr,
    SHARP: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Gradients of OWN steps of one item, as pairs and as rows."""
    blocks = tl.cdiv(length, OWN)
    item = tl.program_id(0) // blocks
    first = (tl.program_id(0) % blocks) * OWN
    last = tl.minimum(first + OWN, length) - 1
    steps = first + tl.arange(0, OWN)
    batch, head = (item // heads).to(tl.int64), (item % heads).to(tl.int64)
    query, key = item_of(query, query_strides, batch, head), item_of(key, key_strides, batch, head)
    value, sent = item_of(value, value_strides, batch, head), item_of(sent, sent_strides, batch, head)
    if SEGMENTED:
        starts, ends = item_of(starts, starts_strides, batch, head), item_of(ends, starts_strides, batch, head)
    norms += item.to(tl.int64) * room
    factors = facts + item.to(tl.int64) * 3 * room
    log_sums, deltas = factors + room, factors + 2 * room
    seed = tl.load(seeds + batch // group) if DROPPED else 0
    drop = (seed, ((batch % group) * heads + head).to(tl.int32), threshold, gain)

    # as pairs: blocks `begin` to `end` of rows see some of them; those from `whole` to `whole_end` see all
    k = tile(key, key_strides[2], first, length, OWN, WIDTH, PADDED, True)
    v = tile(value, value_strides[2], first, length, OWN, VALUE_WIDTH, VALUE_PADDED, True)
    norm = tl.load(norms + steps) if GAUSSIAN else 0.0
    high = latest(steps, ends, far, length, BOUNDED, SEGMENTED)
    mine = (k, v, norm, steps, high, near)
    theirs = (query, query_strides[2], sent, sent_strides[2], factors, tl.load(factors), log_sums, deltas, length)
    dk = tl.zeros((OWN, PADDED), tl.float32)
    dv = tl.zeros((OWN, VALUE_PADDED), tl.float32)
    taken = tl.zeros((OWN,), tl.float32)
    begin = (first + near) // STREAM
    end = tl.cdiv(latest(last, ends, far, length, BOUNDED, SEGMENTED) + 1, STREAM)
    whole = tl.maximum(begin, tl.minimum(tl.cdiv(last + near, STREAM), end))
    whole_end = (latest(first, ends, far, length, BOUNDED, SEGMENTED) + 1) // STREAM
    whole_end = tl.maximum(whole, whole_end)
    for block in loop(begin, whole):
        dk, dv, taken = from_rows(
            dk, dv, taken, block, mine, theirs, drop,
            OWN, STREAM, WIDTH, PADDED, VALUE_WIDTH, VALUE_PADDED, GAUSSIAN, DROPPED, PER_STEP, PRECISION, True,
        )  # fmt: skip
    for block in loop(whole, whole_end):
        dk, dv, taken = from_rows(
            dk, dv, taken, block, mine, theirs, drop,
            OWN, STREAM, WIDTH, PADDED, VALUE_WIDTH, VALUE_PADDED, GAUSSIAN, DROPPED, PER_STEP, PRECISION, False,
        )  # fmt: skip
    for block in loop(whole_end, end):
        dk, dv, taken = from_rows(
            dk, dv, taken, block, mine, theirs, drop,
            OWN, STREAM, WIDTH, PADDED, VALUE_WIDTH, VALUE_PADDED, GAUSSIAN, DROPPED, PER_STEP, PRECISION, True,
        )  # fmt: skip
    dvalue = item_of(dvalue, dvalue_strides, batch, head)
    put(dvalue, dvalue_strides[2], first, length, dv, OWN, VALUE_WIDTH, VALUE_PADDED)
    dkey = item_of(dkey, dkey_strides, batch, head)
    q = k
    if not TIED:
        if GAUSSIAN:
            dk -= taken[:, None] * k.to(tl.float32)
        put(dkey, dkey_strides[2], first, length, dk, OWN, WIDTH, PADDED)
        q = tile(query, query_strides[2], first, length, OWN, WIDTH, PADDED, True)
        dk = tl.zeros((OWN, PADDED), tl.float32)
        taken = tl.zeros((OWN,), tl.float32)

    # as rows: as in the forward pass
    dout = tile(sent, sent_strides[2], first, length, OWN, VALUE_WIDTH, VALUE_PADDED, True)
    scale, log_sum, delta = tl.load(factors + steps), tl.load(log_sums + steps), tl.load(deltas + steps)
    low = oldest(steps, starts, far, length, BOUNDED, SEGMENTED)
    asking = (q, dout, scale, log_sum, delta, steps, low, near)
    stored = (key, key_strides[2], value, value_strides[2], norms, length)
    slopes = (tl.zeros((OWN,), tl.float32), tl.zeros((OWN,), tl.float32), tl.zeros((OWN,), tl.float32))
    end = tl.cdiv(last - near + 1, STREAM)
    whole_end = tl.maximum(first - near + 1, 0) // STREAM
    whole = 0
    if BOUNDED or SEGMENTED:
        begin = oldest(first, starts, far, length, BOUNDED, SEGMENTED) // STREAM
        whole = tl.cdiv(oldest(last, starts, far, length, BOUNDED, SEGMENTED), STREAM)
        whole = tl.maximum(begin, tl.minimum(whole, end))
        whole_end = tl.maximum(whole, whole_end)
        for block in loop(begin, whole):
            dk, taken, slopes = from_pairs(
                dk, taken, slopes, block, asking, stored, drop,
                OWN, STREAM, WIDTH, PADDED, VALUE_WIDTH, VALUE_PADDED, GAUSSIAN, DROPPED, SHARP, PRECISION, True,
            )  # fmt: skip
    for block in loop(whole, whole_end):
        dk, taken, slopes = from_pairs(
            dk, taken, slopes, block, asking, stored, drop,
            OWN, STREAM, WIDTH, PADDED, VALUE_WIDTH, VALUE_PADDED, GAUSSIAN, DROPPED, SHARP, PRECISION, False,
        )  # fmt: skip
    for block in loop(whole_end, end):
        dk, taken, slopes = from_pairs(
            dk, taken, slopes, block, asking, stored, drop,
            OWN, STREAM, WIDTH, PADDED, VALUE_WIDTH, VALUE_PADDED, GAUSSIAN, DROPPED, SHARP, PRECISION, True,
        )  # fmt: skip
    if GAUSSIAN:
        dk -= taken[:, None] * q.to(tl.float32)
    if TIED:
        put(dkey, dkey_strides[2], first, length, dk, OWN, WIDTH, PADDED)
    else:
        dquery = item_of(dquery, dquery_strides, batch, head)
        put(dquery, dquery_strides[2], first, length, dk, OWN, WIDTH, PADDED)
    if SHARP:
        slope = slopes[0] - slopes[1] * slopes[2]
        tl.store(dbeta + item.to(tl.int64) * length + steps, 2.0 * slope if GAUSSIAN else slope, mask=steps < length)


@triton.jit(do_not_specialize=["length"])
def facts_kernel(
    sent,
    out,
    log_sums,
    beta,
    facts,
    sent_strides,
    out_strides,
    beta_strides,
    heads,
    length,
    room,
    WIDTH: tl.constexpr,
    PADDED: tl.constexpr,
    ROWS: tl.constexpr,
    GAUSSIAN: tl.constexpr,
):
    """What the backward pass needs of each row: c, L and delta; 0, inf and 0 from `length` to `room`."""
    blocks = room // ROWS
    item = tl.program_id(0) // blocks
    first = (tl.program_id(0) % blocks) * ROWS
    batch, head = (item // heads).to(tl.int64), (item % heads).to(tl.int64)
    rows = first + tl.arange(0, ROWS)
    dout = tile(item_of(sent, sent_strides, batch, head), sent_strides[2], first, length, ROWS, WIDTH, PADDED, True)
    result = tile(item_of(out, out_strides, batch, head), out_strides[2], first, length, ROWS, WIDTH, PADDED, True)
    scale = scales(item_of(beta, beta_strides, batch, head), beta_strides[2], rows, length, GAUSSIAN)
    log_sum = tl.load(log_sums + item.to(tl.int64) * length + rows, mask=rows < length, other=float("inf"))
    place = facts + item.to(tl.int64) * 3 * room + rows
    tl.store(place, scale)
    tl.store(place + room, log_sum)
    tl.store(place + 2 * room, tl.sum(dout.to(tl.float32) * result.to(tl.float32), 1))


def facts_of_rows(sent: Tensor, out: Tensor, log_sums: Tensor, beta: Tensor, gaussian: bool) -> Tensor:
    """Return c, L and delta of each row: (items, 3, room), float32."""
    batch, heads, length, width = sent.shape
    space, rows = room(length), 32
    facts = torch.empty((batch * heads, 3, space), dtype=torch.float32, device=sent.device)
    facts_kernel[(space // rows * batch * heads,)](
        sent, out, log_sums, beta, facts, strides(sent), strides(out), strides(beta), heads, length, space,
        width, padded_width(width), rows, gaussian, num_warps=4,
    )  # fmt: skip
    return facts


def backward(
    query: Tensor | None,
    key: Tensor,
    value: Tensor,
    beta: Tensor,
    starts: Tensor | None,
    ends: Tensor | None,
    seeds: Tensor | None,
    out: Tensor,
    log_sums: Tensor,
    sent: Tensor,
    how: How,
    sharp: bool,
) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
    """Return the gradients of key, value, query (None where it is the key) and, if `sharp`, of beta (batch, head, T).

    `sent` is the gradient of the output.
    """
    tied, sent, key, value = query is None, along(sent), along(key), along(value)
    starts, ends, log_sums = dense(starts), dense(ends), log_sums.contiguous()
    asked = key if query is None else along(query)
    batch, heads, length, width = key.shape
    dkey, dvalue = torch.empty_like(key), torch.empty_like(value)
    dquery = None if query is None else torch.empty_like(asked)
    dbeta = torch.empty((batch, heads, length), dtype=torch.float32, device=key.device) if sharp else None
    if not batch * heads:
        return dkey, dvalue, dquery, dbeta
    wide = value.shape[-1]
    size = tiles(SIZES, key.dtype, max(width, wide), seeds is not None)
    threshold, gain = rounded(how.dropout)
    with torch.cuda.device_of(key):
        norms = row_products(key, key, 0.5) if how.gaussian else log_sums
        facts = facts_of_rows(sent, along(out), log_sums, beta, how.gaussian)
        backward_kernel[(triton.cdiv(length, size.rows) * batch * heads,)](
            asked, key, value, norms, facts, starts, ends, dense(seeds), sent, dquery, dkey, dvalue, dbeta,
            *(strides(x) for x in (asked, key, value, sent, dquery, dkey, dvalue, starts)),
            heads, length, room(length), how.near, how.bound(length), group(batch, seeds), threshold, gain,
            width, padded_width(width), wide, padded_width(wide), size.rows, size.columns,
            how.gaussian, how.bounded(length), starts is not None, seeds is not None, tied,
            beta.stride(2) != 0, sharp, precision(key.dtype), num_warps=size.warps, num_stages=size.stages,
        )  # fmt: skip
    return dkey, dvalue, dquery, dbeta
