"""Learners of a language from its context alone: one interface, and the view of the texts that they share.

    probs[b, i] = distribution of the next symbol after reading tokens[b, : i + 1],  i = 0 .. length_b - 1

A learner is a frozen dataclass with one method, `predict(tokens, vocabulary)`. It returns float64 of shape
(problems, longest, vocabulary); rows behind the end of a text are 0. Row i is made from tokens[b, : i + 1] and
from nothing else: a later token, another problem and the padding never change it (tests/regbench hold every
learner to that). Columns 0 (padding) and vocabulary - 1 (separator) are 0: learners predict the symbol that
would follow, as the published truth does, never the end of a string.

    text     a b | b a           slots   | a b | b a     (a virtual separator stands before the text)
    rows     0 1 2 3 4           row i is slot i + 1; the string read so far is '' at a separator

Reference: Akyurek et al., In-context language learning: architectures and algorithms, arXiv 2401.12973.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from regbench.vocabulary import PADDING
from toyworlds.core.ragged import Ragged
from toyworlds.core.registry import Registry
from toyworlds.core.validate import InputError, integer, reject

LEARNERS = Registry("learner")
"""Every in-context learner by name."""


class Learner(Protocol):
    """What every learner offers."""

    def predict(self, tokens: np.ndarray | Ragged, vocabulary: int = 20) -> np.ndarray:
        """Distributions of the next symbol, (problems, longest, vocabulary) float64."""
        ...


@dataclass(frozen=True)
class Text:
    """Texts laid end to end, each behind a virtual separator; all arrays run over slots.

    token      last token read, int64; problem: number of the text it belongs to, int64
    start      first slot of each problem and the total, int64 (problems + 1)
    following  the symbol that comes next in the same string, or -1, int64
    vocabulary size of a distribution
    """

    token: np.ndarray
    problem: np.ndarray
    start: np.ndarray
    following: np.ndarray
    vocabulary: int

    @property
    def fresh(self) -> np.ndarray:
        """True at slots where a string begins (the last token read is a separator)."""
        return self.token == self.vocabulary - 1

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each problem."""
        return np.diff(self.start) - 1

    def since(self, count: np.ndarray) -> np.ndarray:
        """Running sum of `count` within each problem, the slot itself included, along axis 0."""
        total = np.cumsum(count, axis=0)
        before = np.concatenate([np.zeros_like(total[:1]), total])[self.start[:-1]]
        return total - before[self.problem]

    def rows(self, values: np.ndarray) -> np.ndarray:
        """Spread values (slots, ...) to (problems, longest, ...): row i of a problem is its slot i + 1."""
        lengths = self.lengths
        inside = np.arange(lengths.max()) < lengths[:, None]
        out = np.zeros((*inside.shape, *values.shape[1:]), values.dtype)
        read = np.ones(len(self.token), bool)
        read[self.start[:-1]] = False
        out[inside] = values[read]
        return out

    def strings(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """First slot (the separator's) and length of each string, and their symbols less 1 (strings, longest)."""
        begin = np.flatnonzero(self.fresh)
        length = np.diff(np.append(begin, len(self.token))) - 1
        symbol = np.zeros((len(begin), int(length.max())), np.int64)
        symbol[np.arange(symbol.shape[1]) < length[:, None]] = self.token[~self.fresh] - 1
        return begin, length, symbol


def read(tokens: np.ndarray | Ragged, vocabulary: int = 20) -> Text:
    """Check `tokens` and lay them out.

    Raises
    ------
    InputError
        When a token is outside the vocabulary, a text is empty, padding stands inside a text, or a string is
        empty (two separators in a row, or one in front).

    """
    integer("vocabulary", vocabulary, 3)
    rows = _ragged(tokens)
    lengths = rows.lengths
    if len(rows) == 0 or lengths.min(initial=1) < 1:
        reject("tokens", "at least one text, each of at least one token", f"lengths {lengths.tolist()[:8]}")
    flat = rows.values[rows.offsets[0] : rows.offsets[-1]]
    if flat.min() <= PADDING or flat.max() >= vocabulary:
        reject("tokens", f"1 to {vocabulary - 1} inside a text, {PADDING} only behind it", sorted(set(flat.tolist())))
    start = np.concatenate([[0], np.cumsum(lengths + 1)])
    token = np.full(start[-1], vocabulary - 1, np.int64)
    inside = np.ones(len(token), bool)
    inside[start[:-1]] = False
    token[inside] = flat
    fresh = token == vocabulary - 1
    if np.any(fresh[1:] & fresh[:-1] & inside[1:]):
        raise InputError("tokens: expected strings of at least one symbol; got two separators without one between")
    following = np.append(np.where(fresh[1:], -1, token[1:]), -1)
    return Text(token, np.repeat(np.arange(len(rows)), lengths + 1), start, following, vocabulary)


def _ragged(tokens: np.ndarray | Ragged) -> Ragged:
    if isinstance(tokens, Ragged):
        return tokens
    tokens = np.asarray(tokens)
    if tokens.ndim != 2 or not np.issubdtype(tokens.dtype, np.integer):
        reject("tokens", "whole numbers of shape (problems, length), or Ragged", f"{tokens.dtype} {tokens.shape}")
    used = tokens != PADDING
    lengths = tokens.shape[1] - np.argmax(used[:, ::-1], axis=1) if tokens.shape[1] else np.zeros(len(tokens), int)
    lengths = np.where(used.any(axis=1), lengths, 0)
    inside = np.arange(tokens.shape[1]) < lengths[:, None]
    return Ragged(tokens[inside], np.concatenate([[0], np.cumsum(lengths)]))
