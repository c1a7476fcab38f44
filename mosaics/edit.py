"""Editing memories at inference: remove, replace or insert pairs, and see the prediction change.

    y_T = sum over the pairs that are left of w_t v_t,   w = softmax over them      from step `since` on

    with edited(model, [Remove(layer=1, head=3, index=17)]):
        model(tokens)                                          # as if pair 17 of that memory had never been stored
    change(model, tokens, [Remove(1, 3, 17)], since=40)        # before and after, pair 17 taken away at step 40

A pair of a contextual memory is named by the step whose key is stored (`index`, as in `mosaics.trace`), an entry of a
persistent memory by its number and its bank. Keys and values are what `stored` and `entries` return: they carry their
scales. Where no pair is left, the memory returns 0. Later layers see what the edited memory returned, so the effects
of an edit are all that follow from it.

While a model is edited, its forward pass retrieves from explicit T x T tables, without dropout, in the edited
memories only; edits hold for every sequence of a batch. The incremental `step` is not touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from mosaics.memory.reference import scores
from mosaics.memory.windowed import pad
from mosaics.moons_model import MoonsModel
from mosaics.mosaic import MemoryMosaic
from mosaics.pairs import BETA
from mosaics.trace import as_inputs, exact
from mosaics.units import ContextualMemory, PersistentMemory
from toyworlds.core.validate import integer, reject


@dataclass(frozen=True)
class Remove:
    """Take pair `index` out of a contextual memory, or entry `index` out of bank `bank` of a persistent memory."""

    layer: int
    head: int
    index: int
    bank: int | None = None


@dataclass(frozen=True)
class Replace:
    """Give that pair or entry another key, another value, or both, (w,) each."""

    layer: int
    head: int
    index: int
    key: Tensor | None = None
    value: Tensor | None = None
    bank: int | None = None


@dataclass(frozen=True)
class Insert:
    """Add a pair or an entry, key and value (w,) each."""

    layer: int
    head: int
    key: Tensor
    value: Tensor
    bank: int | None = None


Edit = Remove | Replace | Insert
Retrieve = Callable[..., Tensor]


@dataclass(frozen=True)
class Change:
    """Outputs (outputs,) of one step before and after an edit, float64."""

    before: np.ndarray
    after: np.ndarray

    @property
    def probabilities(self) -> tuple[np.ndarray, np.ndarray]:
        """Softmax of both, for a model of tokens."""
        before, after = (np.exp(x - np.logaddexp.reduce(x)) for x in (self.before, self.after))
        return before, after

    @property
    def total_variation(self) -> float:
        """Half the sum of the differences of probabilities, 0 .. 1, for a model of tokens."""
        before, after = self.probabilities
        return float(np.abs(after - before).sum() / 2.0)


@torch.no_grad()
def change(model: nn.Module, inputs: Any, edits: Sequence[Edit], position: int = -1, *, since: int = 0) -> Change:
    """Outputs at `position` with and without the edits, which act on retrievals from step `since` on; float64.

    `since` = 0 is "never stored"; `since` = `position` takes the pairs away just before the prediction, so that what
    earlier steps made of them stays.
    """
    model = exact(model)
    read = as_inputs(model, inputs)[None]
    before = model(read)[0]
    integer("position", position, -len(before), len(before) - 1)
    with edited(model, edits, since=since):
        after = model(read)[0]
    return Change(before[position].numpy(), after[position].numpy())


@torch.no_grad()
def stored(model: nn.Module, inputs: Any, layer: int = 0) -> tuple[Tensor, Tensor]:
    """Keys and values of the contextual memories of a layer for one sequence, float64: (heads, T, w) each.

    The last `peek` pairs are not known yet; their values are zero.
    """
    model = exact(model)
    read = as_inputs(model, inputs)[None]
    if isinstance(model, MoonsModel):
        key, value = model.pairs(read)
    else:
        unit = _unit(model, layer, None)
        caught: list[tuple[Tensor, Tensor]] = []
        with _replaced(unit, "retrieve", partial(_caught, caught, unit.retrieve)):
            model(read)
        key, value = caught[0]
    return key[0], value[0]


@torch.no_grad()
def entries(model: nn.Module, layer: int, bank: int = 0) -> tuple[Tensor, Tensor]:
    """Keys and values of a bank of a layer's persistent memories, (heads, size, w) each, values as they are added."""
    unit = _unit(model, layer, bank)
    integer("bank", bank, 0, len(unit.keys) - 1)
    return unit.keys[bank].clone(), unit.scaled_values()[bank]


