"""What a table of runs says about learning curves: plain values, ready for JSON.

fits       laws that the points allow, the best by AICc, and why others are refused
compare    area under the curve, samples to reach a target; against the first variant: probability of improvement
           and data-equivalence at the highest accuracy that both reach
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from analysis.bootstrap import Interval, probability_of_improvement
from analysis.fits import PARAMETERS, fit_interval, refusal, select_law
from analysis.learning_curve import LearningCurve, area_under_curve, data_equivalence, samples_to_reach

if TYPE_CHECKING:
    import pandas as pd


def curve_of(chosen: pd.DataFrame, variant: str, measure: str, higher_is_better: bool) -> LearningCurve:
    """Learning curve of one variant's chosen runs."""
    own = chosen[chosen["variant"] == variant]
    return LearningCurve(own["size"].to_numpy(float), own[measure].to_numpy(), higher_is_better)


def fits(curve: LearningCurve) -> dict[str, Any]:
    """{"refused": {law: why}}, and where a law can be fitted the best one and the parameters' intervals."""
    refused = {law: why for law in PARAMETERS if (why := refusal(curve, law))}
    if len(refused) == len(PARAMETERS):
        return {"refused": refused}
    best = select_law(curve).best
    around = fit_interval(curve, best.law)
    parameters = {name: dataclasses.asdict(interval) for name, interval in around.parameters.items()}
    return {"refused": refused, **dataclasses.asdict(best), "parameters": parameters}


def compare(curves: Mapping[str, LearningCurve], targets: Mapping[str, float | None]) -> dict[str, Any]:
    """Compare the variants' curves; see the module."""
    first = next(iter(curves))
    found: dict[str, Any] = {}
    for name, curve in curves.items():
        entry: dict[str, Any] = {"area": dataclasses.asdict(area_under_curve(curve))}
        entry["reach"] = {
            label: {"target": target, **_reach(curve, target)}
            for label, target in targets.items()
            if target is not None
        }
        if name != first:
            entry["against"] = first
            better = probability_of_improvement(curves[first].strata, curve.strata)
            entry["probability_of_improvement"] = dataclasses.asdict(better)
            entry["equivalence"] = _equivalence(curves[first], curve)
        found[name] = entry
    return found


def _reach(curve: LearningCurve, target: float) -> dict[str, Any]:
    reach = samples_to_reach(curve, target)
    return {"statement": reach.statement, "interval": _limits(reach.interval)}


def _equivalence(first: LearningCurve, other: LearningCurve) -> dict[str, Any]:
    """How many times more samples `other` needs than `first` for the highest mean accuracy that both reach."""
    target = min(max(float(runs.mean()) for runs in curve.strata) for curve in (first, other))
    ratio = data_equivalence(first, other, target)
    return {"target": target, "statement": ratio.statement, "interval": _limits(ratio.interval)}


def _limits(interval: Interval) -> str:
    """Limits in words: infinity has no number in JSON."""
    return f"{interval.low:.3g} to {interval.high:.3g}"
