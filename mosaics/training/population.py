"""Populations: many independent models of one kind, seeds and learning rates, trained as one batched model.

    member s of a population = the lone model of seed s, trained on the batches of seed s with the learning rate of s

Every parameter of a population has a leading axis of members. Losses, gradient norms, clipping, AdamW, the metrics
and the best weights are taken member by member, so a member ends where its lone run does, to rounding: with dropout
too, which is drawn from (config.seed, step) for a lone run and for all members alike.

A model config whose ``build(seeds)`` makes a population of its own (MoonsModelConfig) is used as it is, with its task;
any other is stacked (`mosaics.stacked`), its task being one lone task a member. Where members' batches differ in
length, as RegBench's do, they are padded to the longest with zeros, labels with -1.

Errors: InputError for a model that torch.vmap cannot batch, for dropout with batches that have to be padded (a mask of
another shape is another mask), for torch.compile of a stacked model.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from mosaics.interface import Metrics
from mosaics.moons_model import MoonsModelConfig
from mosaics.stacked import StackedModel, lone_names
from mosaics.training.checkpoint import weights_of
from mosaics.training.config import TrainConfig
from mosaics.training.loop import Observe, Result, train
from toyworlds.core.validate import integer, real, reject

IGNORED = -1
"""Padding of the tensor "labels" of a batch; all others are padded with zeros."""


@dataclass(frozen=True)
class Trained:
    """A lone model out of a population, with its own result."""

    seed: int
    model: nn.Module
    result: Result
    learning_rate: float


@dataclass(frozen=True)
class MembersConfig(TrainConfig):
    """How to train a population whose members have a learning rate each."""

    rates: tuple[float, ...] = ()
    """Learning rate of each member, in place of `learning_rate`."""

    def learning_rate_at(self, step: int) -> list[float]:  # type: ignore[override]  # one a member
        """Return the learning rate of each member at update `step`."""
        return [_lone(self, rate).learning_rate_at(step) for rate in self.rates]


def train_population(
    model: Any,
    task: Any,
    config: TrainConfig,
    seeds: Sequence[int],
    out: str | Path | None = None,
    *,
    learning_rates: Sequence[float] | None = None,
    members: int = 8,
    progress: bool | None = None,
    observe: Observe | None = None,
) -> list[Trained]:
    """Train one model a seed and a learning rate, `members` at once; return them seed by seed, rate by rate.

    `model` and `task` are configs; start and data of a member come from its seed. `learning_rates` None is that of
    `config` alone. With `out`, each population keeps a run folder ``out/seeds-FIRST-LAST`` (see
    :func:`mosaics.training.train`), numbered too where there are several learning rates.
    """
    seeds = [integer("seeds", seed, 0) for seed in seeds]
    if not seeds or len(set(seeds)) < len(seeds):
        reject("seeds", "different numbers, at least one", seeds)
    if learning_rates is not None and not len(learning_rates):
        reject("learning_rates", "at least one number, or None for that of config", learning_rates)
    rates = (
        [config.learning_rate] if learning_rates is None else [real("learning_rates", r, 0.0) for r in learning_rates]
    )
    pairs = [(seed, rate) for seed in seeds for rate in rates]
    trained = []
    for start in range(0, len(pairs), integer("members", members, 1)):
        some = pairs[start : start + members]
        folder = None
        if out is not None:
            number = f"-{start}" if learning_rates is not None else ""
            folder = Path(out) / f"seeds-{some[0][0]}-{some[-1][0]}{number}"
        population, tasks = built(model, task, [seed for seed, _ in some], config)
        how = config
        if learning_rates is not None:
            how = MembersConfig(**_fields(config), rates=tuple(rate for _, rate in some))
        result = train(population, tasks, how, folder, progress=progress, observe=observe)
        trained += [
            Trained(seed, member(population, i), split(result, i, stacked=isinstance(population, StackedModel)), rate)
            for i, (seed, rate) in enumerate(some)
        ]
    return trained


def built(model: Any, task: Any, seeds: Sequence[int], config: TrainConfig) -> tuple[nn.Module, Any]:
    """Build the population of `seeds` and its task."""
    if isinstance(model, MoonsModelConfig):
        return model.build(tuple(seeds)), task.build(tuple(seeds))
    if config.compile != "none":
        reject("compile", "none for a population of stacked models", config.compile)
    return StackedModel(model, seeds), StackedTask(task, seeds, dropout=_dropout(model))


class StackedTask:
    """One lone task a member, its batches and losses stacked; with `dropout` batches must not be padded."""

    def __init__(self, config: Any, seeds: Sequence[int], *, dropout: bool = False) -> None:
        self.config, self.seed, self.dropout = config, tuple(seeds), dropout
        self.tasks = [config.build(seed) for seed in self.seed]

    def batch(self, step: int) -> dict[str, Tensor]:
        """Return the batches of training step `step`, (members, ...)."""
        batches = [task.batch(step) for task in self.tasks]
        return {name: self._stacked(name, [batch[name] for batch in batches]) for name in batches[0]}

    def loss(self, model: StackedModel, batch: dict[str, Tensor]) -> Tensor:
        """Return the loss of each member, (members,)."""
        losses: Tensor = model.each(self.tasks[0].loss, batch)
        return losses

    def evaluate(self, model: StackedModel) -> Metrics:
        """Return the metrics of each member's own task, lists."""
        each = [model.of(i, task.evaluate_in) for i, task in enumerate(map(_Evaluated, self.tasks))]
        return {name: [metrics[name] for metrics in each] for name in each[0]}

    @property
    def check(self) -> Any:
        """Check of one member for all; an AttributeError where the task has none."""
        check = self.tasks[0].check
        return lambda model: check(model.like)

    @property
    def weight(self) -> Any:
        """Terms that the loss of each member is a mean of; an AttributeError where the task does not tell."""
        count = self.tasks[0].weight
        return lambda batch: torch.stack([torch.as_tensor(count(own), dtype=torch.float64) for own in _each(batch)])

    @property
    def tokens(self) -> Any:
        """Tokens of all members, without and with padding; an AttributeError where the task does not tell."""
        count = self.tasks[0].tokens
        return lambda batch: tuple(sum(parts) for parts in zip(*(count(own) for own in _each(batch)), strict=True))

    def _stacked(self, name: str, parts: list[Tensor]) -> Tensor:
        """Stack one tensor of all members, its second axis, time, padded to the longest."""
        lengths = [part.shape[1] if part.dim() > 1 else 0 for part in parts]
        if len(set(lengths)) > 1:
            if self.dropout:
                reject(
                    "dropout", "0 where the batches of members differ in length and are padded", sorted(set(lengths))
                )
            value = IGNORED if name == "labels" else 0
            parts = [_padded(part, max(lengths), value) for part in parts]
        shapes = {tuple(part.shape) for part in parts}
        if len(shapes) > 1:
            reject("batch", f"tensors {name} of one shape but for their length", sorted(shapes))
        return torch.stack(parts)


