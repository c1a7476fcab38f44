"""Ceilings: the true automaton, and the best that can be done when the true states are given but not their edges.

At each row the state oracle knows the text so far, the raw state after every token of it, and the law by which
languages are drawn; it does not know the edges. With k symbols seen in n earlier steps out of the present
state, u symbols seen anywhere, and k_q symbols seen out of each state q (docs/regbench_oracle.md derives it),

    P(d | data)   ~  P(d) d (d - 1) .. (d - k + 1) d^-n                     edges of the present state
    P(a | data)   ~  P(a) a^(u) / prod_q a^(k_q),  x^(j) = x (x - 1) .. (x - j + 1)       alphabet size
    P(c next)     =  E[1/d]                            c seen out of this state
                     E[(d - k)/d] E[1/(a - k)]         c seen, but not out of this state
                     E[(d - k)/d] E[(a - u)/((V - u)(a - k))]               c never seen

and the two expectations are over independent posteriors. What a state's edges lead to, the number of states
and their names carry no information about the symbols, so they drop out.

Reference: docs/regbench_oracle.md; the law is that of Akyurek et al., arXiv 2401.12973.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from regbench.learners import Text, read
from regbench.ngram import running_counts
from regbench.suites import RegBench
from toyworlds.core.ragged import Ragged
from toyworlds.core.validate import choice, integer, reject

OBJECTIVES = ("cross_entropy", "dfa_accuracy", "total_variation")


@dataclass(frozen=True)
class StateOracle:
    """Bayes-optimal decisions of one who is told the raw states; the fields are the law that is drawn from."""

    min_alphabet: int = 4
    """Least alphabet size; the size is uniform, the alphabet a uniform subset of the symbols."""
    max_alphabet: int = 18
    """Largest alphabet size."""
    min_edges: int = 1
    """Least number of edges out of a state; the number is uniform."""
    max_edges: int = 3
    """Largest number of edges out of a state."""

    def __post_init__(self) -> None:
        integer("min_edges", self.min_edges, 1)
        integer("max_edges", self.max_edges, self.min_edges)
        integer("min_alphabet", self.min_alphabet, self.max_edges)
        integer("max_alphabet", self.max_alphabet, self.min_alphabet)

    @classmethod
    def of(cls, world: RegBench) -> StateOracle:
        """Oracle for the law of a RegBench world with uniform edges."""
        if world.dirichlet:
            reject("dirichlet", "0: the oracle is derived for uniform edges", world.dirichlet)
        if world.edges[1] > world.states[0] - 1:
            reject("edges", f"at most {world.states[0] - 1}, so that every state has as many targets", world.edges)
        return cls(*world.alphabet, *world.edges)

    def predict(
        self,
        tokens: np.ndarray | Ragged,
        states: np.ndarray | Ragged,
        vocabulary: int = 20,
        *,
        start: int = 0,
        objective: str = "cross_entropy",
    ) -> np.ndarray:
        """Optimal distributions for one objective, (problems, longest, vocabulary) float64.

        Parameters
        ----------
        tokens : (problems, length) int or Ragged
            Texts, as for every learner.
        states : (problems, length) int or Ragged
            Raw state after reading each token; the start state after a separator.
        vocabulary : int
            Size of a distribution: symbols, padding and separator.
        start : int
            The raw state in which every string begins.
        objective : str
            "cross_entropy": the posterior mean; "dfa_accuracy": all mass on the symbols that are most
            probably allowed; "total_variation": the distribution of least expected distance from the truth.

        """
        choice("objective", objective, OBJECTIVES)
        integer("vocabulary", vocabulary, self.max_alphabet + 2)
        text = read(tokens, vocabulary)
        belief = self._belief(text, _states(text, states, start))
        decide = {"cross_entropy": _mean, "dfa_accuracy": _allowed, "total_variation": _median}[objective]
        values = np.take_along_axis(decide(belief), belief.kind, axis=1)
        values[:, [0, -1]] = 0.0
        return text.rows(values)

    def _belief(self, text: Text, state: np.ndarray) -> Belief:
        followed, _ = running_counts(text, text.problem * (state.max() + 1) + state)
        here = followed > 0
        seen = _symbols_read(text)
        k, n, u = here.sum(axis=1), followed.sum(axis=1), seen.sum(axis=1)
        edges = np.arange(1, self.max_edges + 1)
        prior = np.where(edges >= self.min_edges, 0.0, -np.inf)
        alphabet = np.arange(self.min_alphabet, self.max_alphabet + 1)
        symbols = text.vocabulary - 2
        p_alphabet = self._alphabet(text, alphabet, here, k, u)
        spare = np.maximum(alphabet - k[:, None], 1)
        known = (p_alphabet / spare).sum(axis=1)
        fresh = (p_alphabet * (alphabet - u[:, None]) / spare).sum(axis=1) / np.maximum(symbols - u, 1)
        p_edges = _normalised(prior + _edge_likelihood(edges, k, n))
        unseen = p_edges * (edges - k[:, None]).clip(0)
        share = np.stack([p_edges, unseen * known[:, None], unseen * fresh[:, None]], axis=1)
        return Belief(share, np.stack([k, u - k, symbols - u], axis=1), np.where(here, 0, np.where(seen, 1, 2)))

    def _alphabet(self, text: Text, alphabet: np.ndarray, here: np.ndarray, k: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Posterior of the alphabet size at each slot, (slots, sizes)."""
        step = np.zeros((len(k), len(alphabet)))
        slot = np.flatnonzero(text.following >= 0)
        edge = slot[~here[slot, text.following[slot]]]
        step[edge + 1] -= np.log(np.maximum(alphabet - k[edge, None], 1))
        symbol = edge[u[edge + 1] > u[edge]]
        step[symbol + 1] += np.log(np.maximum(alphabet - u[symbol, None], 1))
        weight = np.where(alphabet >= u[:, None], text.since(step), -np.inf)
        return _normalised(weight)


