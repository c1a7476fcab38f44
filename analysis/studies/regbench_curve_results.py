"""Collect the trainings of a learning-curve study: all runs, what was chosen, and what it says.

    runs.csv, runs.parquet    one line a run (`analysis.report.table`), `chosen` for the setting of its variant and size
                              with the least mean validation loss
    intervals.csv             variant, size, measure: mean over the chosen runs and its intervals over seeds
    results.json              references, summary, statistics, options, provenance

The unit is the seed. Intervals are Student's t (`low`, `high`), exact for normal runs; the percentile bootstrap's are
kept beside them (`bootstrap_low`, `bootstrap_high`), which with three seeds covers the truth in about 76 % where it
says 95 (`analysis.bootstrap`). With one seed there is no interval.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.bootstrap import bootstrap_interval, performance_profile, t_interval
from analysis.engines import Job
from analysis.provenance import provenance
from analysis.report.table import write_table
from analysis.studies.regbench_curve_statistics import compare, curve_of, fits
from analysis.studies.regbench_options import SETTINGS, chosen_of
from analysis.studies.regbench_references import Reference, references
from analysis.studies.regbench_training import HIGHER_IS_BETTER, MEASURES
from toyworlds.core import folders

if TYPE_CHECKING:
    import pandas as pd

    from analysis.studies.regbench_curve import RegBenchCurveStudy

COLUMNS = (*SETTINGS, "flops", "seconds", "cpu_seconds")
THRESHOLDS = 101


@dataclass(frozen=True)
class CurveResults:
    """All that the page shows."""

    study: RegBenchCurveStudy
    runs: pd.DataFrame
    """One line a run."""
    detail: list[dict[str, Any]]
    """What each run's job found, in the order of `runs`: by_position, by_string, history."""
    summary: pd.DataFrame
    references: dict[str, Reference]
    statistics: dict[str, Any]
    facts: dict[str, Any]

    @property
    def variants(self) -> list[str]:
        """Names of the curves, in order."""
        return list(dict.fromkeys(self.runs["variant"]))

    def line(self, variant: str, size: int, measure: str) -> pd.Series[Any]:
        """Return the line of the summary."""
        table = self.summary
        chosen = (table["variant"] == variant) & (table["size"] == size) & (table["measure"] == measure)
        return table[chosen].iloc[0]


def collect(study: RegBenchCurveStudy, out: Path) -> CurveResults:
    """Read the results of all jobs and write the files of this module into `out`."""
    runs, detail = read_runs(study.runs(), out / "jobs")
    summary = summarise(runs)
    lines = references(study, study.classical)
    results = CurveResults(study, runs, detail, summary, lines, statistics(study, runs, lines), provenance())
    write_table(study.table(out), out)
    folders.write_text(out / "intervals.csv", summary.to_csv(index=False, float_format="%.6g"))
    _write(results, out)
    return results


def read_runs(runs: Sequence[tuple[Mapping[str, Any], Job]], folder: Path) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """One line a run, `chosen` for the setting of its variant and size, and what the figures need of each run."""
    import pandas as pd

    lines, detail = [], []
    for varied, job in runs:
        result = job.result(folder) or {}
        lines.append(dict(varied) | result["test"] | {name: result[name] for name in COLUMNS})
        detail.append({name: result[name] for name in ("by_position", "by_string", "history")})
    table = pd.DataFrame(lines)
    table["chosen"] = chosen_of(table)
    return table, detail


def summarise(runs: pd.DataFrame) -> pd.DataFrame:
    """Mean of each measure over the seeds of each variant and size, chosen runs alone, with its intervals."""
    import pandas as pd

    lines = []
    for (variant, size), tried in runs.groupby(["variant", "size"], sort=False):
        group = tried[tried["chosen"]]
        for measure in MEASURES:
            values = group[measure].to_numpy()
            line = {"variant": variant, "size": size, "measure": measure, "seeds": len(values), "mean": values.mean()}
            if len(values) > 1:
                exact, drawn = t_interval(values), bootstrap_interval(values)
                line |= {"low": exact.low, "high": exact.high}
                line |= {"bootstrap_low": drawn.low, "bootstrap_high": drawn.high}
            else:
                line |= dict.fromkeys(("low", "high", "bootstrap_low", "bootstrap_high"), np.nan)
            lines.append(line)
    return pd.DataFrame(lines)


def statistics(study: RegBenchCurveStudy, runs: pd.DataFrame, lines: dict[str, Reference]) -> dict[str, Any]:
    """Fits, areas, samples to reach the n-grams, comparisons with the first variant, performance profiles."""
    chosen = runs[runs["chosen"]]
    variants = list(dict.fromkeys(runs["variant"]))
    targets = {name: lines[name].test["dfa_accuracy"] for name in ("bigram, Witten-Bell", "trigram, Witten-Bell")}
    if study.seeds < 2:
        return {"note": "one seed: no interval, no fit"}
    if len(study.sizes) < 2:
        return {"note": "one size: no curve"}
    curves = {v: {m: curve_of(chosen, v, m, m in HIGHER_IS_BETTER) for m in MEASURES} for v in variants}
    return {
        "fits": {v: {m: fits(curves[v][m]) for m in ("dfa_accuracy", "excess")} for v in variants},
        "compared": compare({v: curves[v]["dfa_accuracy"] for v in variants}, targets),
        "profile": _profiles(chosen, variants),
    }


def _profiles(chosen: pd.DataFrame, variants: list[str]) -> dict[str, Any]:
    """P(DFA accuracy > tau) over the runs of all sizes, each size a stratum."""
    values = chosen["dfa_accuracy"].to_numpy()
    taus = np.linspace(values.min() - 0.01, min(values.max() + 0.01, 1.0), THRESHOLDS)
    profiles: dict[str, Any] = {"thresholds": taus.round(5).tolist()}
    for variant in variants:
        own = chosen[chosen["variant"] == variant]
        strata = [group["dfa_accuracy"].to_numpy() for _, group in own.groupby("size")]
        band = performance_profile(strata, taus)
        profiles[variant] = {name: getattr(band, name).round(5).tolist() for name in ("estimate", "low", "high")}
    return profiles


def _write(results: CurveResults, out: Path) -> None:
    plain = {
        **results.facts,
        "study": results.study.name,
        "options": dataclasses.asdict(results.study),
        "budget": {"candidates": len(results.study.settings()), "settings": results.study.settings()},
        "references": {name: dataclasses.asdict(line) for name, line in results.references.items()},
        "summary": results.summary.to_dict("records"),
        "statistics": results.statistics,
    }
    folders.write_json(out / "results.json", plain)
