"""Which head serves which factor of the story world: without it, the prompts about that factor suffer, or not.

    d[u, i]        = ln p(answer of prompt i) - ln p(answer of prompt i without head u),   p among the candidates
    hurt[u, f]     = mean of d[u, i] over the prompts i about factor f (who, where, what, when, custom)
    eta2[u]        = sum_f n_f (hurt[u, f] - hurt[u])^2 / sum_i (d[u, i] - hurt[u])^2       0 .. 1
    E[u, f]        = mean of d[u, i]^2 over the same prompts: the effect matrix of `analysis.scores.causal`

A head is removed by setting what it returns to 0, in all its layer's steps; later layers see what is left. eta2 is the
share of the variance of a head's effects that the factors explain. The null hypothesis, that a head's effects know
nothing of the factors, is tested by putting the factors of the prompts in random order: p of a head, and of the largest
eta2 of all heads against the largest of each permutation, which allows for looking at many heads.

Reference: `analysis.scores.causal` for E and its shares; `analysis.scores.null` for p.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from analysis.arrays import finite
from analysis.scores.causal import CausalAlignment, causal_alignment
from analysis.scores.null import p_value
from analysis.story_prompts import candidate_scores, factor_of
from toyworlds.core.seeds import Stream
from toyworlds.core.validate import integer, reject
from toyworlds.stories.prompts import Prompt

if TYPE_CHECKING:
    from mosaics.text.tokenizer import Tokenizer


class Head(NamedTuple):
    """One memory or attention head."""

    module: str
    """Name of its module in the model."""
    number: int
    """Number in the module; of memories of two levels, those of the short one come first."""


def heads_of(model: Any) -> list[Head]:
    """Every contextual and persistent memory, and every attention head, of a stack of blocks, in order."""
    from mosaics.baselines.transformer import Attention
    from mosaics.levels import OneLevelMemory, TwoLevelMemory
    from mosaics.units import ContextualMemory, PersistentMemory

    kinds = (ContextualMemory, PersistentMemory, Attention, TwoLevelMemory, OneLevelMemory)
    units = [(name, unit) for name, unit in model.named_modules() if isinstance(unit, kinds)]
    found = [Head(name, number) for name, unit in units for number in range(len(_places(model, unit)))]
    if not found:
        reject("model", "one with memories or attention heads", type(model).__name__)
    return found


@contextmanager
def without(model: Any, head: Head) -> Iterator[None]:
    """Remove a head inside the block: what it returns is 0."""
    unit = model.get_submodule(head.module)
    places = _places(model, unit)
    place = places[integer("number", head.number, 0, len(places) - 1)]

    def silence(_: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        joined = arguments[0].clone()
        joined[..., place] = 0.0
        return (joined,)

    hook = unit.output.register_forward_pre_hook(silence)
    try:
        yield
    finally:
        hook.remove()


def _places(model: Any, unit: Any) -> list[slice]:
    """Where each head of a module lies in what its output map reads."""
    width = model.config.width // model.config.n_heads
    return [slice(first, first + width) for first in range(0, unit.output.in_features, width)]


def removal_effects(
    model: Any, tokenizer: Tokenizer, asked: Sequence[Prompt], heads: Sequence[Head] | None = None
) -> np.ndarray:
    """d, (heads, prompts): nats of the right answer that are lost without each head (of all, when none are given)."""
    chosen = heads_of(model) if heads is None else list(heads)
    before = _answers(model, tokenizer, asked)
    effects = np.empty((len(chosen), len(asked)))
    for row, head in enumerate(chosen):
        with without(model, head):
            effects[row] = before - _answers(model, tokenizer, asked)
    return effects


def _answers(model: Any, tokenizer: Tokenizer, asked: Sequence[Prompt]) -> np.ndarray:
    found = []
    for prompt in asked:
        scores = candidate_scores(model, tokenizer, prompt)
        found.append(scores[prompt.candidates.index(prompt.answer)] - np.logaddexp.reduce(scores))
    return np.array(found)


@dataclass(frozen=True)
class Specialisation:
    """What each head does for each factor, against a permutation null."""

    factors: tuple[str, ...]
    """Names of the factors."""
    hurt: np.ndarray
    """(heads, factors) mean loss of the right answer, nats."""
    eta2: np.ndarray
    """(heads,) share of the variance between factors."""
    p_values: np.ndarray
    """(heads,) of each head on its own."""
    p_largest: float
    """Of the largest eta2 of all heads."""
    causal: CausalAlignment
    """Shares of the mean squared effects, and their alignment score."""


def specialisation(effects: Any, factors: Sequence[str], *, seed: int = 0, n: int = 1000) -> Specialisation:
    """Test effects d (heads, prompts) for specialisation on the prompts' factors, at least two of them."""
    effects = finite("effects", effects, 2)
    names = tuple(dict.fromkeys(factors))
    if len(factors) != effects.shape[1] or len(names) < 2:
        reject("factors", f"{effects.shape[1]} names, of two factors at least", factors)
    member = np.array([[factor == name for factor in factors] for name in names], np.float64)
    shares = member / member.sum(axis=1, keepdims=True)
    observed = explained(effects, member)
    stream = Stream(seed, "specialisation")
    size = len(factors)
    orders = stream.words(0, integer("n", n, 1) * size).reshape(n, size).argsort(axis=1, kind="stable")
    null = np.stack([explained(effects, member[:, order]) for order in orders])
    return Specialisation(
        factors=names,
        hurt=effects @ shares.T,
        eta2=observed,
        p_values=np.array([p_value(observed[head], null[:, head]) for head in range(len(effects))]),
        p_largest=p_value(float(observed.max()), null.max(axis=1)),
        causal=causal_alignment(np.square(effects) @ shares.T),
    )


def explained(effects: np.ndarray, member: np.ndarray) -> np.ndarray:
    """eta2 (heads,) of effects (heads, prompts) for indicators (factors, prompts); 0 for a head without any effect."""
    sizes = member.sum(axis=1)
    centred = effects - effects.mean(axis=1, keepdims=True)
    between = np.square(centred @ member.T / sizes) @ sizes
    total = np.square(centred).sum(axis=1)
    return np.divide(between, total, out=np.zeros_like(total), where=total > 0)


def story_specialisation(
    model: Any, tokenizer: Tokenizer, asked: Sequence[Prompt], *, seed: int = 0, n: int = 1000
) -> tuple[list[Head], Specialisation]:
    """Remove every head in turn and test what it does for the factors of the story world."""
    heads = heads_of(model)
    effects = removal_effects(model, tokenizer, asked, heads)
    return heads, specialisation(effects, [factor_of(prompt.question) for prompt in asked], seed=seed, n=n)
