"""The law of our languages against that of the public generator, and what distinctness and the split change of it.

    python -m benchmarks.regbench_law --out results/regbench/law.json

Raw draws are compared with the histograms of 50,000 languages of the public code (tests/data) by two-sample
chi-square tests (cells with fewer than 10 counts pooled) and two-sample Kolmogorov-Smirnov tests (conservative
for whole numbers). The split is compared with the raw law by the total variation between histograms.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from scipy import stats

from benchmarks.command import Written, configured, record, run_module
from regbench.distinct import survivors
from regbench.edges import EdgeTable
from regbench.suites import RegBench

COUNTS = Path(__file__).parents[1] / "tests" / "data" / "regbench_law_counts.json"
QUANTITIES = ("states", "edges", "symbols_used", "out_degree_of_all_states")


def quantities(table: EdgeTable) -> dict[str, np.ndarray]:
    """The quantities that the public histograms are over, for canonical automata."""
    states, _, batch = table.shape
    used = np.zeros((128, batch), bool)
    used[table.symbol.reshape(-1, batch), np.arange(batch)] = True
    degree = table.present.sum(axis=1)
    return {
        "states": table.n_states,
        "edges": table.present.sum(axis=(0, 1)),
        "symbols_used": used[:127].sum(axis=0),
        "out_degree_of_all_states": degree[np.arange(states)[:, None] < table.n_states],
    }


def raw_draws(count: int, seed: int) -> tuple[dict[str, np.ndarray], int]:
    """Quantities of `count` independent languages, and how many of them are distinct."""
    world = RegBench(independent=True)
    languages = survivors(world.language_law, seed, "train", True).languages(0, count)
    return quantities(languages.canonical.table), len(set(languages.digests))


def histogram(values: np.ndarray, size: int) -> np.ndarray:
    """Counts of 0 .. size - 1."""
    return np.bincount(values, minlength=size)[:size]


def two_sample(ours: np.ndarray, theirs: np.ndarray) -> dict[str, float]:
    """P-values of the chi-square and the Kolmogorov-Smirnov test between two histograms."""
    cells = np.stack([ours, theirs])
    rare = cells.sum(axis=0) < 10
    cells = np.column_stack([cells[:, ~rare], cells[:, rare].sum(axis=1)])
    cells = cells[:, cells.sum(axis=0) > 0]
    chi = stats.chi2_contingency(cells)
    distance = np.abs(np.cumsum(ours) / ours.sum() - np.cumsum(theirs) / theirs.sum()).max()
    effective = ours.sum() * theirs.sum() / (ours.sum() + theirs.sum())
    ks = stats.kstwobign.sf(distance * np.sqrt(effective))
    return {"chi_square_p": float(chi.pvalue), "ks_distance": float(distance), "ks_p": float(ks)}


def compare(found: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Both tests for every quantity against the public histograms."""
    reference = json.loads(COUNTS.read_text())
    results = {}
    for name in QUANTITIES:
        theirs = np.zeros(64, int)
        for value, count in reference[name].items():
            theirs[int(value)] = count
        results[name] = two_sample(histogram(found[name], 64), theirs)
    return results


def of_split(split: str, count: int, seed: int) -> dict[str, np.ndarray]:
    """Quantities of the distinct languages of a split."""
    world = RegBench()
    return quantities(survivors(world.language_law, seed, split, False).languages(0, count).canonical.table)


def change(found: dict[str, np.ndarray], raw: dict[str, np.ndarray]) -> dict[str, float]:
    """Total variation between the histograms of two samples, for every quantity."""
    moved = {}
    for name in QUANTITIES:
        a, b = (histogram(values[name], 64) for values in (found, raw))
        moved[name] = round(0.5 * float(np.abs(a / a.sum() - b / b.sum()).sum()), 5)
    return moved


def small_languages(found: dict[str, np.ndarray]) -> dict[str, float]:
    """Percent of languages with 1, 2, 3 states."""
    share = histogram(found["states"], 64) / len(found["states"])
    return {str(states): round(100 * float(share[states]), 3) for states in (1, 2, 3)}


def main(arguments: list[str] | None = None) -> None:
    """Measure, print and write."""
    out = configured(Written, arguments, __doc__).out
    raw, distinct = raw_draws(50_000, 0)
    many, _ = raw_draws(1_000_000, 1)
    again, _ = raw_draws(40_000, 2)
    splits = {split: of_split(split, 40_000, 0) for split in ("train", "test")}
    record(
        {
            "question": "Same law as the public generator; what distinctness and the split by hash change",
            "seeds": {"raw": [0, 1, 2], "splits": [0]},
            "50,000 raw draws against the public 50,000": compare(raw),
            "1,000,000 raw draws against the public 50,000": compare(many),
            "distinct languages of 50,000": {"ours": distinct, "public": 49277},
            "total variation from 1,000,000 raw draws": {
                "40,000 raw draws (sampling noise)": change(again, many),
                "40,000 training languages": change(splits["train"], many),
                "40,000 test languages": change(splits["test"], many),
            },
            "percent of languages with 1, 2, 3 states": {
                "raw": small_languages(many),
                "40,000 training languages": small_languages(splits["train"]),
                "500 test languages": small_languages({k: v[:500] for k, v in of_split("test", 500, 0).items()}),
                "40,000 test languages": small_languages(splits["test"]),
            },
        },
        out,
    )


if __name__ == "__main__":
    run_module(main)
