"""Every output of a Memory Mosaic, or of a transformer, as a sum over its inputs, followed back through all layers.

    output_v = sum_t C_t + C_0,     C_t = E[x_t] . d output_v / d E[x_t]     in the model made linear at what it read

`mosaics.trace` says which stored pair adds what to an output. The value of a pair of a later layer hands on what
earlier layers put into the stream at its step, perhaps what they found far away. Here the way of every value is
followed to the inputs where it began: a pair passes what it adds on to the inputs of its value, these to the pairs they
were made of, and so on. Where to look is taken as given, and what was found there is followed:

    retrieval            y_T = sum_t w_Tt v_t with the weights w that it had; attention too
    norms                LN, and those of keys and values, divide by the numbers that they had
    persistent memory,   f(x) - f(0) = (integral over a from 0 to 1 of f'(a x)) x, the mean slope between nothing and
    or network           what it reads (integrated gradients); of the second version's too

So each C_t is a sum over all paths from input t to the output, and together with C_0, what learned positions, biases
and f(0) add (those of early layers by way of later ones too), they are the output. The integral is taken with so many
points that they are, and that the number of points before gave the same C_t. Keys (and queries) of contextual memories
only say where to look, so what a word does by being asked with there counts for nobody; what happens without it is
another question (`mosaics.edit`).

Step T reads tokens (T + 1,) or vectors (T + 1, C); later inputs do not matter. All numbers are float64.

Reference: integrated gradients, Sundararajan et al., arXiv 1703.01365; frozen attention and norms, as in attribution
graphs of transformers, Ameisen et al., Circuit tracing, 2025. The use for Memory Mosaics is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mosaics.extractors import LeakyKey, PeekingValue, TimeConvolution
from mosaics.lookups import Lookup, memories, replaced
from mosaics.memory import retrieval_weights
from mosaics.memory.leaky_average import leaky_average
from mosaics.memory.windowed import pad
from mosaics.moons_model import MoonsModel
from mosaics.mosaic_v2 import SwiGLU
from mosaics.trace import TOLERANCE, Against, until
from mosaics.units import FeedForward, PersistentMemory
from toyworlds.core.validate import InputError, choice, integer, reject

POINTS = (16, 24, 48, 96, 192, 384, 768, 1536)
"""Points of the integral, tried one after the other."""
nodes = lru_cache(np.polynomial.legendre.leggauss)
"""Points from -1 to 1 and their weights, by their number."""


@dataclass(frozen=True)
class Origins:
    """Where an output at one step comes from, input by input."""

    inputs: np.ndarray
    """What the model read: tokens (T + 1,) or vectors (T + 1, C)."""
    predicted: float
    """The output, less what it is compared with."""
    contributions: np.ndarray
    """(T + 1,) C_t of each input."""
    constant: float
    """C_0, what does not come from the inputs."""
    points: int
    """Points of the integral."""

    @property
    def error(self) -> float:
        """Difference between the output and the sum of its parts."""
        return abs(float(self.contributions.sum()) + self.constant - self.predicted)


@torch.inference_mode(mode=False)
def origins(
    model: nn.Module,
    inputs: Tensor | np.ndarray | Sequence[int],
    output: int,
    *,
    against: Against = None,
    among: Sequence[int] | None = None,
    position: int = -1,
) -> Origins:
    """Follow one output of a Memory Mosaic (either version) or a transformer back to the inputs.

    Parameters
    ----------
    model : MemoryMosaic, MemoryMosaicV2 or Transformer
        In any dtype; followed in float64, from a copy in evaluation mode.
    inputs : (T,) tokens or (T, C) vectors
        One sequence.
    output : int
        Token or coordinate.
    against : int, "mean" or None
        Another output, or the mean of the outputs `among`, that is taken off.
    among : sequence of int
        The outputs of that mean, each once; None for all of them.
    position : int
        The step whose output is followed; negative numbers count from the end.

    Raises
    ------
    InputError
        For another model, inputs or a position that do not fit, a model that is being edited, and where the largest
        number of points is too small.

    """
    if isinstance(model, MoonsModel):
        known = "a MemoryMosaic, a MemoryMosaicV2 or a Transformer"
        reject("model", known, "MoonsModel", "its one layer is traced by mosaics.trace")
    lone, read = until(model, inputs, position)
    direction = _direction(len(lone.ends.matrix), output, against, among)
    read = read.clone()  # one that was made in inference mode cannot be followed
    with torch.no_grad():
        predicted = float(lone(read[None])[0, -1] @ direction)
    limit = TOLERANCE * max(1.0, abs(predicted))
    before = np.full(len(read), np.inf)
    for points in POINTS:
        contributions, constant = _followed(lone, read, direction, points)
        found = Origins(read.numpy(), predicted, contributions, constant, points)
        off = max(found.error, float(np.abs(contributions - before).max()))
        if off <= limit:
            return found
        before = contributions
    raise InputError(
        f"model: expected an output that is the sum of its parts; got one {off:.2g} off with {POINTS[-1]} points: "
        "are there numbers that are not finite, or units in training mode?"
    )


def _direction(count: int, output: int, against: Against, among: Sequence[int] | None) -> Tensor:
    """Weights of the outputs, (outputs,), in what is followed."""
    direction = torch.zeros(count, dtype=torch.float64)
    direction[integer("output", output, 0, count - 1)] = 1.0
    if among is not None and (against != "mean" or not isinstance(among, Iterable)):
        reject("among", 'a sequence of outputs, with against="mean"', among)
    if isinstance(against, str):
        choice("against", against, ("mean",))
        chosen = {integer("among", other, 0, count - 1) for other in (range(count) if among is None else among)}
        if not chosen:
            reject("among", "at least one output", among)
        direction[list(chosen)] -= 1.0 / len(chosen)
    elif against is not None:
        direction[integer("against", against, 0, count - 1)] -= 1.0
    return direction


def _followed(model: Any, read: Tensor, direction: Tensor, points: int) -> tuple[np.ndarray, float]:
    """C_t of each input and C_0."""
    with torch.enable_grad():
        bias = getattr(model.ends.embedding, "bias", None)
        entered = model.ends.embedding(read[None]) - (0.0 if bias is None else bias)
        entered, one = entered.detach().requires_grad_(), torch.ones((), dtype=torch.float64, requires_grad=True)
        stream = entered if bias is None else entered + one * bias
        if model.positions is not None:
            stream = stream + one * model.positions.weight[: len(read)]
        with _linear(model, stream, one, points):
            followed = model(read[None])[0, -1] @ direction
            by_input, by_one = torch.autograd.grad(followed, (entered, one), materialize_grads=True)
    return (by_input * entered).sum((0, 2)).detach().numpy(), by_one.item()


@contextmanager
def _linear(model: Any, entered: Tensor, one: Tensor, points: int) -> Iterator[None]:
    """Let the model read `entered`, (1, T, d). Outputs stay as they are.

    Their gradients are those of the linear map of `entered` and of `one`, by which all constants are scaled.
    """
    layers: Any = memories(model)
    units = {id(memory): memory for layer in layers for memory in layer.values()}
    with ExitStack() as stack:
        stack.enter_context(replaced(model, "enter", lambda inputs, segments: entered))
        for memory in units.values():
            stack.enter_context(replaced(memory, "lookup", _lookup))
        for module in model.modules():
            if isinstance(module, PersistentMemory):  # refuses one that is being edited
                stack.enter_context(replaced(module, "retrieve", module.retrieve))
            stands = _stands_for(module, one, points)
            if stands is not None:
                stack.enter_context(replaced(module, "forward", partial(stands, module.forward)))
        yield


def _stands_for(module: nn.Module, one: Tensor, points: int) -> Callable[..., Tensor] | None:
    """Return what stands for a module's `forward`, which it is given first; None where nothing needs to."""
    if isinstance(module, nn.LayerNorm):
        return partial(_norm, module, one)
    if isinstance(module, PeekingValue):
        return partial(_value, module)
    if isinstance(module, PersistentMemory):
        return partial(_persistent, module, one, points)
    if isinstance(module, FeedForward | SwiGLU):
        return partial(_network, one, points)
    if isinstance(module, nn.Linear | TimeConvolution) and module.bias is not None:
        return partial(_biased, module.bias, one)
    return None


