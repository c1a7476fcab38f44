"""The training loop: batches, AdamW, evaluation, the best weights, checkpoints, exact resume.

    for s = 0 .. steps - 1:   batch_s = task.batch(s);   g = gradient of task.loss(model, batch_s)
                              g clipped;   AdamW with the learning rate of step s

Batches and dropout are functions of (seed, s), so the state of a run is the weights, AdamW's moments and s: a run
that is killed at any moment and started again with the same arguments continues from its last checkpoint and ends
with the same bits (on one CPU machine, with the same number of threads). A finished run is read, not repeated.

A record is a dict: step (updates done), loss (of the batch before that update), learning_rate, gradient_norm
(before clipping), and the metrics of an evaluation where there was one. In a population each is a list.

>>> result = train(model, task, TrainConfig(steps=500), out="my_run")      # doctest: +SKIP
>>> result.final, result.history[-1]["loss"]                               # doctest: +SKIP

Errors: TrainingError where the loss or the gradient is not finite, DataError where the folder is damaged or
another run's, InputError where options do not fit.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mosaics.interface import Metrics, Task
from mosaics.registry import MODELS, TASKS
from mosaics.training import optim, placement
from mosaics.training.best import Best
from mosaics.training.checkpoint import Checkpoint, copy_into, weights_of
from mosaics.training.config import TrainConfig
from mosaics.training.folder import Record, RunFolder, SavedRun
from mosaics.training.progress import Reporter
from toyworlds.core.registry import Registry
from toyworlds.core.validate import DataError, reject

RESERVED = ("step", "loss", "learning_rate", "gradient_norm")
"""Names in a record that no metric may have."""
SUMMARY = ("steps", "stopped_early", "final", "best", "seconds")
"""Fields of a Result that ``result.json`` keeps."""
Observe = Callable[[int, nn.Module], Metrics]


class TrainingError(DataError):
    """Training went wrong: a loss or a gradient is not finite."""


@dataclass(frozen=True)
class Result:
    """What :func:`train` returns; the model holds the last weights and is in evaluation mode.

    `final` are the metrics at the end; `best` is None, or {"step", "value"} of the monitored metric (lists in a
    population), whose weights are `best_weights`; `seconds` counts the work that the result rests on.
    """

    steps: int
    history: list[Record]
    final: Metrics
    best: dict[str, Any] | None
    best_weights: dict[str, Tensor] = field(repr=False)
    stopped_early: bool
    seconds: float


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
    is called at every evaluation, and its metrics join those of the task.
    """
    device = placement.device_of(config)
    with placement.environment(config, device):
        model.to(device, torch.float64 if config.dtype == "float64" else torch.float32)
        run = _Run(model, task, config, device, observe)
        if out is not None:
            run.folder = RunFolder(out, _identity(model, task, config))
            saved = run.folder.finished()
            if saved is not None:
                return _finished(model, saved)
            run.resume(run.folder)
        with Reporter(config.steps, progress) as reporter:
            while run.step < config.steps and not run.stopped:
                run.advance(reporter)
        return run.finish()


