"""Figures of a report: a metric against training size, or model by model, with intervals over seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis.plots.style import COLOURS, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = "osD^vP*X"
GREY = "#57606a"
THREAD: Any = {"arrowstyle": "-", "color": GREY, "linewidth": 0.6, "shrinkA": 1, "shrinkB": 0, "relpos": (0, 0.5)}
"""The line from a reference to its name."""
SPACE = 0.045
"""Least distance between the names of two references, of the axis."""
MOST_TICKS = 8
"""Training sizes that each have their own tick; with more the axis chooses."""


def metric_figure(lines: pd.DataFrame, label: str) -> Figure:
    """Draw the lines of one metric of a summary (`analysis.report.summary`).

    Curves over training size where a model has several; else one row a model. References are dashed grey lines. A line
    without a finite estimate is not drawn.
    """
    named = lines.assign(name=_names(lines))[np.isfinite(lines["estimate"])]
    runs = named[named["kind"] == "run"]
    several = runs.groupby("name")["size"].nunique()
    if (several > 1).any():
        drawn, ax = figure(width=8.0, height=4.4)
        _curves(ax, runs[runs["size"].notna()], label)
    else:
        drawn, ax = figure(width=8.0, height=1.2 + 0.32 * max(len(runs), 1))
        _rows(ax, runs, label)
    _references(ax, named[named["kind"] == "reference"], upright=not (several > 1).any())
    if ax.get_legend_handles_labels()[1]:
        drawn.legend(loc="outside lower center", ncols=3)
    return drawn


def _references(ax: Axes, lines: pd.DataFrame, *, upright: bool) -> None:
    """Dashed lines; their names stand at the right end, or in the legend where the lines are upright."""
    lines = lines.sort_values("estimate")
    low, high = ax.get_ylim()
    if len(lines) and not upright:
        low, high = min(low, lines["estimate"].min() - 0.02 * (high - low)), max(high, lines["estimate"].max())
        ax.set_ylim(low, high)
    least = low
    for place, (name, value) in enumerate(zip(lines["name"], lines["estimate"], strict=True)):
        style: tuple[int, tuple[int, ...]] = (0, (5 - place % 4, 2))
        if upright:
            ax.axvline(value, color=GREY, linewidth=1.1, linestyle=style, label=name, zorder=1)
            continue
        ax.axhline(value, color=GREY, linewidth=1.1, linestyle=style, zorder=1)
        least = max(value, least + SPACE * (high - low) * (place > 0))
        ends: Any = {"xycoords": ("axes fraction", "data"), "textcoords": ("axes fraction", "data")}
        ends |= {"xytext": (1.03, least), "arrowprops": THREAD, "annotation_clip": False}
        ax.annotate(name, (1.0, value), fontsize=8, color=GREY, va="center", **ends)


def _curves(ax: Axes, runs: pd.DataFrame, label: str) -> None:
    for place, (name, curve) in enumerate(runs.sort_values("size").groupby("name", sort=False)):
        size = curve["size"].astype(float)
        colour, marker = COLOURS[place % len(COLOURS)], MARKERS[(place // len(COLOURS)) % len(MARKERS)]
        ax.plot(size, curve["estimate"], color=colour, marker=marker, markersize=4, label=str(name))
        ax.fill_between(size, curve["low"], curve["high"], color=colour, alpha=0.18, linewidth=0)
    ax.set(xscale="log", xlabel="training size", ylabel=label)
    sizes = sorted(runs["size"].unique())
    if len(sizes) <= MOST_TICKS:
        ax.set_xticks(sizes, [f"{size:,.0f}" for size in sizes])
        ax.minorticks_off()


def _rows(ax: Axes, runs: pd.DataFrame, label: str) -> None:
    places = range(len(runs))
    ax.hlines(places, runs["low"], runs["high"], color=COLOURS[0], linewidth=2.5, alpha=0.5)
    ax.plot(runs["estimate"], places, "o", color=COLOURS[0])
    ax.set(xlabel=label, ylim=(len(runs) - 0.5, -0.5))
    ax.set_yticks(list(places), runs["name"].tolist())


def _names(lines: pd.DataFrame) -> pd.Series[str]:
    """Model, with its study where several studies have one of that name."""
    shared = lines.groupby("model")["study"].transform("nunique") > 1
    return lines["model"].astype(str).where(~shared, lines["model"].astype(str) + ", " + lines["study"].astype(str))
