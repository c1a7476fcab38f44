"""State merging in context: Alergia, by the library aalpy, with Witten-Bell smoothing.

    merge states q, q' of the prefix tree while  |f(c | q) / n(q) - f(c | q') / n(q')|
        <= (n(q)^-1/2 + n(q')^-1/2) sqrt(ln(2 / epsilon) / 2)      for every symbol c, and so on for their successors
    p(c | q) = (f(c, q) + D(q) b(c)) / (n(q) + D(q)),   b = Witten-Bell n-gram of order `back_off` at that row

f(c, q) counts how often c was read in state q of the learned automaton, n(q) = sum_c f(c, q), D(q) is the number
of its symbols. The automaton is learned anew at each separator, from all the strings before it. In the first
string, and once a string has left the automaton by a symbol without an edge, the row is b. States that were
entered by different symbols are not merged (the library's Markov chains), so the automaton is never coarser than
a bigram; with free merging at a significance of 0.05 the few hundred symbols of a problem leave one or two states.

Reference: Carrasco and Oncina, Learning stochastic regular grammars by means of a state merging method, ICGI
1994; Muskardin et al., AALpy, Innovations in Systems and Software Engineering 18 (2022) 417.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from regbench.learners import LEARNERS, Text, read
from regbench.ngram import witten_bell
from toyworlds.core.ragged import Ragged
from toyworlds.core.validate import InputError, integer, real


@LEARNERS.register("state_merging")
@dataclass(frozen=True)
class StateMerging:
    """Alergia on the strings before the current one (needs the extra "grammar")."""

    epsilon: float = 1.0
    """Significance of the test that keeps two states apart, up to 2; larger values keep more states."""
    back_off: int = 2
    """Order of the n-gram that smooths the states and stands in where there is none."""

    def __post_init__(self) -> None:
        real("epsilon", self.epsilon, above=0, high=2)
        integer("back_off", self.back_off, 1)

    def predict(self, tokens: np.ndarray | Ragged, vocabulary: int = 20) -> np.ndarray:
        """Distributions of the next symbol, (problems, longest, vocabulary) float64."""
        text = read(tokens, vocabulary)
        values = witten_bell(text, self.back_off)
        state, followed = self._follow(text)
        total = followed.sum(axis=1, keepdims=True)
        distinct = np.count_nonzero(followed, axis=1)[:, None]
        inside = (state >= 0)[:, None] & (total > 0)
        return text.rows(np.where(inside, (followed + distinct * values) / np.maximum(total + distinct, 1), values))

    def _follow(self, text: Text) -> tuple[np.ndarray, np.ndarray]:
        """State of the learned automaton at each slot, -1 for none, and what was read in that state before."""
        state = np.full(len(text.token), -1, np.int64)
        followed = np.zeros((len(text.token), text.vocabulary), np.int64)
        begin, length, _ = text.strings()
        for number in np.flatnonzero(begin > text.start[text.problem[begin]]):
            first = np.searchsorted(begin, text.start[text.problem[begin[number]]])
            ends = zip(begin[first:number] + 1, length[first:number], strict=True)
            earlier = [text.token[b : b + n].tolist() for b, n in ends]
            automaton = learn(earlier, text.vocabulary, self.epsilon)
            counts = np.zeros(automaton.shape, np.int64)
            for string in earlier:
                np.add.at(counts, (walk(automaton, string)[:-1], string), 1)
            slots = slice(begin[number], begin[number] + 1 + length[number])
            state[slots] = walk(automaton, text.token[slots][1:].tolist())
            followed[slots] = counts[state[slots]]
        return state, followed


def learn(strings: list[list[int]], vocabulary: int, epsilon: float) -> np.ndarray:
    """Next state of each state and token, (states, vocabulary) int64, -1 for none; state 0 is the start."""
    try:
        from aalpy.learning_algs import run_Alergia
    except ModuleNotFoundError:
        raise InputError("state_merging: expected the library aalpy (the extra 'grammar'); it is not here") from None
    chain = run_Alergia([[vocabulary - 1, *string] for string in strings], "mc", eps=epsilon)
    states = [chain.initial_state] + [state for state in chain.states if state is not chain.initial_state]
    number = {id(state): i for i, state in enumerate(states)}
    next_state = np.full((len(states), vocabulary), -1, np.int64)
    for i, state in enumerate(states):
        for successor, _ in state.transitions:
            next_state[i, successor.output] = number[id(successor)]
    return next_state


def walk(next_state: np.ndarray, string: list[int]) -> np.ndarray:
    """State before the first token and after each, -1 once a token has no edge."""
    states = [0]
    for token in string:
        states.append(int(next_state[states[-1], token]) if states[-1] >= 0 else -1)
    return np.array(states)
