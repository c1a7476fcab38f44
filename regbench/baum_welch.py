"""Baum-Welch: a hidden Markov model fitted to each context, batched over problems.

    P(x_1 .. x_T) = sum over paths of prod_t M[x_t, q_{t-1}, q_t],   q_0 = the start state
    E-step   N[c, q, r] = expected number of steps q -> r that emit c, given the strings and M
    M-step   emission "edge":   M[c, q, r] = (N[c, q, r] + eps) / sum over c, r
             emission "state":  M[c, q, r] = A[q, r] B[r, c],  A ~ sum_c N + eps,  B ~ sum_q N + eps

"edge" lets every edge emit its own law, which is the class of the automata themselves: with as many states as
the automaton it can be exact. "state" is the textbook model (start law, transition and emission matrices), here
with a start state of its own whose row of A is the start law. `pseudo_count` is the mass that eps adds to each
row in all; without it a symbol not yet seen would have probability 0.

In context. A problem is fitted anew at each separator, to all the strings before it, and in its first string
after 1, 2, 4, 8 .. symbols; between two fits the model filters the current string. A fit starts where the last
one ended and runs `iterations` steps; of `restarts` such chains, each from its own random start, the one that
gives the text so far the highest likelihood predicts. So the cost is

    iterations x restarts x (sum over fits of the symbols read so far) x states^2,

that is 5 to 9 full passes over the text a step for 10 to 19 strings; a fit at every token would need hundreds.

Reference: Baum et al., Annals of Mathematical Statistics 41 (1970) 164; Rabiner, Proc. IEEE 77 (1989) 257.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from regbench.learners import LEARNERS, Text, read
from toyworlds.core.ragged import Ragged
from toyworlds.core.seeds import Stream
from toyworlds.core.validate import choice, integer, real

EMISSIONS = ("edge", "state")
CHUNK = 64
"""Problems fitted together: large enough for long array operations, small enough for the cache."""


@dataclass(frozen=True)
class Strings:
    """Strings of several models, the longest first.

    symbol (strings, longest) int64, 0 .. symbols - 1; length (strings,); owner (strings,) model of each string
    """

    symbol: np.ndarray
    length: np.ndarray
    owner: np.ndarray

    @classmethod
    def of(cls, symbol: np.ndarray, length: np.ndarray, owner: np.ndarray) -> Strings:
        """Sort by falling length."""
        order = np.argsort(-length, kind="stable")
        return cls(symbol[order, : int(length.max(initial=0))], length[order], owner[order])

    def alive(self) -> list[int]:
        """Number of strings longer than t, t = 0 .. longest - 1."""
        return [int(np.count_nonzero(self.length > t)) for t in range(self.symbol.shape[1])]


def forward(model: np.ndarray, start: int, strings: Strings) -> tuple[np.ndarray, np.ndarray]:
    """Filtered states and the probability of each symbol given those before it.

    Parameters
    ----------
    model : (models, symbols, states, states) float64
        M of the docstring above.
    start : int
        The start state.
    strings : Strings
        What to read.

    Returns
    -------
    alpha : (longest + 1, strings, states) float64
        P(q_t | x_1 .. x_t), 0 behind the end of a string.
    scale : (longest, strings) float64
        P(x_{t+1} | x_1 .. x_t), 1 behind the end.

    """
    flat, which = _flat(model, strings)
    alpha = np.zeros((which.shape[1] + 1, len(which), model.shape[2]))
    alpha[0, :, start] = 1.0
    scale = np.ones(alpha.shape[:2])[1:]
    for t, alive in enumerate(strings.alive()):
        step = (alpha[t, :alive, None, :] @ flat[which[:alive, t]])[:, 0]
        scale[t, :alive] = step.sum(axis=1)
        alpha[t + 1, :alive] = step / scale[t, :alive, None]
    return alpha, scale


def expected_counts(model: np.ndarray, start: int, strings: Strings) -> tuple[np.ndarray, np.ndarray]:
    """E-step: N (models, symbols, states, states), and the log-likelihood of each model's strings (models,)."""
    alpha, scale = forward(model, start, strings)
    flat, which = _flat(model, strings)
    beta = np.ones_like(alpha)
    for t, alive in reversed(list(enumerate(strings.alive()))):
        ahead = beta[t + 1, :alive] / scale[t, :alive, None]
        beta[t, :alive] = (flat[which[:alive, t]] @ ahead[:, :, None])[:, :, 0]
    inside = np.arange(len(scale))[:, None] < strings.length
    key = which.T[inside]
    order = np.argsort(key, kind="stable")
    left, right = alpha[:-1][inside][order], (beta[1:] / scale[:, :, None])[inside][order]
    first = np.flatnonzero(np.diff(key[order], prepend=-1))
    counts = np.zeros_like(flat)
    present = key[order][first]
    counts[present] = np.add.reduceat(left[:, :, None] * right[:, None, :], first, axis=0) * flat[present]
    return counts.reshape(model.shape), np.bincount(strings.owner, np.log(scale).sum(axis=0), minlength=len(model))


def maximise(counts: np.ndarray, emission: str, pseudo_count: float) -> np.ndarray:
    """M-step: the model that fits the expected counts best, each row smoothed by `pseudo_count` in all."""
    symbols, states = counts.shape[1:3]
    if emission == "edge":
        counts = counts + pseudo_count / (symbols * states)
        return np.asarray(counts / counts.sum(axis=(1, 3), keepdims=True))
    counts = counts[..., :-1]
    transition = counts.sum(axis=1) + pseudo_count / (states - 1)
    emitted = counts.sum(axis=2) + pseudo_count / symbols
    transition /= transition.sum(axis=2, keepdims=True)
    emitted /= emitted.sum(axis=1, keepdims=True)
    model = np.zeros((len(counts), symbols, states, states))
    np.multiply(transition[:, None], emitted[:, :, None], out=model[..., :-1])
    return model


