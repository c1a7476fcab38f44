"""Lookups: all that a contextual memory retrieves from at the steps of a sequence, seen from outside of the model.

    found = memory.lookup(key, value, beta=, score=, window=, ..)       `mosaics.memory.retrieve`, unless it is replaced

The memories of all models retrieve by this one call: `ContextualMemory`, both levels of version 2, the moons model, and
the attention heads of a transformer, which ask with a `query` where memories ask with the key of the step. So who
catches its arguments knows all of the memory (`mosaics.trace`), and who answers in its place edits the memory
(`mosaics.edit`).

    memories(model)[layer][name]     name: "short", "long" for the levels of version 2, "" where a layer has one memory,
                                     or attention
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mosaics.baselines.transformer import Transformer
from mosaics.memory.options import Options, visible
from mosaics.memory.reference import scores
from mosaics.moons_model import MoonsModel
from mosaics.mosaic import MemoryMosaic
from mosaics.mosaic_v2 import MemoryMosaicV2
from toyworlds.core.validate import reject


@dataclass(frozen=True)
class Lookup:
    """The arguments of one retrieval, as `mosaics.memory.retrieve` takes them; keys and values (B, heads, T, w)."""

    key: Tensor
    value: Tensor
    beta: float | Tensor
    score: str
    window: tuple[int, int | None] = (1, None)
    query: Tensor | None = None
    dropout: float = 0.0
    segments: None = None
    """None: who looks at a memory, or edits it, knows of one sequence a row."""

    def __post_init__(self) -> None:
        if self.segments is not None:
            reject("segments", "none, for a model whose memories are traced or edited", "packed rows")

    @property
    def asking(self) -> Tensor:
        """What each step asks with, (B, heads, T, w)."""
        return self.key if self.query is None else self.query

    @property
    def known(self) -> int:
        """Pairs 0, 1, .. that some step can retrieve."""
        return max(self.key.shape[2] - self.window[0], 0)

    def seen(self) -> Tensor:
        """Whom each step sees, (1, heads, T, T)."""
        table = visible(self.key.shape[2], Options(near=self.window[0], far=self.window[1]), self.key.device)
        return table.expand(1, self.key.shape[1], -1, -1)

    def last(self) -> tuple[int, Tensor, Tensor]:
        """First pair that the last step sees; weights (heads, n) and values (heads, n, w) of those, sequence 0."""
        beta, far = self.beta, self.window[1]
        first = 0 if far is None else min(max(self.key.shape[2] - 1 - far, 0), self.known)
        if isinstance(beta, Tensor) and beta.dim() == 3:  # of each step
            beta = beta[..., -1:]
        weights = scores(self.asking[:, :, -1:], self.key[:, :, first : self.known], beta, self.score).softmax(-1)
        return first, weights[0, :, 0], self.value[0, :, first : self.known]


def memories(model: nn.Module) -> list[dict[str, nn.Module]]:
    """Contextual memories, or attention, of each layer by name; InputError for models without, and for populations."""
    if not isinstance(model, MemoryMosaic | MemoryMosaicV2 | MoonsModel | Transformer):
        reject("model", "a MemoryMosaic, a MemoryMosaicV2, a MoonsModel or a Transformer", type(model).__name__)
    if not isinstance(model, MoonsModel):
        blocks: Any = model.blocks
        name = "attention" if isinstance(model, Transformer) else "contextual"
        return [getattr(block, name).memories() for block in blocks]
    if model.members:
        reject("model", "a lone model", "a population", "mosaics.training.population.member takes one out")
    return [{"": model}]


def caught(named: Mapping[str, nn.Module], read: Callable[[], Any]) -> dict[str, Lookup]:
    """Lookups of the named memories while `read()` runs, in which they find nothing."""
    found: dict[str, Lookup] = {}

    def nothing(name: str, key: Tensor, value: Tensor, **how: Any) -> Tensor:
        found[name] = Lookup(key, value, **how)
        return torch.zeros_like(value)

    with ExitStack() as stack:
        for name, memory in named.items():
            stack.enter_context(replaced(memory, "lookup", partial(nothing, name)))
        read()
    return found


@contextmanager
def replaced(unit: nn.Module, name: str, function: Callable[..., Any]) -> Iterator[None]:
    """Let `function` stand for a method of `unit`; InputError where another does already."""
    if name in vars(unit):
        reject("model", "one that is not being edited already", f"{type(unit).__name__}.{name}")
    vars(unit)[name] = function
    try:
        yield
    finally:
        del vars(unit)[name]
