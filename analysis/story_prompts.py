"""How well a language model answers the prompts of the story world.

    L(c) = sum_j ln p(c_j | text, c_1 .. c_{j-1})       c_1 .. c_n the tokens of candidate c, with the blank before it
    D(c) = the candidates that begin with all tokens of c and go on, but not those that begin with another of D(c)
    L'(c) = ln(exp L(c) - sum of exp L(d) over D(c))    L(c) where D(c) is empty
    answer of the model = argmax_c L'(c)                the first of them where several are equal
    p(c) = exp L'(c) / sum of exp L' over the candidates

L is the logarithm of the probability that the text goes on with the candidate, so candidates of different numbers of
tokens are compared as they are; there is nothing to divide by a length. The text is read behind one end-of-text
token, as a document is in training. Where the tokens of one candidate begin another's (" Sam" and " Sam" "uel"),
L(Sam) is at least L(Samuel) whatever the model expects; L'(Sam) is the logarithm of the probability that the text goes
on with Sam and not with Samuel, here ln p(" Sam") + ln(1 - p("uel" | " Sam")).

The chance level of a prompt is 1 / candidates, that of a set the mean over its prompts. Intervals are over prompts,
each of which comes from a story of its own: Wilson's of the share answered right, percentile bootstraps of the rest.
They say nothing of other trainings.

    ... When Jasmine came home, Mom was waiting at the gate.
    "Who has the drum now?" asked Mom. "It is with      Jasmine -7.1, Tom -0.2, Mom -5.0: Tom, p = 0.99
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis.bootstrap import RESAMPLES, Interval, percentile_interval, rate_interval, resample_indices
from toyworlds.core.validate import choice, integer, reject
from toyworlds.stories.prompts import KINDS, Prompt, has_full_form, prompts
from toyworlds.stories.recall import recall_prompts
from toyworlds.stories.world import Stories

if TYPE_CHECKING:
    from mosaics.text.tokenizer import Tokenizer

FACTORS = {
    "who": ("ask_holder", "ask_owner", "ask_name", "ask_most"),
    "where": ("ask_where", "ask_person", "ask_home", "home_is"),
    "what": ("ask_color", "beside_bed"),
    "when": ("ask_day", "ask_tomorrow"),
    "custom": ("custom", "gear_chat", "eats", "den", "deals"),
}
"""The questions about each factor of the world; "custom" are the facts that hold in every story."""
SMALLEST = float(np.finfo(np.float64).eps)
"""Least share of a candidate's probability that is left to it beside longer ones; less is lost in rounding."""


def story_prompts(world: Stories, seed: int, count: int, split: str = "test", *, in_full: bool = False) -> list[Prompt]:
    """Return `count` prompts of each of the three kinds; with `in_full` those of them that have that form, in it."""
    integer("count", count, 1)
    found = [prompt for kind in KINDS for prompt in prompts(world, seed, kind, count, split=split, in_full=in_full)]
    return [prompt for prompt in found if not in_full or has_full_form(prompt.question)]


def candidate_scores(model: Any, tokenizer: Tokenizer, prompt: Prompt) -> np.ndarray:
    """L'(c) of each candidate of a prompt, (candidates,) float64; the model is in evaluation mode for it."""
    import torch

    text = [tokenizer.end, *tokenizer.encode([prompt.text])[0].tolist()]
    tokens = [row.tolist() for row in tokenizer.encode([f" {candidate}" for candidate in prompt.candidates])]
    device = next(model.parameters()).device
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            return _without_longer(_summed(model, torch.tensor([text], device=device), tokens), tokens)
    finally:
        model.train(training)


def _summed(model: Any, text: Any, tokens: Sequence[Sequence[int]]) -> np.ndarray:
    """Sums along the tree of the candidates' tokens: what candidates have in common is read once."""
    import torch

    if hasattr(model, "prefill"):
        outputs, state = model.prefill(text)
        logits = outputs[:, -1]
    else:
        state = model.initial_state(1)
        for token in text.unbind(1):
            logits, state = model.step(token, state)
    scores = np.zeros(len(tokens))

    def walk(logits: Any, state: Any, depth: int, candidates: Sequence[int]) -> None:
        after = logits[0].double().log_softmax(-1)
        branches: dict[int, list[int]] = {}
        for candidate in candidates:
            token = tokens[candidate][depth]
            scores[candidate] += float(after[token])
            if len(tokens[candidate]) > depth + 1:
                branches.setdefault(token, []).append(candidate)
        for token, some in branches.items():
            outputs, then = model.step(torch.tensor([token], device=text.device), copy.deepcopy(state))
            walk(outputs, then, depth + 1, some)

    walk(logits, state, 0, range(len(tokens)))
    return scores


def _without_longer(sums: np.ndarray, tokens: Sequence[Sequence[int]]) -> np.ndarray:
    """L' of candidates from their L: what a candidate that others begin with would take of theirs is taken off."""
    scores = sums.copy()
    for candidate, row in enumerate(tokens):
        longer = [other for other in range(len(tokens)) if _begins(row, tokens[other])]
        nearest = [other for other in longer if not any(_begins(tokens[one], tokens[other]) for one in longer)]
        if nearest:
            share = np.exp(np.logaddexp.reduce(sums[nearest]) - sums[candidate])
            scores[candidate] += np.log(max(1.0 - share, SMALLEST))
    return scores


