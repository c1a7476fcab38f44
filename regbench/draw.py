"""The law of the languages: random automata, a block of them at once.

    states n ~ U{n_min .. n_max}      alphabet size k ~ U{k_min .. k_max}, alphabet: k of the A symbols
    for each state q: edges d ~ U{d_min .. min(d_max, n - 1)}, d distinct symbols of the alphabet,
                      d distinct next states, none of them q

State 0 is the start and all states accept. The automaton is then minimised (regbench.minimize). With a
Dirichlet concentration c the d edges of a state get shares g_i / sum g, g_i ~ Gamma(c), rounded to 256ths of at
least one each; without one they are uniform, as published.

Languages are drawn in blocks of 4096, from words laid out (word, language), so any block can be made alone.

Reference: Akyurek et al., arXiv 2401.12973, section 3; the bounds of its public code are in `regbench.suites`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from regbench.edges import NONE, EdgeTable
from toyworlds.core import exact
from toyworlds.core.seeds import Stream, normal, uniform

BLOCK = 4096
"""Languages of a block; part of the bytes."""
LEAST_SHARE = 2.0**-60
WEIGHT_SUM = 256
"""Weights of a state's edges sum to this when they are not uniform."""


@dataclass(frozen=True)
class LanguageLaw:
    """Bounds of the law, all inclusive (checked by `regbench.suites`)."""

    symbols: int
    states: tuple[int, int]
    alphabet: tuple[int, int]
    edges: tuple[int, int]
    dirichlet: float


def draw_block(law: LanguageLaw, seed: int, names: tuple[str, ...], block: int) -> EdgeTable:
    """Languages block * 4096 .. of the streams named (seed, "regbench", *names)."""
    states, most = law.states[1], law.edges[1]
    numbers = _Numbers(Stream(seed, "regbench", *names, "language"), 2 + law.symbols + states * (1 + 2 * most), block)
    n_states = numbers.between(*law.states)
    size = numbers.between(*law.alphabet)
    permutation = _permutation(numbers, law.symbols)
    choices = np.minimum(law.edges[1], n_states - 1) - law.edges[0] + 1
    degree = np.stack([numbers.below(choices) for _ in range(states)]) + np.int8(law.edges[0])
    used = np.arange(states, dtype=np.int8)[:, None] < n_states
    letter = _distinct(numbers, most, states, size)
    target = _distinct(numbers, most, states, n_states - 1)
    target += target >= np.arange(states, dtype=np.int8)[:, None, None]
    each = np.arange(BLOCK)
    symbol = permutation.ravel()[letter.astype(np.int64) * BLOCK + each]
    absent = (np.arange(most, dtype=np.int8)[:, None] >= degree[:, None]) | ~used[:, None]
    symbol, target = _sorted(np.where(absent, np.int8(NONE), symbol), np.where(absent, np.int8(0), target))
    weight = None
    if law.dirichlet:
        stream = Stream(seed, "regbench", *names, "weight")
        weight = dirichlet_weights(law.dirichlet, symbol != NONE, stream, block)
    return EdgeTable(symbol, target, weight, np.zeros(BLOCK, np.int8), n_states.astype(np.int64))


class _Numbers:
    """Whole numbers from 32-bit halves of a block's words, one (BLOCK,) row of halves after the other."""

    def __init__(self, stream: Stream, rows: int, block: int) -> None:
        words = rows * BLOCK // 2
        halves = stream.words(block * words, words).astype("<u8", copy=False).view("<u4")
        self.rows = iter(halves.reshape(rows, BLOCK))

    def below(self, high: int | np.ndarray) -> np.ndarray:
        """floor(half * high / 2^32), (BLOCK,) int8; bias at most high / 2^32."""
        return ((next(self.rows).astype(np.uint64) * np.asarray(high, np.uint64)) >> np.uint64(32)).astype(np.int8)

    def between(self, low: int, high: int) -> np.ndarray:
        """Whole numbers from low to high, both included."""
        return self.below(high - low + 1) + np.int8(low)


def _permutation(numbers: _Numbers, size: int) -> np.ndarray:
    """Uniform permutations of 0 .. size - 1 by Fisher and Yates, (size, BLOCK) int8."""
    each = np.arange(BLOCK)
    out = np.repeat(np.arange(size, dtype=np.int8)[:, None], BLOCK, axis=1)
    flat = out.reshape(-1)
    for i in range(size):
        other = (numbers.below(size - i).astype(np.int64) + i) * BLOCK + each
        out[i], flat[other] = flat[other], out[i].copy()
    return out


def _distinct(numbers: _Numbers, count: int, states: int, high: np.ndarray) -> np.ndarray:
    """`count` distinct numbers below `high` in random order for each state, (states, count, BLOCK) int8."""
    out = np.empty((states, count, BLOCK), np.int8)
    for state in range(states):
        taken: list[np.ndarray] = []
        for j in range(count):
            value = numbers.below(high - np.int8(j))
            rest, taken = taken, []
            for smaller in rest:  # in rising order: skip over those at or below
                value += value >= smaller
            out[state, j] = value
            for smaller in rest:
                taken.append(np.minimum(value, smaller))
                value = np.maximum(value, smaller)
            taken.append(value)
    return out


def _sorted(symbol: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sort the edges of each state by symbol, along axis 1."""
    key = (symbol.astype(np.int16) << np.int16(8)) | target
    for last in range(key.shape[1] - 1, 0, -1):
        for j in range(last):
            low, high = np.minimum(key[:, j], key[:, j + 1]), np.maximum(key[:, j], key[:, j + 1])
            key[:, j], key[:, j + 1] = low, high
    return (key >> np.int16(8)).astype(np.int8), (key & np.int16(255)).astype(np.int8)


def dirichlet_weights(concentration: float, present: np.ndarray, stream: Stream, block: int) -> np.ndarray:
    """Weights of each state's edges, (S, m, BLOCK) int16: at least 1 each, summing to 256.

    Of 256 - d parts each edge gets its share rounded down, and the largest remainders get the rest.
    """
    share = np.where(present, _gamma(concentration, present.shape, stream, block), 0.0)
    total = np.zeros_like(share[:, :1])
    for e in range(present.shape[1]):  # in order, so that the last bit is the same everywhere
        total += share[:, e : e + 1]
    spare = WEIGHT_SUM - present.sum(axis=1, keepdims=True)
    wanted = share * spare / np.maximum(total, LEAST_SHARE)
    weight = np.floor(wanted)
    remainder = np.where(present, weight - wanted, 1.0)
    rank = np.argsort(np.argsort(remainder, axis=1, kind="stable"), axis=1, kind="stable")
    weight += rank < spare - weight.sum(axis=1, keepdims=True)
    return np.where(present, weight + 1, 0).astype(np.int16)


def _gamma(concentration: float, shape: tuple[int, ...], stream: Stream, block: int) -> np.ndarray:
    """Gamma(c) numbers, c a multiple of 1/2: whole c exponentials added up, and z^2 / 2 for the half."""
    whole, half = int(concentration), concentration % 1.0 > 0
    words = whole + 2 * half
    count = int(np.prod(shape)) * words
    drawn = stream.words(block * count, count).reshape(words, *shape)
    total: np.ndarray = np.full(shape, LEAST_SHARE)
    for row in drawn[:whole]:
        total = total - exact.log(1.0 - uniform(row))
    if half:
        root = normal(np.stack([drawn[whole], drawn[whole + 1]], axis=-1))
        total = total + 0.5 * (root * root)
    return total
