"""Editing memories at inference: remove, replace or insert pairs, and see the prediction change.

    y_T = sum over the pairs that are left of w_t v_t,   w = softmax over them      from step `since` on

    with edited(model, [Remove(layer=1, head=3, index=17)]):
        model(tokens)                                          # as if pair 17 of that memory had never been stored
    change(model, tokens, [Remove(1, 3, 17)], since=40)        # before and after, pair 17 taken away at step 40

A pair of a contextual memory, or of an attention head, is named by the step whose key is stored (`index`, as in
`mosaics.trace`), in version 2 by its level too (`memory` = "short" or "long"); an entry of a persistent memory by its
number and its bank. Keys and values are what `stored` and `entries` return: they carry their scales, and those of
rotary positions the place they were stored at, where an inserted one then seems to stand. Where no pair is
left, the memory returns 0. Later layers see what the edited memory returned, so the effects of an edit are all that
follow from it.

What a step asks with stays as it is: its query, even where the key of its own pair is replaced, and its bandwidth. In
version 2 that is

    beta_T = beta_1 n_T^alpha + beta_0,   n_T = min(T, h) or max(T - m + 1, 0), counted in steps, whatever was edited

so the weight of a removed pair goes to the others in proportion to theirs, and nothing else about them changes; nor
does an older pair move into the window of a short-term memory. An inserted pair has no step, hence no age: every step
sees it, in a short-term memory too.

    with hiding(model, hidden):
        model(tokens)                                          # each sequence of the batch without other pairs

While a model is edited, its forward pass retrieves from explicit T x T tables, without dropout, in the edited
memories only; edits hold for every sequence of a batch, `hiding` for each its own. The incremental `step` is not
touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from mosaics.lookups import Lookup, caught, memories, replaced
from mosaics.memory.reference import scores
from mosaics.memory.windowed import pad
from mosaics.moons_model import MoonsModel
from mosaics.pairs import BETA
from mosaics.trace import as_inputs, exact
from mosaics.units import PersistentMemory
from toyworlds.core.validate import choice, integer, reject


@dataclass(frozen=True)
class Remove:
    """Take pair `index` out of a contextual memory, or entry `index` out of bank `bank` of a persistent memory."""

    layer: int
    head: int
    index: int
    memory: str = ""
    bank: int | None = None


@dataclass(frozen=True)
class Replace:
    """Give that pair or entry another key, another value, or both, (w,) each."""

    layer: int
    head: int
    index: int
    key: Tensor | None = None
    value: Tensor | None = None
    memory: str = ""
    bank: int | None = None


@dataclass(frozen=True)
class Insert:
    """Add a pair or an entry, key and value (w,) each."""

    layer: int
    head: int
    key: Tensor
    value: Tensor
    memory: str = ""
    bank: int | None = None


Edit = Remove | Replace | Insert


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
    earlier steps made of them stays; a later `since`, which would change nothing, is refused.
    """
    model = exact(model)
    read = as_inputs(model, inputs)[None]
    before = model(read)[0]
    position = range(len(before))[integer("position", position, -len(before), len(before) - 1)]
    with edited(model, edits, since=integer("since", since, 0, position)):
        after = model(read)[0]
    return Change(before[position].numpy(), after[position].numpy())


@torch.no_grad()
def stored(model: nn.Module, inputs: Any, layer: int = 0, memory: str = "") -> tuple[Tensor, Tensor]:
    """Keys and values of a layer's contextual memories, or attention heads, for one sequence: (heads, T, w), float64.

    The last `peek` pairs are not known yet; their values are zero.
    """
    model = exact(model)
    unit = _unit(model, layer, memory)
    found = caught({memory: unit}, partial(model, as_inputs(model, inputs)[None]))[memory]
    return found.key[0], found.value[0]


@torch.no_grad()
def entries(model: nn.Module, layer: int, bank: int = 0) -> tuple[Tensor, Tensor]:
    """Keys and values of a bank of a layer's persistent memories, (heads, size, w) each, values as they are added."""
    unit = _unit(model, layer, "", bank)
    integer("bank", bank, 0, len(unit.keys) - 1)
    return unit.keys[bank].clone(), unit.scaled_values()[bank]


@contextmanager
def edited(model: nn.Module, edits: Sequence[Edit], *, since: int = 0) -> Iterator[None]:
    """Edit the memories of a Memory Mosaic (either version), a moons model or a transformer inside the block.

    Raises InputError, which names the edit, where there is no such memory or nothing to put in a place (at once), and
    where there is no such pair or entry, or none any more, to be replaced (when it is used).
    """
    integer("since", since, 0)
    if not isinstance(edits, Iterable):
        reject("edits", "a sequence of Remove, Replace and Insert", edits)
    plans: dict[int, _Plan] = {}
    for number, edit in enumerate(edits):
        name = f"edits[{number}]."
        if not isinstance(edit, Edit):
            reject(f"edits[{number}]", "Remove, Replace or Insert", edit)
        if isinstance(edit, Replace) and edit.key is None and edit.value is None:
            reject(f"edits[{number}]", "a key, a value or both, to replace", edit)
        unit = _unit(model, edit.layer, edit.memory, edit.bank, name)
        plans.setdefault(id(unit), _Plan(unit, [], since)).edits.append((name, edit))
    with ExitStack() as stack:
        for plan in plans.values():
            persistent = isinstance(plan.unit, PersistentMemory)
            method, way = ("retrieve", plan.entries) if persistent else ("lookup", plan.pairs)
            stack.enter_context(replaced(plan.unit, method, partial(way, getattr(plan.unit, method))))
        yield


