"""How much of a batch is padding: RegBench problems and stories, shuffled, beside others of like length, and packed.

    mosaicbench prepare-text --out data/tiny --train TinyStories-train.txt --validation .. --vocabulary 2048
    mosaicbench prepare-text --out data/world --stories 3000 --validation-stories 1000 --vocabulary 2048
    python -m benchmarks.padding --texts data/tiny data/world --out results/speed/padding.json

Padding is the share of the places of an epoch's batches that hold no token of a text (`mosaics.tasks.batching`). The
folders of `--texts` are token streams, of which the duplicates are written down as well. Packed batches have as many
places as the others, in longer rows with a longer context.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import provenance
from benchmarks.command import configured, run_module, write
from mosaics.tasks.batching import padding, shuffled
from mosaics.tasks.language import language_task
from mosaics.tasks.regbench import RegBenchTaskConfig

CONTEXT = 512
PACKED = (512, 1024, 2048)


@dataclass(frozen=True)
class PaddingBenchmark:
    """Share of padding in the batches of an epoch."""

    texts: tuple[Path, ...] = ()
    """Folders of token streams."""
    sizes: tuple[int, ...] = (1000, 5000, 40000)
    """RegBench training problems, 32 a batch."""
    text_rows: tuple[int, ...] = (16, 512)
    """Rows a batch of a text."""
    epochs: int = 5
    """Epochs that the range of RegBench is taken over."""
    out: Path | None = None
    """JSON file to write."""

    def run(self) -> dict[str, Any]:
        """Measure, print and write."""
        found = {
            "provenance": provenance(),
            "regbench": [row for size in self.sizes for row in self.regbench(size)],
            "texts": [row for folder in self.texts for row in self.text(folder)],
        }
        for row in (*found["regbench"], *found["texts"]):
            print(row)
        write(found, self.out)
        return found

    def regbench(self, size: int) -> list[dict[str, Any]]:
        """Both ways to make batches of `size` published problems."""
        rows = []
        for batching in ("shuffled", "bucketed"):
            task = RegBenchTaskConfig(train_size=size, batching=batching).build()
            lengths, batch = task.training_set.lengths, task.config.batch_size
            shares = [padding(lengths, batch, task.order(epoch)) for epoch in range(self.epochs)]
            rows.append({"problems": size, "batching": batching, "least": min(shares), "most": max(shares)})
        return rows

    def text(self, folder: Path) -> list[dict[str, Any]]:
        """Rows sorted by length, packed, in random order, and all of the whole context."""
        rows = []
        for batch in self.text_rows:
            task = language_task(folder, context=CONTEXT, batch_size=batch).build()
            lengths = np.asarray(task.rows.length)
            order = shuffled(np.random.default_rng(0).integers(2**62, size=len(lengths)))
            rows.append(
                {
                    "documents": len(task.training_set.lengths),
                    "duplicates": task.data.manifest["duplicates"],
                    "rows": batch,
                    "sorted": task.padding(),
                    "packed": {str(context): self.packed(folder, context, batch) for context in PACKED},
                    "not sorted": padding(lengths, batch, order),
                    "whole context": 1.0 - float(lengths.mean()) / CONTEXT,
                }
            )
        return rows

    def packed(self, folder: Path, context: int, rows: int) -> float:
        """Several windows of at most `context` tokens in each row of `context` places."""
        size = max(rows * CONTEXT // context, 1)
        return language_task(folder, context=context, batch_size=size, packing="packed").build().padding()


def main(arguments: list[str] | None = None) -> None:
    """Run the benchmark."""
    configured(PaddingBenchmark, arguments, __doc__).run()


if __name__ == "__main__":
    run_module(main)
