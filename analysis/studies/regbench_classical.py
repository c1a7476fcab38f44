"""Classical learners and ceilings on RegBench: what a context lets one know, and how much simple methods find of it.

    estimate = sum over problems of (sum over its rows of the measure) / (number of rows)       the published mean
    gap      = the same for (predictor - state oracle), signed so that positive is worse than the oracle

Intervals are percentile bootstraps over problems, rows of a problem kept together; a gap is paired by problem. The
oracle is scored on each measure by its own best decision for that measure (docs/regbench_oracle.md), so every
gap of a predictor that is not told the states is positive up to chance.

    measure                          unit     rows
    dfa_accuracy                     share    all rows, the last included (the public metrics)
    dfa_accuracy_before_separator    share    rows whose next token is not '|' (the public training log)
    total_variation                  0 .. 1   all rows
    cross_entropy                    nats     all rows; infinite where an allowed symbol was denied
    excess                           nats     cross-entropy less the automaton's own

Reference: Akyurek et al., arXiv 2401.12973; the law and the rows are in docs/regbench.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from analysis.bootstrap import LEVEL, RESAMPLES, resample_indices
from analysis.report.table import as_table
from analysis.studies import STUDIES
from analysis.studies.folder import open_study, renamed
from regbench.baum_welch import BaumWelch
from regbench.learners import Learner
from regbench.metrics import score
from regbench.ngram import NGram
from regbench.oracle import StateOracle
from regbench.problems import Problems, load
from regbench.state_merging import StateMerging
from regbench.suites import RegBench
from toyworlds.core import folders
from toyworlds.core.progress import Progress
from toyworlds.core.validate import DataError, choice, integer
from toyworlds.world import WORLDS, config_of

if TYPE_CHECKING:
    import pandas as pd

MEASURES = {
    "dfa_accuracy": ("dfa_accuracy", "all_rows"),
    "dfa_accuracy_before_separator": ("dfa_accuracy", "before_separator"),
    "total_variation": ("total_variation", "all_rows"),
    "cross_entropy": ("cross_entropy", "all_rows"),
    "excess": ("excess", "all_rows"),
}
"""Name of each measure, the metric behind it and the rows that count."""

DECISIONS = {
    "dfa_accuracy": "dfa_accuracy",
    "dfa_accuracy_before_separator": "dfa_accuracy",
    "total_variation": "total_variation",
    "cross_entropy": "cross_entropy",
    "excess": "cross_entropy",
}
"""The oracle's objective for each measure."""

ORACLE, AUTOMATON = "state oracle", "true automaton"
RECORD = "classical.json"
Rows = dict[str, np.ndarray]


@STUDIES.register("regbench-classical", "regbench")
@dataclass(frozen=True)
class ClassicalStudy:
    """What n-grams, Baum-Welch and state merging find in a context, and what the ceilings leave to be found."""

    world: str = "regbench"
    """World that the problems come from."""
    problems: int = 500
    """Number of problems of its test split."""
    seed: int = 0
    """Seed of the problems, of the random starts and of the bootstrap."""
    width: int = 25
    """Rows of one step of the curves by context position."""
    least: int = 50
    """Steps that fewer problems reach are left out of the curves."""
    resamples: int = RESAMPLES
    """Bootstrap resamples."""

    name: ClassVar[str] = "regbench-classical"
    metrics: ClassVar[dict[str, str]] = {
        "dfa_accuracy": "DFA accuracy", "total_variation": "total variation", "excess": "excess cross-entropy (nats)",
    }  # fmt: skip
    needs: ClassVar[tuple[str, ...]] = ("aalpy",)
    formerly: ClassVar[dict[str, str]] = {"preset": "world"}

    def __post_init__(self) -> None:
        choice("world", self.world, WORLDS.names("automata"))
        integer("problems", self.problems, 2)
        integer("seed", self.seed, 0)
        integer("width", self.width, 1)
        integer("least", self.least, 2)
        integer("resamples", self.resamples, 1)

    @classmethod
    def presets(cls) -> dict[str, ClassicalStudy]:
        """`published` takes about two minutes; `laptop` reads the small family; `quick` 50 of its problems."""
        laptop = cls("regbench_laptop", least=20, width=10)
        return {"published": cls(), "laptop": laptop, "quick": replace(laptop, problems=50, resamples=500)}

    def run(self, out: str | Path) -> Path:
        """Compare, unless the folder holds the result already; return the page's path."""
        out = open_study(out, self)
        made = read_record(out)["study"] if (out / RECORD).exists() else {}
        if renamed(made, self.formerly) != asdict(self):
            write(run(self), out)
        return self.report(out)

    def report(self, out: Path) -> Path:
        """Draw the page from the files of a finished comparison."""
        from analysis.studies.regbench_classical_page import write_page

        if not (out / RECORD).exists():
            raise DataError(f"{out}: the comparison is not finished; run the study")
        read_record(out)
        return write_page(out)

    def table(self, out: str | Path) -> pd.DataFrame:
        """One line a predictor, as references to compare trained models with (`analysis.report.table`)."""
        rows: dict[str, dict[str, Any]] = {}
        for line in read_record(out)["table"]:
            row = rows.setdefault(line["predictor"], {"kind": "reference", "model": line["predictor"]})
            row[line["measure"]] = line["estimate"]
        return as_table(self, list(rows.values()))