def _flat(model: np.ndarray, strings: Strings) -> tuple[np.ndarray, np.ndarray]:
    symbols, states = model.shape[1:3]
    return model.reshape(-1, states, states), strings.owner[:, None] * symbols + strings.symbol


@LEARNERS.register("baum_welch")
@dataclass(frozen=True)
class BaumWelch:
    """Hidden Markov model fitted to the context by expectation maximisation."""

    states: int = 12
    """Hidden states."""
    emission: str = "edge"
    """What a symbol depends on: "edge", the states before and after it, or "state", the state after it."""
    iterations: int = 3
    """Steps of expectation maximisation at each fit."""
    restarts: int = 8
    """Chains of fits from random starts of their own."""
    pseudo_count: float = 0.1
    """Mass added to each row of expected counts."""
    seed: int = 0
    """Seed of the random starts, which are the same for every problem."""

    def __post_init__(self) -> None:
        choice("emission", self.emission, EMISSIONS)
        for name in ("states", "iterations", "restarts"):
            integer(name, getattr(self, name), 1)
        real("pseudo_count", self.pseudo_count, above=0)
        integer("seed", self.seed, 0)

    def predict(self, tokens: np.ndarray | Ragged, vocabulary: int = 20) -> np.ndarray:
        """Distributions of the next symbol, (problems, longest, vocabulary) float64."""
        text = read(tokens, vocabulary)
        values = np.zeros((len(text.token), vocabulary))
        for first in range(0, len(text.lengths), CHUNK):
            self._predict_chunk(text, slice(first, first + CHUNK), values)
        return text.rows(values)

    @property
    def start(self) -> int:
        """Number of the start state: a state of its own where states emit."""
        return 0 if self.emission == "edge" else self.states

    def first_models(self, symbols: int) -> np.ndarray:
        """Random models, (restarts, symbols, states, states)."""
        size = self.states if self.emission == "edge" else self.states + 1
        shape = (self.restarts, symbols, size, size)
        uniform = Stream(self.seed, "baum_welch").uniform(0, int(np.prod(shape))).reshape(shape)
        return maximise(-np.log1p(-uniform), self.emission, 0.0)

    def _predict_chunk(self, text: Text, problems: slice, values: np.ndarray) -> None:
        begin, length, symbol = text.strings()
        numbers = np.arange(len(text.lengths))[problems]
        mine = np.flatnonzero((text.problem[begin] >= numbers[0]) & (text.problem[begin] <= numbers[-1]))
        mine = mine[np.argsort(-length[mine], kind="stable")]
        begin, length, symbol, owner = begin[mine], length[mine], symbol[mine], text.problem[begin[mine]] - numbers[0]
        fits, end = _fit_slots(text, numbers), text.start[numbers + 1]
        chains = [np.repeat(m[None], len(numbers), axis=0) for m in self.first_models(text.vocabulary - 2)]
        for now, until in zip(fits.T[:-1], fits.T[1:], strict=True):
            live = now < end
            done = np.where(live[owner], np.clip(now[owner] - begin, 0, length), 0)
            some = done > 0
            model = self._fit(chains, live, Strings.of(symbol[some], done[some], owner[some]))
            current = live[owner] & (begin <= now[owner]) & (now[owner] <= begin + length)
            window = Strings(symbol[current], length[current], owner[current])
            first, last = now[window.owner], np.minimum(until[window.owner], begin[current] + length[current] + 1)
            alpha, _ = forward(model, self.start, window)
            emission = model.sum(axis=3).transpose(0, 2, 1)[window.owner]
            slot = begin[current] + np.arange(len(alpha))[:, None]
            t, s = np.nonzero((slot >= first) & (slot < last))
            values[slot[t, s], 1:-1] = (alpha[t, s, None, :] @ emission[s])[:, 0]

    def _fit(self, chains: list[np.ndarray], live: np.ndarray, strings: Strings) -> np.ndarray:
        """Move every chain of the live problems on; return the likeliest model of each problem."""
        best, score = chains[0], np.full(len(live), -np.inf)
        place = np.cumsum(live) - 1
        strings = Strings(strings.symbol, strings.length, place[strings.owner])
        for chain in chains:
            model = chain[live]
            for _ in range(self.iterations):
                counts, _ = expected_counts(model, self.start, strings)
                model = maximise(counts, self.emission, self.pseudo_count)
            chain[live] = model
            likelihood = np.full(len(live), -np.inf)
            likelihood[live] = log_likelihood(model, self.start, strings)
            best = np.where((likelihood > score)[:, None, None, None], chain, best)
            score = np.maximum(likelihood, score)
        return best


def log_likelihood(model: np.ndarray, start: int, strings: Strings) -> np.ndarray:
    """Log-likelihood of each model's strings, natural logarithm, (models,)."""
    _, scale = forward(model, start, strings)
    return np.bincount(strings.owner, np.log(scale).sum(axis=0), minlength=len(model))


def _fit_slots(text: Text, problems: np.ndarray) -> np.ndarray:
    """Slots at which each problem is fitted, (problems, most + 1), filled up with the problem's end."""
    rows = []
    for problem in problems:
        start, end = text.start[problem], text.start[problem + 1]
        fresh = start + 1 + np.flatnonzero(text.fresh[start + 1 : end])
        first = np.append(fresh, end)[0]
        early = start + 2 ** np.arange(int(first - start - 1).bit_length())
        rows.append(np.concatenate([early, fresh]))
    out = np.repeat(text.start[problems + 1][:, None], max(map(len, rows)) + 1, axis=1)
    for row, slots in zip(out, rows, strict=True):
        row[: len(slots)] = slots
    return out
