"""Leaks between training and test languages: none in our splits, some under the public law.

    python -m benchmarks.regbench_audit --out results/regbench/audit.json

40,000 + 500 + 500 problems under five seeds are audited within and across seeds. Then 1,000 test languages are
drawn independently, as the public generator does, and those found in independent training sets are counted.
"""

from __future__ import annotations

from itertools import product

from benchmarks.command import Written, configured, record, run_module
from regbench.audit import audit_rows, canonical_hashes
from regbench.suites import RegBench

SEEDS = range(5)
SIZES = (1_000, 5_000, 10_000, 20_000, 40_000)
EARLIER = {"1000": 1, "5000": 9, "10000": 13, "20000": 23, "40000": 33}


def languages(world: RegBench, seed: int, split: str, rows: int) -> list[str]:
    """Recomputed hashes of the languages of a split, a chunk at a time."""
    found: list[str] = []
    for start in range(0, rows, 4096):
        found += canonical_hashes(world.generate(seed, split, start, min(4096, rows - start)), world)
    return found


def main(arguments: list[str] | None = None) -> None:
    """Measure, print and write."""
    out = configured(Written, arguments, __doc__).out
    world = RegBench(strings=(1, 1), lengths=(1, 1))
    sizes = {"train": 40_000, "validation": 500, "test": 500}
    hashes = {
        f"{seed}: {split}": languages(world, seed, split, rows) for seed in SEEDS for split, rows in sizes.items()
    }
    found = audit_rows(hashes)
    between = {pair: n for pair, n in found.shared.items() if pair[0].split(": ")[1] != pair[1].split(": ")[1]}
    public = RegBench(strings=(1, 1), lengths=(1, 1), independent=True)
    leaks: dict[str, list[int]] = {str(size): [] for size in SIZES}
    repeats = []
    for seed in SEEDS:
        train, test = languages(public, seed, "train", SIZES[-1]), languages(public, seed, "test", 1_000)
        for size in SIZES:
            known = set(train[:size])
            leaks[str(size)].append(sum(language in known for language in test))
        repeats.append(SIZES[-1] - len(set(train)))
    record(
        {
            "question": "languages shared between splits, from recomputed canonical forms",
            "seeds": list(SEEDS),
            "ours": {
                "problems": found.rows,
                "repeats within a split": sum(found.repeats.values()),
                "pairs of different splits compared": len(between),
                "languages shared between different splits, all seeds against all": sum(between.values()),
                "train languages of one seed in the train set of another": [
                    found.shared[f"{a}: train", f"{b}: train"] for a, b in product(SEEDS, SEEDS) if a < b
                ],
            },
            "independent draws (the public law)": {
                "of 1,000 test languages in a training set of this size, by seed": leaks,
                "the same, reported earlier from one redraw of the law": EARLIER,
                "repeats within 40,000 training languages, by seed": repeats,
            },
        },
        out,
    )


if __name__ == "__main__":
    run_module(main)
