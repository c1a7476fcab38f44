"""Results and page of the units study.

laptop.json    study, provenance, the models against n-grams (`analysis.runs.against_ngrams`), cost of each training
units.json     study, provenance, what units do (`analysis.studies.regbench_units_jobs`), their scores over seeds
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from analysis.bootstrap import Interval, t_interval
from analysis.plots.regbench_units import scores_figure, units_figure
from analysis.provenance import provenance
from analysis.report.page import Page
from analysis.runs import ORACLE, TRIGRAM
from analysis.studies.regbench_units import MEASURES, RegBenchUnitsStudy
from toyworlds.core import folders

Measured = Mapping[str, Sequence[Mapping[str, Any]]]
TASK = {"dfa_accuracy": "DFA accuracy", "total_variation": "total variation", "cross_entropy": "cross-entropy"}
UNITS_CAPTION = (
    "Models of seed 0. Left: what the loss gains when a unit puts out its mean, on rows grouped by the n-gram order "
    "that tells their law. Middle and right: importance in DCI. A line parts the two blocks."
)


def scores(one: Mapping[str, Any]) -> dict[str, float]:
    """Return the values of each measure of one model."""
    told, groups = one["told"], one["needed"]
    return {
        **{name: told[name] for name in MEASURES if name in told},
        "lead": told["disentanglement"] - told["dealt"]["mean"],
        **{name: group["selectivity"]["score"] for name, group in groups.items()},
    }


def summary(measured: Measured) -> dict[str, dict[str, list[float]]]:
    """Return the values of each measure, one a seed, by model."""
    found = {model: [scores(one) for one in ones] for model, ones in measured.items()}
    return {model: {name: [one[name] for one in ones] for name in ones[0]} for model, ones in found.items()}


def write_page(
    study: RegBenchUnitsStudy, compared: Mapping[str, Any], trained: Measured, measured: Measured, out: Path
) -> Path:
    """Write both results, the figures and index.html; return the path of the page."""
    origin = {"provenance": provenance(), "study": asdict(study)}
    cost = {model: [{k: one[k] for k in ("seconds", "cpu_seconds")} for one in ones] for model, ones in trained.items()}
    folders.write_json(out / "laptop.json", origin | dict(compared) | {"cost": cost})
    values = summary(measured)
    intervals = {
        model: {name: asdict(t_interval(numbers)) for name, numbers in one.items()} for model, one in values.items()
    }
    found = {"models": measured, "values": values, "t_intervals": intervals}
    folders.write_json(out / "units.json", origin | found)
    page = Page("Which unit serves which n-gram order", lead(values, compared), out / "figures")
    page.section("The models").table(
        ["", *TASK.values()], task_rows(compared), "Test set; 95 % Student intervals over seeds."
    )
    page.section("Their units").figure(
        "regbench_units", units_figure({model: ones[0] for model, ones in measured.items()}), UNITS_CAPTION
    )
    page.section("Scores").figure(
        "regbench_units_scores", scores_figure(values, MEASURES), "A point a seed, a line their mean."
    )
    head = ["model", *MEASURES.values(), "largest p of D", "of selectivity"]
    page.table(head, [_line(model, one, measured[model]) for model, one in values.items()], "Student intervals.")
    return page.write(out / "index.html")


def task_rows(compared: Mapping[str, Any]) -> list[list[Any]]:
    """Lines of the table of models, n-grams and the oracle."""
    lines = []
    for name, found in compared["baselines"].items():
        lines.append([name, *(found.get(metric) for metric in TASK)])
    for name, entry in compared["models"].items():
        lines.append([name, *(str(Interval(**entry[metric]["t_interval"])) for metric in TASK)])
    return lines


def lead(values: Mapping[str, Mapping[str, Sequence[float]]], compared: Mapping[str, Any]) -> str:
    """Say what was found, in the sentences that the page opens with."""
    above = [
        name
        for name, entry in compared["models"].items()
        if entry["dfa_accuracy"]["lead"][TRIGRAM]["t_interval"]["low"] > 0.0
    ]
    told = ", ".join(f"{name} {np.mean(one['disentanglement']):.2f}" for name, one in values.items())
    ceiling = compared["baselines"][ORACLE]["dfa_accuracy"]
    return (
        f"Above the back-off trigram in DFA accuracy with its interval: {', '.join(above) or 'none'} (the state oracle "
        f"reaches {ceiling:.3f}). Disentanglement of units over n-gram orders, mean over seeds: {told}."
    )


def _line(model: str, values: Mapping[str, Sequence[float]], ones: Sequence[Mapping[str, Any]]) -> list[Any]:
    shown = [str(t_interval(values[name])) for name in MEASURES]
    dealt = max(one["told"]["dealt"]["p_value"] for one in ones)
    order = max(one["needed"]["order"]["selectivity"]["p_value"] for one in ones)
    return [model, *shown, dealt, order]
