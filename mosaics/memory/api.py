"""The public door of retrieval: kernel regression over the pairs stored so far.

    out_T = sum_t w_{T,t} v_t,   w_{T,t} = softmax_t(s_{T,t}) over T - far <= t <= T - near;   0 where there are none

    s_{T,t} = -beta |q_T - k_t|^2     score="gaussian": f(k) = E[V | K = k] of the paper, any key norms
    s_{T,t} =  beta q_T . k_t         score="dot": attention; the same weights as gaussian with beta / 2 where all
                                      keys have one norm

The paper's names: key k, value v, beta the inverse temperature (bandwidth 1 / sqrt(2 beta)); the query is the key
itself unless one is given. By default (near = 1, far unbounded) step T sees the pairs t < T, strictly: the value v_T
peeks at x_{T+1}, so the pair (k_T, v_T) is stored only after the prediction of step T. Other windows, segments and
dropout: `mosaics.memory.options`.

Shapes: key (..., T, d), query (..., T, d), value (..., T, e) with the same leading sizes (batch, head, population
...), T >= 1. beta: a finite number >= 0; a tensor that broadcasts against the leading sizes; or, with as many
dimensions as the leading sizes and one more, one that broadcasts against (..., T): a bandwidth of each step. Its
values are not checked. Any floating dtype; the computation is in the common dtype of the three, from q . k and |k|^2:
keys that lie far from 0 for their spread lose digits. Taking the same vector off all keys and queries changes no
Gaussian weight. Gradients reach key, value, query and beta. Errors: InputError for shapes, dtypes, devices, names and
combinations that do not fit.

>>> key = torch.tensor([[0.0], [1.0], [0.0]])
>>> retrieve(key, torch.tensor([[1.0], [2.0], [3.0]]), beta=0.0).flatten().tolist()
[0.0, 1.0, 1.5]

Reference: Memory Mosaics, arXiv 2405.06394, eq. 1-3; at scale, arXiv 2507.03285, sec. 3.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mosaics.memory import fused, native, reference, triton_retrieval
from mosaics.memory.options import Options
from toyworlds.core.validate import choice, integer, real, reject

SCORES = ("gaussian", "dot")
IMPLEMENTATIONS = ("reference", "fused", "native", "triton")
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
    window: tuple[int, int | None] = (1, None),
    segments: Tensor | None = None,
    dropout: float = 0.0,
    seed: int | Tensor | None = None,
    implementation: str | None = None,
) -> Tensor:
    """Retrieve at every step T from the pairs in reach: (..., T, e); see the module for the equation.

    window = (near, far) bounds the age of pairs, 0 <= near <= far, far None for any age. segments, whole numbers that
    broadcast against (..., T), tells sequences apart that stand behind each other in one row: a run of equal numbers
    is one. Each weight is dropped with probability `dropout`; `seed`, a number or one int64 on the tensors' device,
    fixes which (see `mosaics.memory.dropout`), otherwise torch's generator does.

    `implementation` forces "reference", "fused", "native" or "triton"; None leaves it to :func:`choose`.
    """
    asked, key, value = _tensors(key if query is None else query, key, value)
    if asked.shape != key.shape or key.shape[-2] < 1:
        reject("query, key", "one shape (..., T, d) with T >= 1", (tuple(asked.shape), tuple(key.shape)))
    options = _options(key, score=score, window=window, segments=segments, dropout=dropout, seed=seed)
    beta = _sharpness(beta, key)
    way = choose(key, value, implementation, beta=beta, options=options).name
    if way == "triton":
        return triton_retrieval.retrieve(None if query is None else asked, key, value, beta, options)
    ways = {"reference": reference.retrieve, "fused": fused.retrieve, "native": native.retrieve}
    return ways[way](asked, key, value, beta, options)


def recall(query: Tensor, key: Tensor, value: Tensor, *, beta: float | Tensor, score: str = "gaussian") -> Tensor:
    """Retrieve for m queries (..., m, d) from ALL n stored pairs: (..., m, e); n = 0 gives zeros.

    One step of generation: `retrieve(k, v)[..., T, :]` equals `recall(k[..., T:T+1, :], k[..., :T, :], v[..., :T, :])`.
    """
    query, key, value = _tensors(query, key, value)
    return reference.recall(query, key, value, _sharpness(beta, query), choice("score", score, SCORES))


def retrieval_weights(
    key: Tensor,
    *,
    beta: float | Tensor,
    score: str = "gaussian",
    query: Tensor | None = None,
    window: tuple[int, int | None] = (1, None),
    segments: Tensor | None = None,
) -> Tensor:
    """Weights w of `retrieve`, (..., T, T): entry (T, t) is that of pair t at step T.

    Rows sum to 1 but those of steps that see no pair, which are zero.
    """
    query, key, _ = _tensors(key if query is None else query, key, key)
    options = _options(key, score=score, window=window, segments=segments)
    return reference.weights(query, key, _sharpness(beta, key), options)


def choose(
    key: Tensor,
    value: Tensor,
    implementation: str | None = None,
    *,
    beta: float | Tensor = 1.0,
    options: Options | None = None,
) -> Choice:
    """Choose the implementation of `retrieve` for these tensors and options.

    `implementation` or else the variable MOSAICBENCH_RETRIEVAL forces one. Otherwise, on CUDA, "triton", our kernels,
    where Triton is installed. On CPU "native", our C kernel, for widths up to 16 where a C compiler is at hand, and
    "fused", torch's attention, for wider ones. "fused" too wherever those two cannot do what is asked, and "reference"
    where that cannot either, which is a dropout that a seed fixes.

    The limit of 16 is measured: forward and backward in float32 on one AVX-512 core, "fused" takes 5 times as long as
    "native" at width 2, 3 times at 6, twice at 8, 1.5 times at 14 and 1.2 times at 16 (800 steps); at 6000 steps 4
    times at 2, 1.6 times at 8, and about as long at 16.
    """
    options = options or Options()
    argument, name = "implementation", implementation
    if name is None:
        argument, name = VARIABLE, os.environ.get(VARIABLE)
    if name is not None:
        choice(argument, name, IMPLEMENTATIONS)
        problem = obstacle(name, key, value, beta, options)
        if problem:
            reject(argument, "an implementation for what is asked", name, problem)
        return Choice(name, f"forced by {argument}")
    if key.device.type == "cuda":
        problem = obstacle("triton", key, value, beta, options)
        best = Choice("triton", "our kernels, on cuda")
    else:
        compiling = torch.compiler.is_compiling()
        problem = "torch.compile sees through it" if compiling else obstacle("native", key, value, beta, options)
        best = Choice("native", "small widths on cpu")
    if not problem:
        return best
    slow = obstacle("fused", key, value, beta, options)
    return Choice("reference", f"{problem}; fused: {slow}") if slow else Choice("fused", problem)


def obstacle(name: str, key: Tensor, value: Tensor, beta: float | Tensor, options: Options) -> str | None:
    """Say why an implementation cannot do what is asked; None when it can."""
    if name == "triton":
        return triton_retrieval.obstacle(key, value)
    if name == "fused":
        return fused.obstacle(options)
    return native.obstacle(key, value, beta, options) if name == "native" else None


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


def _options(key: Tensor, *, score: str, window: Any, segments: Any, dropout: float = 0.0, seed: Any = None) -> Options:
    """Check what is asked beside tensors."""
    choice("score", score, SCORES)
    if not isinstance(window, tuple) or len(window) != 2:
        reject("window", "(near, far): the least and the greatest age of a pair in steps", window)
    near = integer("window near", window[0], 0)
    far = None if window[1] is None else integer("window far", window[1], near)
    if segments is not None:
        whole = isinstance(segments, Tensor) and not segments.is_floating_point() and segments.dim() > 0
        if not whole or segments.shape[-1] != key.shape[-2] or not _broadcasts(segments.shape, key.shape[:-1]):
            reject("segments", f"whole numbers that broadcast against {tuple(key.shape[:-1])}", _described(segments))
    if real("dropout", dropout, 0.0) >= 1.0:
        reject("dropout", "a number from 0 up to, but not including, 1", dropout)
    if isinstance(seed, Tensor):
        if seed.dim() or seed.dtype != torch.int64 or seed.device != key.device:
            reject("seed", "a number or one int64 on the device of the key", _described(seed))
    elif seed is not None:
        seed = integer("seed", seed, 0, 2**63 - 1)
    return Options(score, near, far, segments, dropout, seed)


def _sharpness(beta: Any, key: Tensor) -> float | Tensor:
    """Check beta: a finite number >= 0, or a tensor that broadcasts against the leading sizes, or those and time."""
    if not isinstance(beta, Tensor):
        return real("beta", beta, 0.0)
    sizes = key.shape[:-1] if beta.dim() == key.dim() - 1 else key.shape[:-2]
    if not _broadcasts(beta.shape, sizes):
        reject("beta", f"a shape that broadcasts against the leading sizes {tuple(sizes)}", tuple(beta.shape))
    return beta


def _broadcasts(shape: Any, sizes: Any) -> bool:
    """Tell whether `shape` broadcasts to `sizes`."""
    pairs = zip(reversed(shape), reversed(sizes), strict=False)
    return len(shape) <= len(sizes) and all(size in (1, full) for size, full in pairs)
