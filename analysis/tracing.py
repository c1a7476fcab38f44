"""Causal traceability: a prediction hangs on the pairs that its trace names, and not on others of the same weight.

At one step of a problem the trace gives each stored pair i of a memory its weight w_i and its contributions c_i to all
logits z; p = softmax(z). From these alone follows what should happen to the logits when pairs S are tampered with:

    silence    the value becomes 0, the weight stays                dz = - sum_S c_i
    remove     the pair goes, its weight goes to the others         dz = (W C - sum_S c_i) / (1 - W),  W = sum_S w_i,
               of its memory                                             C = sum of c over that memory

    expected effect    total variation between p and softmax(z + dz); memories add up
    named              pairs with a large expected effect, at least `floor` of the largest
    matched            for each of these another pair of the same memory (layer and head), with a weight within a factor
                       `ratio` of its own, and an expected effect of at most `share` of its own; each is used once

The `pairs` most effective that have a partner are tampered with just before the prediction, and then, in their stead,
their partners. What is then seen in the model itself, all that follows in later layers and norms included:

    effect     total variation between p before and after
    flip       the most probable token is another

A memory returns a weighted mean, so a pair that says what its whole memory says can be removed without effect, though
it contributes much: the others take over. `account` = "contribution" names pairs by what they contribute (dz of
silence) whatever is done to them; "intervention" by what the trace expects of the very intervention.

Statistics are over problems (of several models: strata), with percentile bootstraps:

    mean of each side, their paired difference, their ratio, and the standardised difference
    d = mean(difference) / standard deviation(difference)         (Cohen's d of paired samples)

Reference: Cohen, Statistical power analysis for the behavioral sciences, 1988, sec. 2.3.5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from analysis.bootstrap import (
    RESAMPLES,
    Interval,
    Strata,
    bootstrap_interval,
    mean,
    paired_difference,
    percentile_interval,
    resample_indices,
)
from regbench.problems import Problems
from toyworlds.core.seeds import Stream
from toyworlds.core.validate import InputError, choice, integer, real, reject

if TYPE_CHECKING:
    from mosaics.trace import Trace

SIDES = ("named", "matched")
ALONE = 1e-9
"""A memory whose other pairs weigh less than this has nobody to hand a weight to."""


@dataclass(frozen=True)
class Traceability:
    """What is done to pairs, and how they are named and matched."""

    intervention: Literal["silence", "remove"] = "remove"
    """The value becomes 0 and the weight stays, or the pair goes and its weight goes to the others."""
    account: Literal["contribution", "intervention"] = "intervention"
    """Pairs are named by their contributions, or by what the trace expects of the intervention."""
    pairs: int = 4
    """Named pairs at most."""
    floor: float = 0.5
    """A named pair's expected effect is at least this share of the largest."""
    ratio: float = 1.25
    """Weights match within this factor."""
    share: float = 0.25
    """A matched pair's expected effect is at most this share of the named pair's."""
    first: int = 20
    """First row from which the step of a problem is drawn."""
    seed: int = 0
    """Seed of the drawn steps."""

    def __post_init__(self) -> None:
        choice("intervention", self.intervention, ("silence", "remove"))
        choice("account", self.account, ("contribution", "intervention"))
        integer("pairs", self.pairs, 1)
        real("floor", self.floor, 0.0, 1.0)
        real("ratio", self.ratio, 1.0)
        if real("share", self.share, 0.0) >= 1.0:
            reject("share", "a number of at least 0 and below 1", self.share)
        integer("first", self.first, 0)
        integer("seed", self.seed, 0)


def steps(problems: Problems, how: Traceability) -> Iterator[tuple[int, int]]:
    """(problem, row) of the drawn steps, for those problems that have a labelled row from `first` on."""
    draws = Stream(how.seed, "traceability", "step").uniform(0, len(problems))
    for problem, draw in enumerate(draws):
        rows = np.flatnonzero(problems.labels[problem] >= 0)
        rows = rows[rows >= how.first]
        if len(rows):
            yield problem, int(rows[int(draw * len(rows))])


