"""Accuracy against training-set size: area under the curve, samples to reach a target, data-equivalence of two models.

A curve holds runs, each of one size, several a size (seeds). Between measured sizes it is read off as

    m(s)   mean of the runs of size s, made monotone by pooling adjacent violators (weights: runs a size)
    m(x)   linear in ln x between neighbouring sizes; nothing is said outside the measured range

    accuracy
      0.9 |            .--o      target 0.8 is reached at 2000 = exp((ln 1000 + ln 4000) / 2) samples,
      0.7 |     o--'             target 0.95 is beyond the measured range: more than 4000
          +-----+------+---
              1000    4000       ln scale

Intervals resample the runs of each size (`analysis.bootstrap`; sizes are the strata).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from analysis.arrays import finite
from analysis.bootstrap import LEVEL, RESAMPLES, Interval, checked_level, percentile_interval, resampled
from toyworlds.core.validate import integer, real, reject

ROUNDING = 1e-12
"""A mean this close to the target, relative to the largest value, has reached it."""


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """Runs of one model: `sizes` (runs,) above 0 and `values` (runs,), in any order; at least two different sizes."""

    sizes: Any
    values: Any
    higher_is_better: bool = True
    levels: np.ndarray = field(init=False, repr=False)
    strata: list[np.ndarray] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        sizes, values = finite("sizes", self.sizes, 1), finite("values", self.values, 1)
        if sizes.shape != values.shape:
            reject("values", f"{len(sizes)} numbers, one a size", len(values))
        if sizes.min() <= 0:
            reject("sizes", "numbers above 0", float(sizes.min()))
        levels = np.unique(sizes)
        if len(levels) < 2:
            reject("sizes", "at least 2 different sizes", levels.tolist())
        object.__setattr__(self, "sizes", sizes)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "levels", levels)
        object.__setattr__(self, "strata", [values[sizes == level] for level in levels])

    @property
    def runs(self) -> np.ndarray:
        """Number of runs of each size."""
        return np.array([len(stratum) for stratum in self.strata])


@dataclass(frozen=True)
class Reach:
    """Samples needed for a target: between `low` and `high`, at `estimate`; 0 and infinity where not measured.

    `interval` holds the limits over resampled runs; `statement` says the estimate in words.
    """

    estimate: tuple[float, float]
    interval: Interval
    statement: str


@dataclass(frozen=True)
class Equivalence:
    """How many times more samples b needs than a for one accuracy: bounds, interval over runs, and words.

    Both bounds are equal where both models reach the target within their measured range.
    """

    estimate: tuple[float, float]
    interval: Interval
    statement: str


def area_under_curve(curve: LearningCurve, *, seed: int = 0, n: int = RESAMPLES, level: float = LEVEL) -> Interval:
    """1 / (ln s_K - ln s_1) times the integral of m over ln s, by trapezoids: the mean value over the log-size axis.

    The means of the runs as they are, not made monotone. Every size needs at least two runs.
    """
    level = checked_level(level)
    _repeated(curve)
    weights = np.zeros(len(curve.levels))
    steps = np.diff(np.log(curve.levels)) / np.log(curve.levels[-1] / curve.levels[0])
    weights[:-1] += 0.5 * steps
    weights[1:] += 0.5 * steps
    estimate = sum(w * stratum.mean() for w, stratum in zip(weights, curve.strata, strict=True))
    drawn = resampled(curve.strata, integer("n", n, 1), seed)
    samples = np.sum([w * runs.mean(axis=-1) for w, runs in zip(weights, drawn, strict=True)], axis=0)
    return percentile_interval(estimate, samples, level)


def samples_to_reach(
    curve: LearningCurve, target: float, *, seed: int = 0, n: int = RESAMPLES, level: float = LEVEL
) -> Reach:
    """Smallest size at which m reaches `target`, with its interval; every size needs at least two runs.

    (x, x) where it lies between two measured sizes, (0, s_1) where the smallest size reaches it already, and
    (s_K, infinity) where the largest does not.
    """
    target = real("target", target)
    low, high = (float(x[0]) for x in _crossing(curve, [s[None] for s in curve.strata], target))
    lows, highs = _resampled_crossing(curve, target, n, seed, "reach")
    interval = _bounds_interval(low, high, lows, highs, level)
    return Reach((low, high), interval, _reach_statement(low, high))


def data_equivalence(
    a: LearningCurve, b: LearningCurve, target: float, *, seed: int = 0, n: int = RESAMPLES, level: float = LEVEL
) -> Equivalence:
    """x_b / x_a, the sizes at which b and a reach `target`: one sample of a is worth that many of b.

    Where a model's size is known only to be below or above its measured range, the ratio is known only to lie between
    two bounds; the interval's ends are the quantiles of the lower and of the upper bounds, so it is never too short
    for want of measurements. Every size needs at least two runs.
    """
    target = real("target", target)
    if a.higher_is_better != b.higher_is_better:
        reject("b", f"a curve with higher_is_better={a.higher_is_better}, as a", b.higher_is_better)
    a_low, a_high = (float(x[0]) for x in _crossing(a, [s[None] for s in a.strata], target))
    b_low, b_high = (float(x[0]) for x in _crossing(b, [s[None] for s in b.strata], target))
    low, high = float(_ratio(b_low, a_high)), float(_ratio(b_high, a_low))
    a_lows, a_highs = _resampled_crossing(a, target, n, seed, "a")
    b_lows, b_highs = _resampled_crossing(b, target, n, seed, "b")
    interval = _bounds_interval(low, high, _ratio(b_lows, a_highs), _ratio(b_highs, a_lows), level)
    return Equivalence((low, high), interval, _ratio_statement(low, high))


def monotone(means: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Non-decreasing values nearest to each row of `means` (n, sizes) in weighted least squares.

    m(k) = max_{i <= k} min_{j >= k} of the weighted mean of entries i .. j, what pooling adjacent violators gives.

    Reference: Robertson, Wright and Dykstra, Order Restricted Statistical Inference, 1988, theorem 1.4.4.
    """
    size = means.shape[1]
    result = np.full_like(means, -np.inf)
    for i in range(size):
        pooled = np.cumsum(means[:, i:] * weights[i:], axis=1) / np.cumsum(weights[i:])
        least = np.minimum.accumulate(pooled[:, ::-1], axis=1)[:, ::-1]
        result[:, i:] = np.maximum(result[:, i:], least)
    return result


