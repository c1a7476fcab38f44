"""One job of a RegBench study: a model is trained, and its best weights are scored on the test set.

The job's config holds the options of model, world, task and training, and the seed; its result holds

    validation_loss, best_step     of the evaluation with the least validation loss, whose weights are scored
    test                           {measure: mean over all rows of the test set}
    by_position                    {measure: mean over rows 0 .. w - 1, w .. 2 w - 1, ..}, w = `position_width`
    by_string                      {measure: mean over the rows that predict a symbol of string 0, 1, 2, ..}
    parameters, flops, steps, epochs, problems, tokens, stopped_early, history
    seconds, cpu_seconds           wall clock of the training, resumes included; processor time of the job, evaluation
                                   and data included, since it was last started

flops = 3 x tokens x operations of one step at half the mean length (backward counted as two forward passes).

Measures are exact, against the automata behind the texts (`regbench.metrics`): DFA accuracy, total variation and
excess cross-entropy (nats).

Reference: Akyurek et al., arXiv 2401.12973.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.engines import Report
from toyworlds.core.validate import from_dict
from toyworlds.world import WORLDS

if TYPE_CHECKING:
    from mosaics.tasks.regbench import RegBenchTask
    from regbench.metrics import RowScores

JOB = "analysis.studies.regbench_training:run"
MEASURES = ("dfa_accuracy", "total_variation", "excess")
HIGHER_IS_BETTER = ("dfa_accuracy",)
DIGITS = 9


def run(config: Mapping[str, Any], folder: Path, report: Report) -> dict[str, Any]:
    """Train the model of `config` and score it; see the module."""
    from mosaics.catalogue import MODELS
    from mosaics.tasks.regbench import RegBenchTaskConfig, scores
    from mosaics.training import TrainConfig, train
    from mosaics.training.checkpoint import copy_into, weights_of

    began = time.process_time()
    world = from_dict(WORLDS[config["world"]["name"]], config["world"]["options"], "world")
    task = RegBenchTaskConfig(world, **config["task"]).build(config["seed"])
    model = from_dict(MODELS[config["model"]["name"]], config["model"]["options"], "model").build(config["seed"])
    training = from_dict(TrainConfig, {**config["train"], "seed": config["seed"]}, "train")
    seen = {"step": 0}

    def observe(step: int, now: Any) -> dict[str, Any]:
        report(step - seen["step"], "")
        seen["step"] = step
        return {}

    result = train(model, _OnValidation(task), training, folder / "run", progress=False, observe=observe)
    copy_into(weights_of(model), result.best_weights, "", folder / "run")
    assert result.best is not None
    return {
        "validation_loss": result.best["value"],
        "best_step": result.best["step"],
        **_scored(scores(model, task.problems("test")), config["position_width"]),
        **_cost(model, task, result.steps),
        "stopped_early": result.stopped_early,
        "seconds": round(result.seconds, 2),
        "cpu_seconds": round(time.process_time() - began, 2),
        "history": [[r["step"], r["validation_loss"]] for r in result.history if "validation_loss" in r],
    }


class _OnValidation:
    """A task whose evaluations look at the validation split alone: the test set is read once, at the end."""

    def __init__(self, task: RegBenchTask) -> None:
        self.config, self.seed = task.config, task.seed
        self.batch, self.loss = task.batch, task.loss
        self._validation = task.problems("validation")

    def evaluate(self, model: Any) -> dict[str, float | list[float]]:
        from mosaics.tasks.regbench import scores

        return {"validation_loss": scores(model, self._validation).mean("labelled")["label_loss"]}


def _scored(scored: RowScores, width: int) -> dict[str, Any]:
    everywhere, positions, strings = scored.mean(), scored.by_position(width=width), scored.by_string()
    return {
        "test": {name: round(everywhere[name], DIGITS) for name in MEASURES},
        "by_position": {name: positions[name].round(DIGITS).tolist() for name in MEASURES},
        "by_string": {name: strings[name].round(DIGITS).tolist() for name in MEASURES},
    }


def _cost(model: Any, task: RegBenchTask, steps: int) -> dict[str, Any]:
    """Parameters, and what the training has read and cost."""
    size, batch, epoch = task.config.train_size, task.config.batch_size, task.config.steps_per_epoch
    whole, rest = divmod(steps, epoch)
    problems = whole * size + min(rest * batch, size)
    length = float(task.training_set.lengths.mean())
    return {
        "parameters": model.num_parameters(),
        "steps": steps,
        "epochs": round(steps / epoch, 4),
        "problems": problems,
        "tokens": round(problems * length),
        "flops": round(3.0 * problems * length * model.flops_per_token(round(length / 2))),
    }
