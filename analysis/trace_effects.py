"""Effect sizes of tampering with named and with matched pairs, over problems of several models.

Statistics are over problems (of several models: strata), with percentile bootstraps:

    mean of each side, their paired difference, their ratio, and the standardised difference
    d = mean(difference) / standard deviation(difference)         (Cohen's d of paired samples)

What is named, matched and measured: `analysis.tracing`.

Reference: Cohen, Statistical power analysis for the behavioral sciences, 1988, sec. 2.3.5.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

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
from analysis.tracing import MEASURES, SIDES
from toyworlds.core.validate import reject


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
    """Mean weight, expected effect, effect and (for tokens) flip of the named pairs."""
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


@dataclass(frozen=True)
class TooFew:
    """What is left of effects where too few problems have matched pairs."""

    problems: int
    """Problems with matched pairs."""
    without: int
    """Problems left out because none of their named pairs has a match."""


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

    measures = [m for m in MEASURES if all(f"{m}_{side}" in table for table in tables for side in SIDES)]
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
    """Cohen's d of paired samples, strata (2, .., problems): mean over strata; 0 where all differences are alike."""
    found = []
    for stratum in strata:
        differences = stratum[0] - stratum[1]
        spread = differences.std(-1, ddof=1)
        found.append(differences.mean(-1) * (spread > 0) / np.where(spread > 0, spread, 1.0))
    return np.mean(found, axis=0)


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
