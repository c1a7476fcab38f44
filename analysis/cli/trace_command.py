"""`mosaicbench trace RUN`: trace one prediction of a trained run to the memories that made it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import tyro

from analysis.cli.need import need
from analysis.runs import Loaded, load_run
from toyworlds.core.validate import DataError, integer, nearest, reject

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import RenderableType

    from mosaics.trace import Against, Trace


FIGURES = (".png", ".pdf", ".svg")
"""Kinds of files that a figure is drawn to."""


@dataclass(frozen=True)
class Command:
    """Trace one prediction of a trained mosaic or transformer (RegBench), or of moons memories, to what made it."""

    run_folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(name="run")]
    """Folder of a finished run of `mosaicbench train`."""
    text: str = ""
    """RegBench: text to read; without one, a problem of the test set."""
    row: int = 0
    """Problem of the test set, or held-out sequence of moons."""
    position: int = -1
    """Step whose prediction is traced, from 0; negative numbers count from the end."""
    output: str = ""
    """RegBench: symbol whose logit is traced; without one, the most probable."""
    against: Literal["mean", "none"] = "mean"
    """Trace the logit less the mean of all logits, which is what a softmax sees; or the logit itself."""
    weights: Literal["last", "best"] = "last"
    """Weights at the end of training, or those of the best evaluation."""
    top: int = 12
    """Parts to list."""
    remove: int = 0
    """RegBench: show the prediction without the so many pairs that add the most, removed just before it."""
    figure: Path | None = None
    """PNG, PDF or SVG file to draw the trace to."""
    table: Path | None = None
    """CSV file to write all parts and what they add to each output to."""

    def run(self) -> None:
        """Print the trace; draw and write what was asked for."""
        integer("row", self.row, 0)
        integer("top", self.top, 1)
        integer("remove", self.remove, 0)
        for name in ("figure", "table"):
            file = getattr(self, name)
            if file is not None and not file.parent.is_dir():
                reject(name, "a file in a folder that exists", str(file))
        if self.figure is not None and self.figure.suffix.lower() not in FIGURES:
            reject("figure", f"a file whose name ends in one of {', '.join(FIGURES)}", str(self.figure))
        need("torch", "train", "trace a run")
        from rich.console import Console

        run = load_run(self.run_folder, "model" if self.weights == "last" else "best")
        trained = (run.task["name"], run.saved.config["model"]["name"])
        if trained not in WAYS:
            known = ", ".join(f"{model} on {task}" for task, model in WAYS)
            raise DataError(f"{self.run_folder}: expected a run of {known}; got {trained[1]} on {trained[0]}")
        found, view, page = WAYS[trained](self, run)
        Console().print(view)
        if self.figure is not None:
            page().savefig(self.figure, dpi=110)
        if self.table is not None:
            found.table().to_csv(self.table, index=False)
        for file in (self.figure, self.table):
            if file is not None:
                print(f"written: {file}")


View = tuple["Trace", "RenderableType", Callable[[], "Figure"]]
"""The trace, what is shown on the terminal, and what draws the figure."""


def trace_symbol(command: Command, run: Loaded) -> View:
    """Trace, terminal view and picture of a symbol's logit."""
    from rich.console import Group

    from analysis.plots.trace_terminal import trace_view
    from analysis.plots.tracing import trace_figure
    from mosaics.origins import origins
    from mosaics.trace import trace
    from regbench.problems import load
    from regbench.vocabulary import characters, encode

    known = characters(run.world.symbols + 2)
    if command.text:
        if command.row:
            reject("row", "none with a text to read; it picks a problem of the test set", command.row)
        tokens = encode(command.text, len(known))
    else:
        seed = run.task["options"]["data_seed"]
        integer("row", command.row, 0, run.task["options"]["test_size"] - 1)
        problems = load(run.world, "test", command.row, command.row + 1, seed=seed)
        tokens = problems.tokens[0, : problems.lengths[0]]
    found = trace(run.model, tokens.astype(np.int64), command.position)
    letters = [known[token] for token in found.inputs]
    output = known.index(_letter(command.output, known)) if command.output else int(found.predicted.argmax())
    against: Against = None if command.against == "none" else "mean"
    followed = origins(run.model, found.inputs, output, against=against)
    heading = f"prediction after {len(letters)} tokens: {_likeliest(found.predicted, known)}\ntraced: {known[output]}"
    view = trace_view(found, followed, letters, output, against=against, top=command.top)
    lines: list[RenderableType] = [heading, view]
    if command.remove:
        lines.append(without(run.model, found, output, command.remove, known))
    name = f"'{known[output]}'"
    return found, Group(*lines), lambda: trace_figure(found, followed, letters, output, name, against=against)


def without(model: Any, found: Trace, output: int, count: int, known: str) -> str:
    """Say what is predicted without the `count` pairs that add the most to `output`."""
    from analysis.tracing import places
    from mosaics.edit import Remove, change

    pairs = found.frame(output, "mean").query("kind == 'pair'").nlargest(count, "contribution")
    edits = [Remove(**place) for place in places(pairs)]
    edited = change(model, found.inputs, edits, since=found.position)
    return (
        f"without the {len(edits)} pairs that add the most: {_likeliest(edited.after, known)}"
        f"\ntotal variation between the two predictions: {edited.total_variation:.4f}"
    )


def trace_moons(command: Command, run: Loaded) -> View:
    """Trace, terminal view and picture of a predicted observation."""
    from analysis.plots.trace_terminal import moons_view
    from analysis.plots.tracing import moons_figure
    from analysis.scores.alignment import alignment
    from mosaics.trace import trace

    for name, value in (("text", command.text), ("output", command.output), ("remove", command.remove)):
        if value:
            reject(name, "none for a run on moons; it is an option of runs on RegBench", value)
    model, world, seed = run.model, run.world, run.task["seed"]
    rows = world.generate(seed, "validation", command.row, 1)
    sequence = rows["observation"][0].astype(np.float64)
    found = trace(model, sequence[:-1], command.position)
    maps = {role: item.detach().numpy() for role, item in model.maps().items()}
    key, value = (maps[role].reshape(model.config.n_heads, -1, world.channels) for role in ("key", "value"))
    served = alignment(key, value, world.mixing_matrix(seed)).assignment.tolist()
    names = [f"head {head} (moon {moon + 1})" for head, moon in enumerate(served)]
    periods = [rows["periods"][0][moon] / world.time_step for moon in served]
    truth = sequence[found.position + 1]
    if command.figure is not None and found.parts.empty:
        reject("position", "a step before which pairs were stored, for a figure", command.position)
    return found, moons_view(found, truth, names, command.top), lambda: moons_figure(found, truth, periods, names)


WAYS: dict[tuple[str, str], Callable[[Command, Loaded], View]] = {
    ("regbench", "mosaic"): trace_symbol,
    ("regbench", "mosaic_v2"): trace_symbol,
    ("regbench", "transformer"): trace_symbol,
    ("regbench", "rotary_transformer"): trace_symbol,
    ("moons", "moons"): trace_moons,
}
"""How the prediction of a run is traced, by its task and its model."""


def _letter(word: str, known: str) -> str:
    if len(word) != 1 or word not in known:
        reject("output", f"one of the characters {known}", word, nearest(word, list(known)))
    return word


def _likeliest(logits: np.ndarray, known: str, most: int = 4) -> str:
    """The most probable tokens with their probabilities."""
    probabilities = np.exp(logits - np.logaddexp.reduce(logits))
    best = np.argsort(-probabilities)[:most]
    return "  ".join(f"{known[token]} {probabilities[token]:.3f}" for token in best)
