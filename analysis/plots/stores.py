"""Figures of the stores study: loss and recall against the budget, time and memory against the pairs stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from analysis.plots.style import COLOURS, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

QUALITY_CAPTION = (
    "Loss with the store minus loss with every pair (left) and share of the exact retrieval weights that the store "
    "keeps (right; mean over blocks; the capacity policies lie on one another), against what the store spends: pairs "
    "held (solid), mean number of pairs looked at (dashed), random features (dotted). Bands: 95 % intervals over "
    "problems, paired."
)
COST_CAPTION = (
    "Time of one step, a pair stored and a query asked in 8 memories of width 16 on one thread (left), and bytes of "
    "one memory (right), against the number of pairs stored. Medians; the stores take turns."
)
STYLES = {
    "least-recently-used": ("capacity, least recently used", "-", 0),
    "oldest": ("capacity, oldest", "-", 3),
    "least-total-weight": ("capacity, least total weight", "-", 2),
    "random": ("capacity, random", "-", 7),
    "faiss": ("faiss, nearest", "--", 4),
    "hash": ("hash, 8 tables", "--", 1),
    "features, damped": ("features, damped", ":", 5),
    "features, FAVOR+": ("features, FAVOR+", ":", 6),
}
COST_COLOURS = {
    "exact": "black",
    "capacity": COLOURS[0],
    "hash": COLOURS[1],
    "features": COLOURS[5],
    "faiss": COLOURS[4],
}


def budget_curves(ax: Axes, quality: pd.DataFrame, measure: str) -> None:
    """Draw a measure ("excess", with its interval, or "recall") against the budget, a line a family."""
    for family, (label, style, colour) in STYLES.items():
        lines = quality[quality["family"] == family].sort_values("looked")
        if lines.empty:
            continue
        spent = lines["looked"] if family == "hash" else lines["budget"].astype(float)
        ax.plot(spent, lines[measure], style, color=COLOURS[colour], label=label, marker="o", markersize=3.5)
        if measure == "excess":
            ax.fill_between(spent, lines["low"], lines["high"], color=COLOURS[colour], alpha=0.15, linewidth=0)
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_xlabel("pairs held, pairs looked at, or features")


def quality_figure(quality: pd.DataFrame) -> Figure:
    """Draw excess loss and recall side by side, one legend below."""
    page, axes = figure(1, 2, width=11.0, height=4.8)
    blocks = [name for name in quality.columns if name.startswith("recall_")]
    table = quality.assign(recall=quality[blocks].mean(axis=1))
    budget_curves(axes[0], table, "excess")
    axes[0].axhline(0.0, color="black", linewidth=0.8)
    axes[0].set_title("excess loss (nats a labelled row)")
    budget_curves(axes[1], table, "recall")
    axes[1].set(title="recall of retrieval mass", ylim=(0.0, 1.02))
    page.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return page


def cost_figure(cost: pd.DataFrame) -> Figure:
    """Draw time and memory against the number of pairs."""
    page, axes = figure(1, 2, width=11.0, height=4.4)
    for name, lines in cost.groupby("store", sort=False):
        colour = COST_COLOURS[str(name).partition(" ")[0]]
        axes[0].plot(lines["pairs"], lines["seconds"] * 1e6, color=colour, label=name, marker="o", markersize=3.5)
        axes[1].plot(lines["pairs"], lines["bytes"] / 1024, color=colour, label=name, marker="o", markersize=3.5)
    for ax, title in zip(axes, ("time of a step (microseconds)", "memory (KiB)"), strict=True):
        ax.set(yscale="log", xlabel="pairs stored", title=title)
        ax.set_xscale("log", base=4)
        ax.xaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_major_formatter("{x:g}")
    page.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return page
