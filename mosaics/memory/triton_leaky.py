"""Triton kernels of the leaky average and of leaky-average keys; one program a (sequence, head, stretch).

    y_t = g_t x_t + f_t y_{t-1},   f_t = exp(-a_t),   f_t = 0 where a new sequence starts
    k_t = s y_t / (|y_t| + offset)                                                        UNIT

A program goes through its stretch in tiles of BLOCK steps. Inside a tile y = D (g x) + P c, where
D_{ij} = exp(-(a_{j+1} + ... + a_i)) for j <= i, P_i = exp(-(a_1 + ... + a_i)) and c is the y before the tile: a
product of small matrices instead of BLOCK dependent steps. Every exponent is summed by itself, since a difference of
two running sums would lose small decays beside large ones; a start counts as a decay of infinity.

    backward    m_t = d_t + f_{t+1} m_{t+1}         d_t the gradient of y_t on its own, m_t with what later steps add
                dx_t = g_t m_t,   dg_t = m_t . x_t,   da_t = -f_t m_t . y_{t-1}

goes through the tiles from the last to the first with the same D, transposed. With one stretch each input is read once
and each output written once. Where sequences and heads are too few to fill the device, a first kernel (`*_ends`) finds
what each stretch alone would hand on, and the second folds these into the state that its stretch starts from.

Sums are float32 (float64 for float64); products of tiles are tf32 for 16-bit inputs and three-fold tf32 for float32.

    x, out, dx, gradient    (batch, T, heads, w), out and gradient of keys with strides of their own
    decay                   (1 or batch, 1 or T, heads), strides 0 where it is 1
    gate                    (batch, T, heads)
    starts                  (batch, T) int8, 1 where a sequence starts
    norm                    (batch, T, heads) = |y|
    ends, totals            (stretches, batch, heads, w) and (stretches, batch, heads)

Launched by `mosaics.memory.triton_leaky_ops`. Reference: Memory Mosaics, arXiv 2405.06394, sec. 6; at scale,
arXiv 2507.03285, sec. 3.
"""

# ruff: noqa: PLR0917, PLR0912, PLR0915 -- a kernel takes tensors and sizes one by one and is one function
# mypy: allow-untyped-defs

from __future__ import annotations

import triton
import triton.language as tl

from mosaics.memory.triton_common import loop


@triton.jit
def _decay_of_head(decay, decay_batch, batch, head, ACC: tl.constexpr):
    """Decay a of this head, where it is the same at every step."""
    return tl.load(decay + batch * decay_batch + head).to(ACC)


@triton.jit
def _decay_of_steps(
    decay, starts, fixed, decay_batch, batch, head, heads, t, length,
    ACC: tl.constexpr, PER_STEP: tl.constexpr, RESETS: tl.constexpr,
):  # fmt: skip
    """Decays a_t of the steps t of a tile, infinite at a start, 0 past the end: (BLOCK,)."""
    inside = t < length
    if PER_STEP:
        a = tl.load(decay + batch * decay_batch + t * heads + head, mask=inside, other=0.0).to(ACC)
    else:
        a = tl.where(inside, fixed, 0.0)
    if RESETS:
        start = tl.load(starts + batch * length + t, mask=inside, other=0)
        a = tl.where(start != 0, float("inf"), a)
    return a


@triton.jit
def _fixed_matrix(a, BLOCK: tl.constexpr):
    """D for one decay: exp(-(i - j) a) below the diagonal, 1 on it."""
    i = tl.arange(0, BLOCK)
    age = i[:, None] - i[None, :]
    left = tl.exp(-tl.where(age > 0, age, 1).to(a.dtype) * a)
    return tl.where(age > 0, left, tl.where(age == 0, 1.0, 0.0).to(a.dtype))


@triton.jit
def _matrix(a, BLOCK: tl.constexpr):
    """D for decays a (BLOCK,) of steps."""
    i = tl.arange(0, BLOCK)
    below = i[:, None] > i[None, :]
    terms = tl.where(below, a[:, None], 0.0)
    lower = i[:, None] >= i[None, :]
    return tl.where(lower, tl.exp(-tl.cumsum(terms, 0)), 0.0)


@triton.jit
def _to_the_end(a, fixed, BLOCK: tl.constexpr, VARYING: tl.constexpr):
    """Last row of D: what is left of each step at the end of the tile."""
    i = tl.arange(0, BLOCK)
    if VARYING:
        later = tl.where(i[:, None] > i[None, :], a[:, None], 0.0)
        return tl.exp(-tl.sum(later, 0))
    age = BLOCK - 1 - i
    return tl.where(age > 0, tl.exp(-tl.where(age > 0, age, 1).to(fixed.dtype) * fixed), 1.0)