@contextmanager
def hiding(model: nn.Module, hidden: Tensor, *, since: int = 0) -> Iterator[None]:
    """Hide pairs from all contextual memories, or attention: of sequence b the pairs t where hidden (B, T) is true.

    What is hidden may differ from sequence to sequence, so a batch of copies of one text tells in one pass what each
    of its parts does. As in `edited`, steps before `since` see everything.
    """
    integer("since", since, 0)
    if not isinstance(hidden, Tensor) or hidden.dtype != torch.bool or hidden.dim() != 2:
        reject("hidden", "truth values (B, T)", (getattr(hidden, "dtype", hidden), getattr(hidden, "shape", "")))

    def lookup(unit: Any, original: Callable[..., Tensor], key: Tensor, value: Tensor, **how: Any) -> Tensor:
        if hidden.shape != (key.shape[0], key.shape[2]):
            reject("hidden", f"one value a pair, {(key.shape[0], key.shape[2])}", tuple(hidden.shape))
        asked = _asked(unit, key, value, how)
        memory = _Memory(key, value, asked.seen() & ~hidden[:, None, None].to(key.device))
        found = memory.retrieve(asked.asking, asked.beta, asked.score)
        return _late(since, found, partial(original, key, value, **how))

    layers: Any = memories(model)
    with ExitStack() as stack:
        for memory in (memory for layer in layers for memory in layer.values()):
            stack.enter_context(replaced(memory, "lookup", partial(lookup, memory, memory.lookup)))
        yield


def _unit(model: nn.Module, layer: int, memory: str, bank: int | None = None, name: str = "") -> Any:
    """Return a contextual memory of a layer, or its persistent memory if a bank is named; errors begin with `name`."""
    layers = memories(model)
    named = layers[integer(f"{name}layer", layer, 0, len(layers) - 1)]
    if memory != "" and (bank is not None or "" in named):
        reject(f"{name}memory", "no name, where there are no levels", memory)
    if bank is None:
        return named[choice(f"{name}memory", memory, named)]
    blocks: Any = getattr(model, "blocks", None)
    second = blocks[layer].second if blocks else None
    if not isinstance(second, PersistentMemory):
        reject(f"{name}bank", "none, for a model without persistent memories", bank)
    return second


@dataclass(frozen=True)
class _Plan:
    """What is edited in one unit: the edits with what errors put before their fields, and from which step on."""

    unit: Any
    edits: list[tuple[str, Edit]]
    since: int

    def pairs(self, original: Callable[..., Tensor], key: Tensor, value: Tensor, **how: Any) -> Tensor:
        """`lookup` of a contextual memory with other pairs."""
        asked = _asked(self.unit, key, value, how)
        memory = _Memory(key, value, asked.seen())
        for name, edit in self.edits:
            memory = memory.changed(name, edit, slice(None), asked.known)
        found = memory.retrieve(asked.asking, asked.beta, asked.score)
        return _late(self.since, found, partial(original, key, value, **how))

    def entries(self, original: Callable[[Tensor], Tensor], query: Tensor) -> Tensor:
        """`PersistentMemory.retrieve` with other entries."""
        keys, values = self.unit.keys, self.unit.scaled_values()
        banks, heads, size = keys.shape[:3]
        memory = _Memory(keys, values, torch.ones(banks, heads, 1, size, dtype=torch.bool, device=keys.device))
        for name, edit in self.edits:
            memory = memory.changed(name, edit, integer(f"{name}bank", edit.bank, 0, banks - 1), size)
        found = memory.retrieve(query[:, None], BETA["dot"], "dot").sum(1)
        return _late(self.since, found, lambda: original(query).transpose(1, 2)).transpose(1, 2)


def _asked(unit: nn.Module, key: Tensor, value: Tensor, how: dict[str, Any]) -> Lookup:
    """Arguments of a retrieval; the keys of a moons model with unseen inputs, which say so, are not edited."""
    asked = Lookup(key, value, **how)
    if isinstance(unit, MoonsModel) and asked.asking is not key:
        reject("seen", "none, for a model whose memory is edited", "unseen inputs")
    return asked


def _late(since: int, found: Tensor, original: Callable[[], Tensor]) -> Tensor:
    """`found` (B, heads, T, w) from step `since` on, the original before."""
    return torch.cat([original()[:, :, :since], found[:, :, since:]], 2) if since else found


@dataclass(frozen=True)
class _Memory:
    """Memories under edit: keys and values (a, heads, n, w), and whom each query sees, (a or 1, heads, m or 1, n)."""

    keys: Tensor
    values: Tensor
    seen: Tensor

    def changed(self, name: str, edit: Edit, a: int | slice, known: int) -> _Memory:
        """Return the memories after `edit`, in [a, head]; `known` pairs can be removed or replaced."""
        where = (a, integer(f"{name}head", edit.head, 0, self.keys.shape[1] - 1))
        if isinstance(edit, Insert):
            grown = _Memory(pad(self.keys, 0, 1), pad(self.values, 0, 1), functional.pad(self.seen, (0, 1)))
            grown.seen[(*where, slice(None), -1)] = True
            grown.keys[(*where, -1)] = self._vector(f"{name}key", edit.key)
            grown.values[(*where, -1)] = self._vector(f"{name}value", edit.value)
            return grown
        if not known:
            reject(f"{name}index", "no pair, for the memory holds none yet", edit.index)
        index = integer(f"{name}index", edit.index, 0, known - 1)
        keys, values, seen = self.keys.clone(), self.values.clone(), self.seen.clone()
        if isinstance(edit, Remove):
            seen[(*where, slice(None), index)] = False
        else:
            if not seen[(*where, slice(None), index)].any():
                reject(f"{name}index", "a pair or entry that no edit before has removed", index)
            for held, vector, part in ((keys, edit.key, "key"), (values, edit.value, "value")):
                if vector is not None:
                    held[(*where, index)] = self._vector(f"{name}{part}", vector)
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