@contextmanager
def edited(model: nn.Module, edits: Sequence[Edit], *, since: int = 0) -> Iterator[None]:
    """Edit the memories of a MemoryMosaic or a MoonsModel inside the block; see the module.

    Raises InputError, which names the edit, where there is no such memory (at once), pair or entry (when it is used).
    """
    integer("since", since, 0)
    plans: dict[int, _Plan] = {}
    for number, edit in enumerate(edits):
        unit = _unit(model, edit.layer, edit.bank)
        plan = plans.setdefault(id(unit), _Plan(unit, [], since))
        plan.edits.append((f"edits[{number}]", edit))
    with ExitStack() as stack:
        for plan in plans.values():
            name = "retrieved" if isinstance(plan.unit, MoonsModel) else "retrieve"
            way = next(way for kind, way in WAYS.items() if isinstance(plan.unit, kind))
            stack.enter_context(_replaced(plan.unit, name, partial(way, plan, getattr(plan.unit, name))))
        yield


@dataclass(frozen=True)
class _Plan:
    """What is edited in one unit: the edits with the names that errors give them, and from which step on."""

    unit: Any
    edits: list[tuple[str, Edit]]
    since: int

    def found(self, memory: _Memory, known: int, query: Tensor, **how: Any) -> Tensor:
        """What queries find after the edits; a is the first index of the memory, all of it for pairs."""
        for name, edit in self.edits:
            a = slice(None) if edit.bank is None else integer(f"{name}.bank", edit.bank, 0, len(memory.keys) - 1)
            memory = memory.changed(name, edit, a, known)
        return memory.retrieve(query, **how)

    def late(self, found: Tensor, original: Callable[[], Tensor]) -> Tensor:
        """`found` (B, heads, T, w) from step `since` on, the original before."""
        since = self.since
        return torch.cat([original()[:, :, :since], found[:, :, since:]], 2) if since else found


def _unit(model: Any, layer: int, bank: int | None) -> Any:
    """Return the contextual memory of a layer, or its persistent memory when a bank is named."""
    if isinstance(model, MoonsModel):
        if layer != 0 or bank is not None:
            reject("layer, bank", "layer 0 and no bank, for a moons model", (layer, bank))
        return model
    if not isinstance(model, MemoryMosaic):
        reject("model", "a MemoryMosaic or a MoonsModel", type(model).__name__)
    block: Any = model.blocks[integer("layer", layer, 0, len(model.blocks) - 1)]
    if bank is None:
        return block.contextual
    if not isinstance(block.second, PersistentMemory):
        reject("bank", "none, for a model without persistent memories", bank)
    return block.second


@contextmanager
def _replaced(unit: nn.Module, name: str, function: Callable[..., Any]) -> Iterator[None]:
    """Let `function` stand for a method of `unit`."""
    if name in vars(unit):
        reject("model", "a memory that is not being edited already", name)
    vars(unit)[name] = function
    try:
        yield
    finally:
        del vars(unit)[name]


def _caught(caught: list[tuple[Tensor, Tensor]], retrieve: Retrieve, key: Tensor, value: Tensor) -> Tensor:
    caught.append((key, value))
    return retrieve(key, value)


