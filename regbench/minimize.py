"""Minimal automata, their canonical form, and a hash of the language.

    q ~ r   <=>   the same symbols with the same probabilities leave q and r,
                  and next(q, a) ~ next(r, a) for each of them                   (the coarsest such relation)

A missing edge is a rejection, so states that differ in which symbols they allow are never merged: that is the
right rule for partial automata whose states all accept. The relation is found by Moore's refinement, exactly:
start from the classes of equal symbols and weights, then split by the classes of the targets until none splits.

Canonical form: reachable classes, numbered in the order in which a breadth-first walk from the start meets
them, symbols in order; weights of a state divided by their greatest common divisor. Two automata have equal
languages exactly when their canonical forms are equal, and

    hash = BLAKE2b-128 of (state, symbol, next state, weight) of all edges in order, little-endian int16.

Reference: Moore, Gedanken-experiments on sequential machines, 1956; Hopcroft and Ullman 1979, section 3.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise

import numpy as np

from regbench import edges
from regbench.automaton import Automata
from regbench.edges import NONE, EdgeTable


@dataclass(frozen=True)
class Canonical:
    """Canonical automata and where the states of the given ones went."""

    table: EdgeTable
    """The canonical form; start is 0."""
    number: np.ndarray
    """(S, B) int8: canonical number of each given state, -1 for those that no string reaches."""


def minimise(automata: Automata) -> Automata:
    """Return the minimal automata in canonical form, with as few states on the state axis as the largest needs."""
    table = _shrink(canonical(edges.from_automata(automata)).table)
    weights_matter = table.weight is not None and bool((table.weight > 1).any())
    if not weights_matter:
        table = EdgeTable(table.symbol, table.target, None, table.start, table.n_states)
    return edges.to_automata(table, automata.symbols)


def hashes(automata: Automata) -> list[str]:
    """128-bit hash of each language, 32 hexadecimal digits."""
    return [digest.hex() for digest in table_digests(canonical(edges.from_automata(automata)).table)]


def trim(automata: Automata) -> Automata:
    """Drop the states that no string reaches; the others keep their order, and weights are as given."""
    reached = np.zeros(automata.next_state.shape[:2], bool)
    each = np.arange(len(automata))
    reached[each, automata.start] = True
    for _ in range(automata.states):
        which, state, letter = np.nonzero(automata.edges & reached[:, :, None])
        reached[which, automata.next_state[which, state, letter]] = True
    number = np.where(reached, np.cumsum(reached, axis=1) - 1, -1).astype(np.int8)
    old = np.argsort(~reached, axis=1, kind="stable")
    kept = np.arange(automata.states) < reached.sum(axis=1)[:, None]
    ahead = np.take_along_axis(automata.next_state, old[:, :, None], axis=1)
    renamed = number[each[:, None, None], np.maximum(ahead, 0)]
    next_state = np.where((ahead >= 0) & kept[:, :, None], renamed, -1)
    weights = None
    if automata.weights is not None:
        weights = np.take_along_axis(automata.weights, old[:, :, None], axis=1) * kept[:, :, None]
    return Automata(next_state, number[each, automata.start], reached.sum(axis=1), weights)


def table_digests(table: EdgeTable) -> list[bytes]:
    """Hashes of canonical edge tables, 16 bytes each."""
    rows = table.rows()
    data = rows.values.astype("<i2", copy=False).tobytes()
    ends = (rows.offsets * 8).tolist()
    return [blake2b(data[a:b], digest_size=16).digest() for a, b in pairwise(ends)]


def canonical(table: EdgeTable) -> Canonical:
    """Canonical form of a batch of automata."""
    merged = classes(table)
    states, most, batch = table.shape
    each = np.arange(batch)
    weight = None if table.weight is None else _reduced(table.weight).ravel()
    flat_symbol, flat_target, flat_class = table.symbol.ravel(), table.target.ravel(), merged.ravel()
    symbol = np.full(table.shape, NONE, np.int8)
    ahead = np.zeros(table.shape, np.int64)
    weights = None if weight is None else np.zeros(table.shape, np.int16)
    number = np.full(states * batch, -1, np.int8)
    order = np.zeros((states, batch), np.int64)
    order[0] = flat_class[table.start.astype(np.int64) * batch + each]
    number[order[0] * batch + each] = 0
    count = np.ones(batch, np.int64)
    for head in range(states):
        live = head < count
        if not live.any():
            break
        for e in range(most):
            edge = (order[head] * most + e) * batch + each
            letter = np.where(live, flat_symbol[edge], np.int8(NONE))
            after = flat_class[flat_target[edge].astype(np.int64) * batch + each].astype(np.int64)
            place = after * batch + each
            fresh = np.flatnonzero((number[place] < 0) & (letter != NONE))
            number[place[fresh]] = count[fresh]
            order.ravel()[count[fresh] * batch + fresh] = after[fresh]
            count[fresh] += 1
            symbol[head, e], ahead[head, e] = letter, place
            if weight is not None and weights is not None:
                weights[head, e] = np.where(live, weight[edge], np.int16(0))
    target = np.where(symbol == NONE, np.int8(0), number[ahead])
    found = number[merged.astype(np.int64) * batch + each]
    return Canonical(EdgeTable(symbol, target, weights, np.zeros(batch, np.int8), count), found)


def classes(table: EdgeTable) -> np.ndarray:
    """Least equivalent state of each state, (S, B) int8; a state that is not used is its own class."""
    states = table.shape[0]
    keys = _packed(table.symbol)
    if table.weight is not None:
        keys += _packed(_reduced(table.weight))
    own = np.arange(states, dtype=np.int8)[:, None]
    keys[0] = np.where(own >= table.n_states, ~own.astype(np.uint64), keys[0])
    found = _least_equal(keys)
    open_ = np.flatnonzero((found != own).any(axis=0))
    while len(open_):
        merged, target = found[:, open_], table.target[:, :, open_].astype(np.int64)
        ahead = merged.ravel()[target * len(open_) + np.arange(len(open_))]
        split = _least_equal(_packed(np.concatenate([merged[:, None], ahead], axis=1)))
        found[:, open_] = split
        open_ = open_[(split != merged).any(axis=0) & (split != own).any(axis=0)]
    return found


def _least_equal(keys: list[np.ndarray]) -> np.ndarray:
    """For each state the least state whose keys are all the same, (S, B) int8."""
    states, batch = keys[0].shape
    least = np.repeat(np.arange(states, dtype=np.int8)[:, None], batch, axis=1)
    for q in range(1, states):
        for r in range(q - 1, -1, -1):
            same = keys[0][q] == keys[0][r]
            for key in keys[1:]:
                same &= key[q] == key[r]
            np.copyto(least[q], np.int8(r), where=same)
    return least


def _packed(values: np.ndarray) -> list[np.ndarray]:
    """Join the non-negative numbers along axis 1 into as few uint64 (S, B) as hold them."""
    width = 8 * values.dtype.itemsize
    keys = []
    for first in range(0, values.shape[1], 64 // width):
        part = values[:, first : first + 64 // width].astype(np.uint64)
        key = part[:, 0]
        for j in range(1, part.shape[1]):
            key = key | (part[:, j] << np.uint64(width * j))
        keys.append(key)
    return keys


def _reduced(weight: np.ndarray) -> np.ndarray:
    """Weights of each state divided by their greatest common divisor."""
    divisor = np.gcd.reduce(weight, axis=1, keepdims=True)
    return np.asarray(weight // np.maximum(divisor, 1))


def _shrink(table: EdgeTable) -> EdgeTable:
    """Cut state and edge axes to what is used."""
    states = int(table.n_states.max(initial=1))
    most = max(int(table.present.sum(axis=1).max(initial=1)), 1)
    weight = None if table.weight is None else table.weight[:states, :most]
    return EdgeTable(table.symbol[:states, :most], table.target[:states, :most], weight, table.start, table.n_states)
