"""A million RegBench problems on disk: time, memory and size.

    python -m benchmarks.regbench_million --out results/regbench/million.json

Written with the default number of workers into a temporary folder, removed afterwards.
"""

from __future__ import annotations

import resource
import shutil
import tempfile
import time
from pathlib import Path

from benchmarks.command import Written, configured, record, run_module
from regbench.suites import RegBench
from toyworlds.core.storage import write_dataset

ROWS = 1_000_000


def main(arguments: list[str] | None = None) -> None:
    """Measure, print and write."""
    out = configured(Written, arguments, __doc__).out
    folder = Path(tempfile.mkdtemp()) / "million"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    write_dataset(RegBench(), 0, {"train": ROWS}, folder)
    seconds = time.perf_counter() - start
    size = sum(path.stat().st_size for path in folder.iterdir())
    shutil.rmtree(folder.parent)
    record(
        {
            "question": f"{ROWS} training rows written as Parquet, default workers",
            "seeds": [0],
            "seconds": round(seconds, 1),
            "problems per second": round(ROWS / seconds),
            "peak resident memory, MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            "before generating, MB": round(before / 1024),
            "size on disk, MB": round(size / 1e6),
        },
        out,
    )


if __name__ == "__main__":
    run_module(main)
