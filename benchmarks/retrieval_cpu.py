"""Time strictly causal retrieval on CPU next to torch's causal attention on the same tensors.

Forward and backward of each way on float32 keys (= queries) and values (64 sequences, 3 heads, 800 steps), one after
the other, over and over in one run, so that all see the same machine. torch's attention runs bare: no shift, one
vector as query and key. The reference is timed only twice.

    python -m benchmarks.retrieval_cpu --out results/retrieval_cpu.json
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
import tyro
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn import functional

from benchmarks import provenance
from mosaics.memory import retrieve

SHAPE = (64, 3, 800)
BARE = "torch attention"


@dataclass(frozen=True)
class RetrievalBenchmark:
    """Time retrieval on CPU."""

    out: Path | None = None
    """JSON file to write."""
    widths: tuple[int, ...] = (2, 6, 16)
    """Widths of key and value."""
    repeats: int = 15
    """Timed runs of each way; the reference runs twice."""


def contestants() -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
    """Return the ways to time, by name."""
    ways: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        BARE: lambda key, value: functional.scaled_dot_product_attention(key, key, value, is_causal=True, scale=1.0)
    }
    pairs = [(name, score) for name in ("native", "fused") for score in ("dot", "gaussian")]
    for implementation, score in [*pairs, ("reference", "dot")]:
        way = partial(retrieve, beta=1.0, score=score, implementation=implementation)
        ways[f"{implementation}, {score}"] = way
    return ways


def timed(way: Callable[[Tensor, Tensor], Tensor], key: Tensor, value: Tensor, gradient: Tensor) -> float:
    """Seconds for one forward and backward pass."""
    start = time.perf_counter()
    torch.autograd.grad(way(key, value), (key, value), gradient)
    return time.perf_counter() - start


def measure(width: int, repeats: int) -> list[dict[str, Any]]:
    """One row a way: median and least seconds, and the ratio of medians to torch's attention."""
    torch.manual_seed(0)
    key, value, gradient = (torch.randn(*SHAPE, width) for _ in range(3))
    key, value = key.requires_grad_(), value.requires_grad_()
    ways = contestants()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(repeats + 1):
        for name, way in ways.items():
            if repeat < (3 if name.startswith("reference") else repeats + 1):
                seconds[name].append(timed(way, key, value, gradient))
    middle = {name: median(times[1:]) for name, times in seconds.items()}  # the first run warms up
    return [
        {
            "width": width,
            "way": name,
            "runs": len(times) - 1,
            "median": middle[name],
            "least": min(times[1:]),
            "ratio": middle[name] / middle[BARE],
        }
        for name, times in seconds.items()
    ]


def show(rows: list[dict[str, Any]]) -> None:
    """Print the rows."""
    table = Table("width", "way", "runs", "median (ms)", "least (ms)", f"median / {BARE}", title="forward + backward")
    for row in rows:
        times = (f"{1e3 * row[name]:.1f}" for name in ("median", "least"))
        table.add_row(str(row["width"]), row["way"], str(row["runs"]), *times, f"{row['ratio']:.3f}")
    Console().print(table)


def main(arguments: list[str] | None = None) -> None:
    """Run the benchmark from command line words."""
    config = tyro.cli(RetrievalBenchmark, args=arguments, description=__doc__)
    machine = provenance()
    rows = [row for width in config.widths for row in measure(width, config.repeats)]
    show(rows)
    if config.out is not None:
        text = json.dumps({"machine": machine, "shape": SHAPE, "dtype": "float32", "rows": rows}, indent=2)
        config.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
