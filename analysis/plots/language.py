"""Figures of the language study: loss by depth, losses along the trainings, prompts, retrieval profiles."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

from analysis.plots.style import COLOURS, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MODEL_COLOURS = {"mosaic": COLOURS[0], "transformer": COLOURS[1], "mosaic_v2": COLOURS[2]}
PANELS = 4
"""Most panels in a row."""
CURVES_CAPTION = (
    "Loss on validation stories (solid) and on training stories (dashed, the first ones of the training text) along "
    "each training, by depth; where the solid line turns up while the dashed one falls, the model learns by heart. "
    "The start, where all tokens are about as likely, lies off the top."
)
PROMPTS_CAPTION = (
    "Share of prompts whose right answer is the likeliest of its candidates, against the number of blocks, by kind of "
    "prompt. Dashed: chance. Bands and bars: 95 % intervals."
)
PROFILE_CAPTION = (
    "Mean retrieval weight of contextual memories and attention heads in the second half of the texts, by distance and "
    "by position (from 1, the end-of-text token that begins the text), mean over heads, layers and seeds."
)


def colour(model: str) -> str:
    """Colour of a model."""
    return MODEL_COLOURS.get(model, COLOURS[7])


def depth_caption(difference: pd.DataFrame, reference: str) -> str:
    """Say what :func:`depth_figure` shows."""
    left = "loss on whole validation stories against the number of blocks, models of equal size; dots are seeds."
    if not len(difference):
        return f"{left.capitalize()} Bands and bars: 95 % intervals."
    return (
        f"Left: {left} Right: loss less the {reference}'s, paired by seed and by story; below 0 a model is better. "
        "Bands and bars: 95 % intervals."
    )


def depth_figure(loss: pd.DataFrame, runs: pd.DataFrame, difference: pd.DataFrame, reference: str) -> Figure:
    """Draw loss and, where there are two models, its difference from the reference's against depth."""
    panels = 2 if len(difference) else 1
    page, grid = figure(1, panels, width=5.5 * panels, height=4.4, squeeze=False)
    axes = grid[0]
    _bands(axes[0], loss)
    for model, lines in runs.groupby("model", sort=False):
        axes[0].plot(lines["depth"], lines["best_loss"], "o", color=colour(str(model)), markersize=3.5, alpha=0.6)
    axes[0].set(title="validation loss (nats a token)", xlabel="blocks")
    axes[0].legend()
    if len(difference):
        _bands(axes[1], difference)
        axes[1].axhline(0.0, color="black", linewidth=0.8)
        axes[1].set(title=f"loss less the {reference}'s (nats a token)", xlabel="blocks")
    for ax in axes:
        _depth_axis(ax, loss)
    return page


def _depth_axis(ax: Axes, table: pd.DataFrame) -> None:
    ax.set_xscale("log", base=2)
    ax.set_xticks(sorted(table["depth"].unique()))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.minorticks_off()


def _bands(ax: Axes, table: pd.DataFrame) -> None:
    for model, lines in table.groupby("model", sort=False):
        shade = colour(str(model))
        ax.plot(lines["depth"], lines["estimate"], color=shade, marker="o", markersize=5, label=model)
        if len(lines) > 1:
            ax.fill_between(lines["depth"], lines["low"], lines["high"], color=shade, alpha=0.15, linewidth=0)
        else:
            ax.vlines(lines["depth"], lines["low"], lines["high"], color=shade, linewidth=1.2)


def curves_figure(curves: pd.DataFrame) -> Figure:
    """Draw training and validation loss along the trainings, one panel a depth; the start lies off the top."""
    depths = sorted(curves["depth"].unique())
    rows = math.ceil(len(depths) / PANELS)
    columns = math.ceil(len(depths) / rows)
    page, axes = figure(rows, columns, width=max(3.4 * columns, 11.0), height=3.8 * rows, sharey=True, squeeze=False)
    later = curves[curves["step"] > 0][["validation_loss", "training_loss"]]
    for ax, depth in zip(axes.flat, depths, strict=False):
        for (model, seed), lines in curves[curves["depth"] == depth].groupby(["model", "seed"], sort=False):
            label = model if seed == 0 else None
            ax.plot(lines["epochs"], lines["validation_loss"], color=colour(model), label=label)
            ax.plot(lines["epochs"], lines["training_loss"], "--", color=colour(model), linewidth=1.2)
        ax.set(title=f"{depth} block{'s' if depth > 1 else ''}", xlabel="epochs")
    axes[0][0].set_ylim(0.97 * later.min().min(), 1.05 * later.max().max())
    for ax in axes[:, 0]:
        ax.set_ylabel("nats a token")
    for ax in axes.flat[len(depths) :]:
        ax.set_axis_off()
    axes[0][0].legend()
    return page


def prompts_figure(prompts: pd.DataFrame) -> Figure:
    """Draw the share of prompts answered right against depth, one panel a kind."""
    kinds = list(prompts["kind"].unique())
    page, axes = figure(1, len(kinds), width=3.8 * len(kinds), height=3.8, sharey=True, squeeze=False)
    for ax, kind in zip(axes[0], kinds, strict=True):
        of_kind = prompts[prompts["kind"] == kind]
        _bands(ax, of_kind)
        ax.axhline(of_kind["chance"].iloc[0], color="black", linewidth=1.0, linestyle="--", label="chance")
        ax.set(title=f"{kind} prompts", xlabel="blocks", ylim=(0.0, 1.0))
        _depth_axis(ax, of_kind)
    axes[0][0].set_ylabel("answered right")
    axes[0][0].legend()
    return page


def profile_figure(curves: pd.DataFrame) -> Figure:
    """Draw mean retrieval weight by distance and by position, for the smallest and the largest depth."""
    page, axes = figure(1, 2, width=11.0, height=4.0)
    depths = sorted(curves["depth"].unique())
    for ax, by in zip(axes, ("distance", "position"), strict=True):
        shown = curves[(curves["by"] == by) & curves["depth"].isin((depths[0], depths[-1]))]
        for (model, blocks), lines in shown.groupby(["model", "depth"], sort=False):
            style = "-" if blocks == depths[-1] else ":"
            label = f"{model}, {blocks} block{'' if blocks == 1 else 's'}"
            ax.plot(lines["place"] + (by == "position"), lines["weight"], style, color=colour(str(model)), label=label)
        ax.set(title=f"mean weight by {by}", xscale="log" if by == "position" else "linear", yscale="log")
        ax.set_xlabel("tokens back" if by == "distance" else "position in the text")
    axes[0].legend()
    return page
