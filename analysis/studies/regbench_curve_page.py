"""The page of a learning-curve study: what was found in one sentence, the curves, what they are worth."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.plots import curves as plots
from analysis.plots.style import figure
from analysis.report.page import Page
from analysis.studies.regbench_curve_results import CurveResults
from analysis.studies.regbench_references import ORACLE
from analysis.studies.regbench_training import MEASURES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

NGRAMS = ("bigram", "trigram")
SMOOTHINGS = ("back-off", "Witten-Bell")
MEANING = {
    "equal-steps": "Every training size gets the same number of updates: what differs is what there is to read, "
    "not how long, and small sets are read more often. With equal epochs, as in the published runs, large sets would "
    "also get more updates, and a curve would show both at once.",
    "equal-epochs": "Every training size is read the same number of times, as in the published runs: large sets "
    "get more updates, so a curve shows the worth of more languages and of more training at once. With equal steps "
    "only the first would differ.",
}


def write_page(results: CurveResults, out: Path) -> Path:
    """Write index.html and the figures; return the path of the page."""
    study = results.study
    page = Page("How many languages is an architecture worth?", lead(results), out / "figures")
    page.section("Accuracy against the number of training languages")
    page.figure("learning_curves", _curves_figure(results), _curves_caption(results))
    _summary_table(page, results)
    page.section("Along a text")
    caption = f"After {max(study.sizes):,} training languages: by position in the text, and by the number of strings "
    caption += "seen before. Thick: mean over seeds; thin: every seed."
    page.figure("context", _context_figure(results), caption)
    _comparison(page, results)
    _fits(page, results)
    page.section("How the hyper-parameters were chosen, and what it cost")
    _budget(page, results)
    page.section("How this was made")
    page.text(MEANING[study.schedule], _seeds_text(study.seeds))
    page.text(
        "Measures are exact, against the automata behind the texts, over all rows of the test set. No language of the "
        "test set can be in a training set; a smaller training set is the beginning of a larger one. The state oracle "
        "is told the automaton's state at every position; n-grams learn from the text alone, without training."
    )
    page.details("Options", json.dumps(dataclasses.asdict(study), indent=1))
    page.details("Versions and machine", json.dumps(results.facts, indent=2))
    return page.write(out / "index.html")


def lead(results: CurveResults) -> str:
    """Say whether a model beats the bigram and the trigram, with its interval."""
    table = results.summary[results.summary["measure"] == "dfa_accuracy"]
    best = table.sort_values("mean").iloc[-1]
    single = math.isnan(best["low"])
    around = "one seed, no interval" if single else f"95 % interval {best['low']:.3f} to {best['high']:.3f}"
    text = f"{best['variant']} reaches a DFA accuracy of {best['mean']:.3f} with {best['size']:,} training languages "
    text += f"({around}): " if single else f"({around}; {best['seeds']} seeds): "
    return text + " and ".join(_verdict(results, best, order, single) for order in NGRAMS) + "."


def _verdict(results: CurveResults, best: pd.Series[Any], order: str, single: bool) -> str:
    """Compare with the better of the two n-grams of one order."""
    names = [f"{order}, {smoothing}" for smoothing in SMOOTHINGS]
    value, name = max((results.references[name].test["dfa_accuracy"] or 0.0, name) for name in names)
    low = best["mean"] if single else best["low"]
    high = best["mean"] if single else best["high"]
    if low > value:
        said = "above" if single else "with its whole interval above"
    elif high < value:
        said = "below"
    else:
        said = "not told apart from" if not single else "level with"
    return f"{said} the {order} ({value:.3f}, {name.partition(', ')[2]})"


def _curves_figure(results: CurveResults) -> Figure:
    drawn, axes = figure(1, len(MEASURES), width=12.0, height=4.8)
    chosen = results.runs[results.runs["chosen"]]
    for ax, measure in zip(axes, MEASURES, strict=True):
        plots.learning_curves(ax, chosen, results.summary, measure)
        plots.reference_lines(ax, {name: line.test.get(measure) for name, line in results.references.items()})
    plots.at_most_one(axes[0])
    drawn.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return drawn


def _curves_caption(results: CurveResults) -> str:
    study = results.study
    reads = f"{study.steps:,} updates" if study.schedule == "equal-steps" else f"{study.epochs} epochs"
    return (
        f"{reads} of {study.batch_size} problems for every point ({study.schedule}), {study.test_size} test languages. "
        "Points: every seed; line and bars: mean and 95 % t interval over seeds. Sizes are moved apart by 2 %."
    )


def _summary_table(page: Page, results: CurveResults) -> None:
    rows = [
        [variant, f"{size:,}", *(_shown(results.line(variant, size, measure)) for measure in MEASURES)]
        for variant in results.variants
        for size in results.study.sizes
    ]
    for name, line in results.references.items():
        rows.append([name, "", *("-" if line.test.get(m) is None else f"{line.test[m]:.3f}" for m in MEASURES)])
    page.table(["model", "training languages", *(plots.LABELS[m] for m in MEASURES)], rows,
               f"Mean over {results.study.seeds} seeds (95 % t interval); n-grams and the oracle below. A dash: "
               "infinite, or not measured.")  # fmt: skip


def _shown(line: pd.Series[Any]) -> str:
    if math.isnan(line["low"]):
        return f"{line['mean']:.3f}"
    return f"{line['mean']:.3f} ({line['low']:.3f} to {line['high']:.3f})"


def _context_figure(results: CurveResults) -> Figure:
    study = results.study
    drawn, axes = figure(1, 2, width=12.0, height=4.4, sharey=True)
    largest = (results.runs["chosen"] & (results.runs["size"] == max(study.sizes))).to_numpy()
    for ax, kind in zip(axes, ("by_position", "by_string"), strict=True):
        lines = {name: getattr(line, kind)["dfa_accuracy"] for name, line in results.references.items()}
        places = len(lines[ORACLE]) if ORACLE in lines else len(next(iter(lines.values())))
        curves = {}
        for variant in results.variants:
            own = np.flatnonzero(largest & (results.runs["variant"] == variant).to_numpy())
            curves[variant] = np.array([results.detail[i][kind]["dfa_accuracy"] for i in own])
        at = np.arange(places) if kind == "by_string" else (np.arange(places) + 0.5) * study.position_width
        plots.context_curves(ax, curves, lines, at)
    axes[0].set(xlabel="tokens read", ylabel="DFA accuracy", title="by position")
    axes[1].set(xlabel="whole strings seen before", title="by string")
    drawn.legend(*axes[1].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return drawn


def _comparison(page: Page, results: CurveResults) -> None:
    compared = results.statistics.get("compared")
    page.section("How many times fewer examples?")
    if compared is None:
        page.text(f"Not computed: {results.statistics['note']}.")
        return
    reached, against = [], []
    for name, entry in compared.items():
        cells = [f"{reach['statement']} ({reach['interval']})" for reach in entry["reach"].values()]
        reached.append([name, _around(entry["area"]), *cells])
        if "against" in entry:
            ratio = entry["equivalence"]
            said = f"{ratio['statement']} ({ratio['interval']})"
            against.append([name, _around(entry["probability_of_improvement"]), f"{ratio['target']:.3f}", said])
    first = next(iter(compared))
    labels = list(compared[first]["reach"])
    note = "DFA accuracy. Area: mean over the log-size axis. Samples are read off between measured sizes, linearly in "
    note += "the logarithm; nothing is said outside them. Percentile intervals over seeds."
    page.table(["model", "area under the curve", *(f"samples to reach: {name}" for name in labels)], reached, note)
    note = f"How many times the samples of {first} a model needs for the highest accuracy that both reach, and the "
    note += (
        f"chance that a run of {first} is better than one of the model, sizes alike. Percentile intervals over seeds."
    )
    page.table(["model", f"P({first} is better)", "accuracy", f"samples needed, against {first}"], against, note)
    drawn, ax = figure(width=8.0, height=3.6)
    plots.profiles(ax, results.statistics["profile"])
    page.figure("profile", drawn, "Share of runs, all sizes alike, above each DFA accuracy; bands over seeds.")


def _around(interval: dict[str, Any]) -> str:
    return f"{interval['estimate']:.3f} ({interval['low']:.3f} to {interval['high']:.3f})"


def _fits(page: Page, results: CurveResults) -> None:
    fitted = results.statistics.get("fits")
    if fitted is None:
        return
    page.section("Laws")
    rows = []
    for variant, by_measure in fitted.items():
        for measure, fit in by_measure.items():
            reasons = {
                why: [law for law in fit["refused"] if fit["refused"][law] == why] for why in fit["refused"].values()
            }
            refused = "; ".join(f"{', '.join(laws)}: {why}" for why, laws in reasons.items()) or "-"
            law = fit.get("law", "none")
            given = fit.get("parameters", {}).items()
            cells = [f"{name} {p['estimate']:.3g} ({p['low']:.3g} to {p['high']:.3g})" for name, p in given]
            warned = " (at the end of its range: not determined)" if fit.get("at_bound") else ""
            rows.append([variant, plots.LABELS[measure], law, ", ".join(cells) + warned, refused])
    note = "y(s) = offset + slope g(s): power s^-rate, exponential exp(-s / rate), logarithmic ln s; the best by "
    note += "corrected AIC. A law is refused where the points are too few to tell it from others. "
    note += "Percentile intervals over seeds."
    page.table(["model", "measure", "best law", "parameters (interval)", "refused"], rows, note)


def _budget(page: Page, results: CurveResults) -> None:
    study, runs = results.study, results.runs
    page.text(
        f"Every model had the same budget at every size: {len(study.settings())} candidate"
        f"{'s' * (len(study.settings()) > 1)} (learning rate, weight decay), each with all {study.seeds} seeds; "
        "the one of least mean validation loss was kept, for all seeds alike. "
        + ("Runs stop early. " if study.patience else "No run stops early. ")
        + "The weights scored are those of the best evaluation on the validation split."
    )
    chosen = runs[runs["chosen"]].groupby(["variant", "size"], sort=False)["learning_rate"].first()
    rates: dict[Any, float] = chosen.to_dict()
    rows = []
    for variant, own in runs.groupby("variant", sort=False):
        picked = ", ".join(f"{size:,}: {rates[variant, size]:g}" for size in study.sizes)
        rows.append([variant, int(own["parameters"].iloc[0]), len(own), picked, f"{own['flops'].sum():.2e}",
                     f"{own['seconds'].sum():,.0f}", f"{own['cpu_seconds'].sum():,.0f}"])  # fmt: skip
    total = ["all", "", len(runs), "", f"{runs['flops'].sum():.2e}", f"{runs['seconds'].sum():,.0f}",
             f"{runs['cpu_seconds'].sum():,.0f}"]  # fmt: skip
    page.table(["model", "parameters", "runs", "learning rate chosen (size: rate)", "operations", "wall seconds",
                "processor seconds"], [*rows, total], "Operations are counted from the models' equations, backward as "
               "two forward passes. Wall seconds are those of training on a shared machine; processor seconds include "
               "data and scoring.")  # fmt: skip
    drawn, ax = figure(width=8.0, height=3.4)
    largest = np.flatnonzero((runs["chosen"] & (runs["size"] == max(study.sizes))).to_numpy())
    curves: dict[str, list[Any]] = {variant: [] for variant in results.variants}
    for i in largest:
        curves[runs["variant"].iloc[i]].append(results.detail[i]["history"])
    plots.histories(ax, curves)
    page.figure("validation", drawn, f"Validation loss of the chosen runs on {max(study.sizes):,} languages.")


def _seeds_text(seeds: int) -> str:
    if seeds == 1:
        return "One seed: nothing here says how much another start would change."
    text = (
        "The seed is the unit of every interval: one start of the weights and one order of the data. Student's t "
        "intervals are exact for normal runs whatever their number. "
    )
    if seeds < 10:
        text += f"Percentile bootstraps over {seeds} seeds are too short; "
        text += "measured for the mean of three normal numbers, they cover the truth in 76 % where they say 95. "
        text += "They are used where no exact interval is known (areas, ratios, profiles); the points show every seed."
    return text
