"""Pictures of traces: what each stored pair adds to an output, over the text; and the causal check of traces.

    text_strip      the text, each letter on the colour of what the pair stored at it, or the letter along all paths,
                    adds                                                                         blue raises, red lowers
    memory_map      the same, memory by memory: one line a memory, one column a step
    kind_bars       sums over the kinds of parts: they add up to the output
    effect_bars     effects of removing named and matched pairs, with intervals

Each takes a trace (`mosaics.trace`, `mosaics.origins`) or effects (`analysis.trace_effects`) and axes; none computes a
result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.plots.style import COLOURS, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

    from analysis.trace_effects import Effects, TooFew
    from mosaics.origins import Origins
    from mosaics.trace import Against, Trace

WRAP = 100
"""Letters in a line of text."""


def diverging() -> Colormap:
    """Red below zero, white at zero, blue above: the house's red and blue."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("lowers_raises", [COLOURS[1], "white", COLOURS[2]])


def text_strip(ax: Axes, letters: Sequence[str], values: np.ndarray, largest: float, wrap: int = WRAP) -> None:
    """Draw letters, `wrap` in a line, each on the colour of its value; colours reach from -largest to largest."""
    from matplotlib.patches import Rectangle

    shades = diverging()
    lines = -(-len(letters) // wrap)
    for place, (letter, value) in enumerate(zip(letters, values, strict=True)):
        row, column = divmod(place, wrap)
        colour = shades(0.5 + 0.5 * float(value) / largest)
        ax.add_patch(Rectangle((column - 0.5, row - 0.5), 1.0, 1.0, facecolor=colour, edgecolor="none"))
        dark = abs(value) > 0.75 * largest
        ink: dict[str, Any] = {"color": "white" if dark else "black", "family": "monospace", "fontsize": 8}
        ax.text(column, row, letter, ha="center", va="center_baseline", **ink)
    ax.set(xlim=(-0.5, min(wrap, len(letters)) - 0.5), ylim=(lines - 0.5, -0.5), xticks=[], yticks=[])
    ax.set_frame_on(False)
    ax.grid(visible=False)


def memory_map(ax: Axes, table: np.ndarray, labels: Sequence[str], largest: float) -> Any:
    """Draw contributions (memories, steps); return the image."""
    image = ax.imshow(table, cmap=diverging(), vmin=-largest, vmax=largest, aspect="auto", interpolation="nearest")
    ax.set_yticks(range(len(labels)), labels, fontsize=8)
    ax.set(xlabel="step at which the pair's key was stored")
    ax.tick_params(length=0)
    ax.grid(visible=False)
    return image


def kind_bars(ax: Axes, names: Sequence[str], values: np.ndarray) -> None:
    """Draw the sum of each kind of part and the total, one bar each, from the top."""
    names, values = [*names, "output"], np.append(values, np.sum(values))
    colours = [COLOURS[2] if value >= 0 else COLOURS[1] for value in values[:-1]] + ["black"]
    ax.barh(range(len(names)), values, color=colours, height=0.7)
    ax.axvline(0.0, color="black", linewidth=0.8)
    ax.set_yticks(range(len(names)), names, fontsize=8)
    ax.invert_yaxis()
    low, high = min(values.min(), 0.0), max(values.max(), 0.0)
    margin = 0.3 * (high - low)
    ax.set_xlim(low - (margin if low < 0 else 0.0), high + margin)
    for place, value in enumerate(values):
        side, shift = ("left", 3) if value >= 0 else ("right", -3)
        label = f"{value:+.2f}"
        ax.annotate(label, (value, place), (shift, 0), textcoords="offset points", ha=side, va="center", fontsize=8)
    ax.grid(visible=False, axis="y")


def memory_label(where: str, head: int) -> str:
    """Name of a memory: ``blocks.1.contextual``, head 2 -> ``block 1, head 2``."""
    words = where.split(".")
    level = f" {words[3]}," if len(words) > 3 else ","
    return f"block {words[1]}{level} head {head}" if words[0] == "blocks" else f"head {head}"


def trace_figure(
    found: Trace, followed: Origins, letters: Sequence[str], output: int, name: str, *, against: Against = "mean"
) -> Figure:
    """Draw the trace of one output of a model of tokens; `letters` are those of the text read, `name` the output's."""
    table = found.by_source(output, against)
    largest = max(float(np.abs(table.to_numpy()).max(initial=0.0)), 1e-12)
    strip = 0.12 + 0.3 * -(-len(letters) // WRAP)
    below = 1.0 + 0.19 * len(table)
    page, axes = figure(3, 2, width=13.0, height=1.6 + 2.0 * (strip + 0.3) + below, width_ratios=[4.2, 1.0],
                        height_ratios=[strip, strip, below])  # fmt: skip
    less = "" if against is None else " less the mean logit" if against == "mean" else f" less that of token {against}"
    titles = (
        f"What the stored pairs add to the logit of {name}{less}",
        "What each letter adds along all paths through the layers",
    )
    strips = (table.to_numpy().sum(0), followed.contributions)
    for ax, title, sums in zip(axes[:2, 0], titles, strips, strict=True):
        text_strip(ax, letters, sums, max(float(np.abs(sums).max(initial=0.0)), 1e-12))
        ax.set_title(title)
    image = memory_map(axes[2, 0], table.to_numpy(), [memory_label(*line) for line in table.index], largest)
    axes[2, 0].set_title("The stored pairs by memory")
    page.colorbar(image, ax=axes[2, 0], location="right", fraction=0.03, pad=0.01)
    kinds = found.by_kind(output, against)
    kind_bars(axes[2, 1], [kind_label(kind) for kind in kinds.index], kinds.to_numpy())
    axes[2, 1].set_title("By kind of part")
    for ax in axes[:2, 1]:
        ax.set_axis_off()
    return page


def kind_label(kind: str) -> str:
    """Words for an entry of `Trace.by_kind`: ``pair 1`` -> ``pairs, block 1``."""
    name, _, layer = kind.partition(" ")
    words = {"pair": "pairs", "entry": "persistent", "hidden": "hidden units", "bias": "biases"}
    return words.get(name, name) + (f", block {layer}" if layer else "")


def moons_figure(found: Trace, truth: np.ndarray, periods: Sequence[float], names: Sequence[str]) -> Figure:
    """Draw the trace of a moons model: where each memory looks, and what each adds to each predicted coordinate.

    `truth` (coordinates,) is the observation that was predicted, `periods` those of the moons that the memories
    serve, in steps, `names` those of the memories.
    """
    page, axes = figure(1, 2, width=13.0, height=3.8, width_ratios=[2.4, 1.0])
    heads = found.parts.groupby("head")
    steps = np.arange(found.position)
    floors = np.arange(len(heads))[::-1]
    for colour, place, (_, part), period in zip(COLOURS, floors, heads, periods, strict=False):
        axes[0].fill_between(
            steps, place, place + 0.9 * part["weight"] / part["weight"].max(), color=colour, step="mid"
        )
        returns = np.arange(found.position - period, 0, -period)
        axes[0].plot(returns, np.full_like(returns, place - 0.06), "^", color=colour, markersize=5)
    axes[0].set(xlabel="step at which the pair's key was stored", xlim=(0, found.position))
    axes[0].set_yticks(floors + 0.45, names, fontsize=9)
    axes[0].grid(visible=False)
    axes[0].set_title(f"Where each memory looks at step {found.position} (weights over their maximum)")
    sums = np.stack([found.contributions[part.index].sum(0) for _, part in heads])
    table = np.vstack([sums, sums.sum(0), truth[list(found.outputs)]])
    largest = float(np.abs(table).max())
    axes[1].imshow(table, cmap=diverging(), vmin=-largest, vmax=largest, aspect="auto")
    for (row, column), value in np.ndenumerate(table):
        ink = "white" if abs(value) > 0.75 * largest else "black"
        axes[1].text(column, row, f"{value:+.2f}", ha="center", va="center", fontsize=8, color=ink)
    axes[1].axhline(len(sums) - 0.5, color="black", linewidth=1.0)
    axes[1].set_yticks(range(len(table)), [*names, "prediction", "truth"], fontsize=9)
    axes[1].set_xticks(range(len(found.outputs)), [f"x{output}" for output in found.outputs])
    axes[1].grid(visible=False)
    axes[1].set_title("What each memory adds")
    return page


def effects_figure(
    found: Mapping[tuple[str, str], Effects | TooFew], kinds: Mapping[str, str], accounts: Sequence[str]
) -> Figure:
    """Draw the effects of each account, (kind of models, account) -> effects; a row a kind, with its title.

    What has no effects, because too few problems have matched pairs, is said to be so.
    """
    from analysis.trace_effects import TooFew

    page, axes = figure(len(kinds), len(accounts), width=12.0, height=3.2 * len(kinds), sharey="row", squeeze=False)
    for (kind, name), row in zip(kinds.items(), axes, strict=True):
        for account, ax in zip(accounts, row, strict=True):
            one = found[kind, account]
            if isinstance(one, TooFew):
                words = f"too few matched pairs:\n{one.problems} problems"
                ax.text(0.5, 0.5, words, ha="center", va="center", transform=ax.transAxes)
                ax.set(title=account, xticks=[])
            else:
                effect_bars(ax, one, "effect", account)
        row[0].set_ylabel(f"{name}\nchange of the prediction")
    return page


def effect_bars(ax: Axes, effects: Effects, measure: str, title: str) -> None:
    """Draw the mean of a measure for named and matched pairs, with intervals."""
    for place, (side, colour) in enumerate((("named", COLOURS[2]), ("matched", COLOURS[7]))):
        interval = getattr(effects, side)[measure]
        ends = [[interval.estimate - interval.low], [interval.high - interval.estimate]]
        ax.bar(place, interval.estimate, color=colour, width=0.6)
        ax.errorbar(place, interval.estimate, ends, color="black", capsize=4, linewidth=1.2)
    ax.set_xticks([0, 1], ["named by the trace", "matched in weight"])
    ax.set(title=title, ylim=(0, None))
    ax.grid(visible=False, axis="x")
