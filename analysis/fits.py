"""y(s) = c + a g(s; r): laws fitted to learning curves, chosen by AICc, with intervals over runs.

    power         g = s^-r           c is the floor of an error, or the ceiling of an accuracy (a < 0); r > 0
    exponential   g = exp(-s / r)    likewise; r > 0, in samples
    logarithmic   g = ln s           no bound, two parameters

    AICc = N ln(SSE / N) + 2 k + 2 k (k + 1) / (N - k - 1)        N runs, k the parameters and the noise variance

Least squares over all runs. For a given r the best c and a are a straight-line regression on g, so only r is searched
(variable projection): on a geometric grid between bounds that the measured sizes set, then ever finer about the best.
A law is refused where the points cannot tell it from others: fewer than one size more than it has parameters, or fewer
than three runs more; and where float64 cannot hold its numbers (see the constants below).

Reference: Hurvich and Tsai, Regression and time series model selection in small samples, Biometrika 76 (1989), 297-307;
Golub and Pereyra, SIAM Journal on Numerical Analysis 10 (1973), 413-432.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.arrays import finite
from analysis.bootstrap import LEVEL, RESAMPLES, Band, Interval, checked_level, percentile_interval, resampled
from analysis.learning_curve import LearningCurve
from toyworlds.core.validate import choice, integer, real, reject

PARAMETERS = {"power": 3, "logarithmic": 2, "exponential": 3}
SIZES = {"power": (1e-30, 1e30), "logarithmic": (1e-300, 1e300), "exponential": (1e-300, 1e300)}
"""Bounds of the smallest size: its power -10 has to be a number."""
LARGEST_SIZE = 1e300
VALUES = (1e-140, 1e140)
"""Bounds of the largest value, unless all are 0: its square has to be a number."""
NARROWEST = 1e-12
"""Least difference of the sizes, relative to the largest: a law of equal sizes has no slope."""
GRID = 64
REFINEMENTS = 5


@dataclass(frozen=True)
class Fit:
    """One fitted law: y(s) = offset + slope g(s; rate); rate is None for the logarithmic law.

    `at_bound` warns that the best rate lies at the end of its range: the runs do not determine it.
    """

    law: str
    offset: float
    slope: float
    rate: float | None
    squared_error: float
    aicc: float
    at_bound: bool

    def predict(self, sizes: Any) -> np.ndarray:
        """Value of the law at `sizes`, float64; beyond the measured sizes this extrapolates."""
        return self.offset + self.slope * _shape(self.law, _sizes(sizes), np.array(self.rate or 0.0))

    def inverse(self, target: float) -> float:
        """Size at which the law takes the value `target`; NaN where it never does, infinity above e^700."""
        g = (real("target", target) - self.offset) / self.slope if self.slope else math.nan
        if self.law == "logarithmic":
            return math.exp(g) if g < 700 else math.inf
        if not g > 0 or self.rate is None:
            return math.nan
        size = -self.rate * math.log(g) if self.law == "exponential" else math.exp(min(-math.log(g) / self.rate, 700.0))
        return size if size >= 0 else math.nan


@dataclass(frozen=True)
class Selection:
    """The fit with the least AICc, all fits from the best to the worst, and why other laws were refused."""

    best: Fit
    fits: tuple[Fit, ...]
    refused: dict[str, str]


@dataclass(frozen=True)
class FitInterval:
    """A fit, intervals of its parameters by name (offset, slope, rate), and its band at the sizes asked for."""

    fit: Fit
    parameters: dict[str, Interval]
    sizes: np.ndarray
    band: Band


def refusal(curve: LearningCurve, law: str) -> str:
    """Why `law` cannot be fitted to the curve, or an empty string."""
    sizes, runs = PARAMETERS[law] + 1, PARAMETERS[law] + 3
    if len(curve.levels) < sizes or curve.runs.sum() < runs:
        got = f"{len(curve.levels)} sizes and {curve.runs.sum()} runs"
        return f"needs at least {sizes} sizes and {runs} runs; there are {got}"
    first, last, value = float(curve.levels[0]), float(curve.levels[-1]), float(np.abs(curve.values).max())
    for what, number, (low, high) in (
        ("a smallest size", first, SIZES[law]),
        ("a largest size", last, (first, LARGEST_SIZE)),
        ("a largest value", value, VALUES),
    ):
        if number and not low <= number <= high:
            return f"needs {what} from {low:g} to {high:g}; it is {number:g}"
    if last - first < NARROWEST * last:
        return f"needs sizes that differ by {NARROWEST:g} of the largest; they lie from {first:.17g} to {last:.17g}"
    return ""


def fit_law(curve: LearningCurve, law: str) -> Fit:
    """Least-squares fit of one law (a key of `PARAMETERS`); InputError when the points do not allow it."""
    reason = refusal(curve, choice("law", law, PARAMETERS))
    if reason:
        reject("curve", f"points that allow the {law} law", reason)
    means = np.array([[stratum.mean() for stratum in curve.strata]])
    offset, slope, rate, lack = (x[0] for x in _least_squares(curve, law, means))
    within = sum(float(np.square(stratum - stratum.mean()).sum()) for stratum in curve.strata)
    error, runs, k = within + float(lack), int(curve.runs.sum()), PARAMETERS[law] + 1
    floor = runs * (1e-12 * float(np.abs(curve.values).max())) ** 2 + np.finfo(float).tiny
    aicc = runs * math.log(max(error, floor) / runs) + 2 * k + 2 * k * (k + 1) / (runs - k - 1)
    bounds = _rate_bounds(curve, law)
    at_bound = bounds is not None and (rate <= 1.001 * bounds[0] or rate >= 0.999 * bounds[1])
    return Fit(law, float(offset), float(slope), None if bounds is None else float(rate), error, aicc, bool(at_bound))


def select_law(curve: LearningCurve, laws: Sequence[str] = tuple(PARAMETERS)) -> Selection:
    """Fit every law that the points allow and rank by AICc; InputError when they allow none."""
    if not laws:
        reject("laws", "at least one of " + ", ".join(PARAMETERS), list(laws))
    reasons = {choice("laws", law, PARAMETERS): refusal(curve, law) for law in laws}
    refused = {law: reason for law, reason in reasons.items() if reason}
    if len(refused) == len(reasons):
        reject("curve", "points that allow a law", refused)
    fits = sorted((fit_law(curve, law) for law in reasons if law not in refused), key=lambda fit: fit.aicc)
    return Selection(fits[0], tuple(fits), refused)


def fit_interval(
    curve: LearningCurve, law: str, sizes: Any = None, *, seed: int = 0, n: int = RESAMPLES, level: float = LEVEL
) -> FitInterval:
    """Percentile intervals of a law's parameters and of its values at `sizes` (the measured ones by default).

    The runs of each size are resampled and the law fitted again, `n` times; the law itself is kept. Every size needs
    at least two runs.
    """
    fit, level = fit_law(curve, law), checked_level(level)
    if curve.runs.min() < 2:
        reject("curve", "at least 2 runs of every size, for an interval over runs", curve.runs.tolist())
    at = curve.levels if sizes is None else _sizes(sizes)
    drawn = resampled(curve.strata, integer("n", n, 1), seed, "fit")
    offset, slope, rate, _ = _least_squares(curve, law, np.stack([runs.mean(axis=1) for runs in drawn], axis=1))
    estimates = {"offset": (fit.offset, offset), "slope": (fit.slope, slope)}
    if fit.rate is not None:
        estimates["rate"] = (fit.rate, rate)
    parameters = {name: percentile_interval(value, samples, level) for name, (value, samples) in estimates.items()}
    values = offset[:, None] + slope[:, None] * _shape(law, at, rate[:, None])
    low, high = np.quantile(values, [(1.0 - level) / 2.0, (1.0 + level) / 2.0], axis=0)
    return FitInterval(fit, parameters, at, Band(fit.predict(at), low, high, level))


def _shape(law: str, sizes: np.ndarray, rate: np.ndarray) -> np.ndarray:
    """Return g of the module's equation, `sizes` and `rate` broadcast against each other."""
    if law == "logarithmic":
        return np.log(sizes) + np.zeros_like(rate)
    return sizes**-rate if law == "power" else np.exp(-sizes / rate)


