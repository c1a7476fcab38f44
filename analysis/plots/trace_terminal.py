"""A trace in a terminal: the text on the colours of its pairs and of its letters, sums by kind, the largest parts.

ac|abbc|ac|abbcab      each letter on the colour of what the pair stored at it adds: blue raises, red lowers
 ▁       ▂      ▇      the same without colours: how much the pairs raise the output ..
      ▃                .. and lower it, each letter's sum on a common scale

The text comes a second time on the colours of what each letter adds along all paths (`mosaics.origins`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from analysis.plots.style import COLOURS
from analysis.plots.tracing import kind_label, memory_label

if TYPE_CHECKING:
    import pandas as pd

    from mosaics.origins import Origins
    from mosaics.trace import Against, Trace

BLOCKS = " ▁▂▃▄▅▆▇█"
CONTEXT = 8
"""Letters shown of what stands before a stored pair."""


def trace_view(
    found: Trace,
    followed: Origins,
    letters: Sequence[str],
    output: int,
    *,
    against: Against = "mean",
    top: int = 12,
    width: int = 100,
) -> Group:
    """Return the view of one output of a model of tokens; `letters` are those of the text read."""
    sums = found.by_source(output, against).to_numpy().sum(0)
    kinds = _table("Sums by kind", "part", "adds")
    by_kind = found.by_kind(output, against)
    for kind, value in by_kind.items():
        kinds.add_row(kind_label(str(kind)), f"{value:+.4f}")
    kinds.add_section()
    kinds.add_row("output", f"{by_kind.sum():+.4f}")
    began = followed.contributions
    return Group(
        "\nWhat the pair stored at each letter adds",
        *strips(letters, sums, width),
        f"\nWhat each letter adds along all paths: {began.sum():+.4f}, constants {followed.constant:+.4f}",
        *strips(letters, began, width),
        "",
        kinds,
        parts_table(found, letters, output, against, top),
    )


def moons_view(found: Trace, truth: np.ndarray, names: Sequence[str], top: int = 12) -> Group:
    """Return the view of a predicted observation: what each memory adds to each coordinate, and its largest pairs."""
    coordinates = [f"x{output}" for output in found.outputs]
    sums = _table(f"Prediction after {len(found.inputs)} steps", "memory", *coordinates)
    head = found.parts["head"].to_numpy()
    for number, name in enumerate(names):
        sums.add_row(name, *_signed(found.contributions[head == number].sum(0)))
    sums.add_section()
    sums.add_row("prediction", *_signed(found.predicted))
    sums.add_row("truth", *_signed(truth[list(found.outputs)]))
    pairs = _table(f"The {top} largest pairs", "memory", "pair", "age", "weight", *coordinates)
    order = np.argsort(-np.abs(found.contributions).sum(1), kind="stable")[:top]
    for number, part in zip(order, found.parts.iloc[order].to_dict("records"), strict=True):
        place = (str(part["index"]), str(found.position - part["index"]), f"{part['weight']:.3f}")
        pairs.add_row(f"head {part['head']}", *place, *_signed(found.contributions[number]))
    return Group(sums, pairs)


def _signed(values: np.ndarray) -> list[str]:
    return [f"{value:+.2f}" for value in values]


def _table(title: str, *columns: str) -> Table:
    return Table(*columns, title=title, title_justify="left", box=box.SIMPLE)


def strips(letters: Sequence[str], values: np.ndarray, width: int = 100) -> list[RenderableType]:
    """Lines of letters on colours, with the blocks that say the same without colours."""
    largest = max(float(np.abs(values).max(initial=0.0)), 1e-12)
    lines: list[RenderableType] = []
    for start in range(0, len(letters), width):
        part = slice(start, start + width)
        line = Text()
        for letter, value in zip(letters[part], values[part], strict=True):
            line.append(letter, style=f"black on {shade(value / largest)}")
        lines.append(line)
        for sign, name in ((1.0, "raised"), (-1.0, "lowered")):
            heights = np.ceil(np.clip(sign * values[part] / largest, 0.0, 1.0) * (len(BLOCKS) - 1) - 0.5).astype(int)
            if heights.any():
                lines.append(Text("".join(BLOCKS[height] for height in heights) + f"  {name}"))
    return lines


def shade(value: float) -> str:
    """Colour of a number from -1 (red) over 0 (white) to 1 (blue), as rich writes it."""
    goal = COLOURS[2] if value >= 0 else COLOURS[1]
    ends = [int(goal[place : place + 2], 16) for place in (1, 3, 5)]
    red, green, blue = (round(255 + (end - 255) * 0.8 * min(abs(value), 1.0)) for end in ends)
    return f"rgb({red},{green},{blue})"


def parts_table(found: Trace, letters: Sequence[str], output: int, against: Against, top: int) -> Table:
    """Return the `top` parts that add or take the most."""
    table = _table(f"The {top} largest parts", "adds", "part", "memory", "weight", "pair")
    for _, part in found.frame(output, against).head(top).iterrows():
        weight = "" if np.isnan(part["weight"]) else f"{part['weight']:.3f}"
        table.add_row(f"{part['contribution']:+.4f}", part["kind"], *_described(found, letters, part, weight))
    return table


def _described(found: Trace, letters: Sequence[str], part: pd.Series, weight: str) -> tuple[str, str, str]:
    """Memory, weight, and what the part is: the text before a pair's key and the letter of its value, or a number."""
    index = int(part["index"])
    memory = memory_label(part["where"], int(part["head"])) if part["head"] >= 0 else str(part["where"])
    if part["kind"] != "pair":
        bank = f"bank {int(part['bank'])}, " if part["bank"] > 0 else ""
        return memory, weight, f"{bank}number {index}" if index >= 0 else ""
    before = "".join(letters[max(index + 1 - CONTEXT, 0) : index + 1])
    after = f" then {letters[index + found.peek]}" if found.peek else ""
    return memory, weight, f"{index}: {before}{after}"