@dataclass(frozen=True)
class Stored:
    """The stored pairs of a trace: table (layer, head, index), weights (n,), contributions (n, K), memory (n,)."""

    table: pd.DataFrame
    weights: np.ndarray
    contributions: np.ndarray
    memory: np.ndarray
    logits: np.ndarray

    @classmethod
    def of(cls, found: Trace) -> Stored:
        """Pairs of a trace of all logits."""
        pairs = ((found.parts["kind"] == "pair") & (found.parts["weight"] > 0)).to_numpy()
        table = found.parts[pairs].reset_index(drop=True)
        memory = table.groupby(["layer", "head"]).ngroup().to_numpy()
        return cls(table, table["weight"].to_numpy(), found.contributions[pairs], memory, found.predicted)

    def shift(self, chosen: Sequence[int], intervention: str) -> np.ndarray:
        """Change of the logits (K,) that the trace expects of tampering with the pairs numbered `chosen`."""
        total = np.zeros_like(self.logits)
        for memory in np.unique(self.memory[list(chosen)]):
            some = [pair for pair in chosen if self.memory[pair] == memory]
            gone, weight = self.contributions[some].sum(0), self.weights[some].sum()
            if intervention == "remove" and 1.0 - weight > ALONE:
                whole = self.contributions[self.memory == memory].sum(0)
                total += (weight * whole - gone) / (1.0 - weight)
            else:
                total -= gone
        return total

    def expected(self, intervention: str) -> np.ndarray:
        """Expected effect of tampering with each pair alone, (n,)."""
        shifts = np.stack([self.shift([pair], intervention) for pair in range(len(self.weights))])
        return total_variation(self.logits, self.logits + shifts)


