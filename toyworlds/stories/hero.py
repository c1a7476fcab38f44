"""The hero of a story, and the split that the hero decides.

    P(kind, name, trait) = P(group) / (kinds of the group) / (names of the group) / (traits)

A story belongs to the split that a hash of its hero names, so no hero of a validation or test story is the hero of a
training story, whatever the seeds and sizes; two stories of different splits differ in their first sentence.

    h = mix(kind 2^32 + name 2^16 + trait) / 2^64      train: h < 0.9; validation: 0.9 <= h < 0.95; test: the rest

mix is the finaliser of SplitMix64. A split's stories are the grammar's, conditioned on the hero:
log P(story | split) = log P(story) - log P(split), and P(split) is a sum over all heroes (:func:`share`).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from toyworlds.core import seeds
from toyworlds.core.seeds import Stream
from toyworlds.stories.draws import LOG, Hero, weights
from toyworlds.stories.lexicon import KIND_LIST, KIND_POOLS, NAME_POOLS, TRAITS

GROUPS = (("girl", 3), ("boy", 3), ("animal", 4))
SPLITS = {"train": (0.0, 0.9), "validation": (0.9, 0.95), "test": (0.95, 1.0)}
TRIES = 32
"""Heroes drawn at a time for a story, until one belongs to the split."""


def mix(key: np.ndarray) -> np.ndarray:
    """Scramble 64-bit keys: the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    with np.errstate(over="ignore"):
        key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return key ^ (key >> np.uint64(31))


def belongs(kind: np.ndarray, name: np.ndarray, trait: np.ndarray, split: str) -> np.ndarray:
    """Whether stories of these heroes belong to `split`."""
    key = (
        (kind.astype(np.uint64) << np.uint64(32)) + (name.astype(np.uint64) << np.uint64(16)) + trait.astype(np.uint64)
    )
    place = seeds.uniform(mix(key))
    low, high = SPLITS[split]
    return (place >= low) & (place < high)


def priced(kind: int, name: int, trait: int) -> Hero:
    """The hero with the cost of drawing it."""
    group = KIND_LIST[kind].group
    number = [name for name, _ in GROUPS].index(group)
    cost = weights(tuple(weight for _, weight in GROUPS)).costs[number]
    return Hero(kind, name, trait, cost + LOG[len(KIND_POOLS[group])] + LOG[len(NAME_POOLS[group])] + LOG[len(TRAITS)])


def _drawn(words: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Kind, name and trait from words (..., 4)."""
    running = np.asarray(weights(tuple(weight for _, weight in GROUPS)).running)
    group = np.searchsorted(running, seeds.below(words[..., 0], int(running[-1])), side="right")
    kind, name = np.empty(group.shape, np.int64), np.empty(group.shape, np.int64)
    for number, (label, _) in enumerate(GROUPS):
        here = group == number
        kinds, names = np.asarray(KIND_POOLS[label].ids), np.asarray(NAME_POOLS[label].ids)
        kind[here] = kinds[seeds.below(words[here][:, 1], len(kinds))]
        name[here] = names[seeds.below(words[here][:, 2], len(names))]
    return kind, name, seeds.below(words[..., 3], len(TRAITS))


def heroes(seed: int, world: str, split: str, start: int, count: int) -> list[Hero]:
    """Return the heroes of stories start .. start + count - 1, each the first drawn that belongs to the split."""
    found: list[Hero | None] = [None] * count
    batch = 0
    while any(hero is None for hero in found):
        size = TRIES * 4
        words = Stream(seed, world, split, "hero", batch).words(start * size, count * size).reshape(count, TRIES, 4)
        kind, name, trait = _drawn(words)
        fits = belongs(kind, name, trait, split)
        first = fits.argmax(axis=1)
        for row in range(count):
            if found[row] is None and fits[row, first[row]]:
                found[row] = priced(*(int(part[row, first[row]]) for part in (kind, name, trait)))
        batch += 1
    return [hero for hero in found if hero is not None]


@lru_cache(maxsize=8)
def share(split: str) -> float:
    """P(split): the probability that a story of the grammar belongs to `split`, summed over all heroes."""
    total = 0.0
    trait = np.arange(len(TRAITS))
    weights_sum = sum(weight for _, weight in GROUPS)
    for group, weight in GROUPS:
        axes = np.meshgrid(np.asarray(KIND_POOLS[group].ids), np.asarray(NAME_POOLS[group].ids), trait, indexing="ij")
        total += weight / weights_sum * float(belongs(axes[0], axes[1], axes[2], split).mean())
    return total
