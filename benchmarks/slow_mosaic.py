"""The slow twin of `mosaics.mosaic`: the published equations written down plainly, on the parameters of our model.

    k-  = A W_k x,   A_{ij} = exp(-a (i - j)) for j <= i      the leaky average as a T x T matrix
    y   = softmax(mask(k k^T)) v                              retrieval through the T x T table, masked
    persistent memories through torch's attention, as in the public code

It gives what the model gives (tests/mosaics/test_slow_twin.py), for the published options: variant 'library', pre-norm,
peek 1, no dropout.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from mosaics.mosaic import MemoryMosaic


def logits(model: MemoryMosaic, tokens: Tensor) -> Tensor:
    """Logits of `model` for tokens (B, T)."""
    stream = model.ends.embedding(tokens)
    blocks: list[Any] = list(model.blocks)
    for block in blocks:
        stream = stream + contextual(block.contextual, block.norm(stream))
        stream = stream + persistent(block.second, block.second_norm(stream))
    return model.norm(stream) @ model.ends.matrix.T * model.ends.scale


def keys(extractor: Any, x: Tensor) -> Tensor:
    """Unit keys (B, heads, T, w), times the extractor's scale."""
    batch, length, _ = x.shape
    steps = torch.arange(length, dtype=x.dtype, device=x.device)
    age = steps[:, None] - steps
    decay = 10 * extractor.leaky_beta.abs()
    average = (torch.exp(-decay[:, None, None] * age) * (1 - torch.exp(-decay))[:, None, None]).tril()
    key = average @ extractor.project(x).view(batch, length, extractor.heads, -1).transpose(1, 2)
    return key / key.norm(dim=-1, keepdim=True) * extractor.scale()[:, None, None]


def contextual(unit: Any, x: Tensor) -> Tensor:
    """Output of a contextual memory unit."""
    batch, length, width = x.shape
    key = keys(unit.key, x)
    mix = unit.value.mix[:, None, None]
    value = unit.value.project(x).view(batch, length, unit.value.heads, -1).transpose(1, 2)
    value = (1 - mix) * functional.pad(value[:, :, 1:], (0, 0, 0, 1)) + mix * value
    value = value / value.norm(dim=-1, keepdim=True) * unit.value.scale()[:, None, None]
    table = (key @ key.mT).masked_fill(torch.ones(length, length, device=key.device).tril(-1) == 0, -torch.inf)
    weights = torch.cat([torch.zeros_like(table[:, :, :1]), table[:, :, 1:].softmax(-1)], 2)
    return unit.output((weights @ value).transpose(1, 2).reshape(batch, length, width))


def persistent(unit: Any, x: Tensor) -> Tensor:
    """Output of a persistent memory unit."""
    query = keys(unit.key, x)
    found = torch.zeros_like(query)
    for key, value in zip(unit.keys, unit.values, strict=True):
        keys_of_all, values_of_all = (item.expand(len(x), *item.shape) for item in (key, value))
        found = found + functional.scaled_dot_product_attention(query, keys_of_all, values_of_all, scale=1.0)
    found = found / len(unit.keys) * torch.exp(10 * unit.value_beta)[:, None, None]
    return unit.output(found.transpose(1, 2).reshape(x.shape))
