"""The parts of an output, module by module: what each adds, given the frozen way from it to the outputs.

    outputs += J u,   J (outputs, d) the product of the read-out and of the norms that u passes, their sigmas frozen
    through a norm    J -> (J g - mean(J g)) / sigma,   and its bias becomes a part: J b

Walked from the end to the beginning; no vector of the width of the model is kept for a part, only its contributions.
`mosaics.trace` is the public door; a unit of another kind joins by registering its `unit_parts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial, singledispatch
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from mosaics.baselines.transformer import Attention, Transformer
from mosaics.levels import OneLevelMemory, TwoLevelMemory
from mosaics.lookups import Lookup, caught
from mosaics.moons_model import MoonsModel
from mosaics.mosaic import MemoryMosaic
from mosaics.mosaic_v2 import MemoryMosaicV2, SwiGLU
from mosaics.units import ContextualMemory, FeedForward, PersistentMemory

COLUMNS = ("kind", "where", "layer", "memory", "head", "bank", "index", "weight")


@dataclass(frozen=True)
class Place:
    """Where parts come from: the name of the module, its layer, -1 outside the blocks, and its level, if it is one."""

    name: str
    layer: int = -1
    memory: str = ""


@dataclass(frozen=True)
class Parts:
    """Parts of one kind from one module: indices (n,), weights (n,), contributions (n, outputs)."""

    kind: str
    where: Place
    contributions: Tensor
    head: Tensor | None = None
    bank: Tensor | None = None
    index: Tensor | None = None
    weight: Tensor | None = None

    def frame(self) -> pd.DataFrame:
        """Lines of `Trace.parts`."""
        n = len(self.contributions)
        missing: dict[str, Any] = {"head": -1, "bank": -1, "index": -1, "weight": np.nan}
        given = {name: getattr(self, name) for name in missing}
        columns = {name: np.full(n, missing[name]) if x is None else x.numpy() for name, x in given.items()}
        place = {"where": self.where.name, "layer": self.where.layer, "memory": self.where.memory}
        table = pd.DataFrame({"kind": self.kind, **place, **columns})
        return table[list(COLUMNS)]


def moons_parts(model: MoonsModel, read: Tensor, chosen: Sequence[int]) -> list[Parts]:
    """Parts of the moons model: its pairs."""
    found = caught({"": model}, partial(model, read[None]))[""]
    return [_pairs(Place("memory", 0), found, model.maps()["output"][list(chosen)])]


def stack_parts(model: MemoryMosaic | MemoryMosaicV2 | Transformer, read: Tensor, chosen: Sequence[int]) -> list[Parts]:
    """Parts of a Memory Mosaic or a transformer, in the order of the forward pass."""
    ends = model.ends
    stream, passed = _walk(model, read)
    path = ends.matrix[list(chosen)] * ends.scale
    found = []
    if ends.head is not None and ends.head.bias is not None:
        found.append(Parts("bias", Place("ends.head"), ends.head.bias[list(chosen)][None]))
    for place, module, x in [*passed, (Place("norm"), model.norm, stream)][::-1]:
        if isinstance(module, nn.LayerNorm):
            found += _bias(module, path, place)
            path = _before(module, x[0, -1], path)
        else:
            found += unit_parts(module, x, path, place)[::-1]
    bias = _bias(ends.embedding, path, Place("ends.embedding"))
    entered = ends.embedding(read[-1]) - (ends.embedding.bias if bias else 0.0)
    begin = [Parts("embedding", Place("ends.embedding"), (path @ entered)[None]), *bias]
    if model.positions is not None:
        begin.append(Parts("position", Place("positions"), (path @ model.positions.weight[len(read) - 1])[None]))
    return [*begin, *found[::-1]]


def _walk(model: Any, read: Tensor) -> tuple[Tensor, list[tuple[Place, nn.Module, Tensor]]]:
    """Return the last residual stream, and (place, module, input) of what it passed or was added to it.

    The input of a norm is the stream; norms off the stream are not among them, for no part passes them.
    """
    stream, passed = model.enter(read[None]), []
    first = "attention" if isinstance(model, Transformer) else "contextual"
    for layer, block in enumerate(model.blocks):
        post = not getattr(block, "pre_norm", True)
        for norm_name, name in (("norm", first), ("second_norm", "second")):
            norm, unit = getattr(block, norm_name), getattr(block, name)
            if unit is None:
                continue
            if post:
                passed.append((Place(f"blocks.{layer}.{norm_name}", layer), norm, stream))
                stream = norm(stream)
            x = stream if post else norm(stream)
            passed.append((Place(f"blocks.{layer}.{name}", layer), unit, x))
            stream = stream + unit(x)
    return stream, passed


def _before(norm: nn.LayerNorm, x: Tensor, path: Tensor) -> Tensor:
    """Path (outputs, d) from before a norm, frozen at its input x (d,), given the path from behind it."""
    scaled = path * norm.weight
    return (scaled - scaled.mean(-1, keepdim=True)) / (x.var(correction=0) + norm.eps).sqrt()


@singledispatch
def unit_parts(unit: nn.Module, x: Tensor, path: Tensor, place: Place) -> list[Parts]:
    """Parts that a unit with inputs x (1, T, d) adds to the outputs at the last step; path is (outputs, d)."""
    raise NotImplementedError(type(unit).__name__)


@unit_parts.register
def _(
    unit: ContextualMemory | TwoLevelMemory | OneLevelMemory | Attention, x: Tensor, path: Tensor, place: Place
) -> list[Parts]:
    found = caught(unit.memories(), partial(unit, x))
    parts = []
    for (name, lookup), output in zip(found.items(), (path @ unit.output.weight).chunk(len(found), -1), strict=True):
        there = replace(place, name=f"{place.name}.{name}", memory=name) if name else place
        parts.append(_pairs(there, lookup, output))
    return [*parts, *_output_bias(unit, path, place)]


@unit_parts.register
def _(unit: PersistentMemory, x: Tensor, path: Tensor, place: Place) -> list[Parts]:
    weights = unit.weights(unit.key(x)[:, :, -1:])[0, :, :, 0]
    output = (path @ unit.output.weight).unflatten(-1, (unit.key.heads, -1))
    contributions = torch.einsum("bhi,bhiw,khw->bhik", weights, unit.scaled_values(), output).flatten(0, 2)
    bank, head, index = torch.cartesian_prod(*(torch.arange(size) for size in weights.shape)).unbind(-1)
    return [
        Parts("entry", place, contributions, head, bank, index, weights.flatten()),
        *_output_bias(unit, path, place),
    ]


@unit_parts.register
def _(unit: FeedForward, x: Tensor, path: Tensor, place: Place) -> list[Parts]:
    activation = functional.gelu(unit.hidden(x[0, -1]))
    return [_hidden(activation, path @ unit.output.weight, place), *_output_bias(unit, path, place)]


@unit_parts.register
def _(unit: SwiGLU, x: Tensor, path: Tensor, place: Place) -> list[Parts]:
    gate, value = unit.hidden(x[0, -1]).chunk(2, -1)
    return [_hidden(functional.silu(gate) * value, path @ unit.output.weight, place)]


def _pairs(place: Place, lookup: Lookup, output: Tensor) -> Parts:
    """Parts of the pairs that the last step sees, head by head; output is (outputs, heads w)."""
    first, weights, value = lookup.last()
    heads, n = weights.shape
    contributions = torch.einsum("ht,htw,khw->htk", weights, value, output.unflatten(-1, (heads, -1))).flatten(0, 1)
    head, index = torch.arange(heads).repeat_interleave(n), torch.arange(first, first + n).repeat(heads)
    return Parts("pair", place, contributions, head, index=index, weight=weights.flatten())


def _hidden(activation: Tensor, output: Tensor, place: Place) -> Parts:
    """Parts of hidden units: activation (n,), output (outputs, n)."""
    return Parts("hidden", place, activation[:, None] * output.mT, index=torch.arange(len(activation)))


def _output_bias(unit: Any, path: Tensor, place: Place) -> list[Parts]:
    return _bias(unit.output, path, Place(f"{place.name}.output", place.layer))


def _bias(module: Any, path: Tensor, place: Place) -> list[Parts]:
    """Bias of a norm or a linear map, where it has one, as a part."""
    bias = getattr(module, "bias", None)
    return [] if bias is None else [Parts("bias", place, (path @ bias)[None])]
