"""The look of every figure: quiet axes, colours that the colour-blind can tell apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0b6e4f", "#d1495b", "#2e5fa3", "#e0a030", "#6c4f9c", "#4c9ab0", "#8a6d3b", "#777777")
"""Green, red, blue, ochre, violet, teal, brown, grey."""

SETTINGS: dict[Any, Any] = {
    "figure.dpi": 100,
    "font.size": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11.0,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.grid": True,
    "grid.color": "#e8ebee",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 9.0,
    "lines.linewidth": 1.8,
    "savefig.facecolor": "white",
}


def figure(
    rows: int = 1, columns: int = 1, width: float = 8.0, height: float = 4.0, **options: Any
) -> tuple[Figure, Any]:
    """Return a figure and its axes in the house style, sizes in inches, drawn without a screen."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams.update(SETTINGS)
    import matplotlib.pyplot as plt
    from cycler import cycler

    mpl.rcParams["axes.prop_cycle"] = cycler(color=COLOURS)
    return plt.subplots(rows, columns, figsize=(width, height), layout="constrained", **options)


def vertical_mark(ax: Axes, x: float, label: str, colour: str = "#57606a", *, turned: bool = True) -> None:
    """Draw a thin dashed line at x with a label along it, or above it when not `turned`."""
    ax.axvline(x, color=colour, linewidth=1.0, linestyle=(0, (4, 3)), zorder=1)
    ax.annotate(
        label,
        (x, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(3, -2) if turned else (0, 1),
        textcoords="offset points",
        rotation=90 if turned else 0,
        va="top" if turned else "bottom",
        ha="left" if turned else "center",
        fontsize=8,
        color=colour,
    )
