"""Probabilistic finite automata whose states all accept, many at once, as immutable arrays.

    P(symbol a | state q) = w[q, a] / sum_b w[q, b],    q' = next_state[q, a]

Our names against the paper's: next_state is the transition function, an edge is a pair (q, a) that has one,
start is S_0. The published languages are uniform (all w = 1). Weights are whole numbers, so that equality is
exact; a language is the law of its endless strings, so equal languages are automata of equal minimal form.

    n automata, S states at most, A symbols
    next_state   (n, S, A) int8     -1 where the state has no such edge
    start        (n,)      int8
    n_states     (n,)      int8     states n_states .. S - 1 are not used
    weights      (n, S, A) int16    0 where there is no edge; None: all 1

>>> automaton = Automaton.from_edges([(0, "a", 1), (1, "b", 0), (1, "a", 1)], symbols=2)
>>> print(automaton)
start 0
0  a -> 1
1  a -> 1   b -> 0
>>> automaton.accepts("aab"), automaton.accepts("ba"), automaton.law_after("a").tolist()
(True, False, [0.5, 0.5])

Reference: Akyurek et al., In-context language learning, arXiv 2401.12973, section 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from regbench.vocabulary import LETTERS
from toyworlds.core.validate import InputError, integer, reject

MOST_STATES = 127
MOST_SYMBOLS = len(LETTERS)
MOST_WEIGHT = 32767
DTYPES = {"next_state": "int8", "start": "int8", "n_states": "int8", "weights": "int16"}


@dataclass(frozen=True, eq=False)
class Automata:
    """A batch of automata; see the head of this file for the arrays."""

    next_state: np.ndarray
    start: np.ndarray
    n_states: np.ndarray
    weights: np.ndarray | None = None

    def __post_init__(self) -> None:
        given = {name: getattr(self, name) for name in DTYPES if getattr(self, name) is not None}
        _check_shapes(given)
        for name, values in given.items():
            wide = np.asarray(values)
            array = wide.astype(DTYPES[name])
            if not np.array_equal(array, wide):
                reject(name, f"numbers that fit {DTYPES[name]}", int(wide[array != wide][0]))
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        _check_values(self)

    @classmethod
    def of(cls, automata: Sequence[Automaton]) -> Automata:
        """Put single automata over the same number of symbols into one batch."""
        batches = [automaton.batch for automaton in automata]
        if len({batch.symbols for batch in batches}) != 1:
            reject("automata", "automata over one number of symbols", [batch.symbols for batch in batches][:8])
        states = max(batch.states for batch in batches)
        room = [((0, 0), (0, states - batch.states), (0, 0)) for batch in batches]
        weights = None
        if any(batch.weights is not None for batch in batches):
            weights = np.concatenate([np.pad(batch.counts, pad) for batch, pad in zip(batches, room, strict=True)])
        return cls(
            np.concatenate(
                [np.pad(batch.next_state, pad, constant_values=-1) for batch, pad in zip(batches, room, strict=True)]
            ),
            np.concatenate([batch.start for batch in batches]),
            np.concatenate([batch.n_states for batch in batches]),
            weights,
        )

    def __len__(self) -> int:
        return len(self.next_state)

    def __getitem__(self, item: int) -> Automaton:
        integer("automaton", item, -len(self), len(self) - 1)
        return Automaton(self.take(np.array([item])))

    def __iter__(self) -> Iterator[Automaton]:
        return (self[i] for i in range(len(self)))

    def take(self, rows: slice | np.ndarray) -> Automata:
        """Return the automata numbered `rows`."""
        weights = None if self.weights is None else self.weights[rows]
        return Automata(self.next_state[rows], self.start[rows], self.n_states[rows], weights)

    @property
    def states(self) -> int:
        """S, the size of the state axis."""
        return self.next_state.shape[1]

    @property
    def symbols(self) -> int:
        """A, the number of symbols."""
        return self.next_state.shape[2]

    @property
    def edges(self) -> np.ndarray:
        """True where a state has an edge, (n, S, A) bool."""
        return self.next_state >= 0

    @property
    def counts(self) -> np.ndarray:
        """Weights with the uniform ones written out, (n, S, A) int16."""
        return self.edges.astype(np.int16) if self.weights is None else self.weights

    def law(self) -> np.ndarray:
        """P(symbol | state), (n, S, A) float64; zeros for a state without edges."""
        counts = self.counts.astype(np.float64)
        return counts / np.maximum(counts.sum(axis=2, keepdims=True), 1.0)

    def states_along(self, symbols: np.ndarray) -> np.ndarray:
        """State before the first symbol and after each, (n, T + 1) int8.

        `symbols` is (n, T), whole numbers, -1 for padding behind the end. After a symbol that the automaton
        rejects, and after the end, the state is -1.
        """
        symbols = np.asarray(symbols)
        if symbols.ndim != 2 or len(symbols) != len(self):
            reject("symbols", f"shape ({len(self)}, length)", symbols.shape)
        if symbols.size and (symbols.min() < -1 or symbols.max() >= self.symbols):
            outside = symbols[(symbols < -1) | (symbols >= self.symbols)][0]
            reject("symbols", f"numbers from -1 to {self.symbols - 1}", int(outside))
        each = np.arange(len(self))
        state = np.empty((len(self), symbols.shape[1] + 1), np.int8)
        state[:, 0] = self.start
        for t in range(symbols.shape[1]):
            here, symbol = state[:, t], symbols[:, t]
            state[:, t + 1] = np.where((here < 0) | (symbol < 0), -1, self.next_state[each, here, symbol])
        return state

    def accepts(self, symbols: np.ndarray) -> np.ndarray:
        """True where the automaton can read the whole string, (n,) bool; arguments as for `states_along`."""
        states = self.states_along(symbols)
        length = np.count_nonzero(np.asarray(symbols) >= 0, axis=1)
        return states[np.arange(len(self)), length] >= 0

    def trim(self) -> Automata:
        """Drop the states that no string reaches, keeping the order of the others."""
        from regbench.minimize import trim

        return trim(self)

    def minimise(self) -> Automata:
        """Return the minimal automata in canonical form; see `regbench.minimize`."""
        from regbench.minimize import minimise

        return minimise(self)

    def hashes(self) -> list[str]:
        """128-bit hash of each language, 32 hexadecimal digits; equal exactly for equal languages."""
        from regbench.minimize import hashes

        return hashes(self)

    def stationary(self) -> np.ndarray:
        """Share of time spent in each state, (n, S) float64; see `regbench.chain`."""
        from regbench.chain import stationary

        return stationary(self)

    def entropy_rate(self) -> np.ndarray:
        """Entropy of the next symbol in the long run, nats, (n,) float64; see `regbench.chain`."""
        from regbench.chain import entropy_rate

        return entropy_rate(self)


@dataclass(frozen=True, eq=False)
class Automaton:
    """One automaton, read with words: symbols are characters or numbers, strings are texts or lists."""

    batch: Automata
    """The same automaton as a batch of one."""

    def __post_init__(self) -> None:
        if len(self.batch) != 1:
            reject("batch", "one automaton", f"{len(self.batch)} of them")

    @classmethod
    def from_edges(
        cls, edges: Iterable[Sequence[Any]], *, symbols: int = 18, start: int = 0, states: int | None = None
    ) -> Automaton:
        """Build from (state, symbol, next state) or (state, symbol, next state, weight)."""
        rows = [tuple(edge) for edge in edges]
        integer("symbols", symbols, 1, MOST_SYMBOLS)
        for row in rows:
            if len(row) not in (3, 4):
                reject("edges", "(state, symbol, next state) and perhaps a weight", row)
            integer("state", row[0], 0, MOST_STATES - 1)
            integer("next state", row[2], 0, MOST_STATES - 1)
        integer("start", start, 0, MOST_STATES - 1)
        least = 1 + max([start, *(end for row in rows for end in (row[0], row[2]))])
        count = integer("states", least if states is None else states, least, MOST_STATES)
        next_state = np.full((1, count, symbols), -1)
        weights = np.zeros((1, count, symbols), np.int64)
        for row in rows:
            place = (0, row[0], _number(row[1], symbols))
            if next_state[place] >= 0:
                reject("edges", "one edge for a state and symbol", f"a second one for {row[:2]}")
            next_state[place] = row[2]
            weights[place] = integer("weight", row[3], 1, MOST_WEIGHT) if len(row) == 4 else 1
        weighted = any(len(row) == 4 for row in rows)
        return cls(Automata(next_state, np.array([start]), np.array([count]), weights if weighted else None))

    @property
    def edges(self) -> list[tuple[int, int, int, int]]:
        """(state, symbol, next state, weight) in order of state and symbol."""
        found = np.argwhere(self.batch.edges[0])
        next_state, counts = self.batch.next_state[0], self.batch.counts[0]
        return [(int(q), int(a), int(next_state[q, a]), int(counts[q, a])) for q, a in found]

    @property
    def start(self) -> int:
        """The state in which every string begins."""
        return int(self.batch.start[0])

    @property
    def n_states(self) -> int:
        """Number of states."""
        return int(self.batch.n_states[0])

    def states_along(self, string: str | Sequence[int]) -> list[int]:
        """State before the first symbol and after each; -1 after a symbol that is rejected."""
        return [int(state) for state in self.batch.states_along(self._row(string))[0]]

    def accepts(self, string: str | Sequence[int]) -> bool:
        """Tell whether the automaton can read `string`."""
        return self.states_along(string)[-1] >= 0

    def law_after(self, prefix: str | Sequence[int] = "") -> np.ndarray:
        """P(next symbol | prefix), (A,) float64; InputError when the prefix is rejected."""
        states = self.states_along(prefix)
        if states[-1] < 0:
            place = states.index(-1) - 1
            raise InputError(f"prefix: {prefix!r} is rejected at place {place}, in state {states[place]}")
        return np.asarray(self.batch.law()[0, states[-1]])

    def minimise(self) -> Automaton:
        """Return the minimal automaton in canonical form."""
        return Automaton(self.batch.minimise())

    def __eq__(self, other: object) -> bool:
        """Equal languages: the same strings with the same probabilities."""
        return isinstance(other, Automaton) and self.minimise().edges == other.minimise().edges

    def __hash__(self) -> int:
        return int(self.batch.hashes()[0], 16)

    def __str__(self) -> str:
        from regbench.drawing import text

        return text(self)

    def _row(self, string: str | Sequence[int]) -> np.ndarray:
        return np.array([[_number(symbol, self.batch.symbols) for symbol in string]], dtype=np.int64).reshape(1, -1)


def _number(symbol: str | int, symbols: int) -> int:
    if isinstance(symbol, str):
        if len(symbol) != 1 or symbol not in LETTERS[:symbols]:
            reject("symbol", f"a character among {LETTERS[:symbols]!r}", symbol)
        return LETTERS.index(symbol)
    return integer("symbol", symbol, 0, symbols - 1)


def _check_shapes(given: dict[str, Any]) -> None:
    shape = np.shape(given["next_state"])
    if len(shape) != 3 or not 1 <= shape[1] <= MOST_STATES or not 1 <= shape[2] <= MOST_SYMBOLS:
        expected = f"shape (n, 1 to {MOST_STATES} states, 1 to {MOST_SYMBOLS} symbols)"
        reject("next_state", expected, shape)
    for name, want in (("start", shape[:1]), ("n_states", shape[:1]), ("weights", shape)):
        if name in given and np.shape(given[name]) != want:
            reject(name, f"shape {want}", np.shape(given[name]))
    for name, array in given.items():
        if not np.issubdtype(np.asarray(array).dtype, np.integer):
            reject(name, "whole numbers", f"dtype {np.asarray(array).dtype}")


def _check_values(automata: Automata) -> None:
    count = automata.n_states[:, None, None]
    if np.any((automata.n_states < 1) | (automata.n_states > automata.states)):
        reject("n_states", f"numbers from 1 to {automata.states}", automata.n_states.tolist()[:8])
    if np.any((automata.start < 0) | (automata.start >= automata.n_states)):
        reject("start", "a state of each automaton", automata.start.tolist()[:8])
    unused = np.arange(automata.states)[:, None] >= count
    if np.any(automata.next_state < -1) or np.any(automata.next_state >= count) or np.any(automata.edges & unused):
        reject("next_state", "-1 or a state below n_states, and -1 in unused states", "an edge elsewhere")
    if automata.weights is not None and np.any((automata.weights > 0) != automata.edges):
        reject("weights", "positive on edges and 0 elsewhere", "a weight that has no edge, or an edge without one")
