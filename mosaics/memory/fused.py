"""Retrieval by torch's fused attention, which never holds the T x T weights.

    out_T = sum_{t < T} w_{T,t} v_t     strictly causal retrieval is causal attention of queries 1 .. T - 1 over
                                        pairs 0 .. T - 2; out_0 = 0 stands before it

    "dot"        w = softmax(beta q . k)
    "gaussian"   w = softmax(2 beta (q . k - |k|^2 / 2)): one more dimension, 1 in the query, -|k|^2 / 2 in the key

A number beta is the attention's scale; a tensor beta multiplies the (extended) query. In bfloat16 and float16 the
term |k|^2 / 2 is carried by two dimensions, a rounded part and the rest, lest its rounding outweigh that of q . k.
Key and value are padded with zeros to one width (on CUDA a multiple of 8): torch's fast kernels ask for that.
Arguments are checked by `mosaics.memory.api`.

Reference: Memory Mosaics, arXiv 2405.06394, eq. 1-3.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def retrieve(query: Tensor, key: Tensor, value: Tensor, beta: float | Tensor, score: str) -> Tensor:
    """Retrieve at every step from the pairs before it: (..., T, e)."""
    query, key = query[..., 1:, :], key[..., :-1, :]
    factor = 2.0 if score == "gaussian" else 1.0
    if score == "gaussian":
        query, key = _extended(query, key)
    scale = 1.0
    if isinstance(beta, Tensor):
        exact = torch.float64 if query.dtype == torch.float64 else torch.float32
        query = (query.to(exact) * (factor * beta.to(exact))[..., None, None]).to(key.dtype)
    else:
        scale = factor * beta
    found = _attention(query, key, value[..., :-1, :], scale)
    return functional.pad(found, (0, 0, 1, 0))


def _extended(query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
    """Add the dimensions whose product is -|k|^2 / 2."""
    half = key.dtype in (torch.bfloat16, torch.float16)
    norm = -0.5 * (key.float() if half else key).square().sum(-1, keepdim=True)
    parts = [norm.to(key.dtype)]
    if half:
        parts.append((norm - parts[0].float()).to(key.dtype))
    ones = query.new_ones((*query.shape[:-1], len(parts)))
    return torch.cat((query, ones), -1), torch.cat((key, *parts), -1)


def _attention(query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    """Causal softmax(scale q . k) v through four dimensions and one width."""
    wide = max(key.shape[-1], value.shape[-1])
    wide = -(-wide // 8) * 8 if key.is_cuda else wide
    found = functional.scaled_dot_product_attention(
        _padded(query, wide), _padded(key, wide), _padded(value, wide), is_causal=True, scale=scale
    )
    return found[..., : value.shape[-1]].reshape(value.shape)


def _padded(x: Tensor, wide: int) -> Tensor:
    """Bring (..., T, width) to (batch, head, T, wide)."""
    leading = x.shape[:-2]
    x = x.reshape(math.prod(leading[:-1]), leading[-1] if leading else 1, *x.shape[-2:])
    return functional.pad(x, (0, wide - x.shape[-1])) if x.shape[-1] < wide else x