@triton.jit
def _from_the_start(a, fixed, BLOCK: tl.constexpr, VARYING: tl.constexpr):
    """P: what is left at each step of the state before the tile."""
    if VARYING:
        return tl.exp(-tl.cumsum(a, 0))
    return tl.exp(-(tl.arange(0, BLOCK) + 1).to(fixed.dtype) * fixed)


@triton.jit
def _row(y, which, BLOCK: tl.constexpr):
    """Row `which` of a tile."""
    return tl.sum(tl.where(tl.arange(0, BLOCK)[:, None] == which, y, 0.0), 0)


@triton.jit
def _inputs(
    x, gate, batch, head, heads, t, column, length, width, ACC: tl.constexpr, GATED: tl.constexpr
):  # fmt: skip
    """Inputs g_t x_t of a tile: (BLOCK, WIDTH)."""
    inside = (t < length)[:, None] & (column < width)[None, :]
    row = (batch * length + t) * heads + head
    tile = tl.load(x + row[:, None] * width + column[None, :], mask=inside, other=0.0).to(ACC)
    if GATED:
        tile = tile * tl.load(gate + row, mask=t < length, other=0.0).to(ACC)[:, None]
    return tile


@triton.jit
def forward_ends(
    x, decay, gate, starts, ends, totals, batches, length, heads, width, stretch, decay_batch,
    ACC: tl.constexpr, BLOCK: tl.constexpr, WIDTH: tl.constexpr,
    PER_STEP: tl.constexpr, RESETS: tl.constexpr, GATED: tl.constexpr,
):  # fmt: skip
    """The y at the end of each stretch if it started from nothing, and the stretch's product of all f."""
    lane, part = tl.program_id(0), tl.program_id(1)
    batch, head = (lane // heads).to(tl.int64), lane % heads
    VARYING: tl.constexpr = PER_STEP or RESETS
    column = tl.arange(0, WIDTH)
    fixed = tl.zeros((), ACC)
    if not PER_STEP:
        fixed = _decay_of_head(decay, decay_batch, batch, head, ACC)
    carry, total = tl.zeros((WIDTH,), ACC), tl.zeros((), ACC)
    for first in loop(part * stretch, tl.minimum((part + 1) * stretch, length), BLOCK):
        t = first + tl.arange(0, BLOCK)
        a = _decay_of_steps(decay, starts, fixed, decay_batch, batch, head, heads, t, length, ACC, PER_STEP, RESETS)
        tile = _inputs(x, gate, batch, head, heads, t, column, length, width, ACC, GATED)
        left = _to_the_end(a, fixed, BLOCK, VARYING)
        sum_a = tl.sum(a, 0)
        carry = tl.sum(tile * left[:, None], 0) + tl.exp(-sum_a) * carry
        total += sum_a
    row = (part * batches + batch) * heads + head
    tl.store(ends + row * width + column, carry, mask=column < width)
    tl.store(totals + row, tl.exp(-total))


@triton.jit
def forward(
    x, decay, gate, starts, scale, ends, totals, out, norm,
    batches, length, heads, width, stretch, offset, decay_batch, scale_batch, out_batch, out_time, out_head,
    ACC: tl.constexpr, BLOCK: tl.constexpr, WIDTH: tl.constexpr, PRECISION: tl.constexpr,
    PER_STEP: tl.constexpr, RESETS: tl.constexpr, GATED: tl.constexpr, UNIT: tl.constexpr, CARRIED: tl.constexpr,
):  # fmt: skip
    """Averages or keys of each stretch; see the module."""
    lane, part = tl.program_id(0), tl.program_id(1)
    batch, head = (lane // heads).to(tl.int64), lane % heads
    VARYING: tl.constexpr = PER_STEP or RESETS
    column = tl.arange(0, WIDTH)
    fixed = tl.zeros((), ACC)
    if not PER_STEP:
        fixed = _decay_of_head(decay, decay_batch, batch, head, ACC)
    matrix, fade = tl.zeros((BLOCK, BLOCK), ACC), tl.zeros((BLOCK,), ACC)
    if not VARYING:
        matrix, fade = _fixed_matrix(fixed, BLOCK), _from_the_start(fade, fixed, BLOCK, VARYING)
    size = tl.zeros((), ACC)
    if UNIT:
        size = tl.load(scale + batch * scale_batch + head).to(ACC)
    carry = tl.zeros((WIDTH,), ACC)
    if CARRIED:
        for before in loop(0, part, 1):
            row = (before * batches + batch) * heads + head
            end = tl.load(ends + row * width + column, mask=column < width, other=0.0)
            carry = end + tl.load(totals + row) * carry
    for first in loop(part * stretch, tl.minimum((part + 1) * stretch, length), BLOCK):
        t = first + tl.arange(0, BLOCK)
        if VARYING:
            a = _decay_of_steps(decay, starts, fixed, decay_batch, batch, head, heads, t, length, ACC, PER_STEP, RESETS)
            matrix, fade = _matrix(a, BLOCK), _from_the_start(a, fixed, BLOCK, VARYING)
        tile = _inputs(x, gate, batch, head, heads, t, column, length, width, ACC, GATED)
        y = tl.dot(matrix, tile, input_precision=PRECISION, out_dtype=ACC) + fade[:, None] * carry[None, :]
        carry = _row(y, BLOCK - 1, BLOCK)
        if UNIT:
            length_of_y = tl.sqrt(tl.sum(y * y, 1))
            tl.store(norm + (batch * length + t) * heads + head, length_of_y, mask=t < length)
            whole = tl.where(length_of_y > 0, length_of_y + offset, 1.0)
            y = y * tl.where(length_of_y > 0, size / whole, 0.0 * length_of_y)[:, None]
        inside = (t < length)[:, None] & (column < width)[None, :]
        place = batch * out_batch + t[:, None].to(tl.int64) * out_time + head * out_head + column[None, :]
        tl.store(out + place, y.to(out.dtype.element_ty), mask=inside)


@triton.jit
def _gradient(
    gradient, out, norm, size, offset, batch, head, heads, t, column, length, width,
    out_batch, out_time, out_head, gradient_batch, gradient_time, gradient_head, ACC: tl.constexpr, UNIT: tl.constexpr,
):  # fmt: skip
    """Gradients d_t of a tile, (BLOCK, WIDTH), and k_t . gradient / s summed over its steps, the gradient of s."""
    inside = (t < length)[:, None] & (column < width)[None, :]
    step = t[:, None].to(tl.int64)
    place = batch * gradient_batch + step * gradient_time + head * gradient_head + column[None, :]
    d = tl.load(gradient + place, mask=inside, other=0.0).to(ACC)
    slope = tl.zeros((), ACC)
    if UNIT:
        place = batch * out_batch + step * out_time + head * out_head + column[None, :]
        unit = tl.load(out + place, mask=inside, other=0.0).to(ACC)
        squares = tl.sum(unit * unit, 1)
        unit = unit * tl.where(squares > 0, 1.0 / tl.sqrt(tl.where(squares > 0, squares, 1.0)), 0.0)[:, None]
        length_of_y = tl.load(norm + (batch * length + t) * heads + head, mask=t < length, other=0.0).to(ACC)
        there = length_of_y > 0
        whole = tl.where(there, length_of_y + offset, 1.0)
        along = tl.sum(unit * d, 1) * (length_of_y / whole)
        slope = tl.sum(along, 0)
        d = tl.where(there[:, None], (d - unit * along[:, None]) * (size / whole)[:, None], 0.0)
    return d, slope


@triton.jit
def backward_ends(
    gradient, out, norm, decay, starts, scale, ends, totals,
    batches, length, heads, width, stretch, offset, decay_batch, scale_batch,
    out_batch, out_time, out_head, gradient_batch, gradient_time, gradient_head,
    ACC: tl.constexpr, BLOCK: tl.constexpr, WIDTH: tl.constexpr,
    PER_STEP: tl.constexpr, RESETS: tl.constexpr, UNIT: tl.constexpr,
):  # fmt: skip
    """Product f m of each stretch's first step if nothing came after it, and the stretch's product of all f."""
    lane, part = tl.program_id(0), tl.program_id(1)
    batch, head = (lane // heads).to(tl.int64), lane % heads
    VARYING: tl.constexpr = PER_STEP or RESETS
    column = tl.arange(0, WIDTH)
    fixed, size = tl.zeros((), ACC), tl.zeros((), ACC)
    if not PER_STEP:
        fixed = _decay_of_head(decay, decay_batch, batch, head, ACC)
    if UNIT:
        size = tl.load(scale + batch * scale_batch + head).to(ACC)
    carry, total = tl.zeros((WIDTH,), ACC), tl.zeros((), ACC)
    for first in loop(part * stretch, tl.minimum((part + 1) * stretch, length), BLOCK):
        t = first + tl.arange(0, BLOCK)
        a = _decay_of_steps(decay, starts, fixed, decay_batch, batch, head, heads, t, length, ACC, PER_STEP, RESETS)
        d, _ = _gradient(
            gradient, out, norm, size, offset, batch, head, heads, t, column, length, width,
            out_batch, out_time, out_head, gradient_batch, gradient_time, gradient_head, ACC, UNIT,
        )  # fmt: skip
        fade = _from_the_start(a, fixed, BLOCK, VARYING)
        carry += tl.exp(-total) * tl.sum(d * fade[:, None], 0)
        total += tl.sum(a, 0)
    row = (part * batches + batch) * heads + head
    tl.store(ends + row * width + column, carry, mask=column < width)
    tl.store(totals + row, tl.exp(-total))


@triton.jit
def backward(
    gradient, out, norm, x, decay, gate, starts, scale, ends, totals, dx, ddecay, dgate, dscale,
    batches, length, heads, width, stretch, offset, decay_batch, scale_batch,
    out_batch, out_time, out_head, gradient_batch, gradient_time, gradient_head,
    ACC: tl.constexpr, BLOCK: tl.constexpr, WIDTH: tl.constexpr, PRECISION: tl.constexpr,
    PER_STEP: tl.constexpr, RESETS: tl.constexpr, GATED: tl.constexpr, UNIT: tl.constexpr, CARRIED: tl.constexpr,
):  # fmt: skip
    """Gradients dx, dg and da of each step; da, where it is one a head, and ds as one sum a stretch."""
    lane, part = tl.program_id(0), tl.program_id(1)
    batch, head = (lane // heads).to(tl.int64), lane % heads
    VARYING: tl.constexpr = PER_STEP or RESETS
    column = tl.arange(0, WIDTH)
    fixed, size = tl.zeros((), ACC), tl.zeros((), ACC)
    if not PER_STEP:
        fixed = _decay_of_head(decay, decay_batch, batch, head, ACC)
    if UNIT:
        size = tl.load(scale + batch * scale_batch + head).to(ACC)
    matrix, left = tl.zeros((BLOCK, BLOCK), ACC), tl.zeros((BLOCK,), ACC)
    if not VARYING:
        matrix, left = _fixed_matrix(fixed, BLOCK), _to_the_end(left, fixed, BLOCK, VARYING)
    carry = tl.zeros((WIDTH,), ACC)
    if CARRIED:
        for index in loop(0, tl.num_programs(1) - 1 - part, 1):
            row = ((tl.num_programs(1) - 1 - index) * batches + batch) * heads + head
            end = tl.load(ends + row * width + column, mask=column < width, other=0.0)
            carry = end + tl.load(totals + row) * carry
    sum_decay, sum_scale = tl.zeros((), ACC), tl.zeros((), ACC)
    tiles = tl.cdiv(tl.minimum((part + 1) * stretch, length) - part * stretch, BLOCK)
    for index in loop(0, tiles, 1):
        t = part * stretch + (tiles - 1 - index) * BLOCK + tl.arange(0, BLOCK)
        a = _decay_of_steps(decay, starts, fixed, decay_batch, batch, head, heads, t, length, ACC, PER_STEP, RESETS)
        if VARYING:
            matrix, left = _matrix(a, BLOCK), _to_the_end(a, fixed, BLOCK, VARYING)
        d, slope = _gradient(
            gradient, out, norm, size, offset, batch, head, heads, t, column, length, width,
            out_batch, out_time, out_head, gradient_batch, gradient_time, gradient_head, ACC, UNIT,
        )  # fmt: skip
        sum_scale += slope
        m = tl.dot(tl.trans(matrix), d, input_precision=PRECISION, out_dtype=ACC) + left[:, None] * carry[None, :]
        factor = tl.exp(-a)
        carry = _row(m * factor[:, None], 0, BLOCK)

        inside = (t < length)[:, None] & (column < width)[None, :]
        known = inside & (t > 0)[:, None]
        step = (t - 1)[:, None].to(tl.int64)
        place = batch * out_batch + step * out_time + head * out_head + column[None, :]
        before = tl.load(out + place, mask=known, other=0.0).to(ACC)
        row = (batch * length + t) * heads + head
        if UNIT:
            shrunk = tl.load(norm + row - heads, mask=(t > 0) & (t < length), other=0.0).to(ACC)
            before = before * ((shrunk + offset) / size)[:, None]
        da = -factor * tl.sum(m * before, 1)
        if PER_STEP:
            tl.store(ddecay + row, da, mask=t < length)
        else:
            sum_decay += tl.sum(tl.where(t < length, da, 0.0), 0)
        if GATED:
            tile = tl.load(x + row[:, None] * width + column[None, :], mask=inside, other=0.0).to(ACC)
            tl.store(dgate + row, tl.sum(m * tile, 1), mask=t < length)
            m = m * tl.load(gate + row, mask=t < length, other=0.0).to(ACC)[:, None]
        tl.store(dx + row[:, None] * width + column[None, :], m.to(dx.dtype.element_ty), mask=inside)
    sums = (part * batches + batch) * heads + head
    if not PER_STEP:
        tl.store(ddecay + sums, sum_decay)
    if UNIT:
        tl.store(dscale + sums, sum_scale)
