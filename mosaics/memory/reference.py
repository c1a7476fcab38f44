"""Retrieval, readable: every weight of the T x T table is computed and can be looked at.

    out_T = sum_{t < T} w_{T,t} v_t,      w_{T,t} = exp(s_{T,t}) / sum_{u < T} exp(s_{T,u}),      out_0 = 0

    s_{T,t} = -beta |q_T - k_t|^2     "gaussian"; computed as beta (2 q_T . k_t - |k_t|^2), for beta |q_T|^2 is
                                      common to the row and leaves the weights as they are
    s_{T,t} =  beta q_T . k_t         "dot"

Any floating dtype, computed in that dtype; memory and time O(T^2). Arguments are checked by `mosaics.memory.api`.

Reference: Memory Mosaics, arXiv 2405.06394, eq. 1-3.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def scores(query: Tensor, key: Tensor, beta: float | Tensor, score: str) -> Tensor:
    """Scores s of m queries (..., m, d) against n keys (..., n, d), up to a constant a row: (..., m, n)."""
    sharpness = beta.to(key.dtype)[..., None, None] if isinstance(beta, Tensor) else beta
    products = query @ key.mT
    if score == "dot":
        return sharpness * products
    return sharpness * (2 * products - key.square().sum(-1)[..., None, :])


def strict_weights(query: Tensor, key: Tensor, beta: float | Tensor, score: str) -> Tensor:
    """Weights w of queries 1 .. T - 1 on pairs 0 .. T - 2: (..., T - 1, T - 1), lower triangular."""
    table = scores(query[..., 1:, :], key[..., :-1, :], beta, score)
    stored = torch.ones(table.shape[-2:], dtype=torch.bool, device=table.device).tril()
    return table.masked_fill(~stored, -torch.inf).softmax(-1)


def retrieve(query: Tensor, key: Tensor, value: Tensor, beta: float | Tensor, score: str) -> Tensor:
    """Retrieve at every step from the pairs before it: (..., T, e)."""
    found = strict_weights(query, key, beta, score) @ value[..., :-1, :]
    return functional.pad(found, (0, 0, 1, 0))


def recall(query: Tensor, key: Tensor, value: Tensor, beta: float | Tensor, score: str) -> Tensor:
    """Retrieve from all n pairs: (..., m, e); zero when n = 0."""
    return scores(query, key, beta, score).softmax(-1) @ value
