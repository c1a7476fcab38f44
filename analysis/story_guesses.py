"""Guesses from the surface of a prompt: how often a rule that knows nothing of the story would be right.

    G = the candidates that a rule picks by where their words stand, all candidates where it picks none
    p(right) = 1 / |G| if the answer is in G, else 0

    rule         picks the candidate that is named
    first        first in the text
    last         last in the text
    most         most often
    silent       not at all in the question
    stranger     not in the question, and not first in the text: neither the hero nor who asks
    companion    first of the strangers: mostly the hero's friend
    newcomer     last of the strangers
    unnamed      nowhere

Chance, 1 / candidates, is not the only thing to beat: who asks and who is asked are never the answer, a story names few
colors and one day, and people are often at the place that was named last. A model whose accuracy is that of the best
rule need not have understood anything. Rules see words, not tokens, and the text that stands before the answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from analysis.story_tracing import sentences_of
from toyworlds.core.validate import choice, reject
from toyworlds.stories.prompts import Prompt

Mentions = list[list[int]]
"""Of each candidate where it is named in the text, in characters."""


def _first(found: Mentions, question: int) -> list[bool]:
    return _least([places[0] if places else np.inf for places in found])


def _last(found: Mentions, question: int) -> list[bool]:
    return _least([-places[-1] if places else np.inf for places in found])


def _most(found: Mentions, question: int) -> list[bool]:
    return _least([-len(places) or np.inf for places in found])


def _silent(found: Mentions, question: int) -> list[bool]:
    return [not places or places[-1] < question for places in found]


def _stranger(found: Mentions, question: int) -> list[bool]:
    return [quiet and not first for quiet, first in zip(_silent(found, question), _first(found, question), strict=True)]


def _companion(found: Mentions, question: int) -> list[bool]:
    strangers = _stranger(found, question)
    return _first([places if one else [] for places, one in zip(found, strangers, strict=True)], question)


def _newcomer(found: Mentions, question: int) -> list[bool]:
    strangers = _stranger(found, question)
    return _last([places if one else [] for places, one in zip(found, strangers, strict=True)], question)


def _unnamed(found: Mentions, question: int) -> list[bool]:
    return [not places for places in found]


def _least(scores: Sequence[float]) -> list[bool]:
    least = min(scores)
    return [score == least < np.inf for score in scores]


RULES: dict[str, Callable[[Mentions, int], list[bool]]] = {
    "first": _first,
    "last": _last,
    "most": _most,
    "silent": _silent,
    "stranger": _stranger,
    "companion": _companion,
    "newcomer": _newcomer,
    "unnamed": _unnamed,
}


def guesses(prompt: Prompt) -> dict[str, float]:
    """Return the probability that the guess of each rule of `RULES` is right."""
    question = sentences_of(prompt.text)[-2]
    found = [[match.start() for match in re.finditer(rf"\b{re.escape(c)}\b", prompt.text)] for c in prompt.candidates]
    right = prompt.candidates.index(prompt.answer)
    scores = {}
    for name, rule in RULES.items():
        picked = rule(found, question)
        picked = picked if any(picked) else [True] * len(picked)
        scores[name] = picked[right] / sum(picked)
    return scores


def guess_scores(asked: Sequence[Prompt], by: str = "question") -> pd.DataFrame:
    """Mean of `guesses` over prompts, one line a question (or kind), one column a rule; `chance`, `best` beside them.

    `best` is the rule that is right the most often on these very prompts, which flatters the rules.
    """
    choice("by", by, ("question", "kind"))
    if not asked:
        reject("asked", "at least one prompt", asked)
    lines = pd.DataFrame([guesses(prompt) | {"chance": prompt.chance, by: getattr(prompt, by)} for prompt in asked])
    table = lines.groupby(by, sort=False).mean()
    return table.assign(best=table[list(RULES)].max(axis=1))