@dataclass(frozen=True)
class _Memory:
    """Memories under edit: keys and values (a, heads, n, w), and whom each query sees, (a or 1, heads, m or 1, n)."""

    keys: Tensor
    values: Tensor
    seen: Tensor

    def changed(self, name: str, edit: Edit, a: int | slice, known: int) -> _Memory:
        """Return the memories after `edit`, in [a, head]; `known` pairs can be removed or replaced."""
        where = (a, integer(f"{name}.head", edit.head, 0, self.keys.shape[1] - 1))
        if isinstance(edit, Insert):
            grown = _Memory(pad(self.keys, 0, 1), pad(self.values, 0, 1), functional.pad(self.seen, (0, 1)))
            grown.seen[(*where, slice(None), -1)] = True
            grown.keys[(*where, -1)] = self._vector(f"{name}.key", edit.key)
            grown.values[(*where, -1)] = self._vector(f"{name}.value", edit.value)
            return grown
        index = integer(f"{name}.index", edit.index, 0, known - 1)
        keys, values, seen = self.keys.clone(), self.values.clone(), self.seen.clone()
        if isinstance(edit, Remove):
            seen[(*where, slice(None), index)] = False
        else:
            for held, vector, part in ((keys, edit.key, "key"), (values, edit.value, "value")):
                if vector is not None:
                    held[(*where, index)] = self._vector(f"{name}.{part}", vector)
        return _Memory(keys, values, seen)

    def retrieve(self, query: Tensor, beta: float | Tensor, score: str) -> Tensor:
        """What queries (..., heads, m, w) find: (..., heads, m, w); 0 where they see nothing."""
        table = scores(query, self.keys, beta, score).masked_fill(~self.seen, -torch.inf)
        return table.softmax(-1).masked_fill(~self.seen, 0.0) @ self.values

    def _vector(self, argument: str, vector: Tensor) -> Tensor:
        shape = self.keys.shape[-1:]
        if not isinstance(vector, Tensor) or vector.shape != shape:
            reject(argument, f"a tensor {tuple(shape)}", getattr(vector, "shape", vector))
        return vector.to(self.keys)


def _contextual(plan: _Plan, original: Retrieve, key: Tensor, value: Tensor) -> Tensor:
    """`ContextualMemory.retrieve` with other pairs."""
    unit = plan.unit
    known, memory = _stored(key, value, unit.peek)
    found = plan.found(memory, known, key, beta=BETA[unit.score], score=unit.score)
    return plan.late(found, lambda: original(key, value).transpose(1, 2)).transpose(1, 2)


def _moons(plan: _Plan, original: Retrieve, x: Tensor, seen: Tensor | None = None) -> Tensor:
    """`MoonsModel.retrieved` with other pairs."""
    model = plan.unit
    if seen is not None or model.members:
        reject("model, seen", "a lone model, all of whose inputs are seen, to edit its memory", (model.members, seen))
    key, value = model.pairs(x)
    known, memory = _stored(key, value, 1)
    return plan.late(plan.found(memory, known, key, beta=model.beta(), score=model.config.score), lambda: original(x))


def _persistent(plan: _Plan, original: Retrieve, query: Tensor) -> Tensor:
    """`PersistentMemory.retrieve` with other entries."""
    keys, values = plan.unit.keys, plan.unit.scaled_values()
    seen = torch.ones(*keys.shape[:2], 1, keys.shape[2], dtype=torch.bool, device=keys.device)
    found = plan.found(_Memory(keys, values, seen), keys.shape[2], query[:, None], beta=BETA["dot"], score="dot")
    return plan.late(found.sum(1), lambda: original(query).transpose(1, 2)).transpose(1, 2)


def _stored(key: Tensor, value: Tensor, peek: int) -> tuple[int, _Memory]:
    """Pairs known at the end of a sequence, and the contextual memories of all its steps."""
    length = key.shape[2]
    seen = torch.ones(1, key.shape[1], length, length, dtype=torch.bool, device=key.device).tril(-peek)
    return length - peek, _Memory(key, value, seen)


WAYS: dict[type, Callable[..., Tensor]] = {
    ContextualMemory: _contextual,
    PersistentMemory: _persistent,
    MoonsModel: _moons,
}
"""How each kind of unit retrieves while it is edited."""
