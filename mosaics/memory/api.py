"""The public door of retrieval: kernel regression over the pairs stored so far.

    out_T = sum_{t < T} w_{T,t} v_t,   w_{T,t} = softmax_t(s_{T,t}),   out_0 = 0 (the memory is empty)

    s_{T,t} = -beta |q_T - k_t|^2     score="gaussian": f(k) = E[V | K = k] of the paper, any key norms
    s_{T,t} =  beta q_T . k_t         score="dot": attention; the same weights as gaussian with beta / 2 where all
                                      keys have one norm

The paper's names: key k, value v, beta the inverse temperature (bandwidth 1 / sqrt(2 beta)); the query is the key
itself unless one is given. Step T sees the pairs t < T, strictly: the value v_T peeks at x_{T+1}, so the pair
(k_T, v_T) is stored only after the prediction of step T.

Shapes: key (..., T, d), query (..., T, d), value (..., T, e) with the same leading sizes (batch, head, population ...),
T >= 1; beta a finite number >= 0 or a tensor that broadcasts against the leading sizes, whose values are not checked.
Any floating dtype; the computation is in the common dtype of the three. Gradients reach key, value, query and beta.
Errors: InputError for shapes, dtypes, devices and names that do not fit.

>>> key = torch.tensor([[0.0], [1.0], [0.0]])
>>> retrieve(key, torch.tensor([[1.0], [2.0], [3.0]]), beta=0.0).flatten().tolist()
[0.0, 1.0, 1.5]

Reference: Memory Mosaics, arXiv 2405.06394, eq. 1-3.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from mosaics.memory import fused, native, reference
from toyworlds.core.validate import choice, real, reject

SCORES = ("gaussian", "dot")
IMPLEMENTATIONS = {"reference": reference.retrieve, "fused": fused.retrieve, "native": native.retrieve}
DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
VARIABLE = "MOSAICBENCH_RETRIEVAL"


@dataclass(frozen=True)
class Choice:
    """The implementation that will be used, and why."""

    name: str
    reason: str


def retrieve(
    key: Tensor,
    value: Tensor,
    *,
    beta: float | Tensor,
    score: str = "gaussian",
    query: Tensor | None = None,
    implementation: str | None = None,
) -> Tensor:
    """Retrieve at every step T from the pairs t < T: (..., T, e); see the module for the equation.

    `implementation` forces "reference", "fused" or "native"; None leaves it to :func:`choose`.
    """
    query, key, value = _tensors(key if query is None else query, key, value)
    if query.shape != key.shape or key.shape[-2] < 1:
        reject("query, key", "one shape (..., T, d) with T >= 1", (tuple(query.shape), tuple(key.shape)))
    way = choose(key, value, implementation).name
    return IMPLEMENTATIONS[way](query, key, value, _sharpness(beta, key), choice("score", score, SCORES))


def recall(query: Tensor, key: Tensor, value: Tensor, *, beta: float | Tensor, score: str = "gaussian") -> Tensor:
    """Retrieve for m queries (..., m, d) from ALL n stored pairs: (..., m, e); n = 0 gives zeros.

    One step of generation: `retrieve(k, v)[..., T, :]` equals `recall(k[..., T:T+1, :], k[..., :T, :], v[..., :T, :])`.
    """
    query, key, value = _tensors(query, key, value)
    return reference.recall(query, key, value, _sharpness(beta, key), choice("score", score, SCORES))


def retrieval_weights(
    key: Tensor, *, beta: float | Tensor, score: str = "gaussian", query: Tensor | None = None
) -> Tensor:
    """Weights w of `retrieve`, (..., T, T): strictly lower triangular, rows sum to 1 but row 0, which is zero."""
    query, key, _ = _tensors(key if query is None else query, key, key)
    weights = reference.strict_weights(query, key, _sharpness(beta, key), choice("score", score, SCORES))
    return functional.pad(weights, (0, 1, 1, 0))


def choose(key: Tensor, value: Tensor, implementation: str | None = None) -> Choice:
    """Choose the implementation of `retrieve` for these tensors.

    `implementation` or else the variable MOSAICBENCH_RETRIEVAL forces one. Otherwise "native", our C kernel, on CPU
    for widths up to 16 where a C compiler is at hand, and "fused", torch's attention, everywhere else. "reference"
    is used only when forced.

    The limit of 16 is measured: forward and backward in float32 on one AVX-512 core, "fused" takes 5 times as long as
    "native" at width 2, 3 times at 6, twice at 8, 1.5 times at 14 and 1.2 times at 16 (800 steps); at 6000 steps 4
    times at 2, 1.6 times at 8, and about as long at 16.
    """
    if implementation is None and VARIABLE in os.environ:
        return _forced(VARIABLE, os.environ[VARIABLE], key, value)
    if implementation is not None:
        return _forced("implementation", implementation, key, value)
    if torch.compiler.is_compiling():
        return Choice("fused", "torch.compile sees through it")
    problem = native.obstacle(key, value)
    return Choice("fused", problem) if problem else Choice("native", "small widths on cpu")


def _forced(argument: str, name: Any, key: Tensor, value: Tensor) -> Choice:
    choice(argument, name, IMPLEMENTATIONS)
    problem = native.obstacle(key, value) if name == "native" else None
    if problem:
        reject(argument, "an implementation for these tensors", name, problem)
    return Choice(name, f"forced by {argument}")


def _tensors(query: Any, key: Any, value: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Check that the three fit each other and bring them to their common dtype."""
    for name, item in (("query", query), ("key", key), ("value", value)):
        if not isinstance(item, Tensor) or item.dim() < 2 or item.dtype not in DTYPES:
            reject(name, "a tensor (..., time, width) of float64, float32, bfloat16 or float16", _described(item))
        if item.shape[:-2] != key.shape[:-2] or item.device != key.device:
            reject(name, f"leading sizes and device of the key, {_described(key)}", _described(item))
    if query.shape[-1] != key.shape[-1]:
        reject("query", f"the key's width, {key.shape[-1]}", query.shape[-1])
    if value.shape[-2] != key.shape[-2]:
        reject("value", f"one value a key, {key.shape[-2]}", value.shape[-2])
    dtype = torch.promote_types(torch.promote_types(query.dtype, key.dtype), value.dtype)
    common = key.to(dtype)
    return common if query is key else query.to(dtype), common, value.to(dtype)


def _described(item: Any) -> Any:
    return (tuple(item.shape), str(item.dtype), str(item.device)) if isinstance(item, Tensor) else item


def _sharpness(beta: Any, key: Tensor) -> float | Tensor:
    """Check beta: a finite number >= 0, or a tensor that broadcasts against the leading sizes."""
    if not isinstance(beta, Tensor):
        return real("beta", beta, 0.0)
    leading = key.shape[:-2]
    fits = beta.dim() <= len(leading) and all(
        size in (1, lead) for size, lead in zip(reversed(beta.shape), reversed(leading), strict=False)
    )
    if not fits:
        reject("beta", f"a shape that broadcasts against the leading sizes {tuple(leading)}", tuple(beta.shape))
    return beta