@dataclass(frozen=True)
class _Evaluated:
    """A task's `evaluate` as a function of the model alone."""

    task: Any

    def evaluate_in(self, model: nn.Module) -> Metrics:
        return cast(Metrics, self.task.evaluate(model))


@torch.no_grad()
def member(population: nn.Module, index: int) -> nn.Module:
    """Return member `index` of a population as a lone model with its own weights."""
    if isinstance(population, StackedModel):
        return population.member(index)
    whole = cast(Any, population)
    lone = whole.config.build(whole.seed[index])
    like = next(population.parameters())
    lone.to(like.device, like.dtype).train(population.training)
    own = weights_of(lone)
    for name, weight in weights_of(population).items():
        own[name].copy_(weight[index])
    return cast(nn.Module, lone)


def split(result: Result, index: int, *, stacked: bool = False) -> Result:
    """Return the part of a population's result that belongs to member `index`; `stacked`: of a StackedModel."""
    weights = lone_names(result.best_weights) if stacked else result.best_weights
    return replace(
        result,
        history=[_part(record, index) for record in result.history],
        final=_part(result.final, index),
        best=None if result.best is None else _part(result.best, index),
        best_weights={name: item[index] for name, item in weights.items()},
    )


def _part(record: dict[str, Any], index: int) -> dict[str, Any]:
    return {name: value[index] if isinstance(value, list) else copy.copy(value) for name, value in record.items()}


def _each(batch: dict[str, Tensor]) -> list[dict[str, Tensor]]:
    """Batches of the members."""
    members = len(next(iter(batch.values())))
    return [{name: tensor[i] for name, tensor in batch.items()} for i in range(members)]


def _padded(part: Tensor, length: int, value: int) -> Tensor:
    """Pad the second axis to `length`."""
    return functional.pad(part, [0, 0] * (part.dim() - 2) + [0, length - part.shape[1]], value=value)


def _dropout(model: Any) -> bool:
    """Tell whether a model's config asks for dropout."""
    return any(getattr(model, field.name) for field in dataclasses.fields(model) if "dropout" in field.name)


def _fields(config: TrainConfig) -> dict[str, Any]:
    return {field.name: getattr(config, field.name) for field in dataclasses.fields(TrainConfig)}


def _lone(config: TrainConfig, rate: float) -> TrainConfig:
    """The config of a lone run with the learning rate `rate`."""
    return TrainConfig(**(_fields(config) | {"learning_rate": rate}))
