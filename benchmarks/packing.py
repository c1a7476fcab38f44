"""Time training steps on packed rows next to steps on rows of one story, and the way with a whole row for each story.

    stories          16 stories side by side with others of like length, as many places as the longest has tokens
    packed           several stories in each of 16 rows of 512 places, kept apart by masks
    whole context    16 stories in 512 places each: batches of one shape without packing

    rate = tokens / processor seconds of loss and gradients, padding not counted

Width 128, 2 blocks, 4 heads, float32, one thread. The ways take turns; a ratio of rates is taken over all turns of one
run, in processor time, which other work on the machine disturbs least.

    python -m benchmarks.packing --text data/tiny --out results/speed/packing.json
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks import provenance
from benchmarks.command import configured, run_module, write
from mosaics.tasks.language import LanguageTask, laptop_recipe
from mosaics.text.rows import IGNORED

WAYS = ("stories", "packed", "whole context")


@dataclass(frozen=True)
class PackingBenchmark:
    """Tokens that a training step reads in a processor second."""

    text: Path = field(kw_only=True)
    """Folder of token streams."""
    models: tuple[str, ...] = ("mosaic", "mosaic_v2", "transformer")
    """Models of one size."""
    turns: int = 4
    """Timed turns, after one that warms up."""
    out: Path | None = None
    """JSON file to write."""

    def run(self) -> dict[str, Any]:
        """Measure, print and write."""
        machine = provenance()
        found: dict[str, Any] = {"provenance": machine, "tokens_per_processor_second": {}}
        for name in self.models:
            rates = self.rates(name)
            found["tokens_per_processor_second"][name] = rates
            print(name, {way: round(rate) for way, rate in rates.items()})
        write(found, self.out)
        return found

    def rates(self, name: str) -> dict[str, float]:
        """Rate of each way for one model."""
        recipe = laptop_recipe(name, self.text)
        model = recipe.model.build(0)
        tasks = {way: dataclasses.replace(recipe.task, packing=way).build(0) for way in ("stories", "packed")}
        seconds, tokens = dict.fromkeys(WAYS, 0.0), dict.fromkeys(WAYS, 0)
        for turn in range(self.turns + 1):
            for way in WAYS:
                task = tasks.get(way, tasks["stories"])
                batch = batch_of(task, turn, way)
                begin = time.process_time()
                task.loss(model, batch).backward()
                if turn:
                    seconds[way] += time.process_time() - begin
                    tokens[way] += task.tokens(batch)[0]
                model.zero_grad()
        return {way: tokens[way] / seconds[way] for way in WAYS}


def batch_of(task: LanguageTask, step: int, way: str) -> dict[str, Tensor]:
    """Return a batch, padded to the whole context where the way asks for it."""
    batch = task.batch(step)
    if way != "whole context":
        return batch
    padding = (0, task.config.context - batch["tokens"].shape[1])
    values = {"tokens": task.data.end, "labels": IGNORED}
    return {name: functional.pad(item, padding, value=values[name]) for name, item in batch.items()}


def main(arguments: list[str] | None = None) -> None:
    """Run the benchmark."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    configured(PackingBenchmark, arguments, __doc__).run()


if __name__ == "__main__":
    run_module(main)
