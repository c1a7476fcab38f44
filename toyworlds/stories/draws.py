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
from typing import NamedTuple

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


class Draws:
    """Choices from random 64-bit words; each takes one word, so a story's words are a fixed stretch of a stream."""

    def __init__(self, words: list[int], hero: Hero, dial: float = 0.0, flags: Sequence[int] = ()) -> None:
        self.words, self.hero_drawn, self.flags = words, hero, flags
        self.place = 0
        self.nats = 0.0
        self.threshold = int(dial * 2.0**53) << 11
        self.flag_costs = tuple(-float(exact.log(p)) if p > 0 else 0.0 for p in (1.0 - dial, dial))
        self.flag_place = 0

    def hero(self) -> Hero:
        """Return the hero, drawn beforehand."""
        self.nats += self.hero_drawn.nats
        return self.hero_drawn

    def flag(self) -> int:
        """Whether the next sentence is told in the dialect; its words are a stream of their own."""
        if not self.threshold:
            return 0
        flag = int(self.flags[self.flag_place] < self.threshold)
        self.flag_place += 1
        self.nats += self.flag_costs[flag]
        return flag

    def below(self, high: int, label: int) -> int:
        """Return one of 0 .. high - 1, for slot `label` of the sentence."""
        word = self.words[self.place]
        self.place += 1
        self.nats += LOG[high]
        return word * high >> 64

    def weighted(self, table: Weights, label: int) -> int:
        """Return the number of an option, for slot `label` of the sentence."""
        return self._option(table)

    def branch(self, options: tuple[Option, ...]) -> str | None:
        """Return the event that is told next, or None."""
        return options[self._option(weights(tuple([weight for _, weight in options])))][0]

    def group(self, role: str, groups: tuple[tuple[str, int], ...]) -> str:
        """Return the group of the character that the next sentence introduces as `role`."""
        return groups[self._option(weights(tuple([weight for _, weight in groups])))][0] if len(groups) > 1 else groups[0][0]

    def has(self, label: str, table: Weights) -> bool:
        """Whether the object that the next sentence introduces has the attribute `label`."""
        return bool(self._option(table))

    def template(self, count: int, told: list[int]) -> int:
        """Return the template of the next sentence, one of those not in `told`."""
        return self._skipping(count, told)

    def pick(self, label: str, pool: Pool, taken: list[int]) -> int:
        """Return the position of an entry of `pool`, not one of `taken` (in rising order)."""
        return self._skipping(len(pool), taken)

    def which(self, role: str, candidates: Sequence[int]) -> int:
        """Return which of the entities `candidates` the next sentence shows as `role`."""
        return self._skipping(len(candidates), [])

    def _option(self, table: Weights) -> int:
        word = self.words[self.place]
        self.place += 1
        target = word * table.running[-1] >> 64
        option = 0
        while target >= table.running[option]:
            option += 1
        self.nats += table.costs[option]
        return option

    def _skipping(self, count: int, taken: list[int]) -> int:
        count -= len(taken)
        word = self.words[self.place]
        self.place += 1
        self.nats += LOG[count]
        position = word * count >> 64
        for other in taken:
            if position >= other:
                position += 1
        return position
