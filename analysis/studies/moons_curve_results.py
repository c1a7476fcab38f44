"""Collect the moons curve: one line a seed and cell, medians with intervals, samples to reach an error.

runs.csv        heads, combinations, sequences, seed, alignment, the errors
summary.csv     heads, combinations, sequences, measure: median over seeds, its bootstrap interval
results.json    summary, rates of disentangled seeds, samples to reach, options, provenance
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.bootstrap import Interval, bootstrap_interval, median, rate_interval
from analysis.learning_curve import LearningCurve, samples_to_reach
from analysis.provenance import provenance
from analysis.report.table import write_table
from analysis.scores.alignment import DISENTANGLED
from analysis.studies.moons_curve import HEADS, MoonsCurveStudy
from analysis.studies.moons_population import HORIZON_THRESHOLD
from toyworlds.core import folders
from toyworlds.three_moons import PUBLISHED_TRAIN

if TYPE_CHECKING:
    import pandas as pd

SCORES = ("alignment", "error_134_200", "error_267_on", "training_error")
HEADLINE = "error_134_200"
CELL = ["heads", "combinations", "sequences"]


@dataclass(frozen=True)
class MoonsCurveResults:
    """All that the page shows."""

    study: MoonsCurveStudy
    runs: pd.DataFrame
    summary: pd.DataFrame
    one_step: dict[tuple[int, int, int], np.ndarray]
    """(heads, combinations, sequences): one-step error (seeds, context lengths)."""
    statistics: dict[str, Any]
    facts: dict[str, Any]
    seconds: float


def collect(study: MoonsCurveStudy, out: Path) -> MoonsCurveResults:
    """Read the results of all jobs and write the files of this module into `out`."""
    import pandas as pd

    curves: dict[tuple[int, int, int], list[np.ndarray]] = {}
    lines, seconds = [], 0.0
    for point, job in study.runs():
        result = job.result(out / "jobs") or {}
        cell = dataclasses.asdict(point)
        lines += [
            cell | {"seed": seed} | {score: result[score][place] for score in SCORES}
            for place, seed in enumerate(result["seeds"])
        ]
        curves.setdefault((point.heads, point.combinations, point.sequences), []).append(np.array(result["one_step"]))
        seconds += result["seconds"]
    runs = pd.DataFrame(lines)
    joined = {cell: np.concatenate(parts) for cell, parts in curves.items()}
    results = MoonsCurveResults(study, runs, _summary(runs), joined, _statistics(study, runs), provenance(), seconds)
    write_table(study.table(out), out)
    folders.write_text(out / "intervals.csv", results.summary.to_csv(index=False, float_format="%.6g"))
    plain = {
        **results.facts,
        "study": study.name,
        "options": dataclasses.asdict(study),
        "training_seconds": round(seconds, 1),
        "summary": results.summary.to_dict("records"),
        "statistics": results.statistics,
    }
    folders.write_json(out / "curve.json", plain)
    return results


def _summary(runs: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    lines = []
    for cell, group in runs.groupby(CELL, sort=False):
        where = dict(zip(CELL, cell, strict=True))
        aligned = int((group["alignment"] >= DISENTANGLED).sum())
        for score in SCORES:
            around = bootstrap_interval(group[score].to_numpy(), median)
            lines.append(where | _line(score, around, len(group)))
        rate = rate_interval(aligned, len(group))
        lines.append(where | _line("disentangled", rate, len(group)))
    return pd.DataFrame(lines)


def _line(measure: str, around: Interval, seeds: int) -> dict[str, Any]:
    return {"measure": measure, "seeds": seeds, "estimate": around.estimate, "low": around.low, "high": around.high}


def _statistics(study: MoonsCurveStudy, runs: pd.DataFrame) -> dict[str, Any]:
    """Sequences that each number of heads needs for a mean error of `HORIZON_THRESHOLD`, all combinations."""
    full = runs[runs["combinations"] == len(PUBLISHED_TRAIN)]
    reach = {}
    for heads in HEADS:
        own = full[full["heads"] == heads]
        curve = LearningCurve(own["sequences"].to_numpy(float), own[HEADLINE].to_numpy(), higher_is_better=False)
        found = samples_to_reach(curve, HORIZON_THRESHOLD)
        limits = f"{found.interval.low:.3g} to {found.interval.high:.3g}"
        reach[str(heads)] = {"statement": found.statement, "interval": limits}
    return {"target": HORIZON_THRESHOLD, "reach": reach, "seeds": study.seeds}
