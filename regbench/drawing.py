"""An automaton as text, as a Graphviz graph, and as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from regbench.vocabulary import LETTERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from regbench.automaton import Automaton


def text(automaton: Automaton) -> str:
    """One line a state: `q  symbol -> next state`, with the probability where a state's edges differ."""
    law = automaton.batch.law()[0]
    lines = [f"start {automaton.start}"]
    for state in range(automaton.n_states):
        uneven = len({round(float(p), 12) for p in law[state] if p > 0}) > 1
        parts = [
            f"{LETTERS[a]} -> {target}" + (f" ({law[state, a]:.3f})" if uneven else "")
            for q, a, target, _ in automaton.edges
            if q == state
        ]
        lines.append(f"{state}  " + "   ".join(parts))
    return "\n".join(lines)


def dot(automaton: Automaton) -> str:
    """Graphviz source; edges between the same two states share one arrow.

    An arrow names its symbols, and their probabilities where the automaton has weights.
    """
    lines = ["digraph automaton {", "  rankdir=LR;", "  node [shape=doublecircle];", "  start [shape=point];"]
    lines.append(f"  start -> {automaton.start};")
    lines += [f"  {state};" for state in range(automaton.n_states)]
    for (state, target), label in _labels(automaton).items():
        lines.append(f'  {state} -> {target} [label="{label}"];')
    return "\n".join([*lines, "}"])


def picture(automaton: Automaton, ax: Axes | None = None, marked: int | None = None) -> Axes:
    """Draw the states on a circle and the edges as arrows; `marked` fills one state. Returns the axes."""
    from matplotlib import pyplot

    if ax is None:
        ax = pyplot.subplots(figsize=(4.5, 4.5))[1]
    count = automaton.n_states
    turn = np.pi / 2 - 2 * np.pi * np.arange(count) / count
    place = np.stack([np.cos(turn), np.sin(turn)], axis=1) * (1.0 if count > 1 else 0.0)
    for (state, target), label in _labels(automaton).items():
        _arrow(ax, place[state], place[target], label)
    for state in range(count):
        fill = "#f4c95d" if state == marked else "white"
        edge = "#1b4965" if state == automaton.start else "#555555"
        width = 2.5 if state == automaton.start else 1.2
        x, y = place[state].tolist()
        ax.scatter([x], [y], s=520, c=fill, edgecolors=edge, linewidths=width, zorder=4)
        ax.text(x, y, str(state), ha="center", va="center", zorder=5)
    ax.set(xlim=(-1.55, 1.55), ylim=(-1.55, 1.55), aspect="equal")
    ax.axis("off")
    return ax


def _labels(automaton: Automaton) -> dict[tuple[int, int], str]:
    """Text of the arrow between each pair of states."""
    law, uniform = automaton.batch.law()[0], automaton.batch.weights is None
    labels: dict[tuple[int, int], list[str]] = {}
    for state, symbol, target, _ in automaton.edges:
        labels.setdefault((state, target), []).append(
            LETTERS[symbol] if uniform else f"{LETTERS[symbol]} {law[state, symbol]:.2g}"
        )
    return {ends: ", ".join(parts) for ends, parts in labels.items()}


def _arrow(ax: Any, tail: np.ndarray, head: np.ndarray, label: str) -> None:
    loop = bool(np.allclose(tail, head))
    out = tail / max(float(np.hypot(*tail)), 1e-9) if np.any(tail) else np.array([0.0, 1.0])
    style = {"arrowstyle": "-|>", "color": "#555555", "shrinkA": 12, "shrinkB": 12}
    if loop:
        side = 0.16 * np.array([-out[1], out[0]])
        start, end, bend = tail + 0.12 * out - side, tail + 0.12 * out + side, "arc3,rad=1.6"
        middle = tail + 0.48 * out
        style |= {"shrinkA": 2, "shrinkB": 2}
    else:
        start, end, bend = tail, head, "arc3,rad=0.18"
        across = head - tail
        middle = 0.6 * tail + 0.4 * head + 0.09 * np.array([across[1], -across[0]])
    ax.annotate("", end, start, arrowprops={**style, "connectionstyle": bend})
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
    ax.text(*middle, label, fontsize=9, ha="center", va="center", color="#1b4965", bbox=box, zorder=3)