@dataclass(frozen=True)
class ClassicalResult:
    """Tidy tables: one line a predictor and measure, and one a predictor, measure and step of the context."""

    study: ClassicalStudy
    table: pd.DataFrame
    """predictor, kind, measure, estimate, low, high, gap, gap_low, gap_high, denied; NaN where infinite.

    denied is the share of rows in which a symbol that the automaton allows has probability 0."""
    positions: pd.DataFrame
    """predictor, kind, measure, first_row, last_row, problems, estimate, low, high, gap, gap_low, gap_high."""
    facts: dict[str, Any]
    """World, libraries, tokens, entropy of the automata, seconds and settings of each predictor."""


def learners(world: RegBench, seed: int = 0) -> dict[str, Learner]:
    """Build the learners of the study by the names that the table and the figure show."""
    return {
        "unigram, Witten-Bell": NGram(1, "witten-bell"),
        "bigram, back-off": NGram(2),
        "trigram, back-off": NGram(3),
        "4-gram, back-off": NGram(4),
        "bigram, Witten-Bell": NGram(2, "witten-bell"),
        "trigram, Witten-Bell": NGram(3, "witten-bell"),
        "4-gram, Witten-Bell": NGram(4, "witten-bell"),
        "Baum-Welch": BaumWelch(states=world.states[1], seed=seed),
        "state merging": StateMerging(),
    }


def run(study: ClassicalStudy) -> ClassicalResult:
    """Predict, score and compare."""
    world: RegBench = WORLDS[study.world]()
    problems = load(world, "test", 0, study.problems, seed=study.seed)
    rows: dict[str, Rows] = {}
    denied: dict[str, float] = {}
    seconds: dict[str, float] = {}
    named = list(_predictors(world, problems, study.seed))
    with Progress("regbench-classical", len(named), "predictors") as progress:
        for name, predict in named:
            begin = time.perf_counter()
            rows[name] = predict()
            seconds[name] = round(time.perf_counter() - begin, 2)
            denied[name] = float(np.isinf(rows[name]["cross_entropy"][problems.inside]).mean())
            progress.advance(1, name)
    table, positions = _tables(rows, denied, problems.lengths, study)
    facts = {
        "world": {"name": world.name, "version": world.version, **config_of(world)},
        "libraries": {name: metadata.version(name) for name in ("numpy", "aalpy")},
        "tokens": int(problems.lengths.sum()),
        "longest": int(problems.lengths.max()),
        "mean_entropy": float(rows[AUTOMATON]["cross_entropy"][problems.inside].mean()),
        "level": LEVEL,
        "seconds": seconds,
        "learners": {name: asdict(learner) for name, learner in learners(world, study.seed).items()},  # type: ignore[call-overload]
    }
    return ClassicalResult(study, table, positions, facts)


def write(result: ClassicalResult, folder: str | Path) -> Path:
    """Write classical.json (study, facts, table), classical.csv and classical_by_position.csv; return the first."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    folders.write_text(folder / "classical.csv", result.table.to_csv(index=False))
    folders.write_text(folder / "classical_by_position.csv", result.positions.to_csv(index=False))
    lines = result.table.to_dict("records")
    folders.write_json(folder / RECORD, {"study": asdict(result.study), "facts": result.facts, "table": lines})
    return folder / RECORD


def read_record(out: str | Path) -> dict[str, Any]:
    """Read classical.json of a study's folder; a DataError where it is missing, damaged or foreign."""
    path = Path(out) / RECORD
    record = folders.read_json(path, "the result of this study")
    study, facts, table = (record.get(name) for name in ("study", "facts", "table"))
    whole = isinstance(study, dict) and "problems" in study and isinstance(facts, dict) and isinstance(table, list)
    lines = table if isinstance(table, list) else []
    if not whole or not all(isinstance(x, dict) and {"predictor", "measure", "estimate"} <= set(x) for x in lines):
        raise DataError(f"{path}: expected the study, facts and table of the classical study; it lacks a part of them")
    return record


