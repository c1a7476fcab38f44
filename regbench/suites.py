"""RegBench as a world: the config, its presets, and the rows that it makes.

    row = a language (drawn, minimised, of this split, not seen before) and one text of 10 .. 19 of its strings

A preset is the config with other defaults, registered under its own name; every option can be set by hand:

    regbench            bounds of the public code (its upper bounds are exclusive there; all are inclusive here)
    regbench_paper      bounds as published: 1 .. 4 edges, 10 .. 20 strings of 1 .. 50 symbols
    regbench_states     twice to four times the states
    regbench_alphabet   40 symbols, up to 6 edges a state
    regbench_long       three times as many strings, twice as long
    regbench_weighted   Dirichlet(1) weights on the edges
    regbench_laptop     3 .. 5 states, 4 symbols, short strings: learned in minutes without a GPU

Reference: Akyurek et al., In-context language learning, arXiv 2401.12973, section 3, and its public code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from regbench.automaton import MOST_STATES, MOST_SYMBOLS, Automata
from regbench.distinct import SHARES, Languages, survivors
from regbench.draw import LanguageLaw
from regbench.edges import EdgeTable
from regbench.problems import IGNORED
from regbench.sample import BLOCK, TextLaw, Texts, sample_block
from toyworlds.core.ragged import Ragged
from toyworlds.core.seeds import Stream
from toyworlds.core.validate import InputError, choice, integer, real, reject
from toyworlds.world import WORLDS, Column

MOST_EDGES = 8
MOST_TOKENS = 32767


@WORLDS.register("regbench", "automata")
@dataclass(frozen=True)
class RegBench:
    """In-context language learning: texts of random automata, bounds as in the public code.

    >>> rows = RegBench().generate(seed=0, split="train", start=0, count=2)
    >>> rows["tokens"][0].dtype, len(rows["tokens"])
    (dtype('int8'), 2)
    """

    symbols: int = 18
    """Symbols of the vocabulary; padding and separator come on top."""
    states: tuple[int, int] = (4, 12)
    """Least and most states of a drawn automaton, before minimising."""
    alphabet: tuple[int, int] = (4, 18)
    """Least and most symbols of a language's alphabet."""
    edges: tuple[int, int] = (1, 3)
    """Least and most edges that leave a state; never more than the other states, so that targets are distinct."""
    strings: tuple[int, int] = (10, 19)
    """Least and most strings in a problem."""
    lengths: tuple[int, int] = (1, 49)
    """Least and most symbols in a string."""
    dirichlet: float = 0.0
    """Concentration of Dirichlet weights on a state's edges, a multiple of 1/2; 0 leaves them uniform."""
    independent: bool = False
    """Draw every language independently, as the public code does: repeats and leaks between splits stay in."""

    name: ClassVar[str] = "regbench"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        integer("symbols", self.symbols, 1, MOST_SYMBOLS)
        for option, least, most in (
            ("states", 1, MOST_STATES), ("alphabet", 1, MOST_SYMBOLS), ("edges", 1, MOST_EDGES),
            ("strings", 1, MOST_TOKENS), ("lengths", 1, MOST_TOKENS),
        ):  # fmt: skip
            _bounds(option, getattr(self, option), least, most)
        _fits(self)

    def columns(self) -> list[Column]:
        """Declare the columns."""
        tokens, edge = self.symbols + 2, ("state", "symbol", "next state", "weight")[: self._edge_width]
        most = self.strings[1] * (self.lengths[1] + 1) - 1
        small, wide = "int8", "int16" if self.dirichlet else "int8"
        return [
            Column("tokens", "observation", small, (None,), ("token",), "", 1, tokens - 1, "text; the last token is |"),
            Column("labels", "label", small, (None,), ("token",), "", -1, tokens - 2, "next symbol, -1 at | and end"),
            Column("states", "factor", small, (None,), ("token",), "", 0, self.states[1] - 1, "state after each token"),
            Column("raw_states", "factor", small, (None,), ("token",), "", 0, self.states[1] - 1, "same, as drawn"),
            Column("string_starts", "index", "int16", (None,), ("string",), "", 0, most, "where each string begins"),
            Column("edges", "factor", wide, (None, len(edge)), ("edge", "field"), "", 0, 256, ", ".join(edge)),
            Column("raw_edges", "factor", wide, (None, len(edge)), ("edge", "field"), "", 0, 256, "same, as drawn"),
            Column("n_states", "factor", small, (), (), "", 1, self.states[1], "states of the minimal automaton"),
            Column("raw_n_states", "factor", small, (), (), "", *self.states, "states as drawn"),
            Column("language", "index", "string", description="hash of the canonical automaton"),
        ]

    def splits(self) -> tuple[str, ...]:
        """Names of the splits."""
        return tuple(SHARES)

    def generate(self, seed: int, split: str, start: int, count: int) -> dict[str, np.ndarray | Ragged]:
        """Rows start .. start + count - 1 of `split`; see `regbench.distinct` for what a late start costs."""
        choice("split", split, self.splits())
        integer("seed", seed, 0)
        integer("start", start, 0)
        integer("count", count, 1)
        parts = [self.rows_of(texts, languages) for texts, languages in self._pieces(seed, split, start, start + count)]
        return {column.name: _joined([part[column.name] for part in parts]) for column in self.columns()}

    @property
    def language_law(self) -> LanguageLaw:
        """The part of the config that languages depend on."""
        return LanguageLaw(self.symbols, self.states, self.alphabet, self.edges, self.dirichlet)

    @property
    def text_law(self) -> TextLaw:
        """The part of the config that texts depend on."""
        return TextLaw(self.symbols, self.strings, self.lengths, self.edges, self.dirichlet > 0)

    @property
    def _edge_width(self) -> int:
        return 4 if self.dirichlet else 3

    def _pieces(self, seed: int, split: str, start: int, stop: int) -> Iterator[tuple[Texts, Languages]]:
        """Texts and languages, one block of texts after the other."""
        source = survivors(self.language_law, seed, split, self.independent)
        fences = sorted({start, stop, *range(-(-start // BLOCK) * BLOCK, stop, BLOCK)})
        for first, last in pairwise(fences):
            languages, block = source.languages(first, last), first // BLOCK
            stream = Stream(seed, "regbench", split, "text", block)
            number = languages.canonical.number
            yield sample_block(self.text_law, languages.raw, number, stream, first - block * BLOCK), languages

    def rows_of(self, texts: Texts, languages: Languages) -> dict[str, np.ndarray | Ragged]:
        """Columns of a stretch of rows."""
        tokens, raw_states, states = (np.ascontiguousarray(part) for part in texts.entries)
        labels = np.full(len(tokens), IGNORED, np.int8)
        labels[:-1] = np.where(tokens[1:] == self.symbols + 1, np.int8(IGNORED), tokens[1:])
        labels[texts.offsets[1:] - 1] = IGNORED
        names = np.array([digest.hex() for digest in languages.digests], dtype=object)
        starts = Ragged(texts.starts, np.concatenate([[0], np.cumsum(texts.strings)]))
        return {
            "tokens": Ragged(tokens, texts.offsets),
            "labels": Ragged(labels, texts.offsets),
            "states": Ragged(states, texts.offsets),
            "raw_states": Ragged(raw_states, texts.offsets),
            "string_starts": starts,
            "edges": self._edges(languages.canonical.table),
            "raw_edges": self._edges(languages.raw),
            "n_states": languages.canonical.table.n_states.astype(np.int8),
            "raw_n_states": languages.raw.n_states.astype(np.int8),
            "language": names,
        }

    def _edges(self, table: EdgeTable) -> Ragged:
        rows = table.rows()
        return Ragged(np.ascontiguousarray(rows.values[:, : self._edge_width]), rows.offsets)


@WORLDS.register("regbench_paper", "automata")
@dataclass(frozen=True)
class RegBenchPaper(RegBench):
    """In-context language learning with the bounds as published, all inclusive.

    A state of a language of 4 states has only 3 others to lead to, so it gets 1 .. 3 edges instead of 1 .. 4.
    """

    edges: tuple[int, int] = (1, 4)
    strings: tuple[int, int] = (10, 20)
    lengths: tuple[int, int] = (1, 50)

    name: ClassVar[str] = "regbench_paper"


@WORLDS.register("regbench_states", "automata")
@dataclass(frozen=True)
class RegBenchStates(RegBench):
    """In-context language learning, harder: 12 to 24 states."""

    states: tuple[int, int] = (12, 24)

    name: ClassVar[str] = "regbench_states"


@WORLDS.register("regbench_alphabet", "automata")
@dataclass(frozen=True)
class RegBenchAlphabet(RegBench):
    """In-context language learning, harder: alphabets of 12 to 40 symbols, up to 6 edges a state."""

    symbols: int = 40
    states: tuple[int, int] = (8, 16)
    alphabet: tuple[int, int] = (12, 40)
    edges: tuple[int, int] = (1, 6)

    name: ClassVar[str] = "regbench_alphabet"


@WORLDS.register("regbench_long", "automata")
@dataclass(frozen=True)
class RegBenchLong(RegBench):
    """In-context language learning, longer: 30 to 59 strings of up to 99 symbols."""

    strings: tuple[int, int] = (30, 59)
    lengths: tuple[int, int] = (1, 99)

    name: ClassVar[str] = "regbench_long"


@WORLDS.register("regbench_weighted", "automata")
@dataclass(frozen=True)
class RegBenchWeighted(RegBench):
    """In-context language learning with Dirichlet(1) weights on the edges."""

    dirichlet: float = 1.0

    name: ClassVar[str] = "regbench_weighted"


@WORLDS.register("regbench_laptop", "automata")
@dataclass(frozen=True)
class RegBenchLaptop(RegBench):
    """In-context language learning, small: 3 to 5 states, 4 symbols, short strings."""

    symbols: int = 4
    states: tuple[int, int] = (3, 5)
    alphabet: tuple[int, int] = (3, 4)
    edges: tuple[int, int] = (1, 2)
    strings: tuple[int, int] = (6, 10)
    lengths: tuple[int, int] = (4, 12)

    name: ClassVar[str] = "regbench_laptop"


def automata_of(rows: Mapping[str, Any], world: RegBench, which: str = "") -> Automata:
    """Automata of stored rows; `which` is "" for the minimal ones or "raw_" for those that were drawn."""
    edges: Ragged = rows[which + "edges"]
    n_states = rows[which + "n_states"].astype(np.int64)
    shape = (len(edges), int(n_states.max(initial=1)), world.symbols)
    problem = np.repeat(np.arange(len(edges)), edges.lengths)
    values = edges.values[edges.offsets[0] : edges.offsets[-1]].astype(np.int64)
    next_state = np.full(shape, -1)
    place = (problem, values[:, 0], values[:, 1])
    next_state[place] = values[:, 2]
    weights = None
    if values.shape[1] == 4:
        weights = np.zeros(shape, np.int64)
        weights[place] = values[:, 3]
    return Automata(next_state, np.zeros(len(edges), np.int64), n_states, weights)


def _joined(parts: list[Any]) -> np.ndarray | Ragged:
    return Ragged.joined(parts) if isinstance(parts[0], Ragged) else np.concatenate(parts)


def _bounds(option: str, value: Any, least: int, most: int) -> None:
    if not isinstance(value, tuple) or len(value) != 2:
        reject(option, "a pair (least, most)", value)
    integer(f"{option}[0]", value[0], least, most)
    integer(f"{option}[1]", value[1], value[0], most)


def _fits(world: RegBench) -> None:
    """Check what one option asks of another."""
    most = world.edges[1]
    if world.alphabet[1] > world.symbols:
        raise InputError(
            f"alphabet: expected at most {world.symbols}, the symbols of the vocabulary; got {world.alphabet[1]}"
        )
    if most > world.alphabet[0]:
        expected = f"at most {world.alphabet[0]}, the least alphabet, so that a state's symbols can be distinct"
        reject("edges[1]", expected, most)
    for end, name in enumerate(("least", "most")):
        if world.edges[end] > world.states[end] - 1:
            limit = f"one less than the {name} states, so that targets can be distinct"
            reject(f"edges[{end}]", f"at most {world.states[end] - 1}, {limit}", world.edges[end])
    if world.strings[1] * (world.lengths[1] + 1) > MOST_TOKENS:
        reject("strings and lengths", f"at most {MOST_TOKENS} tokens in a text", world.strings[1] * world.lengths[1])
    real("dirichlet", world.dirichlet, 0.0, 16.0)
    if world.dirichlet * 2 != int(world.dirichlet * 2):
        reject("dirichlet", "a multiple of 0.5", world.dirichlet)
