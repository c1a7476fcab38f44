"""Problems as padded arrays, ready for batches and for the metrics.

    text      q a q | b q           labels[i] = tokens[i + 1], or -1 where that is '|' or past the end
    tokens   17 1 17 19 2 17        row i of a prediction = distribution after reading tokens[: i + 1]
    labels    1 17 -1  2 17 -1      states[i] = state after reading token i (the start state after '|')
    strings   0 0  0  1  1  1       strings[i] = number of the string that row i predicts a symbol of

The published input is tokens[:-1] and its label labels[:-1]; the last row, past which there is no text, is kept
here because the published metrics count it.

Reference: Akyurek et al., arXiv 2401.12973, and its public code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from regbench.automaton import Automata, Automaton
from regbench.vocabulary import PADDING, decode, encode
from toyworlds.core.ragged import Ragged
from toyworlds.core.storage import open_dataset
from toyworlds.core.validate import InputError, integer, reject

IGNORED = -1
"""Label of a row that has none."""


@dataclass(frozen=True)
class Problems:
    """n problems, T tokens at most, a vocabulary of V tokens."""

    tokens: np.ndarray
    """(n, T) int8; 0 behind the end."""
    labels: np.ndarray
    """(n, T) int8; -1 where the next token is '|' or there is none."""
    lengths: np.ndarray
    """(n,) int64."""
    states: np.ndarray
    """(n, T) int8; state of `automata` after each token, -1 behind the end."""
    automata: Automata
    """The minimal automata in canonical form, with V - 2 symbols."""
    raw_states: np.ndarray | None = None
    """(n, T) int8; state of `raw` after each token, -1 behind the end."""
    raw: Automata | None = None
    """The automata as drawn, before minimising; None when they are not known."""
    languages: tuple[str, ...] | None = None
    """Canonical hash of each language; None when not computed."""

    def __post_init__(self) -> None:
        shape = np.shape(self.tokens)
        if len(shape) != 2 or shape[0] != len(self.automata) or np.shape(self.lengths) != shape[:1]:
            reject("tokens", f"shape ({len(self.automata)}, length) and as many lengths", shape)
        if self.lengths.size and not 1 <= self.lengths.min() <= self.lengths.max() <= shape[1]:
            reject("lengths", f"whole numbers from 1 to {shape[1]}", self.lengths.tolist()[:8])
        states = (("states", self.states, self.automata), ("raw_states", self.raw_states, self.raw))
        for name, array, low, high in (
            ("tokens", self.tokens, PADDING, self.vocabulary - 1),
            ("labels", self.labels, IGNORED, self.vocabulary - 2),
            *((name, array, -1, owner.states - 1) for name, array, owner in states if array is not None and owner),
        ):
            if np.shape(array) != shape:
                reject(name, f"shape {shape}", np.shape(array))
            if array.size and not low <= array.min() <= array.max() <= high:
                reject(name, f"whole numbers from {low} to {high}", sorted(set(array.ravel().tolist())))

    @property
    def vocabulary(self) -> int:
        """V: symbols, padding and separator."""
        return self.automata.symbols + 2

    @property
    def inside(self) -> np.ndarray:
        """True on the rows of the text, False on padding, (n, T)."""
        return np.arange(self.tokens.shape[1]) < self.lengths[:, None]

    @property
    def strings(self) -> np.ndarray:
        """Number of the string that each row predicts a symbol of, from 0; -1 behind the end, (n, T) int16."""
        number = np.cumsum(self.tokens == self.vocabulary - 1, axis=1, dtype=np.int16)
        return np.where(self.inside, number, np.int16(-1))

    def __len__(self) -> int:
        return len(self.tokens)

    def take(self, rows: slice | np.ndarray) -> Problems:
        """Return the problems numbered `rows`, padded to the longest of them."""
        lengths = self.lengths[rows]
        width = int(lengths.max(initial=0))
        raw_states = None if self.raw_states is None else self.raw_states[rows, :width]
        raw = None if self.raw is None else self.raw.take(rows)
        names = None if self.languages is None else tuple(np.asarray(self.languages, dtype=object)[rows])
        cut = (self.tokens[rows, :width], self.labels[rows, :width], lengths, self.states[rows, :width])
        return Problems(*cut, self.automata.take(rows), raw_states, raw, names)

    def truth(self) -> np.ndarray:
        """The automaton's distribution of the next symbol at every row, (n, T, V) float64; 0 on padding."""
        law = np.zeros((len(self), self.automata.states + 1, self.vocabulary))
        law[:, :-1, 1:-1] = self.automata.law()
        return np.asarray(law[np.arange(len(self))[:, None], self.states])

    def text(self, problem: int) -> str:
        """Characters of one problem."""
        return decode(self.tokens[problem, : self.lengths[problem]], self.vocabulary)


