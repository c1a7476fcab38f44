"""Figures of the units study: where each unit is needed, and what it tells; a row of panels a model."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.plots.style import COLOURS, figure
from analysis.plots.tracing import diverging

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


COLUMNS = ("loss gained without it, nats, by order needed", "what it tells: news of orders", "and of the last tokens")


def table_panel(ax: Axes, table: np.ndarray, rows: Sequence[str], columns: Sequence[str], largest: float) -> None:
    """Draw numbers on colours: blue for what adds (removal hurts, a factor is told), red for what takes away."""
    ax.imshow(table, cmap=diverging(), vmin=-largest, vmax=largest, aspect="auto")
    for (row, column), value in np.ndenumerate(table):
        ink = "white" if abs(value) > 0.75 * largest else "black"
        ax.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=8, color=ink)
    ax.set_yticks(range(len(rows)), rows, fontsize=8)
    ax.set_xticks(range(len(columns)), columns, fontsize=8)
    for place in range(len(rows) // 2, len(rows), len(rows) // 2):
        ax.axhline(place - 0.5, color="black", linewidth=1.0)
    ax.tick_params(length=0)
    ax.grid(visible=False)


def units_figure(found: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw one trained model of each kind, model -> result of its job (`analysis.studies.regbench_units_jobs`)."""
    page, axes = figure(len(found), 3, width=12.0, height=2.9 * len(found), squeeze=False, width_ratios=[5, 4, 3])
    for (name, one), row in zip(found.items(), axes, strict=True):
        order = one["needed"]["order"]
        parts = (
            (np.array(order["change"]), order["groups"]),
            (np.array(one["told"]["importance"]), one["told"]["factors"]),
            (np.array(one["read"]["importance"]), one["read"]["factors"]),
        )
        for ax, (table, columns) in zip(row, parts, strict=True):
            table_panel(ax, table, one["units"], columns, max(float(np.abs(table).max()), 1e-12))
        row[0].set_ylabel(name.replace("_", " "), fontweight="bold")
        for ax in row[1:]:
            ax.set_yticks([])
    for ax, title in zip(axes[0], COLUMNS, strict=True):
        ax.set_title(title)
    return page


def scores_figure(scores: Mapping[str, Mapping[str, Sequence[float]]], measures: Mapping[str, str]) -> Figure:
    """Draw measures of each model, a point a seed and a line at their mean: model -> measure -> values."""
    page, axes = figure(1, len(measures), width=12.0, height=3.2, squeeze=False)
    for ax, (measure, title) in zip(axes[0], measures.items(), strict=True):
        for place, (values, colour) in enumerate(zip((one[measure] for one in scores.values()), COLOURS, strict=False)):
            ax.plot(np.full(len(values), place), values, "o", color=colour, alpha=0.7)
            ax.hlines(np.mean(values), place - 0.25, place + 0.25, color=colour)
        ax.set_xticks(
            range(len(scores)), [name.replace("_transformer", "").replace("_", " ") for name in scores], fontsize=8
        )
        ax.set_title(textwrap.fill(title, 24), fontsize=9)
        ax.set_xlim(-0.5, len(scores) - 0.5)
        ax.grid(visible=False, axis="x")
    return page
