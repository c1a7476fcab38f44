"""How fast 100,000 sequences of three moons are streamed to disk, next to dd writing as many bytes.

Generator and dd write to the same folder, in turn, both until the data is on the disk (fsync). Each generation is a
process of its own, whose peak memory is read; half the rows show whether the memory is constant. Then one core
does each stage by itself on one block of 1024 sequences, which shows what bounds the whole:

    generate       the observations and the other columns
    content hash   SHA-256 of the columns
    Parquet        encoding them as lists, to nowhere
    file hash      SHA-256 of the encoded bytes
    write          handing the bytes to the operating system

    python -m benchmarks.generation --out results/generation/three_moons.json
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from analysis.provenance import commit
from benchmarks.command import configured, run_module, write
from toyworlds.core import parquet
from toyworlds.core.content import ROWS_PER_BLOCK, block_digest
from toyworlds.three_moons import ThreeMoons

GENERATE = """
import json, resource, sys, time
from toyworlds.core.storage import write_dataset
from toyworlds.three_moons import ThreeMoons
begin = time.perf_counter()
data = write_dataset(ThreeMoons(), 0, {"train": int(sys.argv[1])}, sys.argv[2])
seconds = time.perf_counter() - begin
usage = resource.getrusage(resource.RUSAGE_SELF)
size = sum(file["bytes"] for file in data.manifest["splits"]["train"]["files"])
print(json.dumps({"bytes": size, "seconds": seconds, "processor_seconds": usage.ru_utime + usage.ru_stime,
                  "peak_memory_bytes": usage.ru_maxrss * 1024}))
"""


@dataclass(frozen=True)
class GenerationBenchmark:
    """Time the generation of three moons against dd."""

    rows: int = 100_000
    """Sequences of 800 steps."""
    repeats: int = 3
    """Runs of the generator and of dd, in turn."""
    folder: Path | None = None
    """Where to write (and delete again); the system's folder for temporary files when not given."""
    out: Path | None = None
    """JSON file to write."""


def generation(rows: int, place: Path) -> dict[str, Any]:
    """Write a dataset in a process of its own; return what it reports."""
    words = [sys.executable, "-c", GENERATE, str(rows), str(place / "data")]
    root = str(Path(__file__).resolve().parents[1])
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": root})
    shutil.rmtree(place / "data")
    report: dict[str, Any] = json.loads(done.stdout)
    return report | {"bytes_per_second": report["bytes"] / report["seconds"]}


def dd(size: int, place: Path) -> float:
    """Bytes per second of dd writing `size` bytes and waiting for the disk."""
    path, blocks = place / "zeros", -(-size >> 20)
    begin = time.perf_counter()
    words = ["dd", "if=/dev/zero", f"of={path}", "bs=1M", f"count={blocks}", "conv=fsync"]
    subprocess.run(words, check=True, capture_output=True)
    seconds = time.perf_counter() - begin
    path.unlink()
    return (blocks << 20) / seconds


def stages(place: Path, repeats: int = 10) -> dict[str, float]:
    """Processor seconds of each stage for one block, the least of `repeats`."""
    world = ThreeMoons()
    columns = world.columns()
    rows = world.generate(0, "train", 0, ROWS_PER_BLOCK)
    encoded = _encoded(rows, columns)

    def write() -> None:
        with (place / "block").open("wb") as file:
            file.write(encoded)

    work: dict[str, Callable[[], object]] = {
        "generate": lambda: world.generate(0, "train", ROWS_PER_BLOCK, ROWS_PER_BLOCK),
        "content hash": lambda: block_digest(columns, rows),
        "Parquet": lambda: _encoded(rows, columns),
        "file hash": lambda: hashlib.sha256(encoded).digest(),
        "write": write,
    }
    return {name: min(_processor_seconds(do) for _ in range(repeats)) for name, do in work.items()}


def _encoded(rows: dict[str, Any], columns: list[Any]) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    table = pa.Table.from_arrays([parquet.to_arrow(rows[c.name], c) for c in columns], schema=parquet.schema(columns))
    with pq.ParquetWriter(sink, table.schema, **parquet.options(columns)) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _processor_seconds(do: Callable[[], object]) -> float:
    begin = time.process_time()
    do()
    return time.process_time() - begin


def measure(config: GenerationBenchmark, place: Path) -> dict[str, Any]:
    """All measurements, in a folder that is deleted afterwards."""
    half = generation(config.rows // 2, place)
    runs, speeds = [], []
    for _ in range(config.repeats):
        runs.append(generation(config.rows, place))
        speeds.append(dd(runs[-1]["bytes"], place))
    seconds = stages(place)
    whole = sum(seconds.values())
    block = runs[0]["bytes"] / config.rows * ROWS_PER_BLOCK
    return {
        "rows": config.rows,
        "bytes": runs[0]["bytes"],
        "bytes_per_second": median(run["bytes_per_second"] for run in runs),
        "dd_bytes_per_second": median(speeds),
        "ratio_to_dd": median(run["bytes_per_second"] / speed for run, speed in zip(runs, speeds, strict=True)),
        "cores_busy": median(run["processor_seconds"] / run["seconds"] for run in runs),
        "peak_memory_bytes": max(run["peak_memory_bytes"] for run in runs),
        "peak_memory_bytes_of_half_the_rows": half["peak_memory_bytes"],
        "share_of_stage": {name: value / whole for name, value in seconds.items()},
        "bytes_per_second_of_stage_on_one_core": {name: block / value for name, value in seconds.items()},
        "bytes_per_second_of_all_stages_on_all_cores": block / whole * (os.cpu_count() or 1),
        "runs": runs,
        "dd_runs": speeds,
    }


def show(result: dict[str, Any]) -> None:
    """Print the result."""
    table = Table("stage", "share of processor time", "GB/s on one core", title="one block of 1024 sequences")
    for name, share in result["share_of_stage"].items():
        speed = result["bytes_per_second_of_stage_on_one_core"][name]
        table.add_row(name, f"{100 * share:.0f} %", f"{speed / 1e9:.2f}")
    console = Console()
    console.print(table)
    bound = result["bytes_per_second_of_all_stages_on_all_cores"]
    console.print(
        f"{result['rows']:,} sequences, {result['bytes'] / 1e9:.2f} GB: {result['bytes_per_second'] / 1e9:.2f} GB/s; "
        f"dd {result['dd_bytes_per_second'] / 1e9:.2f} GB/s; ratio {result['ratio_to_dd']:.2f}\n"
        f"all cores on all stages would give {bound / 1e9:.2f} GB/s; peak memory "
        f"{result['peak_memory_bytes'] / 1e6:.0f} MB ({result['peak_memory_bytes_of_half_the_rows'] / 1e6:.0f} MB "
        "for half the rows)"
    )


def main(arguments: list[str] | None = None) -> None:
    """Run the benchmark from command line words."""
    config = configured(GenerationBenchmark, arguments, __doc__)
    machine = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "commit": commit(),
        "machine": f"{os.cpu_count()}-core {platform.machine().replace('_', '-')} server CPU",
        "load": os.getloadavg()[0],
        "versions": {"python": platform.python_version(), **{name: version(name) for name in ("numpy", "pyarrow")}},
    }
    with tempfile.TemporaryDirectory(dir=config.folder) as place:
        result = measure(config, Path(place))
    show(result)
    write(machine | result, config.out)


if __name__ == "__main__":
    run_module(main)