def from_texts(texts: Sequence[str | np.ndarray], automata: Automata) -> Problems:
    """Problems from texts and the automata that made them; the automata are minimised first.

    Raises InputError when a text is empty, holds a token outside the vocabulary, or a string that its
    automaton rejects.
    """
    if len(texts) != len(automata):
        reject("texts", f"one for each of {len(automata)} automata", len(texts))
    vocabulary = automata.symbols + 2
    rows = [encode(text, vocabulary) if isinstance(text, str) else np.asarray(text) for text in texts]
    tokens = Ragged.of([checked_text(row, vocabulary, f"texts[{i}]") for i, row in enumerate(rows)], "int8")
    minimal = automata.minimise()
    padded = tokens.padded(PADDING)
    inside = np.arange(padded.shape[1]) < tokens.lengths[:, None]
    states = walk(padded, minimal)
    if np.any(states[inside] < 0):
        problem, place = np.argwhere((states < 0) & inside)[0]
        letter = decode(padded[problem, place : place + 1], vocabulary)
        raise InputError(f"texts[{problem}]: the automaton rejects {letter!r} at place {place}")
    labels = labels_of(padded, vocabulary)
    return Problems(padded, labels, tokens.lengths, states, minimal, languages=tuple(minimal.hashes()))


def checked_text(tokens: np.ndarray, vocabulary: int, argument: str = "tokens") -> np.ndarray:
    """Return one text's tokens if they are strings of at least one symbol joined by single separators."""
    if tokens.ndim != 1 or not len(tokens) or not np.issubdtype(tokens.dtype, np.integer):
        reject(argument, "at least one token, whole numbers", f"{tokens.dtype} {tokens.shape}")
    if tokens.min() <= PADDING or tokens.max() >= vocabulary:
        outside = tokens[(tokens <= PADDING) | (tokens >= vocabulary)][0]
        reject(argument, f"tokens from 1 to {vocabulary - 1}", int(outside))
    fence = np.concatenate([[True], tokens == vocabulary - 1, [True]])
    if np.any(fence[1:] & fence[:-1]):
        raise InputError(f"{argument}: expected strings of at least one symbol; got an empty one")
    return tokens


def labels_of(tokens: np.ndarray, vocabulary: int) -> np.ndarray:
    """labels[:, i] = tokens[:, i + 1], or -1 where that is padding, the separator or past the end, int8."""
    labels = np.full(tokens.shape, IGNORED, np.int8)
    following = tokens[:, 1:]
    counted = (following != PADDING) & (following != vocabulary - 1)
    labels[:, :-1] = np.where(counted, following, IGNORED)
    return labels


def walk(tokens: np.ndarray, automata: Automata) -> np.ndarray:
    """State after each token, (n, T) int8; the start state after '|', -1 on padding and after a rejected symbol."""
    separator, each = automata.symbols + 1, np.arange(len(automata))
    states = np.empty(tokens.shape, np.int8)
    here = automata.start
    for t in range(tokens.shape[1]):
        token = tokens[:, t]
        symbol = np.where((token == separator) | (token == PADDING), 0, token - 1)
        after = np.where(here < 0, np.int8(-1), automata.next_state[each, here, symbol])
        here = np.where(token == separator, automata.start, np.where(token == PADDING, np.int8(-1), after))
        states[:, t] = here
    return states


def load(source: Any, split: str, start: int = 0, stop: int | None = None, *, seed: int = 0) -> Problems:
    """Problems start .. stop - 1 of a split, from a dataset folder or straight from a world.

    Parameters
    ----------
    source : path or RegBench
        A folder written by `mosaicbench generate regbench ...`, or a world, which then makes the rows itself.
    split : str
        "train", "validation" or "test".
    start, stop : int
        Rows; `stop` may be None for a folder (to the end), never for a world.
    seed : int
        Seed of the rows when `source` is a world; a folder has its own.

    """
    from regbench.suites import RegBench

    integer("start", start, 0)
    data = open_dataset(source) if isinstance(source, (str, Path)) else None
    world = source if data is None else data.world
    if not isinstance(world, RegBench):
        reject("source", "a RegBench world, or a dataset folder of one", getattr(world, "name", world))
    if data is not None:
        return from_rows(data.read(split, start, stop), world)
    return from_rows(world.generate(seed, split, start, integer("stop", stop, start + 1) - start), world)


def from_rows(rows: Mapping[str, Any], world: Any) -> Problems:
    """Problems from the columns of a RegBench world (see `regbench.suites`)."""
    from regbench.suites import automata_of

    tokens = rows["tokens"].padded(PADDING)
    return Problems(
        tokens=tokens,
        labels=rows["labels"].padded(IGNORED),
        lengths=rows["tokens"].lengths,
        states=rows["states"].padded(-1),
        automata=automata_of(rows, world, ""),
        raw_states=rows["raw_states"].padded(-1),
        raw=automata_of(rows, world, "raw_"),
        languages=tuple(rows["language"]),
    )


__all__ = ["Automaton", "Problems", "from_rows", "from_texts", "labels_of", "load", "walk"]
