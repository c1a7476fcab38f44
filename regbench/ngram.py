"""N-gram learners in context: back-off as published, and Witten-Bell smoothing.

    back-off      p_k(c | h) = N(h c) / N(h)                              where N(h c) > 0
                  p_k(c | h) = r_k(h) p_{k-1}(c | h') / sum over such c   elsewhere, r_k = 1 - sum_c N(h c) / N(h)
    Witten-Bell   p_k(c | h) = (M(h c) + D(h) p_{k-1}(c | h')) / (M(h) + D(h)),  p_{-1} = 1 / symbols

h is the last k symbols of the current string, padded in front with order - 1 marks '_'; h' is h without its
first. All counts are over every string read so far, the unfinished one included, and start afresh with each
problem. N(h) counts the occurrences of h, also those at the end of a string, so r_k > 0 as a rule; '_' is
counted in the unigram total and in the runs '_' of lower orders. Where every symbol read so far follows h,
the mass r_k has nowhere to go and stays missing: such rows sum to less than 1 (the published learner has
them). M(h) = sum_c M(h c) counts only occurrences that were followed by a symbol, D(h) the distinct symbols
that followed; Witten-Bell rows sum to 1 and no symbol has probability 0.

Counts come from one stable sort of the slots by context and a running sum within each context, so that the
cost is O(order x slots x vocabulary), not quadratic in the length of a text.

Reference: Akyurek et al., arXiv 2401.12973; Witten and Bell, The zero-frequency problem, IEEE Transactions on
Information Theory 37 (1991) 1085.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from regbench.learners import LEARNERS, Text, read
from toyworlds.core.ragged import Ragged
from toyworlds.core.validate import choice, integer

SMOOTHINGS = ("backoff", "witten-bell")


@LEARNERS.register("ngram")
@dataclass(frozen=True)
class NGram:
    """N-gram model of everything read so far.

    >>> from toyworlds.core.ragged import Ragged
    >>> text = Ragged.of([[1, 2, 1]], "int64")                     # a b a, of the symbols a, b, c
    >>> NGram(order=1).predict(text, vocabulary=5)[0, 2].round(3).tolist()
    [0.0, 0.667, 0.333, 0.0, 0.0]
    """

    order: int = 3
    """Symbols of an n-gram: 1 looks at no context, 3 at the last two symbols."""
    smoothing: str = "backoff"
    """"backoff" as published (rows may sum to less than 1), or "witten-bell"."""

    def __post_init__(self) -> None:
        integer("order", self.order, 1)
        choice("smoothing", self.smoothing, SMOOTHINGS)

    def predict(self, tokens: np.ndarray | Ragged, vocabulary: int = 20) -> np.ndarray:
        """Distributions of the next symbol, (problems, longest, vocabulary) float64."""
        text = read(tokens, vocabulary)
        values = backoff(text, self.order) if self.smoothing == "backoff" else witten_bell(text, self.order)
        return text.rows(values)


def contexts(text: Text, longest: int) -> Iterator[np.ndarray]:
    """For k = 0 .. longest: a number for each slot that names its problem and its last k symbols, int64."""
    name = text.problem
    yield name
    for _ in range(longest):
        before = np.concatenate([[0], name[:-1]])
        key = np.where(text.fresh, -1 - text.problem, before * text.vocabulary + text.token)
        name = np.unique(key, return_inverse=True)[1].astype(np.int64)
        yield name


def running_counts(text: Text, name: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count what followed each slot's context before that slot, and the slots with that context so far.

    Returns
    -------
    followed : (slots, vocabulary) int32
        How often each symbol followed an earlier slot of the same `name`.
    seen : (slots,) int64
        Slots of the same `name` up to and including this one.

    """
    order = np.argsort(name, kind="stable")
    first = np.flatnonzero(np.diff(name[order], prepend=-1))
    group = np.repeat(first, np.diff(np.append(first, len(name))))
    events = np.zeros((len(name) + 1, text.vocabulary), np.int32)
    after = text.following[order]
    events[1:][np.flatnonzero(after >= 0), after[after >= 0]] = 1
    total = np.cumsum(events, axis=0, dtype=np.int32, out=events)
    followed = np.empty((len(name), text.vocabulary), np.int32)
    followed[order] = total[:-1] - total[group]
    seen = np.empty(len(name), np.int64)
    seen[order] = np.arange(len(name)) - group + 1
    return followed, seen


def backoff(text: Text, order: int) -> np.ndarray:
    """Rows of the back-off n-gram, (slots, vocabulary) float64."""
    strings = text.since(text.fresh.astype(np.int64))
    symbols = text.since((~text.fresh).astype(np.int64))
    lower = np.zeros((len(text.token), text.vocabulary))
    for k, name in enumerate(contexts(text, order - 1)):
        followed, occurrences = running_counts(text, name)
        if k == 0:
            occurrences = symbols + (order - 1) * strings
        else:  # a run of k marks occurs order - k times in front of each string
            occurrences = np.where(text.fresh, (order - k) * strings, occurrences)
        p = followed / np.maximum(occurrences, 1)[:, None]
        spare = np.where(followed > 0, 0.0, lower)
        mass = spare.sum(axis=1)
        rest = np.where(mass > 0, (1.0 - p.sum(axis=1)) / np.where(mass > 0, mass, 1.0), 0.0)
        lower = p + rest[:, None] * spare
    return lower


def witten_bell(text: Text, order: int) -> np.ndarray:
    """Rows of the Witten-Bell n-gram, (slots, vocabulary) float64."""
    lower = np.zeros((1, text.vocabulary))
    lower[:, 1:-1] = 1.0 / (text.vocabulary - 2)
    for name in contexts(text, order - 1):
        followed, _ = running_counts(text, name)
        distinct = (followed > 0).sum(axis=1, keepdims=True)
        total = followed.sum(axis=1, keepdims=True)
        weight = np.maximum(total + distinct, 1)
        lower = np.where(total > 0, (followed + distinct * lower) / weight, lower)
    return lower
