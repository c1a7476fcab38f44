"""Time to score 500 problems of 1,000 tokens over 20 symbols on one core.

    python -m benchmarks.regbench_metrics --out results/regbench/metrics.json

Scoring computes all six metrics at every row; the means are over all rows, by position and by string.
"""

from __future__ import annotations

import os
import time

import numpy as np

import regbench
from benchmarks.command import Written, configured, record, run_module
from regbench.suites import RegBench

PASSES = 7


def main(arguments: list[str] | None = None) -> None:
    """Measure, print and write."""
    out = configured(Written, arguments, __doc__).out
    problems = regbench.load(RegBench(strings=(20, 20), lengths=(49, 49)), "test", 0, 500)
    shape = (*problems.tokens.shape, problems.vocabulary)
    logits = np.random.default_rng(0).normal(size=shape)
    probabilities = np.exp(logits)
    probabilities /= probabilities.sum(axis=2, keepdims=True)
    cases: dict[str, tuple[np.ndarray, str]] = {
        "logits, float64": (logits, "logits"),
        "logits, float32": (logits.astype(np.float32), "logits"),
        "probabilities, float64": (probabilities, "probabilities"),
    }
    seconds = {}
    for name, (predicted, kind) in cases.items():
        passes = []
        for _ in range(PASSES):
            start, used = time.perf_counter(), time.process_time()
            scores = regbench.score(predicted, problems, kind=kind)
            scores.mean()
            scores.by_position()
            scores.by_string()
            passes.append((time.perf_counter() - start, time.process_time() - used))
        wall, processor = (min(clock) for clock in zip(*passes, strict=True))
        seconds[name] = {"wall clock": round(wall, 3), "processor time": round(processor, 3)}
    record(
        {
            "question": f"seconds to score predictions of shape {shape}, one core, best of {PASSES} passes",
            "seeds": [0],
            "seconds": seconds,
            "goal": 0.5,
            "load average at the end (2 cores)": round(os.getloadavg()[0], 1),
        },
        out,
    )


if __name__ == "__main__":
    run_module(main)
