"""Automata as tables of edges with the batch last: the form in which they are drawn and minimised fast.

    S states at most, m edges a state at most, B automata
    symbol    (S, m, B) int8     sorted along m within each state; NONE = 127 behind a state's last edge
    target    (S, m, B) int8     0 where there is no edge
    weight    (S, m, B) int16    0 where there is no edge; None: all 1
    start     (B,)      int8
    n_states  (B,)      int64

An array operation then runs over the B automata next to each other in memory, whatever the state or edge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from regbench.automaton import Automata
from toyworlds.core.ragged import Ragged

NONE = 127


@dataclass(frozen=True)
class EdgeTable:
    """B automata; see the head of this file."""

    symbol: np.ndarray
    target: np.ndarray
    weight: np.ndarray | None
    start: np.ndarray
    n_states: np.ndarray

    @property
    def shape(self) -> tuple[int, int, int]:
        """(S, m, B)."""
        return self.symbol.shape

    @property
    def present(self) -> np.ndarray:
        """True where there is an edge, (S, m, B) bool."""
        return self.symbol != NONE

    def take(self, rows: np.ndarray) -> EdgeTable:
        """Return the automata numbered `rows`."""
        weight = None if self.weight is None else self.weight[:, :, rows]
        return EdgeTable(
            self.symbol[:, :, rows], self.target[:, :, rows], weight, self.start[rows], self.n_states[rows]
        )

    def rows(self) -> Ragged:
        """(state, symbol, next state, weight) of all edges in order, (edges, 4) int8; int16 with weights."""
        present = _batch_first(self.present)
        state = np.arange(self.shape[0], dtype=np.uint32)[:, None, None]
        packed = state | (self.symbol.astype(np.uint32) << np.uint32(8)) | np.uint32(1 << 24)
        packed |= self.target.astype(np.uint32) << np.uint32(16)
        values = _batch_first(packed)[present].astype("<u4", copy=False).view(np.int8).reshape(-1, 4)
        if self.weight is not None:
            values = values.astype(np.int16)
            values[:, 3] = _batch_first(self.weight)[present]
        return Ragged(values, np.concatenate([[0], np.cumsum(np.count_nonzero(present, axis=1))]))


def joined(parts: list[EdgeTable]) -> EdgeTable:
    """Return one batch of several with equal axes."""
    if len(parts) == 1:
        return parts[0]
    weights = [part.weight for part in parts if part.weight is not None]
    return EdgeTable(
        np.concatenate([part.symbol for part in parts], axis=2),
        np.concatenate([part.target for part in parts], axis=2),
        np.concatenate(weights, axis=2) if weights else None,
        np.concatenate([part.start for part in parts]),
        np.concatenate([part.n_states for part in parts]),
    )


def _batch_first(array: np.ndarray) -> np.ndarray:
    """(S, m, B) as contiguous (B, S m)."""
    return np.ascontiguousarray(array.reshape(-1, array.shape[2]).T)


def from_automata(automata: Automata) -> EdgeTable:
    """Edge table of automata in array form."""
    n, states, _ = automata.next_state.shape
    found = automata.edges
    degree = found.sum(axis=2)
    most = max(int(degree.max(initial=0)), 1)
    symbol = np.full((states, most, n), NONE, np.int8)
    target = np.zeros((states, most, n), np.int8)
    which, state, letter = np.nonzero(found)
    place = (np.cumsum(found, axis=2) - 1)[which, state, letter]
    symbol[state, place, which] = letter
    target[state, place, which] = automata.next_state[which, state, letter]
    weight = None
    if automata.weights is not None:
        weight = np.zeros(symbol.shape, np.int16)
        weight[state, place, which] = automata.weights[which, state, letter]
    return EdgeTable(symbol, target, weight, automata.start, automata.n_states.astype(np.int64))


def to_automata(table: EdgeTable, symbols: int) -> Automata:
    """Array form of an edge table."""
    states, _, n = table.shape
    next_state = np.full((n, states, symbols), -1, np.int8)
    state, place, which = np.nonzero(table.present)
    letter = table.symbol[state, place, which]
    next_state[which, state, letter] = table.target[state, place, which]
    weights = None
    if table.weight is not None:
        weights = np.zeros(next_state.shape, np.int16)
        weights[which, state, letter] = table.weight[state, place, which]
    return Automata(next_state, table.start, table.n_states, weights)
