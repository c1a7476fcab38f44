"""Retrieval by torch's fused attention, which never holds the T x T weights.

    out_T = sum_t w_{T,t} v_t over the pairs t <= T - near      causal attention of queries near .. T over pairs
                                                                0 .. T - near; zeros stand before it

    "dot"        w = softmax(beta q . k)
    "gaussian"   w = softmax(2 beta (q . k - |k|^2 / 2)): one more dimension, 1 in the query, -|k|^2 / 2 in the key

A number beta is the attention's scale; a tensor beta, or a number next to 0, multiplies the (extended) query. In
bfloat16 and float16 the term |k|^2 / 2 is carried by two dimensions, a rounded part and the rest, lest its rounding
outweigh that of q . k. Key and value are padded with zeros to one width (on CUDA a multiple of 8): torch's fast
kernels ask for that.

Where `far` bounds the age of pairs, `mosaics.memory.windowed` cuts the sequence into chunks: time O(T far). Segments
without that bound need a truth table (..., T, T). Dropout is torch's own, which computes the T x T weights on a CPU.
Arguments are checked by `mosaics.memory.api`.

Reference: Memory Mosaics, arXiv 2405.06394, eq. 1-3.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from mosaics.memory.options import Options, runs
from mosaics.memory.reference import column
from mosaics.memory.windowed import Chunks, pad


def obstacle(options: Options) -> str | None:
    """Say why torch's attention cannot do what is asked; None when it can."""
    return "its dropout cannot be fixed by a seed" if options.dropout and options.seed is not None else None


def retrieve(query: Tensor, key: Tensor, value: Tensor, beta: float | Tensor, options: Options) -> Tensor:
    """Retrieve at every step from the pairs that it sees: (..., T, e)."""
    late = min(options.near, key.shape[-2])
    known = key.shape[-2] - late
    if isinstance(beta, Tensor) and beta.dim() == key.dim() - 1 and beta.shape[-1] > 1:
        beta = beta[..., late:]
    query, key, scale = _scaled(query[..., late:, :], key[..., :known, :], beta, options.score)
    value = value[..., :known, :]
    starts: Tensor | None = None
    seen: Tensor | None = None
    if options.segments is not None:
        starts = runs(options.segments)[0]
        starts = starts.expand(*starts.shape[:-1], known + late)[..., late:]
    span = known if options.far is None else options.far - options.near + 1
    if 0 < span < known:
        chunks = Chunks(known, span)
        cut = chunks.own(query), chunks.two(key), chunks.two(value)
        seen = chunks.seen(starts, key.device)
        found = chunks.joined(_attention(*cut, scale=scale, dropout=options.dropout, seen=seen))
    else:
        seen = _table(starts, known) if starts is not None and known else None
        found = _attention(query, key, value, scale=scale, dropout=options.dropout, seen=seen)
    return pad(found, late, 0)


def _scaled(query: Tensor, key: Tensor, beta: float | Tensor, score: str) -> tuple[Tensor, Tensor, float]:
    """Query, key and a number whose product is the score."""
    factor = 2.0 if score == "gaussian" else 1.0
    if score == "gaussian":
        query, key = _extended(query, key)
    exact = torch.float64 if query.dtype == torch.float64 else torch.float32
    if not isinstance(beta, Tensor):
        small = factor * beta < torch.finfo(exact).tiny  # a scale that rounds to 0 would meet the mask's -inf
        return (query * (factor * beta), key, 1.0) if small else (query, key, factor * beta)
    query = query.to(exact)
    return (query * (factor * column(beta.to(exact), query))).to(key.dtype), key, 1.0


def _extended(query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
    """Add the dimensions whose product is -|k|^2 / 2."""
    half = key.dtype in (torch.bfloat16, torch.float16)
    norm = -0.5 * (key.float() if half else key).square().sum(-1, keepdim=True)
    parts = [norm.to(key.dtype)]
    if half:
        parts.append((norm - parts[0].float()).to(key.dtype))
    ones = query.new_ones((*query.shape[:-1], len(parts)))
    return torch.cat((query, ones), -1), torch.cat((key, *parts), -1)


def _table(starts: Tensor, length: int) -> Tensor:
    """Pairs of its own segment that each row sees, itself the newest: (..., T, T)."""
    steps = torch.arange(length, device=starts.device)
    return (steps >= starts[..., None]) & (steps <= steps[:, None])


def _attention(
    query: Tensor, key: Tensor, value: Tensor, *, scale: float, dropout: float, seen: Tensor | None
) -> Tensor:
    """Return softmax(scale q . k) v, causal or over the pairs `seen`; zero where a row sees none."""
    wide = max(key.shape[-1], value.shape[-1])
    wide = -(-wide // 8) * 8 if key.is_cuda else wide
    some = table = None
    if seen is not None:
        some = seen.any(-1, keepdim=True)
        table = seen | ~some
        if query.dim() > 2:  # one table for all heads stays one
            heads = seen.shape[-3] if seen.dim() > 2 else 1
            table = table.expand(*query.shape[:-3], heads, *seen.shape[-2:]).reshape(-1, heads, *seen.shape[-2:])
    found = functional.scaled_dot_product_attention(
        _padded(query, wide), _padded(key, wide), _padded(value, wide), table, dropout, table is None, scale=scale
    )
    found = found[..., : value.shape[-1]].reshape(*query.shape[:-1], value.shape[-1])
    return found if some is None else found.masked_fill(~some, 0.0)


def _padded(x: Tensor, wide: int) -> Tensor:
    """Bring (..., T, width) to (batch, head, T, wide)."""
    leading = x.shape[:-2]
    x = x.reshape(math.prod(leading[:-1]), leading[-1] if leading else 1, *x.shape[-2:])
    return functional.pad(x, (0, wide - x.shape[-1])) if x.shape[-1] < wide else x