def _sizes(sizes: Any) -> np.ndarray:
    array = finite("sizes", sizes, 1)
    if array.min() <= 0:
        reject("sizes", "numbers above 0", float(array.min()))
    return array


def _rate_bounds(curve: LearningCurve, law: str) -> tuple[float, float] | None:
    """Range of r: exponents 0.01 to 10; scales from a fifth of the smallest size to 100 times the largest."""
    if law == "logarithmic":
        return None
    return (0.01, 10.0) if law == "power" else (0.2 * float(curve.levels[0]), 100.0 * float(curve.levels[-1]))


def _least_squares(
    curve: LearningCurve, law: str, means: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Offset, slope, rate, and squared error of the means weighted by runs, (n,) each, for means (n, sizes)."""
    bounds = _rate_bounds(curve, law)
    if bounds is None:
        grid = np.ones((len(means), 1))
        return _best_line(curve, law, means, grid)[:4]
    grid = np.broadcast_to(np.geomspace(*bounds, GRID), (len(means), GRID))
    for _ in range(REFINEMENTS):
        *_, index = _best_line(curve, law, means, grid)
        rows = np.arange(len(means))
        low, high = grid[rows, np.maximum(index - 1, 0)], grid[rows, np.minimum(index + 1, GRID - 1)]
        grid = np.geomspace(low, high, GRID, axis=1)
    return _best_line(curve, law, means, grid)[:4]


def _best_line(
    curve: LearningCurve, law: str, means: np.ndarray, rates: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Weighted regression of means (n, sizes) on g at each rate (n, rates): the best line, and its rate's index."""
    weight = curve.runs / curve.runs.sum()
    g = _shape(law, curve.levels, rates[:, :, None])
    largest = np.abs(g).max(axis=2, keepdims=True)
    g = g / largest
    g_mean, y_mean = g @ weight, means @ weight
    g_centred, y_centred = g - g_mean[..., None], means - y_mean[:, None]
    slope = ((g_centred * weight) @ y_centred[:, :, None])[..., 0] / (np.square(g_centred) @ weight)
    error = np.square(y_centred[:, None] - slope[..., None] * g_centred) @ curve.runs
    rows, index = np.arange(len(means)), error.argmin(axis=1)
    best = slope[rows, index]
    return (
        y_mean - best * g_mean[rows, index],
        best / largest[rows, index, 0],
        rates[rows, index],
        error[rows, index],
        index,
    )
