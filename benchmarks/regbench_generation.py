"""Speed of making RegBench problems on one core, with and without writing Parquet, and the share of each stage.

    python -m benchmarks.regbench_generation --out results/regbench/generation.json

The public generator makes 316 problems (104 thousand tokens) a second on one core of the same machine class.
Every number is the best of several passes, by the wall clock and by the processor time of the process: other work
on the machine can only make either longer.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow

from benchmarks.command import Written, configured, record, run_module
from regbench import draw, sample
from regbench.distinct import Languages, survivors
from regbench.minimize import canonical, table_digests
from regbench.suites import RegBench
from toyworlds.core.ragged import Ragged
from toyworlds.core.seeds import Stream
from toyworlds.core.storage import write_dataset

PUBLIC_PROBLEMS_PER_SECOND = 316
ROWS = 40960
CHUNK = 4096
PASSES = 8
KEPT = 0.8
"""Share of the candidates that are training languages."""


def best_of(passes: int, action: Callable[[int], Any]) -> tuple[float, float]:
    """Least seconds of `action(pass)` by the wall clock, and of processor time."""
    wall, processor = [], []
    for number in range(passes):
        start, used = time.perf_counter(), time.process_time()
        action(number)
        wall.append(time.perf_counter() - start)
        processor.append(time.process_time() - used)
    return min(wall), min(processor)


def in_memory(world: RegBench, seed: int) -> int:
    """Make ROWS training rows in order from nothing; return their tokens."""
    survivors.cache_clear()
    tokens = 0
    for start in range(0, ROWS, CHUNK):
        made = world.generate(seed, "train", start, CHUNK)["tokens"]
        assert isinstance(made, Ragged)
        tokens += len(made.values)
    return tokens


def on_disk(world: RegBench, seed: int, folder: Path) -> None:
    """Write ROWS training rows into a dataset folder with one worker."""
    survivors.cache_clear()
    write_dataset(world, seed, {"train": ROWS}, folder / f"pass-{seed}", workers=1)


def test_rows(world: RegBench, seed: int) -> None:
    """Make 500 test rows from nothing."""
    survivors.cache_clear()
    world.generate(seed, "test", 0, 500)


def stages(world: RegBench) -> dict[str, float]:
    """Processor microseconds a training row of each stage, alone on one block that is in the cache."""
    law, text_law = world.language_law, world.text_law
    raw = draw.draw_block(law, 0, ("train",), 0)
    minimal = canonical(raw)
    block = Languages(raw, minimal, table_digests(minimal.table))
    rows = np.arange(sample.BLOCK)
    part = block.take(rows)
    stream = Stream(0, "regbench", "train", "text", 0)
    texts = sample.sample_block(text_law, part.raw, part.canonical.number, stream, 0)
    per_candidate, per_row = 1e6 / (draw.BLOCK * KEPT), 1e6 / sample.BLOCK
    actions: dict[str, tuple[float, Callable[[int], Any]]] = {
        "draw": (per_candidate, lambda _: draw.draw_block(law, 0, ("train",), 0)),
        "minimise": (per_candidate, lambda _: canonical(raw)),
        "hash": (per_candidate, lambda _: table_digests(minimal.table)),
        "select": (per_row, lambda _: block.take(rows)),
        "sample": (per_row, lambda _: sample.sample_block(text_law, part.raw, part.canonical.number, stream, 0)),
        "columns": (per_row, lambda _: world.rows_of(texts, part)),
    }
    return {name: scale * best_of(30, action)[1] for name, (scale, action) in actions.items()}


def rates(seconds: tuple[float, float], tokens: int) -> dict[str, dict[str, float]]:
    """Problems and tokens a second, and the factor over the public generator, by either clock."""
    return {
        clock: {
            "problems per second": round(ROWS / spent),
            "tokens per second": round(tokens / spent),
            "times the public generator": round(ROWS / spent / PUBLIC_PROBLEMS_PER_SECOND, 1),
        }
        for clock, spent in zip(("wall clock", "processor time"), seconds, strict=True)
    }


def main(arguments: list[str] | None = None) -> None:
    """Measure, print and write."""
    out = configured(Written, arguments, __doc__).out
    pyarrow.set_cpu_count(1)
    pyarrow.set_io_thread_count(1)
    world = RegBench()
    tokens = in_memory(world, 0)
    memory = best_of(PASSES, lambda seed: in_memory(world, seed))
    with tempfile.TemporaryDirectory() as folder:
        disk = best_of(PASSES, lambda seed: on_disk(world, seed, Path(folder)))
        size = sum(path.stat().st_size for path in (Path(folder) / "pass-0").iterdir())
    cost = stages(world)
    test = best_of(PASSES, lambda seed: test_rows(world, seed))
    record(
        {
            "question": f"{ROWS} training rows of the public law, one core, best of {PASSES} passes",
            "seeds": list(range(PASSES)),
            "load average at the end (2 cores)": round(os.getloadavg()[0], 1),
            "public generator, problems per second": PUBLIC_PROBLEMS_PER_SECOND,
            "in memory": rates(memory, tokens),
            "with Parquet": rates(disk, tokens),
            "bytes per problem on disk": round(size / ROWS),
            "500 test rows from nothing, milliseconds": round(1e3 * test[0], 1),
            "processor microseconds per row by stage, alone": {name: round(value, 2) for name, value in cost.items()},
            "share of each stage": {name: round(value / sum(cost.values()), 3) for name, value in cost.items()},
        },
        out,
    )


if __name__ == "__main__":
    run_module(main)
