"""The page of the moons curve: what there is to learn from, against what was learned."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.plots import moons as plots
from analysis.plots.style import COLOURS, figure
from analysis.report.page import Page
from analysis.scores.alignment import DISENTANGLED
from analysis.studies.moons_curve import HEADS, Point
from analysis.studies.moons_curve_results import HEADLINE, MoonsCurveResults
from toyworlds.three_moons import PUBLISHED_TRAIN, ground_truth

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HELD_OUT = ground_truth((1.0, 2.0, 3.0))
NAMES = {3: "three memories", 1: "one memory"}
SHOWN = ((HEADLINE, "error, contexts 134-200"), ("error_267_on", "error, contexts 267-800"),
         ("alignment", "alignment"), ("disentangled", "disentangled"),
         ("training_error", "error, training sequences"))  # fmt: skip


def write_page(results: MoonsCurveResults, out: Path) -> Path:
    """Write index.html and the figures; return the path of the page."""
    study = results.study
    page = Page("How much must one have seen to remember moons one by one?", lead(results), out / "figures")
    page.section("Against the number of training sequences")
    caption = "All eight combinations of periods, so far as the sequences hold them. Median over seeds with its 95 % "
    caption += (
        "bootstrap interval; every seed a point. Left: one-step error on the held-out moons once the slowest has "
    )
    page.figure("sequences", _figure(results, "sequences"), caption + "returned; right: alignment of three memories.")
    page.section("Against the number of period combinations")
    caption = f"The first combinations of the published list, {study.all_sequences:,} sequences, none read twice: "
    page.figure("combinations", _figure(results, "combinations"), caption + _listed())
    page.section("Error against the length of the context")
    caption = (
        "One-step error on the held-out moons, median over seeds and the band from the 10th to the 90th percentile."
    )
    page.figure("contexts", _contexts(results), caption)
    page.section("Every cell")
    _table(page, results)
    page.section("How this was made")
    page.text(
        f"{study.seeds} seeds a cell; each has its own sequences, start and order, and none is selected. {study.steps} "
        "updates of 16 sequences of 400 steps for every cell, our three-moons recipe: what varies is what there is to "
        "learn from, not how long it is learned from. The first n sequences of the training split are read again and "
        f"again. Disentangled: an alignment of at least {DISENTANGLED:g}; its intervals are Wilson's. Errors are mean "
        "absolute errors in orbit radii."
    )
    page.details("Options", json.dumps(dataclasses.asdict(study), indent=1))
    page.details("Versions and machine", json.dumps(results.facts, indent=2))
    return page.write(out / "index.html")


def lead(results: MoonsCurveResults) -> str:
    """Say what few sequences and few combinations do to three memories and to one."""
    study, triples = results.study, len(PUBLISHED_TRAIN)
    fewest, all_of_them = study.sequences[0], study.all_sequences
    few, many = (cell(results, Point(3, triples, n), HEADLINE) for n in (fewest, all_of_them))
    rates = [cell(results, Point(3, triples, n), "disentangled")["estimate"] for n in (fewest, all_of_them)]
    one = [cell(results, Point(1, triples, n), HEADLINE)["estimate"] for n in (fewest, all_of_them)]
    reach = {heads: results.statistics["reach"][str(heads)]["statement"] for heads in HEADS}
    return (
        f"Three memories trained on {fewest} sequence{'s' * (fewest > 1)} have a median error of {_around(few)} on new "
        f"moons, on {all_of_them:,} of {_around(many)}; {rates[0]:.0%} and {rates[1]:.0%} of the seeds are "
        f"disentangled. One memory: {one[0]:.3f} and {one[1]:.3f}. For a mean error of "
        f"{results.statistics['target']:g} three memories need {reach[3]}, one memory: {reach[1]}."
    )


def cell(results: MoonsCurveResults, point: Point, measure: str) -> pd.Series[Any]:
    """Return the line of the summary."""
    table = results.summary
    for name, value in dataclasses.asdict(point).items():
        table = table[table[name] == value]
    return table[table["measure"] == measure].iloc[0]


def _around(line: pd.Series[Any]) -> str:
    return f"{line['estimate']:.3f} ({line['low']:.3f} to {line['high']:.3f})"


def _listed() -> str:
    return ", ".join("(" + ", ".join(f"{period:g}" for period in periods) + ")" for periods in PUBLISHED_TRAIN) + "."


def _swept(results: MoonsCurveResults, axis: str, heads: int) -> list[Point]:
    study = results.study
    if axis == "sequences":
        return [Point(heads, len(PUBLISHED_TRAIN), n) for n in (*study.sequences, study.all_sequences)]
    return [Point(heads, k, study.all_sequences) for k in (*study.combinations, len(PUBLISHED_TRAIN))]


def _figure(results: MoonsCurveResults, axis: str) -> Figure:
    drawn, axes = figure(1, 2, width=10.0, height=3.9)
    for colour, heads in zip(COLOURS, HEADS, strict=False):
        _curve(axes[0], results, axis, heads, measure=HEADLINE, colour=colour)
    _curve(axes[1], results, axis, 3, measure="alignment", colour=COLOURS[0])
    axes[1].axhline(DISENTANGLED, color="#57606a", linestyle="--", linewidth=1.0)
    axes[0].set(yscale="log", ylabel="mean absolute error (orbit radii)", title="error, contexts 134-200")
    axes[1].set(ylabel="alignment", ylim=(0, 1.02), title="alignment")
    axes[0].legend()
    words = {"sequences": "training sequences", "combinations": "combinations of periods"}
    for ax in axes:
        ax.set(xscale="log", xlabel=words[axis])
        places = [getattr(point, axis) for point in _swept(results, axis, 3)]
        ax.set_xticks(places, [f"{place:,}" for place in places])
        ax.minorticks_off()
    return drawn


def _curve(ax: Axes, results: MoonsCurveResults, axis: str, heads: int, *, measure: str, colour: str) -> None:
    points, label = _swept(results, axis, heads), NAMES[heads]
    lines = [cell(results, point, measure) for point in points]
    at, middle = [getattr(point, axis) for point in points], np.array([line["estimate"] for line in lines])
    around = np.array([[line["estimate"] - line["low"], line["high"] - line["estimate"]] for line in lines]).T
    ax.errorbar(at, middle, around, color=colour, label=label, marker="o", markersize=4, capsize=2)
    runs = results.runs
    for point in points:
        same = (runs["heads"] == point.heads) & (runs["combinations"] == point.combinations)
        own = runs[same & (runs["sequences"] == point.sequences)]
        ax.plot([getattr(point, axis)] * len(own), own[measure], ".", color=colour, alpha=0.35, markersize=4)


def _contexts(results: MoonsCurveResults) -> Figure:
    study = results.study
    drawn, axes = figure(1, 2, width=10.0, height=3.9, sharey=True)
    some = (study.sequences[0], study.sequences[len(study.sequences) // 2], study.all_sequences)
    for ax, heads in zip(axes, HEADS, strict=True):
        chosen = dict.fromkeys(some)
        curves = {f"{n:,} sequences": results.one_step[heads, len(PUBLISHED_TRAIN), n] for n in chosen}
        plots.error_curves(ax, curves, title=f"{NAMES[heads]}\n")
        plots.period_marks(ax, HELD_OUT.periods, HELD_OUT.joint_period, words=False)
        ax.set(xlim=(0, 500))
    axes[0].legend()
    return drawn


def _table(page: Page, results: MoonsCurveResults) -> None:
    rows = []
    for point in results.study.points():
        shown = [cell(results, point, measure) for measure, _ in SHOWN]
        rows.append([NAMES[point.heads], point.combinations, f"{point.sequences:,}", *map(_around, shown)])
    page.table(["model", "combinations", "sequences", *(label for _, label in SHOWN)], rows,
               f"Medians over {results.study.seeds} seeds (95 % bootstrap interval), and the share disentangled. The "
               "alignment of one memory says how its one head divides between the moons.")  # fmt: skip
