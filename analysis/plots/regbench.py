"""Figures of RegBench: measures against the position in the context, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from analysis.plots.style import COLOURS, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LABELS = {
    "dfa_accuracy": "DFA accuracy",
    "total_variation": "total variation",
    "excess": "excess cross-entropy (nats)",
}
SHOWN = (
    "bigram, back-off",
    "trigram, back-off",
    "trigram, Witten-Bell",
    "4-gram, Witten-Bell",
    "Baum-Welch",
    "state merging",
)
CEILING = "state oracle"


def position_curves(ax: Axes, positions: pd.DataFrame, measure: str, predictors: Sequence[str] = SHOWN) -> None:
    """Draw one measure against the number of tokens read, a line and its band for each predictor.

    `positions` is the table by position of the study regbench-classical, or any table with its columns predictor,
    measure, first_row, last_row, estimate, low, high. A predictor that is infinite anywhere (NaN in the table) is
    left out; the state oracle is drawn in black.
    """
    for place, name in enumerate((*predictors, CEILING)):
        lines = positions[(positions["predictor"] == name) & (positions["measure"] == measure)]
        if lines.empty or lines["estimate"].isna().any():
            continue
        read = (lines["first_row"] + lines["last_row"]) / 2 + 1
        ceiling = name == CEILING
        colour = "black" if ceiling else COLOURS[place % len(COLOURS)]
        style = "--" if ceiling else ":" if "back-off" in name else "-"
        ax.plot(read, lines["estimate"], color=colour, linestyle=style, label=name, zorder=3 if ceiling else 2)
        ax.fill_between(read, lines["low"], lines["high"], color=colour, alpha=0.15, linewidth=0)
    ax.set(xlabel="tokens read", title=LABELS.get(measure, measure), xlim=(0, None))


def classical_figure(positions: pd.DataFrame) -> Figure:
    """Draw accuracy, total variation and excess side by side, one legend below."""
    page, axes = figure(1, 3, width=12.0, height=4.6)
    for ax, measure in zip(axes, LABELS, strict=True):
        position_curves(ax, positions, measure)
    axes[0].set_ylim(top=1.002)
    for ax in axes[1:]:
        ax.set_ylim(bottom=0.0)
    page.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return page
