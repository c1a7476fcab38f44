"""Speed of telling stories, in words a minute: on one core, and written as a dataset on all of them.

    python -m benchmarks.story_generation --out results/stories/generation.json

The same on one core for each dial of the dialect, for the splits whose heroes are rare, for parsing stories back,
and for prompts and interviews. Every number is the best of several passes by the wall clock: other work on the machine
can only make a pass longer. The goal is 5 million words a minute on 2 cores.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from analysis.provenance import provenance
from benchmarks.command import configured, run_module, write
from toyworlds import Stories
from toyworlds.core.storage import write_dataset
from toyworlds.core.validate import integer
from toyworlds.stories.interviews import TURNS, interviews
from toyworlds.stories.parse import parse
from toyworlds.stories.prompts import KINDS, prompts

GOAL = 5e6


@dataclass(frozen=True)
class StoryBenchmark:
    """Time the telling of stories."""

    out: Path | None = None
    """JSON file to write."""
    stories: int = 4096
    """Stories in a pass."""
    passes: int = 5
    """Timed passes of each kind."""

    def __post_init__(self) -> None:
        integer("stories", self.stories, 1)
        integer("passes", self.passes, 1)

    def run(self) -> None:
        """Measure, print and write."""
        Stories().generate(0, "train", 0, 16)
        words = sum(teller.words for teller in Stories().tell(0, "train", 0, self.stories))
        cases: dict[str, Callable[[], Any]] = {
            "columns, one core": lambda: Stories().generate(0, "train", 0, self.stories),
            "text alone, one core": lambda: Stories().tell(0, "train", 0, self.stories),
            "columns, one core, validation split": lambda: Stories().generate(0, "validation", 0, self.stories),
            "columns, one core, dialect 0.5": lambda: Stories(dialect=0.5).generate(0, "train", 0, self.stories),
            "columns, one core, dialect 1": lambda: Stories(dialect=1.0).generate(0, "train", 0, self.stories),
            "dataset written, all cores": self.write,
        }
        rates = {name: 60 * words / self.best(case) for name, case in cases.items()}
        some = ["".join(teller.texts) for teller in Stories().tell(0, "train", 0, 200)]
        seconds = {"parsing a story back": self.best(lambda: [parse(text) for text in some]) / 200}
        for kind in KINDS:
            seconds[f"a {kind} prompt"] = self.best(partial(prompts, Stories(), 0, kind, 60)) / 60
        count = 10 * len(TURNS)
        seconds["an interview of at most 6 questions"] = self.best(partial(interviews, Stories(), 0, count)) / count
        measured = {"words": words, "words_a_minute": rates, "goal": GOAL, "seconds": seconds}
        console = Console()
        for name, rate in rates.items():
            console.print(f"{name:<40} {rate / 1e6:8.1f} M words a minute")
        for name, value in seconds.items():
            console.print(f"{name:<40} {value * 1e3:8.1f} ms")
        write({**provenance(), **measured}, self.out)

    def best(self, action: Callable[[], Any]) -> float:
        """Least seconds of one pass."""
        times = []
        for _ in range(self.passes):
            begin = time.perf_counter()
            action()
            times.append(time.perf_counter() - begin)
        return min(times)

    def write(self) -> None:
        """Write the stories as a dataset, and forget them."""
        with tempfile.TemporaryDirectory() as folder:
            write_dataset(Stories(), 0, {"train": self.stories}, Path(folder) / "stories")


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    configured(StoryBenchmark, arguments, __doc__).run()


if __name__ == "__main__":
    run_module(main)
