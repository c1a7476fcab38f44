"""Figures of models: the memory that a long context takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from analysis.plots.style import COLOURS, figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LABELS = {"mosaic": "mosaic", "mosaic_v2": "mosaic v2", "rotary_transformer": "rotary transformer"}


def long_context_figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw memory and bytes a token against the length of the context.

    `rows` are those of the benchmark long_context: model, length, bytes.
    """
    page, axes = figure(1, 2, width=10.0, height=3.6)
    for colour, model in zip(COLOURS, dict.fromkeys(row["model"] for row in rows), strict=False):
        mine = [row for row in rows if row["model"] == model]
        lengths = [row["length"] for row in mine]
        style: dict[str, Any] = {"color": colour, "marker": "o", "markersize": 4}
        axes[0].plot(lengths, [row["bytes"] / 1e6 for row in mine], label=LABELS.get(model, model), **style)
        axes[1].plot(lengths, [row["bytes"] / row["length"] / 1e3 for row in mine], **style)
    first = [min(row["bytes"] / row["length"] for row in rows) * length / 1e6 for length in lengths]
    axes[0].plot(lengths, first, color="black", linestyle=":", linewidth=1.0, label="slope 1: linear")
    for ax, title in zip(axes, ("peak memory, MB", "the same a token, kB"), strict=True):
        ax.set_xscale("log", base=2)
        ax.set_xticks(lengths, [f"{length // 1024} k" for length in lengths])
        ax.set(xlabel="tokens of context", title=title)
    axes[0].set_yscale("log")
    axes[1].set_ylim(bottom=0.0)
    axes[0].legend()
    return page