@dataclass(frozen=True)
class Belief:
    """What the oracle believes at each slot, the symbols being of three kinds that are exchangeable.

    share (slots, 3, edges)   P(a given symbol of that kind is allowed and the state has d edges), d = 1, 2 ..
    count (slots, 3)          symbols of each kind: seen out of this state, seen elsewhere only, never seen
    kind  (slots, vocabulary) the kind of each symbol
    """

    share: np.ndarray
    count: np.ndarray
    kind: np.ndarray


def _mean(belief: Belief) -> np.ndarray:
    edges = np.arange(1, belief.share.shape[2] + 1)
    return (belief.share / edges).sum(axis=2)


def _allowed(belief: Belief) -> np.ndarray:
    """Mass shared evenly by the symbols of the kind most probably allowed (each is as good as the other)."""
    inclusion = np.where(belief.count > 0, belief.share.sum(axis=2), -1.0)
    best = inclusion.argmax(axis=1)
    out = np.zeros(belief.count.shape)
    np.put_along_axis(out, best[:, None], 1.0 / np.take_along_axis(belief.count, best[:, None], axis=1), axis=1)
    return out


def _median(belief: Belief) -> np.ndarray:
    """Minimise E sum_c |p_c - truth_c| over the simplex, exactly.

    Each term is convex and piecewise linear in p_c with corners at 0, 1/D, .., 1/2, 1; between 1/(m + 1) and
    1/m its slope is 1 - 2 P(c allowed, d <= m). So the stretches are filled in falling order of that
    probability until the mass is 1.
    """
    slots, kinds, edges = belief.share.shape
    tail = np.cumsum(belief.share, axis=2)[:, :, ::-1]
    corner = 1.0 / np.arange(edges, 0, -1)
    width = np.diff(corner, prepend=0.0)
    room = (belief.count[:, :, None] * width).reshape(slots, -1)
    order = np.argsort(-tail.reshape(slots, -1), axis=1, kind="stable")
    sorted_room = np.take_along_axis(room, order, axis=1)
    filled = np.clip(1.0 - (np.cumsum(sorted_room, axis=1) - sorted_room), 0.0, sorted_room)
    mass = np.empty_like(room)
    np.put_along_axis(mass, order, filled, axis=1)
    return mass.reshape(slots, kinds, edges).sum(axis=2) / np.maximum(belief.count, 1)


def _edge_likelihood(edges: np.ndarray, k: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Logarithm of d (d - 1) .. (d - k + 1) d^-n for each number d of edges, (slots, edges)."""
    weight = -n[:, None] * np.log(edges)
    for j in range(int(k.max(initial=0))):
        factor = np.where(edges > j, np.log(np.maximum(edges - j, 1)), -np.inf)
        weight = weight + np.where(k[:, None] > j, factor, 0.0)
    return np.asarray(weight)


def _normalised(weight: np.ndarray) -> np.ndarray:
    top = weight.max(axis=1, keepdims=True)
    if not np.isfinite(top).all():
        reject("states", "texts that the law of the oracle can draw", "one that has probability 0 under it")
    p = np.exp(weight - top)
    return np.asarray(p / p.sum(axis=1, keepdims=True))


def _symbols_read(text: Text) -> np.ndarray:
    once = np.zeros((len(text.token), text.vocabulary), np.int32)
    slot = np.flatnonzero(~text.fresh)
    once[slot, text.token[slot]] = 1
    return text.since(once) > 0


def _states(text: Text, states: np.ndarray | Ragged, start: int) -> np.ndarray:
    """State at each slot, from the states after each token."""
    rows = states.padded(0) if isinstance(states, Ragged) else np.asarray(states)
    lengths = text.lengths
    if rows.ndim != 2 or len(rows) != len(lengths) or rows.shape[1] < lengths.max():
        reject("states", f"shape ({len(lengths)}, {lengths.max()}), that of the tokens", rows.shape)
    state = np.full(len(text.token), start, np.int64)
    inside = np.ones(len(state), bool)
    inside[text.start[:-1]] = False
    state[inside] = rows[:, : lengths.max()][np.arange(lengths.max()) < lengths[:, None]]
    if state.min() < 0 or np.any(state[text.fresh] != start):
        reject("states", f"raw states from 0, and {start} after each separator", sorted(set(state.tolist())))
    return state
