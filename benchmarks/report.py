"""Time and resident memory of a report of 10,000 runs, and of the status of their study.

    python -m benchmarks.report --out results/speed/report.json

The runs are made up: 10 models x 20 sizes x 50 seeds, three metrics, each result with curves by position as a RegBench
training has them (3 KB). The report is a process of its own; seconds count from its start, imports included; the
quickest of three passes is recorded, and the seconds of all of them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from analysis.engines.jobs import Job, digest
from analysis.engines.plan import write_plan
from analysis.provenance import provenance
from analysis.report.table import data_hash, runs_table
from benchmarks import processor
from benchmarks.command import Written, configured, record, run_module
from toyworlds.core import folders

ROOT = Path(__file__).resolve().parents[1]
PASSES = 3
MODELS, SIZES, SEEDS, POSITIONS = 10, 20, 50, 60
METRICS = ("dfa_accuracy", "total_variation", "excess")
GOAL = {"seconds": 20.0, "bytes": 1e9}


@dataclass(frozen=True)
class MadeUp:
    """A study whose results are written here, not computed."""

    name: ClassVar[str] = "made-up"
    metrics: ClassVar[dict[str, str]] = {name: name.replace("_", " ") for name in METRICS}

    def jobs(self) -> list[Job]:
        """Every run."""
        cells = [(m, 2**s * 10, seed) for m in range(MODELS) for s in range(SIZES) for seed in range(SEEDS)]
        keys = ("model", "size", "seed")
        return [Job(f"{cell}", "benchmarks.report:main", dict(zip(keys, cell, strict=True))) for cell in cells]

    def table(self, out: Path) -> pd.DataFrame:
        """One line a run."""
        return runs_table(self, out, self.jobs(), self.describe)

    def describe(self, job: Job, result: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the run's line."""
        model = f"model {job.config['model']}"
        return [{**job.config, "model": model, **result["test"], "flops": 1e12, "data": data_hash(seed=0)}]


def write_results(out: Path) -> None:
    """Write the folder of a finished study."""
    random = np.random.default_rng(0)
    jobs = MadeUp().jobs()
    folders.write_json(out / "study.json", {"study": MadeUp.name, "config": {}})
    write_plan(out / "jobs", "made-up", jobs)
    made = {"seconds": 60.0, "device": "cpu", "date": "2026-01-01", "host": "here", **provenance()}
    for job in jobs:
        curves = {name: random.uniform(size=POSITIONS).round(9).tolist() for name in METRICS}
        test = {name: float(random.uniform()) for name in METRICS}
        record: dict[str, Any] = {"name": job.name, "function": job.function, "version": 1, "config": job.config}
        record |= {"result": {"test": test, "by_position": curves}, "made": made}
        place = out / "jobs" / job.id
        place.mkdir()
        (place / "result.json").write_text(json.dumps(record | {"sha256": digest(record)}))


def measured(call: str, out: Path) -> dict[str, float]:
    """Seconds and greatest resident bytes of a process that does `call`."""
    code = f"import sys; from pathlib import Path; out = Path(sys.argv[1]); {call}"
    begin = time.perf_counter()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-c", code, str(out)], env=environment)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"the measured process ended with {process.returncode}")
    return {
        "seconds": round(time.perf_counter() - begin, 2),
        "processor seconds": round(used.ru_utime + used.ru_stime, 2),
        "bytes": used.ru_maxrss * 1024,
    }


def best(call: str, out: Path) -> dict[str, Any]:
    """Return the quickest of several passes, with the seconds of all."""
    passes = [measured(call, out) for _ in range(PASSES)]
    return min(passes, key=lambda each: each["seconds"]) | {"all passes": [each["seconds"] for each in passes]}


def main(arguments: list[str] | None = None) -> None:
    """Measure, print and write."""
    written = configured(Written, arguments, __doc__).out
    out = Path(tempfile.mkdtemp())
    try:
        write_results(out)
        size = next((out / "jobs").glob("*/result.json")).stat().st_size
        report = "from analysis.report.merged import write_report; from benchmarks.report import MadeUp; "
        report += "write_report([(MadeUp(), out)], out / 'report')"
        status = "from analysis.engines.status import read_status; assert read_status(out).done == 10_000"
        found = {
            "question": "time and resident memory of a report of 10,000 runs",
            "runs": MODELS * SIZES * SEEDS,
            "bytes of a result": size,
            "report": best(report, out),
            "status": best(status, out),
            "goal": GOAL,
            "load average at the end": round(os.getloadavg()[0], 1),
            "processor": processor(),
        }
    finally:
        shutil.rmtree(out)
    record(found, written)


if __name__ == "__main__":
    run_module(main)
