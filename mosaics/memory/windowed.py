"""Retrieval from a stretch of the past: pairs not too new, or not too old.

    delayed    out_T = sum_{t <= T - delay} w_t v_t                  pairs at least `delay` steps old
    recent     out_T = sum_{T - window <= t < T} w_t v_t             pairs of the last `window` steps

    w = softmax_t(beta q_T . k_t)  "dot"   or   softmax_t(-beta |q_T - k_t|^2)  "gaussian",  over the pairs named

Where no pair is in reach the output is 0. delayed with delay 1 is `mosaics.memory.retrieve`; delay 0 sees the step's
own pair. delayed is `retrieve` on rows moved against each other. recent cuts a sequence into chunks of `window` steps;
chunk c looks at the pairs of chunks c - 1 and c through one mask, so that time is O(T window) and memory O(T).

Shapes: query, key (..., T, d), value (..., T, e); the result (..., T, e). `reference` does both by the T x T table.

Reference: Memory Mosaics at scale, arXiv 2507.03285, sec. 3 (short-term and long-term memory).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from mosaics.memory.api import retrieval_weights, retrieve
from mosaics.memory.reference import scores
from toyworlds.core.validate import choice, integer


def retrieve_delayed(
    query: Tensor, key: Tensor, value: Tensor, delay: int, *, beta: float = 1.0, score: str = "dot"
) -> Tensor:
    """Retrieve at every step T from the pairs t <= T - delay; `delay` >= 0."""
    late = integer("delay", delay, 0) - 1
    if key.shape[-2] <= delay:
        return torch.zeros_like(value)
    found = retrieve(pad(key, 0, -late), pad(value, 0, -late), query=pad(query, -late, 0), beta=beta, score=score)
    return pad(found, late, 0)


def delayed_weights(query: Tensor, key: Tensor, delay: int, *, beta: float = 1.0, score: str = "dot") -> Tensor:
    """Weights of `retrieve_delayed`, (..., T, T): entry (T, t) is the weight of pair t at step T."""
    length, late = key.shape[-2], integer("delay", delay, 0) - 1
    if length <= delay:
        return key.new_zeros(*key.shape[:-1], length)
    table = retrieval_weights(pad(key, 0, -late), query=pad(query, -late, 0), beta=beta, score=score)
    return functional.pad(table, (0, late, late, 0))


def retrieve_recent(
    query: Tensor, key: Tensor, value: Tensor, window: int, *, beta: float = 1.0, score: str = "dot"
) -> Tensor:
    """Retrieve at every step T from the pairs T - window <= t < T; `window` >= 1."""
    integer("window", window, 1)
    first = retrieve(key[..., :window, :], value[..., :window, :], query=query[..., :window, :], beta=beta, score=score)
    length = key.shape[-2]
    if length <= window:
        return first
    chunks = -(-length // window)
    query, key, value = (pad(x, 0, chunks * window - length) for x in (query, key, value))
    if choice("score", score, ("dot", "gaussian")) == "gaussian":
        key = torch.cat([2.0 * key, -key.square().sum(-1, keepdim=True)], -1)
        query = functional.pad(query, (0, 1), value=1.0)
    query = query[..., window:, :].unflatten(-2, (chunks - 1, window)) * beta
    found = functional.scaled_dot_product_attention(
        query.flatten(0, -3),
        _two_chunks(key, chunks, window).flatten(0, -3),
        _two_chunks(value, chunks, window).flatten(0, -3),
        attn_mask=_in_reach(window, key.device),
        scale=1.0,
    )
    rest = found.reshape(*value.shape[:-2], (chunks - 1) * window, value.shape[-1])
    return torch.cat([first, rest[..., : length - window, :]], -2)


def reference(
    query: Tensor, key: Tensor, value: Tensor, newest: int, oldest: int | None, *, beta: float, score: str
) -> Tensor:
    """Retrieve from the pairs T - oldest <= t <= T - newest by the T x T table, to be read and tested against."""
    steps = torch.arange(key.shape[-2], device=key.device)
    age = steps[:, None] - steps
    seen = age >= newest if oldest is None else (age >= newest) & (age <= oldest)
    table = scores(query, key, beta, score).masked_fill(~seen, -torch.inf)
    return table.softmax(-1).masked_fill(~seen, 0.0) @ value


def pad(x: Tensor, before: int, after: int) -> Tensor:
    """Add rows of zeros before and after along the last axis but one; negative numbers take rows away."""
    return functional.pad(x, (0, 0, before, after)) if before or after else x


def _two_chunks(x: Tensor, chunks: int, window: int) -> Tensor:
    """Chunks c - 1 and c for c = 1 .. chunks - 1: (..., chunks - 1, 2 window, width)."""
    cut = x.unflatten(-2, (chunks, window))
    return torch.cat([cut[..., :-1, :, :], cut[..., 1:, :, :]], -2)


def _in_reach(window: int, device: torch.device) -> Tensor:
    """Mask (window, 2 window): row i of a chunk sees column j of two where 1 <= window + i - j <= window."""
    age = window + torch.arange(window, device=device)[:, None] - torch.arange(2 * window, device=device)
    return (age >= 1) & (age <= window)
