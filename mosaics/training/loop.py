"""The training loop: batches, AdamW, evaluation, the best weights, checkpoints, exact resume.

    for s = 0 .. steps - 1:   batch_s = task.batch(s);   g = gradient of task.loss(model, batch_s)
                              g clipped;   AdamW with the learning rate of step s

Batches and dropout are functions of (seed, s), so the state of a run is the weights, AdamW's moments and s: a run
that is killed at any moment and started again with the same arguments continues from its newest checkpoint that is
whole and ends with the same bits (on one CPU machine, with the same number of threads and processes). A finished run
is read, not repeated.

A record is a dict: step (updates done), loss (of the batch before that update), learning_rate, gradient_norm
(before clipping), and the metrics of an evaluation where there was one. In a population each is a list. How long it
took stands apart, in `timing` and ``timing.jsonl``.

Under torchrun every process calls :func:`train` with the same arguments and ``parallel`` set; each takes its rows of
every batch, and the first writes.

>>> result = train(model, task, TrainConfig(steps=500), out="my_run")      # doctest: +SKIP
>>> result.final, result.history[-1]["loss"]                               # doctest: +SKIP

Errors: TrainingError where the loss or the gradient is not finite, DataError where the folder is damaged or
another run's, InputError where options do not fit.
"""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from mosaics.interface import Task
from mosaics.registry import MODELS, TASKS
from mosaics.training import placement
from mosaics.training.checkpoint import copy_into, weights_of
from mosaics.training.config import TrainConfig
from mosaics.training.folder import RunFolder, SavedRun
from mosaics.training.loader import Loader
from mosaics.training.processes import Processes, joined
from mosaics.training.result import SUMMARY, Result, TrainingError
from mosaics.training.run import Observe, Run
from mosaics.training.spread import Spread, recomputed
from mosaics.training.tracking import Events
from toyworlds.core.progress import Progress
from toyworlds.core.registry import Registry
from toyworlds.core.validate import reject

__all__ = ["Observe", "Result", "TrainingError", "train"]

AHEAD_ON_CUDA = 2


def train(
    model: nn.Module,
    task: Task,
    config: TrainConfig,
    out: str | Path | None = None,
    *,
    progress: bool | None = None,
    observe: Observe | None = None,
) -> Result:
    """Train `model` on `task`; with `out`, keep the run in that folder, resume it, or read it if it is finished.

    `progress` None shows a bar on a terminal and log lines elsewhere, False is silent. `observe(step, model)`
    is called at every evaluation (in every process), and its metrics join those of the task.
    """
    if config.tensorboard and out is None:
        reject("tensorboard", "False without a folder `out`", config.tensorboard)
    _check_pair(model, task)
    if hasattr(task, "check"):
        cast(Any, task).check(model)
    device = placement.device_of(config)
    with joined(config.parallel) as processes:
        shown = progress is not False and processes.first
        return _train(model, task, config, out, shown=shown, observe=observe, device=device, processes=processes)


def _check_pair(model: Any, task: Any) -> None:
    """Raise an InputError for a model and a task that do not go together."""
    if not isinstance(model, nn.Module):
        reject("model", "a model, as config.build(seed) makes one", type(model).__name__)
    if not hasattr(task, "batch"):
        reject("task", "a task, as config.build(seed) makes one", type(task).__name__)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        reject("model", "one with parameters to train", type(model).__name__)
    members = getattr(model, "members", None) or 0
    seeds = len(task.seed) if isinstance(task.seed, tuple) else 0
    if seeds != members:
        expected = f"of {members} seeds, one a member of the model" if members else "of one seed, for a lone model"
        reject("task", f"one {expected}", task.seed)
    model_name, task_name = (_name(known, item.config) for known, item in ((MODELS, model), (TASKS, task)))
    if model_name in MODELS and task_name in TASKS and not {*TASKS.tags(task_name)} & {*MODELS.tags(model_name)}:
        reject("model", f"one that reads {' or '.join(TASKS.tags(task_name))}, for the task {task_name}", model_name)


def _train(
    model: nn.Module, task: Task, config: TrainConfig, out: str | Path | None, *,
    shown: bool, observe: Observe | None, device: torch.device, processes: Processes,
) -> Result:  # fmt: skip
    """Train as one of `processes`; a function of its own, so that no variable holds their group when it is left."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(placement.environment(config, device))
        spread = Spread(model, config, device, processes)
        stack.enter_context(recomputed(spread.work, config.activation_checkpointing))
        run = Run(spread, task, config, device, observe)
        if out is not None:
            movable = getattr(task.config, "movable", ())
            run.folder = RunFolder(out, _identity(model, task, config), processes, movable=movable)
            saved = run.folder.finished()
            if saved is not None:
                return _finished(model.to(device), saved)
            run.resume(run.folder)
            if config.tensorboard and processes.first:
                run.events = Events(run.folder.path / "tensorboard", run.step)
                stack.callback(run.events.close)
        ahead = (AHEAD_ON_CUDA if device.type == "cuda" else 0) if config.prefetch is None else config.prefetch
        run.loader = stack.enter_context(Loader(run.load, config.steps, ahead))
        run.progress = stack.enter_context(
            Progress("training", config.steps, done=run.step, shown=shown, last_line=True)
        )
        while run.step < config.steps and not run.stopped:
            run.advance()
        return run.finish(model)


def _finished(model: nn.Module, saved: SavedRun) -> Result:
    """Read a finished run: its last weights go into `model`."""
    copy_into(weights_of(model.eval()), saved.weights(), "", saved.path / "model.safetensors")
    best = saved.weights("best") if "best.safetensors" in saved.result["files"] else {}
    kept = {name: saved.result[name] for name in SUMMARY}
    return Result(history=saved.history, best_weights=best, timing=saved.timing, **kept)


def _identity(model: Any, task: Any, config: TrainConfig) -> dict[str, Any]:
    """Return what tells this run from any other: options and seeds of the model, the task and the training."""
    return {
        "model": {"name": _name(MODELS, model.config), "seed": model.seed, "options": dataclasses.asdict(model.config)},
        "task": {"name": _name(TASKS, task.config), "seed": task.seed, "options": dataclasses.asdict(task.config)},
        "train": config.identity(),
    }


def _name(registry: Registry, config: Any) -> str:
    """Return the registered name of a config's class, or the class's own."""
    names = [name for name in registry if registry[name] is type(config)]
    return names[0] if names else type(config).__name__