def _lookup(key: Tensor, value: Tensor, **how: Any) -> Tensor:
    """Retrieve with weights that do not depend on the inputs."""
    asked = Lookup(key, value, **how)
    with torch.no_grad():
        weights = retrieval_weights(key, beta=asked.beta, score=asked.score, query=asked.query, window=asked.window)
    return weights @ value


def _norm(norm: nn.LayerNorm, one: Tensor, forward: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    scaled = centred * norm.weight / (x.var(-1, correction=0, keepdim=True) + norm.eps).sqrt().detach()
    return scaled if norm.bias is None else scaled + one * norm.bias


def _biased(bias: Tensor, one: Tensor, forward: Callable[..., Tensor], *inputs: Any) -> Tensor:
    return forward(*inputs) + (one - 1.0) * bias


def _value(value: PeekingValue, forward: Callable[..., Tensor], x: Tensor, segments: None = None) -> Tensor:
    projected = x if value.project is None else value.project(x)
    unknown = min(value.peek, x.shape[1])
    made = pad(value.mixed(projected).transpose(1, 2), -unknown, unknown)
    return _as_long(made, forward(x))


def _persistent(
    unit: PersistentMemory, one: Tensor, points: int, forward: Callable[..., Tensor], x: Tensor, *_: None
) -> Tensor:
    key: LeakyKey = unit.key
    heads = key.project(x).unflatten(-1, (key.heads, -1))
    average = heads if key.leaky_beta is None else leaky_average(heads, key.decay().detach())
    query = _as_long(average, key(x).transpose(1, 2))
    found = _from_nothing(lambda queries: unit.retrieve(queries.transpose(1, 2)), query, one, points)
    return unit.output(found.flatten(2))


def _network(one: Tensor, points: int, forward: Callable[..., Tensor], x: Tensor, *_: None) -> Tensor:
    return _from_nothing(forward, x, one, points)


def _as_long(x: Tensor, normalised: Tensor) -> Tensor:
    """Give the vectors x the lengths of `normalised`, whose directions they have, by factors that stay as they are."""
    with torch.no_grad():
        squares = x.square().sum(-1, keepdim=True)
        factors = (x * normalised).sum(-1, keepdim=True) / squares.masked_fill(squares == 0, torch.inf)
    return x * factors


def _from_nothing(function: Callable[[Tensor], Tensor], x: Tensor, one: Tensor, points: int) -> Tensor:
    """f(x) of a function of single steps, x (1, T, ..), whose gradient is its mean slope; f(0) is a constant."""
    with torch.no_grad():
        constant = function(torch.zeros_like(x[:, :1]))
    found: Tensor = _MeanSlope.apply(x, function, points)
    return found + (one - 1.0) * constant


class _MeanSlope(torch.autograd.Function):
    """f(x), with the mean of f' along the line from 0 to x (Gauss-Legendre points) in the place of f'(x)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, function: Callable[[Tensor], Tensor], points: int) -> Tensor:
        ctx.save_for_backward(x)
        ctx.function, ctx.points = function, points
        return function(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (x,), (gradient,) = ctx.saved_tensors, gradients
        steps = gradient.flatten(2).any(-1)[0]
        reached, told = x[:, steps].detach(), gradient[:, steps]
        mean = torch.zeros_like(reached)
        for node, weight in zip(*nodes(ctx.points), strict=True):
            with torch.enable_grad():
                between = (reached * float((node + 1.0) / 2.0)).requires_grad_()
                (slope,) = torch.autograd.grad(ctx.function(between), between, told)
            mean += float(weight / 2.0) * slope
        whole = torch.zeros_like(x)
        whole[:, steps] = mean
        return whole, None, None