def _begins(start: Sequence[int], tokens: Sequence[int]) -> bool:
    """Whether tokens begin with all of `start`, and go on."""
    return len(start) < len(tokens) and list(tokens[: len(start)]) == list(start)


def answered(model: Any, tokenizer: Tokenizer, asked: Sequence[Prompt]) -> pd.DataFrame:
    """Let the model answer prompts: one line each.

    Columns: kind, question, steps, distance (words), facts, tokens (of the text), answer, predicted, correct,
    chance (1 / candidates), probability (p of the answer among the candidates).
    """
    if not asked:
        reject("asked", "at least one prompt", asked)
    lines = []
    for prompt in asked:
        scores = candidate_scores(model, tokenizer, prompt)
        right = prompt.candidates.index(prompt.answer)
        predicted = prompt.candidates[int(scores.argmax())]
        lines.append(
            {name: getattr(prompt, name) for name in ("kind", "question", "steps", "distance", "facts", "answer")}
            | {"predicted": predicted, "correct": predicted == prompt.answer, "chance": prompt.chance}
            | {"probability": float(np.exp(scores[right] - np.logaddexp.reduce(scores)))}
        )
    return pd.DataFrame(lines)


@dataclass(frozen=True)
class PromptScore:
    """How a set of prompts was answered."""

    prompts: int
    """Number of prompts."""
    accuracy: Interval
    """Share answered correctly, 0 .. 1."""
    chance: float
    """Mean of 1 / candidates."""
    above_chance: Interval
    """Accuracy minus chance, paired by prompt."""
    times_chance: Interval
    """Accuracy over chance."""
    probability: Interval
    """Mean probability of the right answer among the candidates; guessing blindly gives the chance."""


def prompt_scores(
    table: pd.DataFrame, by: str = "kind", *, seed: int = 0, n: int = RESAMPLES
) -> dict[str, PromptScore]:
    """Score the lines of :func:`answered` by a column: "kind", "question", or "factor" (who, where, what, when)."""
    choice("by", by, ("kind", "question", "factor", "facts"))
    if by == "factor":
        table = table.assign(factor=table["question"].map(factor_of))
    return {str(name): _score(lines, seed, n) for name, lines in table.groupby(by, sort=False)}


def factor_of(question: str) -> str:
    """Return the factor of the world that a question asks for."""
    factors = {one: factor for factor, questions in FACTORS.items() for one in questions}
    return factors[choice("question", question, factors)]


def _score(lines: pd.DataFrame, seed: int, n: int) -> PromptScore:
    correct, chance, probability = (lines[name].to_numpy(np.float64) for name in ("correct", "chance", "probability"))
    [indices] = resample_indices([len(lines)], n, seed)

    def interval(statistic: Any, *columns: np.ndarray) -> Interval:
        return percentile_interval(statistic(*columns), statistic(*(column[indices] for column in columns)))

    return PromptScore(
        prompts=len(lines),
        accuracy=rate_interval(int(correct.sum()), len(lines)),
        chance=float(chance.mean()),
        above_chance=interval(lambda x, y: (x - y).mean(-1), correct, chance),
        times_chance=interval(lambda x, y: x.mean(-1) / y.mean(-1), correct, chance),
        probability=interval(lambda x: x.mean(-1), probability),
    )


def fact_storage(
    model: Any,
    tokenizer: Tokenizer,
    *,
    facts: Sequence[int] = (1, 2, 4, 8),
    distances: Sequence[int] = (50, 100, 200),
    count: int = 32,
    seed: int = 0,
    world: Stories | None = None,
    split: str = "test",
    in_full: bool = False,
) -> pd.DataFrame:
    """State `facts` new colors and ask for one of them about `distances` words later; one line a prompt.

    The lines are those of :func:`answered` with `asked_distance`, the distance asked for; `distance` is the real one.
    `in_full` as in :func:`toyworlds.stories.prompts.prompts`.
    """
    for name, values in (("facts", facts), ("distances", distances)):
        if not len(values):
            reject(name, "at least one number", values)
    integer("count", count, 1)
    world = world or Stories()
    tables = []
    for number, distance in itertools.product(facts, distances):
        asked = recall_prompts(world, seed, count, facts=number, distance=distance, split=split, in_full=in_full)
        tables.append(answered(model, tokenizer, asked).assign(asked_distance=distance))
    return pd.concat(tables, ignore_index=True)


def summary(scores: Mapping[str, PromptScore]) -> list[list[Any]]:
    """Rows of a table: name, prompts, accuracy with interval, chance, times chance with interval."""
    return [
        [name, score.prompts, str(score.accuracy), score.chance, str(score.times_chance)]
        for name, score in scores.items()
    ]


SUMMARY = ("prompts of", "number", "accuracy", "chance", "times chance")
"""Head of the table of :func:`summary`."""