class _Run:
    """A run under way: the state that a checkpoint keeps, and how it advances by one step."""

    def __init__(
        self, model: nn.Module, task: Task, config: TrainConfig, device: torch.device, observe: Observe | None
    ) -> None:
        self.model, self.task, self.config, self.device, self.observe = model, task, config, device, observe
        self.members: int | None = getattr(model, "members", None)
        if config.patience is not None and self.members:
            reject("patience", "none for a population, whose members would stop at different steps", config.patience)
        self.weights = weights_of(model)
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = _optimizer(model, config, self.members)
        self.folder: RunFolder | None = None
        self.step, self.stopped, self.seconds, self.began = 0, False, 0.0, time.monotonic()
        self.history: list[Record] = []
        self.unchecked: list[tuple[int, Tensor, Tensor]] = []
        self.last_metrics: tuple[int, Metrics] | None = None
        self.best = Best(config.monitor, config.higher_is_better, self.members)

    def advance(self, reporter: Reporter) -> None:
        """Do one update, and what is due after it."""
        config = self.config
        if self.step == 0 and config.evaluate_every is not None and not self.history:
            self.record({"step": 0} | self.evaluate())
        rate = config.learning_rate_at(self.step)
        self.update(rate)
        done = self.step
        evaluating = config.evaluate_every is not None and done % config.evaluate_every == 0
        checkpointing = config.checkpoint_every is not None and done % config.checkpoint_every == 0
        logging = done % config.log_every == 0 or done == config.steps
        if evaluating or checkpointing or logging:
            _, loss, norm = self.unchecked[-1]
            self.check()
            if evaluating or logging:
                record = {"step": done, "loss": loss.tolist(), "learning_rate": rate, "gradient_norm": norm.tolist()}
                self.record(record | (self.evaluate() if evaluating else {}))
                reporter.show(done, self.history[-1])
        if checkpointing and self.folder is not None:
            self.folder.save(self.state())

    def update(self, rate: float) -> None:
        """Take the step of AdamW on the batch of this step."""
        placement.seed_dropout(self.config, self.step)
        self.model.train()
        batch = placement.place(self.task.batch(self.step), self.model)
        with placement.autocast(self.config, self.device):
            loss = self.task.loss(self.model, batch)
        loss.sum().backward()
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.parameters]
        norm = optim.gradient_norm(gradients, self.members)
        if self.config.clip_norm is not None:
            optim.clip_(gradients, norm, self.config.clip_norm)
        self.optimizer.update(gradients, rate, self.step)
        self.model.zero_grad(set_to_none=True)
        self.unchecked.append((self.step, loss.detach(), norm))
        self.step += 1

    def check(self) -> None:
        """Raise a TrainingError for the first loss or gradient since the last check that is not finite."""
        for step, loss, norm in self.unchecked:
            for name, values in (("loss", loss), ("gradient norm", norm)):
                bad = (~values.isfinite()).reshape(-1).nonzero().flatten().tolist()
                if bad:
                    seed = self.task.seed[bad[0]] if self.members else self.task.seed
                    member = f", member {bad[0]}" if self.members else ""
                    raise TrainingError(
                        f"{name}: expected a finite number; got {values.reshape(-1)[bad[0]].item()} "
                        f"in the batch of step {step}, seed {seed}{member}"
                    )
        self.unchecked.clear()

    def record(self, record: Record) -> None:
        """Add a record to the history and to the folder."""
        self.history.append(record)
        if self.folder is not None:
            self.folder.append(record)

    def evaluate(self) -> Metrics:
        """Evaluate, keep the weights if they are the best so far, and stop when patience is at an end."""
        metrics = self.metrics()
        self.best.see(self.step, metrics, self.weights)
        self.stopped = self.config.patience is not None and self.best.waited >= self.config.patience
        return metrics

    def metrics(self) -> Metrics:
        """Return the task's and the observer's metrics as plain numbers; those that are not finite are None."""
        if self.last_metrics is not None and self.last_metrics[0] == self.step:
            return self.last_metrics[1]
        self.model.eval()
        with torch.no_grad(), placement.autocast(self.config, self.device):
            metrics = dict(self.task.evaluate(self.model))
            metrics |= self.observe(self.step, self.model) if self.observe is not None else {}
        for name in RESERVED:
            if name in metrics:
                reject("metric", f"a name other than {', '.join(RESERVED)}", name)
        plain = {name: _plain(value) for name, value in metrics.items()}
        self.last_metrics = (self.step, plain)
        return plain

    def state(self) -> Checkpoint:
        """Return what a checkpoint keeps."""
        tensors = {f"weights.{name}": item for name, item in self.weights.items()}
        tensors |= {f"optimizer.{name}": item for name, item in self.optimizer.tensors().items()}
        notes = {"seconds": self.worked(), "stopped": self.stopped, "best": self.best.notes()}
        return Checkpoint(self.step, tensors, notes, self.best.weights, max(self.best.steps))

    def resume(self, folder: RunFolder) -> None:
        """Continue from the latest checkpoint of `folder`, if there is one."""
        saved, self.history = folder.load()
        if saved is None:
            return
        place = folder.path / "checkpoint"
        copy_into(self.weights, saved.tensors, "weights.", place)
        copy_into(self.optimizer.tensors(), saved.tensors, "optimizer.", place)
        self.step, self.stopped, self.seconds = saved.step, saved.notes["stopped"], saved.notes["seconds"]
        self.best.restore(saved.notes["best"], saved.best, self.weights)

    def worked(self) -> float:
        """Return the seconds of work, those before a resume included."""
        return self.seconds + time.monotonic() - self.began

    def finish(self) -> Result:
        """Evaluate at the end, write the result, return it."""
        result = Result(
            steps=self.step,
            history=self.history,
            final=self.metrics(),
            best=self.best.summary(),
            best_weights=self.best.weights,
            stopped_early=self.stopped and self.step < self.config.steps,
            seconds=self.worked(),
        )
        if self.folder is not None:
            summary = {name: getattr(result, name) for name in SUMMARY}
            summary["machine"] = _machine(self.device)
            self.folder.finish(summary, self.weights, self.best.weights)
        return result


def _finished(model: nn.Module, saved: SavedRun) -> Result:
    """Read a finished run: its last weights go into `model`."""
    copy_into(weights_of(model.eval()), saved.weights(), "", saved.path / "model.safetensors")
    best = saved.weights("best") if "best.safetensors" in saved.result["files"] else {}
    return Result(history=saved.history, best_weights=best, **{name: saved.result[name] for name in SUMMARY})


def _optimizer(model: nn.Module, config: TrainConfig, members: int | None) -> optim.AdamW:
    """Return AdamW; decay acts on parameters of two dimensions or more, the axis of a population not counted."""
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    least = 0 if config.decay_vectors else 3 if members else 2
    return optim.AdamW(
        parameters,
        betas=config.betas,
        epsilon=config.epsilon,
        weight_decay=config.weight_decay,
        decayed=frozenset(name for name, p in parameters.items() if p.dim() >= least),
        bias_correction=config.bias_correction,
    )


def _identity(model: Any, task: Any, config: TrainConfig) -> dict[str, Any]:
    """Return what tells this run from any other: options and seeds of the model, the task and the training."""
    return {
        "model": {"name": _name(MODELS, model.config), "seed": model.seed, "options": dataclasses.asdict(model.config)},
        "task": {"name": _name(TASKS, task.config), "seed": task.seed, "options": dataclasses.asdict(task.config)},
        "train": dataclasses.asdict(config),
    }


def _name(registry: Registry, config: Any) -> str:
    """Return the registered name of a config's class, or the class's own."""
    names = [name for name in registry if registry[name] is type(config)]
    return names[0] if names else type(config).__name__


def _machine(device: torch.device) -> dict[str, Any]:
    """Return what the last bits of a result can hang on."""
    try:
        version = importlib.metadata.version("mosaicbench")
    except importlib.metadata.PackageNotFoundError:
        version = "not installed"
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    return {"mosaicbench": version, "torch": torch.__version__, "device": name, "threads": torch.get_num_threads()}


def _plain(value: Any) -> Any:
    """Return a number, or a list of them, as plain Python; not finite ones as None."""
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return float(value) if math.isfinite(value) else None
