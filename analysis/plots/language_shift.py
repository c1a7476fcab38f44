"""Figures of the shift study: loss by position on each text, new facts recalled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from analysis.plots.language import colour
from analysis.plots.style import figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 3
CURVES_CAPTION = (
    "Loss in nats a token against the number of tokens read, the end-of-text token that begins the text included; "
    "one panel a text, models of equal size. Bands: 95 % intervals over documents and seeds, pointwise."
)
FACTS_CAPTION = (
    "Share of new facts recalled: so many colors are stated, and one is asked for so many words later. Dashed: chance. "
    "Bars: 95 % intervals over prompts."
)
STYLES = ("-", "--", ":", "-.")


def curves_figure(curves: pd.DataFrame) -> Figure:
    """Draw loss against position, one panel a text."""
    texts = list(curves["text"].unique())
    columns = min(len(texts), COLUMNS)
    rows = -(-len(texts) // columns)
    page, axes = figure(rows, columns, width=max(3.8 * columns, 6.0), height=3.6 * rows, squeeze=False)
    for ax, text in zip(axes.flat, texts, strict=False):
        for model, lines in curves[curves["text"] == text].groupby("model", sort=False):
            shade = colour(str(model))
            ax.plot(lines["position"], lines["estimate"], color=shade, label=model)
            ax.fill_between(lines["position"], lines["low"], lines["high"], color=shade, alpha=0.15, linewidth=0)
        ax.set(title=text, xscale="log", xlabel="tokens read")
        ax.xaxis.set_major_formatter("{x:g}")
    for ax in axes.flat[len(texts) :]:
        ax.set_axis_off()
    axes[0][0].set_ylabel("nats a token")
    axes[0][0].legend()
    return page


def facts_figure(facts: pd.DataFrame) -> Figure:
    """Draw the share of facts recalled against their number, one panel a distance."""
    distances = sorted(facts["distance"].unique())
    page, axes = figure(1, len(distances), width=max(3.8 * len(distances), 6.0), height=3.6, sharey=True, squeeze=False)
    for ax, distance in zip(axes[0], distances, strict=True):
        for (model, lines), style in zip(facts[facts["distance"] == distance].groupby("model", sort=False), STYLES,
                                         strict=False):  # fmt: skip
            bars = [lines["estimate"] - lines["low"], lines["high"] - lines["estimate"]]
            ax.errorbar(lines["facts"], lines["estimate"], bars, fmt=f"o{style}", color=colour(str(model)), label=model)
        ax.axhline(facts["chance"].mean(), color="black", linewidth=1.0, linestyle="--")
        ax.set(title=f"{distance} words later", xlabel="facts stated", ylim=(0.0, 1.0))
    axes[0][0].set_ylabel("recalled")
    axes[0][0].legend()
    return page
