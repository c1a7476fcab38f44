"""The page of the three-moons study: one sentence first, then figures and tables."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from analysis.bootstrap import Interval
from analysis.plots import moons as plots
from analysis.plots.style import COLOURS, figure
from analysis.report.page import Page
from analysis.scores.alignment import DISENTANGLED
from analysis.studies.moons_results import CONTEXTS, Group, MoonsResults
from analysis.studies.three_moons import GRID_BATCHES, GRID_LENGTHS, MOONS, grid_name
from toyworlds.three_moons import ground_truth

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HELD_OUT = ground_truth((1.0, 2.0, 3.0))
MAIN = ("three heads", "three heads, mixed", "one head", "published recipe", "published recipe, one head")
STEPS_TO_OURS = (
    "published recipe", "published, loss not clipped", "ours, clipped loss", "ours, rate 1e-2",
    "ours, bias correction", "three heads", "three heads, mixed", "plain maps", "plain maps, mixed",
)  # fmt: skip
SCORES = (
    ("alignment", "alignment"),
    ("causal_alignment", "causal alignment"),
    ("error_134_200", "error, contexts 134-200"),
    ("error_267_on", "error, contexts 267-800"),
    ("horizon", "horizon (steps)"),
    ("dci_disentanglement", "DCI disentanglement"),
    ("dci_completeness", "DCI completeness"),
    ("dci_informativeness", "DCI informativeness"),
    ("mutual_information_gap", "mutual information gap"),
    ("sap", "SAP"),
)


def write_page(results: MoonsResults, out: Path) -> Path:
    """Write index.html and the figures; return the path of the page."""
    groups = results.groups
    page = Page("Three memories, three moons", lead(results), out / "figures")
    page.text(
        "Three moons circle a planet with periods of 44.4, 88.9 and 133.3 steps; seen together they repeat after "
        "266.7. The models below were trained on other combinations of periods and must predict these moons from what "
        "they have seen of them so far. A predictor that remembers the sky as a whole has to wait until the whole sky "
        "has been there before; one that remembers each moon by itself only until the slowest moon has come round."
    )
    page.section("When can it predict?")
    page.figure("error_curves", _error_figure(results), _error_caption(groups))
    page.figure("free_running", _free_figure(groups), "Mean absolute error of 25 free-running steps after a context, "
                "storing the generated pairs (left) or with the memory frozen at the context (right).")  # fmt: skip
    page.section("What did each memory learn?")
    page.text(
        "Share of the squared norm of each head's key and value maps that falls on each moon, and the effect of "
        "removing one head on the prediction of each moon. A head that serves one moon has one dark cell in its row."
    )
    for name in ("three heads", "three heads, mixed"):
        if name in groups:
            page.figure(f"maps_{_slug(name)}", _maps_figure(groups[name]), _maps_caption(groups[name]))
    page.figure("profile", _profile_figure(groups["three heads"]), "Mean retrieval weight against the age of the "
                "stored pair, on the held-out moons. Triangles mark multiples of the period of the moon that the head "
                "serves: each memory looks back to when its own moon was last where it is now.")  # fmt: skip
    page.section("How often does it happen?")
    page.figure("alignment", _alignment_figure(results), "Alignment score of every seed over training. Every seed is a "
                "single start.")  # fmt: skip
    _rate_table(page, results)
    _score_table(page, results)
    _grid(page, groups)
    _moons(page, groups)
    page.section("How this was made")
    page.text(
        "A seed is one start: its own weights, data and mixing; none is restarted or selected. Disentangled means an "
        f"alignment score of at least {DISENTANGLED:g}: the share of each head's key and value maps that falls on the "
        "moon assigned to it, the minimum over heads, for the best assignment. Rates have 95 % Wilson intervals, "
        "medians 95 % bootstrap intervals over seeds. Errors are mean absolute errors in orbit radii over 32 held-out "
        "sequences a seed."
    )
    page.details("Versions and machine", json.dumps(results.facts, indent=2))
    options = {group.name: group.config | {"seeds": group.seeds} for group in groups.values()}
    page.details("Options of every group", json.dumps(options, indent=1))
    return page.write(out / "index.html")


def lead(results: MoonsResults) -> str:
    """Return the finding in one or two sentences."""
    group = results.groups["three heads"]
    error = float(np.median(group.scores["error_134_200"]))
    text = (
        f"{group.disentangled.sum()} of {group.seeds} seeds disentangled the moons, one memory for each "
        f"(95 % interval {_percent(group.rate.low)} to {_percent(group.rate.high)}); once the slowest moon has "
        f"returned, the median error is {error:.3f} orbit radii"
    )
    one = results.groups.get("one head")
    if one is not None:
        text += f", that of one memory for the whole sky {np.median(one.scores['error_134_200']):.3f}"
    text += "."
    mixed = results.groups.get("three heads, mixed")
    if mixed is not None:
        text += f" Under an unknown orthogonal mixing of the coordinates: {mixed.disentangled.sum()} of {mixed.seeds}."
    published = results.groups.get("published recipe")
    if published is not None:
        text += f" With the published recipe: {published.disentangled.sum()} of {published.seeds}."
    return text


def _error_figure(results: MoonsResults) -> Figure:
    drawn, ax = figure(width=9.0, height=4.6)
    labels = {
        "three heads": "three memories", "one head": "one memory", "published recipe": "three, published recipe",
        "published recipe, one head": "one, published recipe",
    }  # fmt: skip
    curves = {label: results.groups[n].arrays["one_step"] for n, label in labels.items() if n in results.groups}
    curves |= {f"astronomer with {table} table{'s' if table == 'separate' else ''}": curve
               for table, curve in results.astronomers.items()}  # fmt: skip
    plots.error_curves(ax, curves)
    plots.period_marks(ax, HELD_OUT.periods, HELD_OUT.joint_period)
    ax.set(xlim=(0, 500), ylim=(4e-3, 1.0))
    ax.legend(loc="upper right")
    return drawn


def _error_caption(groups: dict[str, Group]) -> str:
    counts = ", ".join(
        f"{groups[name].seeds} seeds of {name}" for name in MAIN if name in groups and "mixed" not in name
    )
    return (
        "One-step error on the held-out moons against the length of the context: the median over seeds, and the band "
        f"from the 10th to the 90th percentile ({counts}). The astronomers keep tables and answer only when they have "
        "seen the same configuration before: of all moons together, or of each moon by itself."
    )


def _free_figure(groups: dict[str, Group]) -> Figure:
    drawn, axes = figure(1, 2, width=9.0, height=3.6, sharey=True)
    for ax, measure, title in zip(axes, ("free", "frozen"), ("generated pairs stored", "memory frozen"), strict=True):
        for name, colour in (("three heads", COLOURS[0]), ("one head", COLOURS[1])):
            if name in groups:
                values = groups[name].arrays[measure]
                contexts = np.array(CONTEXTS[: values.shape[1]])
                low, middle, high = np.quantile(values, (0.1, 0.5, 0.9), axis=0)
                ax.plot(contexts, middle, color=colour, label=name, marker="o", markersize=3)
                ax.fill_between(contexts, low, high, color=colour, alpha=0.18, linewidth=0)
        plots.period_marks(ax, HELD_OUT.periods, HELD_OUT.joint_period, words=False)
        ax.set(yscale="log", xlabel="context length (steps)", title=f"{title}\n")
    axes[0].set_ylabel("mean absolute error (orbit radii)")
    axes[0].legend(loc="upper right")
    return drawn


def _typical(group: Group) -> int:
    """Return the seed in the middle by alignment: neither the best nor the worst."""
    return int(np.argsort(group.scores["alignment"])[group.seeds // 2])


def _maps_figure(group: Group) -> Figure:
    drawn, axes = figure(1, 3, width=9.0, height=2.7)
    seed = _typical(group)
    effect = group.arrays["effect"][seed]
    panels = (
        (group.arrays["key_share"][seed], "key maps"),
        (group.arrays["value_share"][seed], "value maps"),
        (effect / effect.sum(axis=1, keepdims=True), "effect of removing a head"),
    )
    for ax, (share, title) in zip(axes, panels, strict=True):
        plots.share_matrix(ax, share, title)
    return drawn


def _maps_caption(group: Group) -> str:
    seed = _typical(group)
    return (
        f"{group.name.capitalize()}: seed {int(group.scores['seeds'][seed])}, the median seed by alignment "
        f"({group.scores['alignment'][seed]:.3f})."
    )


def _profile_figure(group: Group) -> Figure:
    drawn, ax = figure(width=9.0, height=3.4)
    seed = _typical(group)
    owner = group.arrays["key_share"][seed].argmax(axis=1)
    labels = [f"head {h + 1}, serving moon {m + 1}" for h, m in enumerate(owner)]
    plots.retrieval_profile(ax, group.arrays["profile"][seed], labels, [HELD_OUT.periods[m] for m in owner])
    return drawn


def _alignment_figure(results: MoonsResults) -> Figure:
    names = [name for name in ("three heads", "three heads, mixed", "published recipe") if name in results.groups]
    drawn, axes = figure(1, len(names), width=9.0, height=3.2, sharey=True, squeeze=False)
    edge = float(np.quantile(results.null, 0.95))
    for ax, name in zip(axes[0], names, strict=True):
        arrays = results.groups[name].arrays
        plots.alignment_over_steps(ax, arrays["steps"], arrays["alignment"], DISENTANGLED, edge)
        ax.set(title=f"{name} ({results.groups[name].seeds} seeds)")
    for ax in axes[0, 1:]:
        ax.set_ylabel("")
        ax.get_legend().remove()
    return drawn


def _rate_table(page: Page, results: MoonsResults) -> None:
    rows = []
    edge = float(np.quantile(results.null, 0.95))
    for name in STEPS_TO_OURS:
        group = results.groups.get(name)
        if group is not None:
            start = group.scores["alignment_at_start"]
            rows.append([name, f"{group.disentangled.sum()} of {group.seeds}", _interval(group.rate),
                         _score(group, "error_134_200"), _score(group, "training_loss"),
                         f"{np.median(start):.2f}", f"{np.mean(start > edge):.0%}"])  # fmt: skip
    page.table(
        ["group", "disentangled", "95 % interval", "median error, contexts 134-200", "training loss",
         "median alignment at the start", "starts above the null's 95 %"], rows,
        "Our recipe and the published one, and the choices in which they differ, one by one. At the start about 5 % "
        "should lie above the 95th percentile of random maps.",
    )  # fmt: skip


def _score_table(page: Page, results: MoonsResults) -> None:
    names = [name for name in MAIN if name in results.groups]
    rows = [[label, *[_score(results.groups[name], score) for name in names]] for score, label in SCORES]
    page.table(["median over seeds (95 % interval)", *names], rows, "Scores on the held-out moons; see docs/scores.md "
               "for their ranges and chance levels. DCI, MIG and SAP are taken where moons start apart.")  # fmt: skip


def _grid(page: Page, groups: dict[str, Group]) -> None:
    if grid_name(False, GRID_BATCHES[0], GRID_LENGTHS[0]) not in groups:
        return
    page.section("What makes it happen?")
    pairs = (("published recipe", "published, loss not clipped"), ("ours, clipped loss", "three heads"))
    for clipped, free in pairs:
        if clipped in groups and free in groups:
            counts = [f"{groups[name].disentangled.sum()} of {groups[name].seeds} seeds" for name in (clipped, free)]
            page.text(f"{clipped.capitalize()}: {counts[0]}. The same without the clip of the loss: {counts[1]}.")
    drawn, axes = figure(1, 2, width=9.0, height=2.6, sharey=True)
    rows = [f"batch {batch}" for batch in GRID_BATCHES]
    columns = [f"{length} steps" for length in GRID_LENGTHS]
    for ax, corrected in zip(axes, (False, True), strict=True):
        cells = [[groups[grid_name(corrected, b, n)] for n in GRID_LENGTHS] for b in GRID_BATCHES]
        rate = np.array([[cell.rate.estimate for cell in line] for line in cells])
        texts = np.array([[_cell(cell) for cell in line] for line in cells])
        plots.rate_grid(ax, rate, rows, columns, texts)
        ax.set_title(f"bias correction {'on' if corrected else 'off'}")
    page.figure("grid", drawn, "Share of seeds disentangled with the published loss and learning rate, by optimizer, "
                "context length and batch; below it the median error at contexts 134-200.")  # fmt: skip


def _cell(group: Group) -> str:
    error = np.median(group.scores["error_134_200"])
    return f"{group.disentangled.sum()} of {group.seeds}\nerror {error:.3f}"


def _moons(page: Page, groups: dict[str, Group]) -> None:
    present = [n for n in MOONS if f"{n} moons" in groups]
    if not present:
        return
    page.section("More moons")
    drawn, ax = figure(width=8.0, height=3.0)
    rates = [groups[f"{n} moons"].rate for n in present]
    arrays = [np.array([getattr(rate, part) for rate in rates]) for part in ("estimate", "low", "high")]
    plots.rates(ax, [f"{n} moons, {n} heads" for n in present], *arrays)
    page.figure("moons", drawn, "Share of single starts disentangled by the number of moons, on held-out combinations "
                "of periods, with 95 % intervals.")  # fmt: skip
    rows = []
    for n in present:
        group = groups[f"{n} moons"]
        share = f"{group.disentangled.sum()} of {group.seeds}"
        rows.append([n, share, _interval(group.rate), _score(group, "alignment")])
    page.table(["moons", "disentangled", "95 % interval", "median alignment"], rows)


def _interval(interval: Interval) -> str:
    return f"{_percent(interval.low)} to {_percent(interval.high)}"


def _score(group: Group, score: str) -> str:
    interval = group.summary(score)
    if interval is None:
        return "-"
    estimate, low, high = (
        "never" if math.isinf(limit) else f"{limit:.3g}" for limit in (interval.estimate, interval.low, interval.high)
    )
    return estimate if low == "never" else f"{estimate} ({low} to {high})"


def _percent(share: float) -> str:
    return f"{100.0 * share:.0f} %"


def _slug(name: str) -> str:
    return name.replace(",", "").replace(" ", "_")