def _crossing(curve: LearningCurve, strata: Sequence[np.ndarray], target: float) -> tuple[np.ndarray, np.ndarray]:
    """Bounds (n,), (n,) on the size that reaches the target, for strata (n, runs) drawn from the curve's."""
    sign = 1.0 if curve.higher_is_better else -1.0
    means = monotone(sign * np.stack([runs.mean(axis=-1) for runs in strata], axis=1), curve.runs)
    reached = means >= sign * target - ROUNDING * np.abs(curve.values).max()
    first = np.where(reached.any(axis=1), reached.argmax(axis=1), len(curve.levels))
    right = np.clip(first, 1, len(curve.levels) - 1)
    rows, logs = np.arange(len(means)), np.log(curve.levels)
    below, above = means[rows, right - 1], means[rows, right]
    rise = np.where(above > below, above - below, 1.0)
    share = np.clip((sign * target - below) / rise, 0.0, 1.0)
    size = np.exp(logs[right - 1] + share * (logs[right] - logs[right - 1]))
    low = np.where(first == 0, 0.0, np.where(first == len(logs), curve.levels[-1], size))
    return low, np.where(first == 0, curve.levels[0], np.where(first == len(logs), np.inf, size))


def _resampled_crossing(
    curve: LearningCurve, target: float, n: int, seed: int, name: str
) -> tuple[np.ndarray, np.ndarray]:
    _repeated(curve)
    return _crossing(curve, resampled(curve.strata, integer("n", n, 1), seed, name), target)


def _bounds_interval(low: float, high: float, lows: np.ndarray, highs: np.ndarray, level: float) -> Interval:
    """Quantiles that are sample values, as infinity cannot be interpolated; the estimate is NaN unless measured."""
    tail = (1.0 - checked_level(level)) / 2.0
    ends = np.quantile(lows, tail, method="lower"), np.quantile(highs, 1.0 - tail, method="higher")
    return Interval(low if low == high else math.nan, float(ends[0]), float(ends[1]), level)


def _ratio(top: Any, bottom: Any) -> np.ndarray:
    """Top / bottom for bounds from 0 to infinity: x / 0 and infinity / x are infinite, 0 / x and x / infinity are 0."""
    with np.errstate(divide="ignore"):
        return np.divide(top, bottom)


def _reach_statement(low: float, high: float) -> str:
    if low == high:
        return f"{_count(low)} samples"
    if math.isinf(high):
        return f"beyond the measured range: more than {_count(low)} samples"
    return f"beyond the measured range: at most {_count(high)} samples"


def _count(size: float) -> str:
    """Whole samples, but three digits of fewer than 10: sizes may be of any unit."""
    return f"{size:,.0f}" if size >= 10 else f"{size:,.3g}"


def _ratio_statement(low: float, high: float) -> str:
    if low == high:
        return f"{low:.3g} times as many samples"
    if low == 0 and math.isinf(high):
        return "beyond the measured range: the runs do not bound the ratio"
    if math.isinf(high):
        return f"beyond the measured range: more than {low:.3g} times as many samples"
    return f"beyond the measured range: less than {high:.3g} times as many samples"


def _repeated(curve: LearningCurve) -> None:
    if curve.runs.min() < 2:
        size = curve.levels[curve.runs.argmin()]
        reject("curve", "at least 2 runs of every size, for an interval over runs", f"1 run of size {size:g}")
