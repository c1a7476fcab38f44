"""The entropy of the story world, estimated from the exact probability of each of many stories.

    H = E[-log P(story)],   -log P(story) = sum of the costs of its choices      nats
    H(split) = E[-log P(story) | split] + log P(split)                           a split is decided by the hero

The cost of a story's choices is exactly -log of the probability of its text whenever no other choices make the same
text: then choices and text determine each other. Every text that has one reading and is told again from it letter
by letter (:mod:`toyworlds.stories.reading`) is such a text. In general choices can only add to the entropy of the
text, so H bounds it from above. No model of the text alone can have a smaller expected loss than the text's entropy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from toyworlds.core.validate import integer
from toyworlds.stories.hero import share
from toyworlds.stories.world import Stories

CHUNK = 1024


@dataclass(frozen=True)
class Entropy:
    """Entropy of the stories of a split: nats a story with its standard error, and divided by words and characters.

    `per_word` is the ratio of the means, the least loss per word (between spaces and line ends) that a model of whole
    stories can reach; `per_character` likewise.
    """

    stories: int
    per_story: float
    standard_error: float
    per_word: float
    per_character: float


def entropy(world: Stories, seed: int, split: str, count: int) -> Entropy:
    """Estimate the entropy of `split` from `count` stories."""
    integer("count", count, 2)
    costs, words, characters = [], 0, 0
    for start in range(0, count, CHUNK):
        for teller in world.tell(seed, split, start, min(CHUNK, count - start)):
            text = "".join(teller.texts)
            costs.append(math.fsum(teller.nats))
            words += len(text.split())
            characters += len(text)
    nats = np.asarray(costs) + math.log(share(split))
    mean = float(nats.mean())
    error = float(nats.std(ddof=1)) / math.sqrt(count)
    return Entropy(count, mean, error, mean * count / words, mean * count / characters)
