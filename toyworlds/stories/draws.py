"""The choices that make a story, and what each of them costs in nats.

    cost of a choice = -log(its probability);   -log P(story) = sum of the costs of its choices

All choices are integer-weighted, so every probability is a ratio of whole numbers. `Draws` answers them from random
words; `reading.Readings` answers them from a text. Each choice shows in the next sentence that is told: a choice
between events by the event, a choice of an entry or of a template by the words. So the text fixes the choices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol

import numpy as np

from toyworlds.core import exact
from toyworlds.stories.lexicon import Pool

LOG = [0.0, *exact.log(np.arange(1, 8192)).tolist()]
"""LOG[n] = log n, the same bits on every machine."""

Option = tuple[str | None, int]
"""What may be told next (None: none of these) and its weight."""


class Hero(NamedTuple):
    """Kind, name and trait of the hero, who decides the story's split, and the cost of drawing them."""

    kind: int
    name: int
    trait: int
    nats: float


@dataclass(frozen=True)
class Weights:
    """Whole-numbered weights of a few options, their running sums and the cost of each."""

    running: tuple[int, ...]
    costs: tuple[float, ...]


@lru_cache(maxsize=4096)
def weights(values: tuple[int, ...]) -> Weights:
    """Weights of options that are chosen with probability value / sum of values."""
    running = tuple(int(total) for total in np.cumsum(values))
    return Weights(running, tuple(LOG[running[-1]] - LOG[value] for value in values))


def dial_costs(dial: float) -> tuple[float, float]:
    """Cost of a sentence in the base language and of one in the dialect; 0 for one that never comes."""
    base, dialect = (-float(exact.log(p)) if p > 0 else 0.0 for p in (1.0 - dial, dial))
    return base, dialect


class Choices(Protocol):
    """What answers a teller's choices: `Draws` from random words, `reading.Readings` from a text."""

    nats: float
    """The cost of the choices since it was last set to 0."""

    def hero(self) -> Hero:
        """Return the hero."""
        ...

    def flag(self) -> int:
        """Return 1 when the next sentence is told in the dialect."""
        ...

    def below(self, high: int, label: int) -> int:
        """Return one of 0 .. high - 1, for slot `label` of the next sentence."""
        ...

    def weighted(self, table: Weights, label: int) -> int:
        """Return the number of an option, for slot `label` of the next sentence."""
        ...

    def branch(self, options: tuple[Option, ...]) -> str | None:
        """Return the event that is told next, or None."""
        ...

    def group(self, role: str, groups: tuple[tuple[str, int], ...]) -> str:
        """Return the group of the character that the next sentence introduces as `role`."""
        ...

    def has(self, label: str, table: Weights) -> bool:
        """Return whether the object that the next sentence introduces has the attribute `label`."""
        ...

    def template(self, count: int, told: list[int]) -> int:
        """Return the template of the next sentence, one of those not in `told` (in rising order)."""
        ...

    def pick(self, label: str, pool: Pool, taken: list[int]) -> int:
        """Return the position of an entry of `pool`, not one of `taken` (in rising order)."""
        ...

    def which(self, role: str, candidates: Sequence[int]) -> int:
        """Return which of the entities `candidates` the next sentence shows as `role`."""
        ...


PLAN_WORDS, SLOTS, SENTENCES = 160, 12, 48
"""Words set aside for the plan of a story; for the slots of a sentence; for so many sentences."""
WORDS_PER_STORY = PLAN_WORDS + SLOTS * SENTENCES


class Draws:
    """Choices from random 64-bit words, each from one word.

    What happens, to whom, and which templates tell it, takes the first `plan` words one after the other; slot i of
    sentence k takes word plan + SLOTS k + i. So the plan of a story does not hang on its words, nor the words of one
    sentence on those of another. `drawn` is the hero, drawn beforehand; `flags` are the words that decide which
    sentences are in the dialect.
    """

    def __init__(
        self, words: list[int], drawn: Hero, dial: float = 0.0, flags: Sequence[int] = (), plan: int = PLAN_WORDS
    ) -> None:
        self.words, self.drawn, self.flags, self.plan = words, drawn, flags, plan
        self.nats = 0.0
        self.place = 0
        self.sentence = -1
        self.threshold = int(dial * 2.0**53) << 11
        self.flag_costs = dial_costs(dial)

    def hero(self) -> Hero:
        """Return the hero, drawn beforehand."""
        self.nats += self.drawn.nats
        return self.drawn

    def flag(self) -> int:
        """Draw with probability `dial`; no word is taken where the dial is at 0."""
        if not self.threshold:
            return 0
        flag = int(self.flags[self.sentence + 1] < self.threshold)
        self.nats += self.flag_costs[flag]
        return flag

    def below(self, high: int, label: int) -> int:
        """Draw evenly."""
        self.nats += LOG[high]
        return self.words[self.plan + SLOTS * self.sentence + label] * high >> 64

    def weighted(self, table: Weights, label: int) -> int:
        """Draw by the weights."""
        return self._option(table, self.words[self.plan + SLOTS * self.sentence + label])

    def branch(self, options: tuple[Option, ...]) -> str | None:
        """Draw by the weights."""
        return options[self._option(weights(tuple([weight for _, weight in options])), self._next())][0]

    def group(self, role: str, groups: tuple[tuple[str, int], ...]) -> str:
        """Draw by the weights, if there is more than one."""
        return str(self.branch(groups)) if len(groups) > 1 else groups[0][0]

    def has(self, label: str, table: Weights) -> bool:
        """Draw by the weights."""
        return bool(self._option(table, self._next()))

    def template(self, count: int, told: list[int]) -> int:
        """Draw evenly among those not told."""
        self.sentence += 1
        return self._skipping(count, told)

    def pick(self, label: str, pool: Pool, taken: list[int]) -> int:
        """Draw evenly among those not taken."""
        return self._skipping(len(pool), taken)

    def which(self, role: str, candidates: Sequence[int]) -> int:
        """Draw evenly."""
        return self._skipping(len(candidates), ())

    def _next(self) -> int:
        self.place += 1
        return self.words[self.place - 1]

    def _option(self, table: Weights, word: int) -> int:
        target = word * table.running[-1] >> 64
        option = 0
        while target >= table.running[option]:
            option += 1
        self.nats += table.costs[option]
        return option

    def _skipping(self, count: int, taken: Sequence[int]) -> int:
        """Draw one of 0 .. count - 1 that is not in `taken` (in rising order)."""
        count -= len(taken)
        self.nats += LOG[count]
        position = self._next() * count >> 64
        for other in taken:
            if position >= other:
                position += 1
        return position