def _predictors(world: RegBench, problems: Problems, seed: int) -> Iterator[tuple[str, Callable[[], Rows]]]:
    """Name of each predictor and a call that makes its rows of every measure."""
    oracle = StateOracle.of(world)
    tokens, size = problems.tokens, problems.vocabulary

    def told(objective: str) -> np.ndarray:
        assert problems.raw_states is not None
        return oracle.predict(tokens, problems.raw_states, size, objective=objective)

    def of_oracle() -> Rows:
        scored = {objective: _rows(told(objective), problems) for objective in sorted(set(DECISIONS.values()))}
        return {measure: scored[objective][measure] for measure, objective in DECISIONS.items()}

    for name, learner in learners(world, seed).items():
        yield name, lambda learner=learner: _rows(learner.predict(tokens, size), problems)  # type: ignore[misc]
    yield ORACLE, of_oracle
    yield AUTOMATON, lambda: _rows(problems.truth(), problems)


def _rows(predicted: np.ndarray, problems: Problems) -> Rows:
    """Every measure at every row, (problems, longest) each, NaN on rows that do not count."""
    scored = score(predicted, problems, allow_deficient=True)
    return {
        measure: np.where(scored.counted(rows), scored.values[metric], np.nan)
        for measure, (metric, rows) in MEASURES.items()
    }


def _tables(
    rows: dict[str, Rows], denied: dict[str, float], lengths: np.ndarray, study: ClassicalStudy
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Whole texts, and steps of `width` rows; a step counts the problems that have all its rows."""
    import pandas as pd

    keys = [(name, measure) for name in rows for measure in MEASURES]
    sums, counts = (np.stack(part) for part in zip(*(_sums(rows[n][m], study.width) for n, m in keys), strict=True))
    sign = np.array([-1.0 if measure.startswith("dfa_accuracy") else 1.0 for _, measure in keys])[:, None, None]
    oracle = [keys.index((ORACLE, measure)) for _, measure in keys]
    with np.errstate(invalid="ignore"):
        gaps = sign * (sums - sums[oracle])
    table: list[dict[str, Any]] = []
    positions: list[dict[str, Any]] = []
    for step in range(sums.shape[2]):
        reach = lengths >= step * study.width
        if np.count_nonzero(reach) < min(study.least, study.problems):
            break
        own, gap = (ratio_intervals(part[:, reach, step], counts[:, reach, step], study) for part in (sums, gaps))
        for (name, measure), (estimate, low, high), (mean, least, most) in zip(keys, own, gap, strict=True):
            kind = "ceiling" if name in (ORACLE, AUTOMATON) else "learner"
            line: dict[str, Any] = {"predictor": name, "kind": kind, "measure": measure}
            if step:
                line["first_row"], line["last_row"] = (step - 1) * study.width, step * study.width - 1
                line["problems"] = int(np.count_nonzero(reach))
            line |= {"estimate": estimate, "low": low, "high": high, "gap": mean, "gap_low": least, "gap_high": most}
            (positions if step else table).append(line if step else {**line, "denied": denied[name]})
    return pd.DataFrame(table), pd.DataFrame(positions)


def _sums(values: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Sum and number of the rows that count, whole texts first, then steps of `width`: (problems, 1 + steps) each."""
    spare = -values.shape[1] % width
    steps = np.pad(values, ((0, 0), (0, spare)), constant_values=np.nan).reshape(len(values), -1, width)
    counted = ~np.isnan(steps)
    parts = (np.where(counted, steps, 0.0).sum(axis=2), counted.sum(axis=2))
    both = [np.concatenate([part.sum(axis=1, keepdims=True), part], axis=1) for part in parts]
    return both[0], both[1]


def ratio_intervals(sums: np.ndarray, counts: np.ndarray, study: ClassicalStudy) -> np.ndarray:
    """Estimate, low and high of sum over problems of sums / sum of counts, problems resampled: (k, problems) -> (k, 3).

    All k share the resamples, so that lines of one table are paired. NaN where a sum is infinite.
    """
    number = sums.shape[1]
    (index,) = resample_indices([number], study.resamples, study.seed)
    place = index + number * np.arange(study.resamples)[:, None]
    weight = np.bincount(place.ravel(), minlength=place.size).reshape(study.resamples, number).astype(np.float64)
    finite = np.isfinite(sums).all(axis=1)
    sums = np.where(finite[:, None], sums, 0.0)
    samples = (sums @ weight.T) / (counts @ weight.T)
    low, high = np.quantile(samples, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=1)
    out = np.stack([sums.sum(axis=1) / counts.sum(axis=1), low, high], axis=1)
    return np.where(finite[:, None], out, np.nan)
