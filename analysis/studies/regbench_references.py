"""Lines that a learning curve on RegBench is read against: n-grams, the state oracle, classical learners.

N-grams and the oracle are scored on the study's own test set. The oracle is told the automaton's state at every row
and decides for each measure as suits that measure best: no predictor of the texts alone beats it in the mean over
languages. A back-off n-gram that denies an allowed symbol has an infinite excess (None here).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analysis.studies.folder import renamed
from analysis.studies.regbench_options import RegBenchOptions
from analysis.studies.regbench_training import MEASURES
from regbench.metrics import RowScores, score
from regbench.ngram import NGram
from regbench.oracle import StateOracle
from regbench.problems import load
from toyworlds.core import folders
from toyworlds.core.validate import DataError

NGRAMS = {
    "unigram": NGram(1, "witten-bell"),
    "bigram, back-off": NGram(2),
    "bigram, Witten-Bell": NGram(2, "witten-bell"),
    "trigram, back-off": NGram(3),
    "trigram, Witten-Bell": NGram(3, "witten-bell"),
}
ORACLE = "state oracle"
OBJECTIVES = {"dfa_accuracy": "dfa_accuracy", "total_variation": "total_variation", "excess": "cross_entropy"}
CLASSICAL = ("Baum-Welch", "state merging")


@dataclass(frozen=True)
class Reference:
    """One predictor: means of each measure over all rows, by position and by string; None where infinite."""

    test: dict[str, float | None]
    by_position: dict[str, list[float | None]]
    by_string: dict[str, list[float | None]]


def references(options: RegBenchOptions, classical: str = "") -> dict[str, Reference]:
    """Score n-grams and oracle; add the learners of the regbench-classical study in the folder `classical`."""
    world = options.problems_of
    problems = load(world, "test", 0, options.test_size, seed=options.data_seed)
    size, width = problems.vocabulary, options.position_width
    found = {}
    for name, learner in NGRAMS.items():
        scored = score(learner.predict(problems.tokens, size), problems, allow_deficient=True)
        found[name] = _reference(dict.fromkeys(MEASURES, scored), width)
    if not world.dirichlet:
        assert problems.raw_states is not None
        oracle, told = StateOracle.of(world), problems.raw_states
        by_measure = {
            measure: score(oracle.predict(problems.tokens, told, size, objective=objective), problems)
            for measure, objective in OBJECTIVES.items()
        }
        found[ORACLE] = _reference(by_measure, width)
    return found | (learners(Path(classical), options) if classical else {})


def _reference(scored: Mapping[str, RowScores], width: int) -> Reference:
    return Reference(
        {measure: _finite(scored[measure].mean()[measure]) for measure in MEASURES},
        {m: [_finite(x) for x in scored[m].by_position(width=width)[m]] for m in MEASURES},
        {m: [_finite(x) for x in scored[m].by_string()[m]] for m in MEASURES},
    )


def _finite(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def learners(folder: Path, options: RegBenchOptions) -> dict[str, Reference]:
    """Whole-text means of Baum-Welch and state merging; a DataError where they read other problems."""
    found = folders.read_json(folder / "classical.json", "the result of the study regbench-classical")
    wanted = {"world": options.world, "problems": options.test_size, "seed": options.data_seed}
    study = renamed(found.get("study", {}), {"preset": "world"})
    got = {name: study.get(name) for name in wanted}
    if got != wanted:
        raise DataError(f"{folder / 'classical.json'}: expected the study of {wanted}; it is that of {got}")
    lines: dict[str, dict[str, Any]] = {name: {} for name in CLASSICAL}
    for line in found["table"]:
        if line["predictor"] in lines:
            lines[line["predictor"]][line["measure"]] = line["estimate"]
    empty: dict[str, list[float | None]] = {measure: [] for measure in MEASURES}
    return {name: Reference({m: means.get(m) for m in MEASURES}, empty, empty) for name, means in lines.items()}