def total_variation(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Half the sum of absolute differences of the softmax of logits (.., K)."""
    first, second = (np.exp(z - np.logaddexp.reduce(z, axis=-1, keepdims=True)) for z in (before, after))
    return np.asarray(np.abs(first - second).sum(-1) / 2.0)


def match(stored: Stored, how: Traceability) -> tuple[list[int], list[int]]:
    """Numbers of the named pairs and, in the same order, of those matched to them."""
    effect = stored.expected("silence" if how.account == "contribution" else how.intervention)
    order = [pair for pair in np.argsort(-effect, kind="stable") if effect[pair] >= how.floor * effect.max(initial=0.0)]
    free = np.ones(len(effect), bool)
    named: list[int] = []
    matched: list[int] = []
    for pair in order:
        distance = np.abs(np.log(stored.weights / stored.weights[pair]))
        fits = free & (stored.memory == stored.memory[pair]) & (distance <= np.log(how.ratio))
        fits &= effect <= how.share * effect[pair]
        if free[pair] and fits.any() and len(named) < how.pairs:
            partner = int(np.where(fits, distance, np.inf).argmin())
            named.append(int(pair))
            matched.append(partner)
            free[[pair, partner]] = False
    return named, matched


def measure(model: Any, problems: Problems, how: Traceability | None = None) -> pd.DataFrame:
    """One line a problem: what tampering with its named and with its matched pairs does.

    Columns: problem, row, pairs (on each side), and for either side weight (sum), expected, effect, flip, with the
    suffixes _named and _matched. Problems without any match keep their line, with pairs = 0 and NaN.
    """
    import torch

    from mosaics.edit import Remove, Replace, change
    from mosaics.trace import exact, trace

    how, model = how or Traceability(), exact(model)
    nothing = torch.zeros(model.config.width // model.config.n_heads, dtype=torch.float64)
    lines = []
    for problem, row in steps(problems, how):
        tokens = problems.tokens[problem, : row + 1].astype(np.int64)
        stored = Stored.of(trace(model, tokens))
        sides = dict(zip(SIDES, match(stored, how), strict=True))
        line: dict[str, Any] = {"problem": problem, "row": row, "pairs": len(sides["named"])}
        for side, pairs in sides.items() if line["pairs"] else ():
            places = stored.table.loc[pairs, ["layer", "head", "index"]].to_numpy().tolist()
            edits: list[Any] = [
                Remove(*place) if how.intervention == "remove" else Replace(*place, value=nothing)  # type: ignore[misc]
                for place in places
            ]
            edited = change(model, tokens, edits, since=row)
            expected = total_variation(stored.logits, stored.logits + stored.shift(pairs, how.intervention))
            line |= {
                f"weight_{side}": stored.weights[pairs].sum(),
                f"expected_{side}": float(expected),
                f"effect_{side}": edited.total_variation,
                f"flip_{side}": float(edited.after.argmax() != edited.before.argmax()),
            }
        lines.append(line)
    if not lines:
        raise InputError(f"problems: expected one with a labelled row from {how.first} on; got none")
    return pd.DataFrame(lines)


@dataclass(frozen=True)
class Effects:
    """Effect sizes of named against matched pairs; each table (one a model) is a stratum."""

    problems: int
    """Problems with matched pairs."""
    without: int
    """Problems left out because none of their named pairs has a match."""
    pairs: float
    """Named pairs of a problem, mean."""
    named: dict[str, Interval]
    """Mean weight, expected effect, effect and flip of the named pairs."""
    matched: dict[str, Interval]
    """The same of the matched pairs."""
    difference: dict[str, Interval]
    """named - matched, paired by problem."""
    standardised: Interval
    """Cohen's d of the paired differences in effect."""
    ratio: Interval
    """Mean effect of the named pairs over that of the matched."""
    larger: Interval
    """Share of problems whose named pairs have the larger effect."""
    correlation: Interval
    """Between expected and seen effects, both sides together; mean over models."""


def effects(tables: Sequence[pd.DataFrame], *, seed: int = 0, n: int = RESAMPLES) -> Effects:
    """Effect sizes with intervals from the tables of :func:`measure`, one a model."""
    strata = [table[table["pairs"] > 0] for table in tables]
    if not strata or min(len(table) for table in strata) < 2:
        reject("tables", "at least one, each with two problems that have matched pairs", [len(t) for t in strata])

    def values(column: str, side: str) -> list[np.ndarray]:
        return [table[f"{column}_{side}"].to_numpy(np.float64) for table in strata]

    def over(statistic: Callable[[Strata], np.ndarray], *columns: tuple[str, str]) -> Interval:
        return joint_interval([np.stack(parts) for parts in zip(*(values(*c) for c in columns), strict=True)],
                              statistic, seed, n)  # fmt: skip

    measures = ("weight", "expected", "effect", "flip")
    sides = {side: {m: bootstrap_interval(values(m, side), seed=seed, n=n) for m in measures} for side in SIDES}
    both = [("effect", side) for side in SIDES]
    return Effects(
        problems=sum(map(len, strata)),
        without=sum(map(len, tables)) - sum(map(len, strata)),
        pairs=float(np.mean([table["pairs"].mean() for table in strata])),
        named=sides["named"],
        matched=sides["matched"],
        difference={m: paired_difference(values(m, "named"), values(m, "matched"), seed=seed, n=n) for m in measures},
        standardised=over(cohen, *both),
        ratio=over(ratio_of_means, *both),
        larger=over(lambda strata: mean([s[0] > s[1] for s in strata]), *both),
        correlation=over(correlation, *((column, side) for column in ("expected", "effect") for side in SIDES)),
    )


def cohen(strata: Strata) -> np.ndarray:
    """Cohen's d of paired samples, strata (2, .., problems): mean over strata."""
    differences = [s[0] - s[1] for s in strata]
    return np.mean([d.mean(-1) / d.std(-1, ddof=1) for d in differences], axis=0)


def ratio_of_means(strata: Strata) -> np.ndarray:
    """Mean of the first over mean of the second, strata (2, .., problems)."""
    first, second = (np.mean([s[side].mean(-1) for s in strata], axis=0) for side in range(2))
    return np.asarray(first / second)


def correlation(strata: Strata) -> np.ndarray:
    """Pearson's correlation of x and y, strata (x, x', y, y') of (4, .., problems): mean over strata."""
    found = []
    for s in strata:
        x, y = (np.concatenate(list(part), -1) for part in (s[:2], s[2:]))
        x, y = (part - part.mean(-1, keepdims=True) for part in (x, y))
        found.append((x * y).sum(-1) / np.sqrt((x**2).sum(-1) * (y**2).sum(-1)))
    return np.mean(found, axis=0)


def joint_interval(
    strata: Sequence[np.ndarray], statistic: Callable[[Strata], np.ndarray], seed: int, n: int
) -> Interval:
    """Interval of a statistic of several numbers a problem: strata (numbers, problems), problems resampled."""
    indices = resample_indices([stratum.shape[1] for stratum in strata], n, seed)
    drawn = [stratum[:, index] for stratum, index in zip(strata, indices, strict=True)]
    return percentile_interval(statistic(strata), statistic(drawn))
