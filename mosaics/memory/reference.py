"""Retrieval, readable: every weight of the T x T table is computed and can be looked at.

    out_T = sum_t w_{T,t} v_t,      w_{T,t} = exp(s_{T,t}) / sum_u exp(s_{T,u})      over the pairs that step T sees

    s_{T,t} = -beta_T |q_T - k_t|^2     "gaussian"; computed as beta_T (2 q_T . k_t - |k_t|^2), for beta_T |q_T|^2 is
                                        common to the row and leaves the weights as they are
    s_{T,t} =  beta_T q_T . k_t         "dot"

A step that sees no pair retrieves zero. beta is a number, one of each item (the leading sizes), or one of each item and
step, which has one dimension more. Any floating dtype, computed in that dtype; memory and time O(T^2). Arguments are
checked by `mosaics.memory.api`.

Reference: Memory Mosaics, arXiv 2405.06394, eq. 1-3.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from mosaics.memory.dropout import dropout_mask
from mosaics.memory.options import Options, visible


def scores(query: Tensor, key: Tensor, beta: float | Tensor, score: str) -> Tensor:
    """Scores s of m queries (..., m, d) against n keys (..., n, d), up to a constant a row: (..., m, n)."""
    products = query @ key.mT
    if score == "gaussian":
        products = 2 * products - key.square().sum(-1)[..., None, :]
    return (column(beta, query) if isinstance(beta, Tensor) else beta) * products


def column(beta: Tensor, query: Tensor) -> Tensor:
    """Beta of each item, or of each item and step, as a column beside the queries (..., m, d), in their dtype."""
    per_step = beta.dim() == query.dim() - 1
    return beta.to(query.dtype)[(..., None) if per_step else (..., None, None)]


def weights(query: Tensor, key: Tensor, beta: float | Tensor, options: Options) -> Tensor:
    """Weights w, none of them dropped: (..., T, T), entry (T, t) is that of pair t at step T."""
    seen = visible(key.shape[-2], options, key.device)
    some = seen.any(-1, keepdim=True)
    table = scores(query, key, beta, options.score).masked_fill(~seen & some, -torch.inf)
    return table.masked_fill(~some, 0.0).softmax(-1).masked_fill(~seen, 0.0)


def retrieve(query: Tensor, key: Tensor, value: Tensor, beta: float | Tensor, options: Options) -> Tensor:
    """Retrieve at every step from the pairs that it sees: (..., T, e)."""
    table, dropout = weights(query, key, beta, options), options.dropout
    if options.seed is None:
        table = functional.dropout(table, dropout)
    elif dropout:
        kept = dropout_mask(options.seed, dropout, table.shape[:-2], table.shape[-1], key.device)
        table = table * kept / (1.0 - dropout)
    return table @ value


def recall(query: Tensor, key: Tensor, value: Tensor, beta: float | Tensor, score: str) -> Tensor:
    """Retrieve from all n pairs: (..., m, e); zero when n = 0."""
    return scores(query, key, beta, score).softmax(-1) @ value
