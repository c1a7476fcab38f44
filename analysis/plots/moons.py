"""Figures of the three-moons study; every function draws one panel from arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.plots.style import COLOURS, vertical_mark

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def error_curves(ax: Axes, curves: Mapping[str, np.ndarray], *, first: int = 1, title: str = "") -> None:
    """Draw error against context length: the median over seeds, and the band from the 10th to the 90th percentile.

    `curves` holds (seeds, lengths) arrays by label, or (lengths,) for a curve without seeds, drawn dashed; the
    first column belongs to the context length `first`.
    """
    for colour, (label, curve) in zip(COLOURS, curves.items(), strict=False):
        values = np.atleast_2d(curve)
        lengths = first + np.arange(values.shape[1])
        alone = np.ndim(curve) == 1
        ax.plot(lengths, np.median(values, axis=0), color=colour, label=label, linestyle="--" if alone else "-")
        if not alone and len(values) > 1:
            low, high = np.quantile(values, (0.1, 0.9), axis=0)
            ax.fill_between(lengths, low, high, color=colour, alpha=0.18, linewidth=0)
    ax.set(yscale="log", xlabel="context length (steps)", ylabel="mean absolute error (orbit radii)", title=title)


def period_marks(ax: Axes, periods: Sequence[float], joint: float, *, words: bool = True) -> None:
    """Draw lines where each moon and all moons together have returned, with `words` or just numbers."""
    for number, period in enumerate(periods, 1):
        vertical_mark(ax, period, f"moon {number} is back" if words else str(number), turned=words)
    vertical_mark(ax, joint, "all are back together" if words else "all", COLOURS[1], turned=words)


def share_matrix(ax: Axes, share: np.ndarray, title: str) -> Any:
    """Draw the share of each head's squared norm that falls on each moon, (heads, moons); return the image."""
    image = ax.imshow(share, vmin=0.0, vmax=1.0, cmap="Greens", aspect="equal")
    for head, row in enumerate(share):
        for moon, value in enumerate(row):
            ink = "white" if value > 0.6 else "black"
            ax.text(moon, head, f"{value:.2f}", ha="center", va="center", color=ink, fontsize=9)
    heads, moons = share.shape
    ax.set(title=title, xticks=range(moons), yticks=range(heads))
    ax.set_xticklabels([f"moon {m + 1}" for m in range(moons)])
    ax.set_yticklabels([f"head {h + 1}" for h in range(heads)])
    ax.grid(visible=False)
    ax.tick_params(length=0)
    return image


def retrieval_profile(ax: Axes, weights: np.ndarray, labels: Sequence[str], periods: Sequence[float]) -> None:
    """Draw each memory's mean retrieval weight against the age of the pair, (heads, ages); age 1 is the newest.

    `periods` are those of the moons that the heads serve; multiples of the period are marked by small triangles.
    """
    ages = 1 + np.arange(weights.shape[1])
    for colour, row, label, period in zip(COLOURS, weights, labels, periods, strict=False):
        ax.plot(ages, row, color=colour, label=label)
        returns = period * np.arange(1, int(ages[-1] / period) + 1)
        ax.plot(
            returns,
            np.full_like(returns, -0.03),
            "^",
            color=colour,
            markersize=5,
            clip_on=False,
            transform=ax.get_xaxis_transform(),
        )
    ax.set(xlabel="age of the stored pair (steps)", ylabel="mean retrieval weight", ylim=(0.0, None))
    ax.legend(loc="upper right")


def alignment_over_steps(ax: Axes, steps: np.ndarray, alignment: np.ndarray, threshold: float, null: float) -> None:
    """Draw every seed's alignment score over training, (records, seeds), with the threshold and the null's edge."""
    ax.plot(steps, alignment, color=COLOURS[0], alpha=max(0.08, min(1.0, 6.0 / alignment.shape[1])), linewidth=1.2)
    ax.plot(steps, np.median(alignment, axis=1), color="black", linewidth=1.6, label="median seed")
    ax.axhline(
        threshold, color=COLOURS[1], linestyle="--", linewidth=1.2, label=f"disentangled: at least {threshold:g}"
    )
    ax.axhline(null, color="#57606a", linestyle=":", linewidth=1.4, label="95th percentile of random maps")
    ax.set(xlabel="training steps", ylabel="alignment score", ylim=(0.0, 1.02))
    ax.legend(loc="lower right")


def rates(ax: Axes, labels: Sequence[str], estimates: np.ndarray, lows: np.ndarray, highs: np.ndarray) -> None:
    """Draw rates in [0, 1] with their intervals, one a row, the first at the top."""
    place = np.arange(len(labels))[::-1]
    ax.errorbar(estimates, place, xerr=[estimates - lows, highs - estimates], fmt="o", color=COLOURS[0], capsize=3)
    ax.set(yticks=place, xlim=(-0.02, 1.02), ylim=(-0.6, len(labels) - 0.4), xlabel="share of seeds disentangled")
    ax.set_yticklabels(labels)


def rate_grid(ax: Axes, rate: np.ndarray, rows: Sequence[str], columns: Sequence[str], texts: np.ndarray) -> None:
    """Draw a grid of rates, (rows, columns), NaN where none was measured, with a text in each cell."""
    ax.imshow(rate, vmin=0.0, vmax=1.0, cmap="Greens", aspect="auto")
    for i, line in enumerate(texts):
        for j, text in enumerate(line):
            dark = np.nan_to_num(rate[i, j]) > 0.6
            ax.text(j, i, text, ha="center", va="center", color="white" if dark else "black", fontsize=9)
    ax.set(xticks=range(len(columns)), yticks=range(len(rows)))
    ax.set_xticklabels(columns)
    ax.set_yticklabels(rows)
    ax.grid(visible=False)
    ax.tick_params(length=0)
