"""Trained runs read back: the model and the world of a run's folder; RegBench runs against n-grams.

    run = load_run("runs/laptop")              run.model, run.world, run.task, run.saved
    against_ngrams(["runs/mosaic-0", "runs/mosaic-1", ..])

The comparison takes the metrics that each run ended with on its test set, and those of n-grams on the same problems.
Intervals are over the runs of a model (its seeds), not over problems. Two are given: Student's, right where runs are
normal, and wide for three of them; and the percentile bootstrap, which with three runs covers the mean three times in
four only (see `analysis.bootstrap`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.bootstrap import bootstrap_interval, t_interval
from toyworlds.core.validate import DataError, InputError, from_dict, reject

if TYPE_CHECKING:
    from mosaics.training import SavedRun

METRICS = {
    "dfa_accuracy": "dfa_accuracy",
    "total_variation": "total_variation",
    "cross_entropy": "cross_entropy",
    "excess": "cross_entropy",
}
"""Metrics on all rows, and the state oracle's objective for each."""
HIGHER_IS_BETTER = ("dfa_accuracy",)
TRIGRAM, ORACLE = "trigram, back-off", "state oracle"
NAMES = ("unigram", "bigram", "trigram", "4-gram")


@dataclass(frozen=True)
class Loaded:
    """A run read back."""

    model: Any
    """The trained model in evaluation mode."""
    world: Any
    """The world that its data come from."""
    task: dict[str, Any]
    """Name, seed and options of its task."""
    saved: SavedRun
    """Its folder: config, history, result."""


def load_run(folder: str | Path, which: str = "model") -> Loaded:
    """Read a finished run with its last weights, or with ``which="best"`` those of its best evaluation.

    Raises DataError for a folder that holds no whole run, or the run of a population or of an unknown model.
    """
    from mosaics.catalogue import MODELS
    from mosaics.training import read_run
    from mosaics.training.checkpoint import copy_into, weights_of
    from regbench.suites import RegBench
    from toyworlds.three_moons import ThreeMoons

    folder = Path(folder)
    saved = read_run(folder)
    named, task = saved.config["model"], saved.config["task"]
    if isinstance(named["seed"], list):
        raise DataError(f"{folder}: expected the run of one model; got that of a population")
    worlds: dict[str, type[Any]] = {"moons": ThreeMoons, "regbench": RegBench}
    try:
        config: Any = from_dict(MODELS[named["name"]], named["options"], "model")
        world = from_dict(worlds[task["name"]], task["options"]["world"], "world") if task["name"] in worlds else None
    except InputError as error:
        raise DataError(f"{folder / 'config.json'}: {error}") from None
    model = config.build(named["seed"])
    copy_into(weights_of(model), saved.weights(which), "", folder / f"{which}.safetensors")
    return Loaded(model.eval(), world, task, saved)


def against_ngrams(folders: Sequence[str | Path]) -> dict[str, Any]:
    """Compare runs of RegBench with n-grams on their test set: plain values, ready for JSON.

    For each model: parameters, seconds of each run, each metric's values and intervals over its runs, and the same
    for its lead over each n-gram and over the oracle, signed so that positive is better. All runs must share the
    task's options.
    """
    runs = [load_run(folder) for folder in folders]
    if not runs or any(
        run.task["name"] != "regbench" or run.task["options"] != runs[0].task["options"] for run in runs
    ):
        reject("folders", "runs of RegBench that share their task's options", [str(folder) for folder in folders])
    baselines = baseline_metrics(runs[0])
    models: dict[str, Any] = {}
    for name in dict.fromkeys(run.saved.config["model"]["name"] for run in runs):
        own = [run for run in runs if run.saved.config["model"]["name"] == name]
        if len(own) < 2:
            reject("folders", f"at least two runs of {name}", 1)
        entry: dict[str, Any] = {
            "parameters": own[0].model.num_parameters(),
            "options": own[0].saved.config["model"]["options"],
            "train": own[0].saved.config["train"],
            "seeds": [run.saved.config["model"]["seed"] for run in own],
            "seconds": [run.saved.result["seconds"] for run in own],
        }
        for metric in METRICS:
            values = np.array([run.saved.result["final"][f"test_{metric}"] for run in own])
            sign = 1.0 if metric in HIGHER_IS_BETTER else -1.0
            entry[metric] = _over_runs(values) | {
                "lead": {
                    rival: _over_runs(sign * (values - found[metric]))
                    for rival, found in baselines.items()
                    if metric in found
                }
            }
        models[name] = entry
    return {"task": runs[0].task["options"], "baselines": baselines, "models": models}


def _over_runs(values: np.ndarray) -> dict[str, Any]:
    return {
        "values": values.tolist(),
        "t_interval": asdict(t_interval(values)),
        "bootstrap": asdict(bootstrap_interval(values)),
    }


def baseline_metrics(run: Loaded) -> dict[str, dict[str, float]]:
    """Metrics of n-grams and of the state oracle on the run's test set; a metric that is infinite is left out.

    The oracle is told the automaton's state at every row and decides for each metric as suits that best: the ceiling.
    """
    from regbench.metrics import score
    from regbench.ngram import NGram
    from regbench.oracle import StateOracle
    from regbench.problems import load

    options = run.task["options"]
    problems = load(run.world, "test", 0, options["test_size"], seed=options["data_seed"])
    learners = {f"{name}, back-off": NGram(order) for order, name in enumerate(NAMES[:3], 1)}
    learners |= {f"{name}, Witten-Bell": NGram(order, "witten-bell") for order, name in enumerate(NAMES, 1)}
    found = {}
    for name, learner in learners.items():
        rows = learner.predict(problems.tokens, problems.vocabulary)
        means = score(rows, problems, allow_deficient=True).mean()
        found[name] = {metric: means[metric] for metric in METRICS if math.isfinite(means[metric])}
    assert problems.raw_states is not None
    oracle, states, size = StateOracle.of(run.world), problems.raw_states, problems.vocabulary
    found[ORACLE] = {}
    for metric, objective in METRICS.items():
        rows = oracle.predict(problems.tokens, states, size, objective=objective)
        found[ORACLE][metric] = score(rows, problems).mean()[metric]
    return found
