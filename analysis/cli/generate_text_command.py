"""`mosaicbench generate-text RUN --prompt TEXT`: continue a text; --trace and --origins show what made each word."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from analysis.cli.need import need
from analysis.runs import load_run
from toyworlds.core.validate import DataError, integer, reject

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from mosaics.text import TextData


WIDE = 110
"""Columns of the table where there is no terminal to fit it into."""
TITLE_ORIGINS = (
    "The words that add the most to each token, followed through all layers: logit less the mean of the likeliest"
)
TITLE = "The pairs that add the most to each token: logit less the mean of the likeliest; memory = layer(.level).head"


@dataclass(frozen=True)
class Command:
    """Continue a prompt with a trained language model; show the stored pairs that made each word."""

    run_folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(name="run")]
    """Folder of a finished run of `mosaicbench train language`."""
    prompt: str
    """Text to continue; may be empty. In lower case where the training text was put into it."""
    tokens: int = 60
    """Most new tokens; generation stops at the end of the text."""
    temperature: float = 0.8
    """Logits are divided by it; 0 takes the most probable token."""
    top_k: int = 0
    """Choose among so many most probable tokens; 0 for all."""
    top_p: float = 1.0
    """Choose among the fewest most probable tokens whose probabilities sum to this."""
    seed: int = 0
    """Seed of the choices."""
    weights: Literal["best", "last"] = "best"
    """Weights of the best evaluation, or those at the end of training."""
    data: Path | None = None
    """Folder of the token streams, where it is not where the run had it."""
    trace: bool = False
    """Show the stored pairs that made each word (Memory Mosaics, and transformers' attention)."""
    origins: bool = False
    """Show the words that each word was made of, followed through all layers (the same models)."""
    top: int = 3
    """Pairs or words to show for each token."""
    table: Path | None = None
    """CSV file to write the pairs to."""

    def run(self) -> None:
        """Print the text and what was asked for."""
        integer("tokens", self.tokens, 1)
        integer("top", self.top, 1)
        integer("top_k", self.top_k, 0)
        if self.table is not None and not self.trace:
            reject("table", "--trace to be set with it", str(self.table))
        if self.table is not None and not self.table.parent.is_dir():
            reject("table", "a file in a folder that exists", str(self.table))
        need("torch", "train", "generate text")
        from rich.console import Console
        from rich.text import Text

        from analysis.text_tracing import beginnings, explain, write

        model, data = load(self.run_folder, self.weights, self.data)
        how: dict[str, Any] = {"temperature": self.temperature, "top_p": self.top_p, "seed": self.seed}
        prompt = self.prompt.lower() if data.lowercase else self.prompt
        written = write(model, data.tokenizer, prompt, self.tokens, top_k=self.top_k or None, **how)
        console = Console(highlight=False, soft_wrap=True)
        console.print(Text(prompt, style="dim") + Text(written.continuation(data.tokenizer)))
        wide = Console(highlight=False, width=None if console.is_terminal else WIDE)
        if self.origins:
            wide.print(beginnings_table(beginnings(model, data.tokenizer, written, self.top)))
        if not self.trace:
            return
        pairs = explain(model, data.tokenizer, written, self.top)
        if pairs.empty:
            print("no stored pair had a part in it: there were none yet")
        else:
            wide.print(pairs_table(pairs))
        if self.table is not None:
            pairs.to_csv(self.table, index=False)
            print(f"written: {self.table}")


def load(folder: Path, weights: str, data: Path | None) -> tuple[Any, TextData]:
    """Return the model and the token streams of a run; a DataError where it is not a run of the language task."""
    from mosaics.text import open_text

    run = load_run(folder, "model" if weights == "last" else "best")
    if run.task["name"] != "language":
        raise DataError(f"{folder}: expected a run of the language task; got one of {run.task['name']}")
    text = open_text(data or run.task["options"]["data"])
    expected = run.task["options"]["fingerprint"]
    if expected and text.fingerprint != expected:
        raise DataError(f"{text.path}: not the text that {folder} was trained on (its fingerprint differs)")
    return run.model, text


def pairs_table(pairs: pd.DataFrame) -> Table:
    """Return the pairs, a group of lines for each word."""
    from rich.text import Text

    table = word_table(TITLE, "adds", "share", "memory", "weight")
    table.add_column("stored pair", min_width=20)
    for line, name, last in grouped(pairs):
        memory = ".".join(str(part) for part in (line["layer"] + 1, line["memory"], line["head"]) if part != "")
        pair = shown(line["key"]) + (f" -> {shown(line['value'])}" if line["value"] else "")
        cells = [*amounts(line, name), memory, f"{line['weight']:.2f}", pair]
        table.add_row(*map(Text, cells), end_section=last)
    return table


def beginnings_table(words: pd.DataFrame) -> Table:
    """Return the words that were followed to, a group of lines for each word."""
    from rich.text import Text

    table = word_table(TITLE_ORIGINS, "adds", "share", "number")
    table.add_column("word", min_width=20)
    for line, name, last in grouped(words):
        cells = [*amounts(line, name), str(line["from"]), shown(line["from_text"])]
        table.add_row(*map(Text, cells), end_section=last)
    return table


def word_table(title: str, *columns: str) -> Table:
    """Return an empty table whose first columns are the new word and its token."""
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE)
    for name in ("word", "token"):
        table.add_column(name, max_width=16, overflow="fold")
    for name in columns:
        table.add_column(name, no_wrap=True)
    return table


def grouped(lines: pd.DataFrame) -> Iterator[tuple[Any, str, bool]]:
    """Lines with the word, where it is the first line of it, and whether it is the last."""
    for _, some in lines.groupby("word", sort=False):
        for place, (_, line) in enumerate(some.iterrows()):
            yield line, shown(line["text"]) if place == 0 else "", place == len(some) - 1


def amounts(line: Any, name: str) -> list[str]:
    """Return the cells of the word, the token, what is added and its share."""
    return [name, shown(line["token"]), f"{line['contribution']:+.2f}", f"{line['share']:.0%}"]


def shown(text: str) -> str:
    """Write blanks at the ends, line ends and control characters visibly."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text.strip(" ")) or "' '"
