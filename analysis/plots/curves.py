"""Figures of learning curves: a measure against the training size, the position, the number of strings seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.plots.style import COLOURS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

LABELS = {
    "dfa_accuracy": "DFA accuracy",
    "total_variation": "total variation",
    "excess": "excess cross-entropy (nats)",
}
REFERENCE_STYLES = {
    "state oracle": ("black", "--"),
    "bigram, Witten-Bell": ("#777777", ":"),
    "trigram, Witten-Bell": ("#777777", "-."),
    "trigram, back-off": ("#a8a8a8", "-."),
    "Baum-Welch": ("#8a6d3b", (0, (5, 1))),
    "state merging": ("#8a6d3b", (0, (1, 1))),
}
"""Colour and dashes of the references that are drawn."""


def learning_curves(ax: Axes, runs: pd.DataFrame, summary: pd.DataFrame, measure: str) -> None:
    """Draw one measure against the training size: the mean over seeds with its interval, and every seed as a point.

    `summary` holds variant, size, measure, mean, low, high; `runs` variant, size and the measure, one line a run.
    """
    variants = list(dict.fromkeys(summary["variant"]))
    for place, variant in enumerate(variants):
        shift = 1.02 ** (place - (len(variants) - 1) / 2)
        own = runs[runs["variant"] == variant]
        lines = summary[(summary["variant"] == variant) & (summary["measure"] == measure)]
        colour, mean = COLOURS[place % len(COLOURS)], lines["mean"].to_numpy()
        reach = np.stack([mean - lines["low"], lines["high"] - mean])
        around = None if np.isnan(reach).any() else reach
        ax.errorbar(
            lines["size"] * shift, mean, around, color=colour, label=variant, marker="o", markersize=4, capsize=2
        )
        ax.plot(own["size"] * shift, own[measure], ".", color=colour, alpha=0.45, markersize=5)
    sizes = sorted(set(runs["size"]))
    ax.set(xscale="log", xlabel="training languages", title=LABELS.get(measure, measure))
    ax.set_xticks(sizes, [f"{size:,}" for size in sizes])
    ax.minorticks_off()


def reference_lines(ax: Axes, values: Mapping[str, float | None]) -> None:
    """Draw a horizontal line for every reference that has a style and is finite."""
    for name, value in values.items():
        if name in REFERENCE_STYLES and value is not None:
            colour, dashes = REFERENCE_STYLES[name]
            ax.axhline(value, color=colour, linestyle=dashes, linewidth=1.2, label=name, zorder=1)


def at_most_one(ax: Axes) -> None:
    """End the axis of a share at 1, where intervals reach beyond."""
    ax.set_ylim(top=min(ax.get_ylim()[1], 1.005))


def context_curves(
    ax: Axes, curves: Mapping[str, np.ndarray], lines: Mapping[str, Sequence[float | None]], at: np.ndarray
) -> None:
    """Draw a measure at the places `at`: the mean over seeds, thin lines for the seeds; references dashed.

    `curves` holds (seeds, places) by variant, `lines` one number a place by reference.
    """
    for colour, (variant, values) in zip(COLOURS, curves.items(), strict=False):
        ax.plot(at, values.mean(axis=0), color=colour, label=variant)
        for seed in values:
            ax.plot(at, seed, color=colour, linewidth=0.6, alpha=0.5)
    for name, values_of in lines.items():
        if name in REFERENCE_STYLES and values_of and None not in values_of:
            colour, dashes = REFERENCE_STYLES[name]
            ax.plot(at, np.array(values_of, float), color=colour, linestyle=dashes, linewidth=1.2, label=name)


def profiles(ax: Axes, profile: Mapping[str, Any]) -> None:
    """Draw performance profiles: the share of runs above each accuracy, with pointwise bands."""
    taus = np.array(profile["thresholds"])
    for colour, variant in zip(COLOURS, (name for name in profile if name != "thresholds"), strict=False):
        band = profile[variant]
        ax.step(taus, band["estimate"], where="post", color=colour, label=variant)
        ax.fill_between(taus, band["low"], band["high"], step="post", color=colour, alpha=0.15, linewidth=0)
    ax.set(xlabel="DFA accuracy", ylabel="share of runs above", ylim=(-0.02, 1.02))
    ax.legend(loc="lower left")


def histories(ax: Axes, curves: Mapping[str, Sequence[Sequence[Sequence[float]]]]) -> None:
    """Draw the validation loss of every run, (step, loss) pairs, by variant."""
    for colour, (variant, runs) in zip(COLOURS, curves.items(), strict=False):
        for number, run in enumerate(runs):
            steps, losses = zip(*run, strict=True)
            ax.plot(steps, losses, color=colour, linewidth=0.9, alpha=0.7, label=variant if number == 0 else None)
    ax.set(xlabel="updates", ylabel="validation loss (nats)")
    ax.legend()


def differences(ax: Axes, table: pd.DataFrame, points: Sequence[Sequence[float]]) -> None:
    """Draw differences from a base, one row an arm, the first on top: mean, interval, and every seed's point.

    `table` has the arms as index and the columns mean, low, high; `points` one list a row.
    """
    rows = -np.arange(len(table))
    around = np.stack([table["mean"] - table["low"], table["high"] - table["mean"]])
    ax.axvline(0.0, color="#57606a", linewidth=1.0)
    shown = None if np.isnan(around).any() else around
    ax.errorbar(table["mean"], rows, xerr=shown, fmt="o", color=COLOURS[0], capsize=2, linewidth=1.4, markersize=5)
    for row, values in zip(rows, points, strict=True):
        ax.plot(values, [row] * len(values), ".", color=COLOURS[1], alpha=0.6, markersize=5)
    ax.set_yticks(rows, list(table.index))
