"""Measure the memory and the time that a long context takes on a CPU.

Each context is read in a process of its own: a forward pass without gradients over one sequence of T tokens, then five
more tokens by steps (so that the stored pairs are counted in). Peak memory is what the process held at most, less what
it held before the pass; it should grow in proportion to T. The exponent of growth between each length and the one
before it is printed: 1 is linear, 2 quadratic.

    python -m benchmarks.long_context --out results/mosaic/long_context.json
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import provenance
from benchmarks.command import configured, run_module, write
from toyworlds.core.validate import choice, integer

READ = """
import json, resource, sys, time
import torch
from mosaics.catalogue import MODELS
name, length = sys.argv[1], int(sys.argv[2])
model = MODELS[name](vocabulary=20).build().eval()
tokens = torch.randint(20, (1, length + 1), generator=torch.Generator().manual_seed(0))
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
with torch.no_grad():
    model(tokens[:, :64])
    before, begin = peak(), time.perf_counter()
    outputs, state = model.prefill(tokens[:, :-1])
    seconds = time.perf_counter() - begin
    steps = []
    for _ in range(5):
        begin = time.perf_counter()
        logits, state = model.step(tokens[:, -1], state)
        steps.append(time.perf_counter() - begin)
assert outputs.isfinite().all() and logits.isfinite().all()
print(json.dumps({"bytes": peak() - before, "seconds": seconds, "step_seconds": min(steps)}))
"""


@dataclass(frozen=True)
class LongContextBenchmark:
    """Read long contexts."""

    out: Path | None = None
    """JSON file to write."""
    models: tuple[str, ...] = ("mosaic", "mosaic_v2", "rotary_transformer")
    """Registered models, in their default sizes (2 blocks, d = 128, 8 heads)."""
    lengths: tuple[int, ...] = (4096, 8192, 16384, 32768, 65536)
    """Tokens in a context."""

    def __post_init__(self) -> None:
        from mosaics.catalogue import MODELS

        for name in self.models:
            choice("models", name, MODELS.names("tokens"))
        for length in self.lengths:
            integer("lengths", length, 1)


def read(name: str, length: int) -> dict[str, Any]:
    """Read one context in a process of its own."""
    root = str(Path(__file__).resolve().parents[1])
    words = [sys.executable, "-c", READ, name, str(length)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": root})
    found: dict[str, Any] = json.loads(done.stdout)
    return {"model": name, "length": length, **found, "bytes_per_token": found["bytes"] / length}


def show(rows: list[dict[str, Any]]) -> None:
    """Print the rows, with the exponent of growth from one length to the next."""
    table = Table("model", "tokens", "peak (MB)", "bytes a token", "exponent", "pass (s)", "next token (ms)")
    for before, row in zip([None, *rows[:-1]], rows, strict=True):
        exponent = ""
        if before is not None and before["model"] == row["model"]:
            growth = math.log(row["bytes"] / before["bytes"]) / math.log(row["length"] / before["length"])
            exponent = f"{growth:.2f}"
        numbers = (f"{row['bytes'] / 1e6:.0f}", f"{row['bytes_per_token']:,.0f}", exponent, f"{row['seconds']:.1f}")
        table.add_row(row["model"], f"{row['length']:,}", *numbers, f"{1e3 * row['step_seconds']:.1f}")
    Console().print(table)


def main(arguments: list[str] | None = None) -> None:
    """Run the benchmark from command line words."""
    config = configured(LongContextBenchmark, arguments, __doc__)
    machine = provenance()
    rows = [read(name, length) for name in config.models for length in config.lengths]
    show(rows)
    write({"machine": machine, "rows": rows}, config.out)


if __name__ == "__main__":
    run_module(main)
