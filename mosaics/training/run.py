"""A run under way: the state that a checkpoint keeps, and how it advances by one step."""

from __future__ import annotations

import importlib.metadata
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from mosaics.interface import Metrics, Task
from mosaics.training import meter, optim, parts, placement
from mosaics.training.best import Best
from mosaics.training.checkpoint import Checkpoint, copy_into, weights_of
from mosaics.training.config import MACHINE, TrainConfig
from mosaics.training.folder import Record, RunFolder
from mosaics.training.loader import Loader
from mosaics.training.result import SUMMARY, Result, TrainingError
from mosaics.training.spread import Spread
from mosaics.training.tracking import Events
from toyworlds.core.progress import Progress
from toyworlds.core.validate import reject

RESERVED = ("step", "loss", "learning_rate", "gradient_norm")
"""Names in a record that no metric may have."""
Observe = Callable[[int, nn.Module], Metrics]


class Loaded(NamedTuple):
    """What this process computes of a batch, and what the whole batch holds."""

    parts: list[parts.Part]
    size: parts.Size


class Run:
    """The run of this file; `folder`, `events`, `loader` and `progress` are set before it advances."""

    loader: Loader[Loaded]
    progress: Progress

    def __init__(
        self, spread: Spread, task: Task, config: TrainConfig, device: torch.device, observe: Observe | None
    ) -> None:
        self.spread, self.task, self.config, self.device, self.observe = spread, task, config, device, observe
        self.model, self.processes = spread.work, spread.processes
        self.members: int | None = getattr(self.model, "members", None)
        if config.patience is not None and self.members:
            reject("patience", "none for a population, whose members would stop at different steps", config.patience)
        own = {name: spread.local(p) for name, p in spread.parameters.items()}
        self.optimizer = optim.optimizer(own, config, self.members)
        self.meter = meter.Meter(self.model, config, device, self.processes)
        self.folder: RunFolder | None = None
        self.events: Events | None = None
        self.step, self.stopped, self.seconds, self.began = 0, False, 0.0, time.monotonic()
        self.history: list[Record] = []
        self.timing: list[Record] = []
        self.unchecked: list[tuple[int, Tensor, Tensor]] = []
        self.last_metrics: tuple[int, Metrics] | None = None
        self.best = Best(config.monitor, config.higher_is_better, self.members)

    def load(self, step: int) -> Loaded:
        """Make the batch of a step and cut out what this process computes; called ahead, maybe by a thread."""
        batch, axis, config = self.task.batch(step), 1 if self.members else 0, self.config
        size = parts.size_of(self.task, batch, axis)
        rank, processes = self.processes.rank, self.processes.size
        own = parts.cut(self.task, batch, axis=axis, micro_batch=config.micro_batch, rank=rank, processes=processes)
        return Loaded([part._replace(batch=placement.pinned(part.batch, self.device)) for part in own], size)

    def advance(self) -> None:
        """Do one update, and what is due after it."""
        config = self.config
        if self.step == 0 and config.evaluate_every is not None and not self.history:
            self.record({"step": 0} | self.evaluate())
        rate = config.learning_rate_at(self.step)
        self.meter.start()
        self.update(rate)
        done = self.step
        evaluating = config.evaluate_every is not None and done % config.evaluate_every == 0
        checkpointing = config.checkpoint_every is not None and done % config.checkpoint_every == 0
        logging = done % config.log_every == 0 or done == config.steps
        if evaluating or checkpointing or logging:
            _, loss, norm = self.unchecked[-1]
            self.check()
            self.meter.pause()
            if evaluating or logging:
                record = {"step": done, "loss": loss.tolist(), "learning_rate": rate, "gradient_norm": norm.tolist()}
                self.record(record | (self.evaluate() if evaluating else {}), {"step": done} | self.meter.read())
        if checkpointing and self.folder is not None:
            self.folder.save(self.state())

    def update(self, rate: float) -> None:
        """Take the step of AdamW on the batch of this step."""
        loaded = self.loader(self.step)
        loss = self.backward(loaded.parts)
        gradients = self.spread.gradients()
        norm = optim.gradient_norm(gradients, self.members)
        if self.processes.sharded:
            norm = self.processes.sum(norm.square()).sqrt()
        if self.config.clip_norm is not None:
            optim.clip_(gradients, norm, self.config.clip_norm)
        self.optimizer.update(gradients, rate, self.step)
        self.spread.forget_gradients()
        self.unchecked.append((self.step, loss, norm))
        self.meter.count(loaded.size)
        self.step += 1

    def backward(self, own: list[parts.Part]) -> Tensor:
        """Add the gradients of this process's parts; return the loss of the whole batch."""
        self.model.train()
        self.spread.begin_step()
        losses = []
        for number, part in enumerate(own, start=1):
            placement.seed_dropout(self.config, self.step, part.first_row)
            batch = placement.place(part.batch, self.model)
            with self.spread.exchange(last=number == len(own)):
                with placement.autocast(self.config, self.device):
                    loss = self.task.loss(self.spread.call, batch)
                loss = loss if part.share is None else loss * part.share.to(loss)
                loss.sum().backward()
            losses.append(loss.detach())
        total = losses[0] if len(losses) == 1 else torch.stack(losses).sum(0)
        return self.processes.sum(total) / self.processes.size if self.processes.size > 1 else total

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

    def record(self, record: Record, timing: Record | None = None) -> None:
        """Add a record, and how long it took, to the history, the folder and what is shown."""
        self.history.append(record)
        if self.folder is not None:
            self.folder.append(record)
        if timing is not None:
            self.timing.append(timing)
            if self.folder is not None:
                self.folder.append_timing(timing)
        if self.events is not None:
            self.events.write(record | (timing or {}))
        note = meter.line(record | (timing or {})) if self.progress.shown else ""
        self.progress.advance(record["step"] - self.progress.done, note)

    def evaluate(self) -> Metrics:
        """Evaluate, keep the weights if they are the best so far, and stop when patience is at an end."""
        metrics = self.metrics()
        self.best.see(self.step, metrics, self.spread.own)
        self.stopped = self.config.patience is not None and self.best.waited >= self.config.patience
        return metrics

    def metrics(self) -> Metrics:
        """Return the task's and the observer's metrics as plain numbers; those that are not finite are None."""
        if self.last_metrics is not None and self.last_metrics[0] == self.step:
            return self.last_metrics[1]
        self.model.eval()
        with torch.no_grad(), placement.autocast(self.config, self.device):
            metrics = dict(self.task.evaluate(self.model))
            observed = self.observe(self.step, self.model) if self.observe is not None else {}
        if not isinstance(observed, dict):
            reject("observe", "a function that returns a dict of metrics, empty for none", observed)
        metrics |= observed
        for name in RESERVED:
            if name in metrics:
                reject("metric", f"a name other than {', '.join(RESERVED)}", name)
        plain: Metrics = self.processes.tell({name: _plain(value) for name, value in metrics.items()})
        self.last_metrics = (self.step, plain)
        return plain

    def state(self) -> Checkpoint:
        """Return what a checkpoint keeps, of this process's own."""
        tensors = {f"weights.{name}": item for name, item in self.spread.own.items() if self.writes(name)}
        tensors |= {f"optimizer.{name}": item for name, item in self.optimizer.tensors().items()}
        notes = {"seconds": self.worked(), "stopped": self.stopped, "best": self.best.notes()}
        best = {name: item for name, item in self.best.weights.items() if self.writes(name)}
        return Checkpoint(self.step, tensors, notes, best, max(self.best.steps))

    def writes(self, name: str) -> bool:
        """Tell whether this process writes the weight `name`: its part of a sharded one, the first a whole one."""
        return self.processes.first or name in self.spread.shards

    def resume(self, folder: RunFolder) -> None:
        """Continue from the newest checkpoint of `folder` that is whole, if there is one."""
        saved, self.history = folder.load()
        if saved is None:
            return
        place = folder.path / "checkpoint"
        own = {name: self.own_part(name, item) for name, item in saved.tensors.items()}
        copy_into(self.spread.own, own, "weights.", place)
        copy_into(self.optimizer.tensors(), own, "optimizer.", place)
        self.step, self.stopped, self.seconds = saved.step, saved.notes["stopped"], saved.notes["seconds"]
        best = {name: self.spread.share_of(name, item) for name, item in saved.best.items()}
        self.best.restore(saved.notes["best"], best, self.spread.own)

    def own_part(self, name: str, whole: Tensor) -> Tensor:
        """Return this process's rows of a tensor of a checkpoint, which is named after the weight it belongs to."""
        kind, _, rest = name.partition(".")
        return self.spread.share_of(rest if kind == "weights" else rest.partition(".")[2], whole)

    def worked(self) -> float:
        """Return the seconds of work, those before a resume included."""
        return self.seconds + time.monotonic() - self.began

    def finish(self, model: nn.Module) -> Result:
        """Evaluate at the end, write the result, return it; `model` is the caller's, which gets the weights."""
        final, weights = self.metrics(), self.spread.whole(self.spread.own)
        result = Result(
            steps=self.step,
            history=self.history,
            final=final,
            best=self.best.summary(),
            best_weights=self.spread.whole(self.best.weights),
            stopped_early=self.stopped and self.step < self.config.steps,
            seconds=self.worked(),
            timing=self.timing,
        )
        if self.processes.sharded:
            copy_into(weights_of(model.eval()), weights, "", Path("the sharded model"))
        if self.folder is not None:
            summary = {name: getattr(result, name) for name in SUMMARY}
            summary["machine"] = _machine(self.device) | {"processes": self.processes.size}
            summary["machine"] |= {name: getattr(self.config, name) for name in MACHINE}
            self.folder.finish(summary, weights, result.best_weights)
        return result


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
