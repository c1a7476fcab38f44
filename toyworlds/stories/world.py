"""Stories: simple children's stories from a grammar with a simulated state, known sentence by sentence.

    Jasmine had a battered blue drum.                      holder[drum] = owner[drum] = Jasmine
    One fine Monday morning, Jasmine went to the park.     place[Jasmine] = park, day = Monday, time = morning
    Jasmine handed the drum to Tom to look after.          holder[drum] = Tom
    Tom waved and walked to the mill.                      place[Tom] = mill
    "Who has the drum now?" asked Mom. "It is with         -> Tom

A story is a sequence of sentences drawn from the grammar (`grammar.py`, `plots/`); the cost of each sentence in nats
is stored, so -log P(story) is exact. `dialect` tells a share of the sentences in a second dialect (`dialect.py`).
The split of a story is decided by its hero (`hero.py`). docs/stories.md shows whole stories and what is measured.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from toyworlds.core.ragged import Ragged
from toyworlds.core.seeds import Stream
from toyworlds.core.validate import choice, integer, real
from toyworlds.world import WORLDS, Column

if TYPE_CHECKING:
    from toyworlds.stories.teller import Teller

CHARACTERS, OBJECTS = 6, 8
OF_CHARACTER = {
    "place": ("int16", "where each character is"),
    "mood": ("int8", "how each character feels"),
    "want": ("int8", "the object that each character is after"),
    "aim": ("int8", "what each character is after it for"),
    "home": ("int16", "the place near which each character lives"),
    "rank": ("int8", "the order of those who were compared, 0 the least"),
}
OF_OBJECT = {
    "holder": ("int8", "the character who holds each object"),
    "lies": ("int16", "the place where each object lies"),
    "owner": ("int8", "the character to whom each object belongs"),
}


@WORLDS.register("stories", "language", "discrete")
@dataclass(frozen=True)
class Stories:
    """Children's stories with a known state after every sentence, and a second dialect of the same world."""

    dialect: float = 0.0
    """Probability that a sentence is told in the second dialect: 0 for none, 1 for all."""

    name: ClassVar[str] = "stories"
    version: ClassVar[int] = 2

    def __post_init__(self) -> None:
        real("dialect", self.dialect, 0.0, 1.0)

    def splits(self) -> tuple[str, ...]:
        """No hero (kind, name and trait) of one split is the hero of a story of another."""
        return ("train", "validation", "test")

    def columns(self) -> list[Column]:
        """Text, sentence ends, what was chosen and its cost, the state after each sentence, who and what there is."""
        per = ("sentence",)
        columns = [
            Column("text", "observation", "string", description="paragraphs separated by line ends"),
            Column("sentence_end", "index", "int32", (None,), per, "characters", 0, None, "where each sentence ends"),
            Column("event", "factor", "int16", (None,), per, description="what each sentence tells"),
            Column("template", "factor", "int8", (None,), per, description="which template of the event"),
            Column("cost", "label", "float64", (None,), per, "nats", 0.0, None, "-log P of each sentence's choices"),
        ]
        if self.dialect > 0.0:
            columns.append(Column("spoken", "factor", "bool", (None,), per, description="True in the dialect"))
        for names, size, axis in ((OF_CHARACTER, CHARACTERS, "character"), (OF_OBJECT, OBJECTS, "object")):
            for name, (dtype, text) in names.items():
                columns.append(Column(name, "factor", dtype, (None, size), (*per, axis), "", -1, None, text))
        for name, text in (("day", "day of the week"), ("time", "time of the day")):
            columns.append(Column(name, "factor", "int8", (None,), per, "", -1, None, text))
        for name in ("name", "kind"):
            columns.append(Column(name, "factor", "int16", (CHARACTERS,), ("character",), "", -1))
        for name in ("noun", "color", "look"):
            columns.append(Column(name, "factor", "int16", (OBJECTS,), ("object",), "", -1))
        return columns

    def constants(self, seed: int) -> dict[str, np.ndarray]:
        """What the numbers of the columns stand for: entry i of a table is the word for i; -1 is nothing known."""
        from toyworlds.stories import lexicon
        from toyworlds.stories.grammar import events

        tables = ("names", "kinds", "nouns", "colors", "looks", "moods", "aims", "days", "times")
        words = {name: np.asarray(getattr(lexicon, name.upper()).forms[""]) for name in tables}
        return words | {"places": np.asarray(lexicon.PLACES.forms["noun"]), "events": np.asarray(list(events()))}

    def tell(self, seed: int, split: str, start: int, count: int, limit: int | None = None) -> list[Teller]:
        """Return the stories start .. start + count - 1 of `split` as their tellers leave them.

        With `limit` each stops after that many sentences, at least one.
        """
        from toyworlds.stories.draws import SENTENCES, WORDS_PER_STORY, Draws
        from toyworlds.stories.hero import heroes
        from toyworlds.stories.story import tell
        from toyworlds.stories.teller import StopTellingError, Teller

        choice("split", split, self.splits())
        integer("start", start, 0)
        integer("count", count, 0)
        if limit is not None:
            integer("limit", limit, 1)
        size = WORDS_PER_STORY
        words = Stream(seed, self.name, split, "choices").words(start * size, count * size)
        flags = np.zeros(0, np.uint64)
        if self.dialect > 0.0:
            flags = Stream(seed, self.name, split, "dialect").words(start * SENTENCES, count * SENTENCES)
        told = []
        for row, hero in enumerate(heroes(seed, self.name, split, start, count)):
            spoken = flags[row * SENTENCES : (row + 1) * SENTENCES].tolist()
            teller = Teller(Draws(words[row * size : (row + 1) * size].tolist(), hero, self.dialect, spoken))
            teller.limit = teller.limit if limit is None else limit
            with contextlib.suppress(StopTellingError):
                tell(teller)
            told.append(teller)
        return told

    def generate(self, seed: int, split: str, start: int, count: int) -> dict[str, np.ndarray | Ragged]:
        """Rows start .. start + count - 1 of `split`; see :meth:`columns`."""
        from toyworlds.stories import state

        told = self.tell(seed, split, start, count)
        offsets = np.concatenate([[0], np.cumsum([len(t.texts) for t in told])]).astype(np.int64)
        lengths = Ragged(np.asarray([len(text) for t in told for text in t.texts], np.int32), offsets)
        ends = [np.cumsum(row) for row in lengths]
        states = np.asarray([row for t in told for row in t.rows], np.int16).reshape(-1, state.SIZE)
        rows: dict[str, np.ndarray | Ragged] = {
            "text": np.asarray(["".join(t.texts) for t in told], object),
            "sentence_end": Ragged.of(ends, "int32"),
            "event": _flat([t.events for t in told], offsets, "int16"),
            "template": _flat([t.templates for t in told], offsets, "int8"),
            "cost": _flat([t.nats for t in told], offsets, "float64"),
        }
        if self.dialect > 0.0:
            rows["spoken"] = _flat([t.flags for t in told], offsets, "bool")
        for name, (dtype, _) in {**OF_CHARACTER, **OF_OBJECT}.items():
            rows[name] = Ragged(states[:, state.FACTORS[name]].astype(dtype), offsets)
        rows["day"] = Ragged(states[:, state.DAY].astype(np.int8), offsets)
        rows["time"] = Ragged(states[:, state.TIME].astype(np.int8), offsets)
        for name, size in (("name", CHARACTERS), ("kind", CHARACTERS)):
            rows[name] = Ragged.of([getattr(t, name) for t in told], "int16").padded(-1, size)
        for name in ("noun", "color", "look"):
            rows[name] = Ragged.of([getattr(t, name) for t in told], "int16").padded(-1, OBJECTS)
        return rows


def _flat(values: list[list[int]] | list[list[float]], offsets: np.ndarray, dtype: str) -> Ragged:
    return Ragged(np.asarray([value for row in values for value in row], dtype), offsets)
