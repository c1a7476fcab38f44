"""Populations: many independent models of one kind trained as one batched model.

    member s of a population = the lone model of seed s, trained on the batches of seed s

Every parameter of a population has a leading axis of members. Losses, gradient norms, clipping, AdamW, the metrics
and the best weights are taken member by member, so a member ends where its lone run does, to rounding.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from mosaics.training.checkpoint import weights_of
from mosaics.training.config import TrainConfig
from mosaics.training.loop import Observe, Result, train
from toyworlds.core.validate import integer, reject


@dataclass(frozen=True)
class Trained:
    """A lone model out of a population, with its own result."""

    seed: int
    model: nn.Module
    result: Result


def train_population(
    model: Any,
    task: Any,
    config: TrainConfig,
    seeds: Sequence[int],
    out: str | Path | None = None,
    *,
    members: int = 8,
    progress: bool | None = None,
    observe: Observe | None = None,
) -> list[Trained]:
    """Train one model a seed, `members` at once, and return them in the order of `seeds`.

    `model` and `task` are configs whose ``build(seeds)`` makes a population, such as MoonsModelConfig and
    MoonsTaskConfig; start and data of member s come from seeds[s]. With `out`, each population keeps a run
    folder ``out/seeds-FIRST-LAST`` (see :func:`mosaics.training.train`).
    """
    seeds = [integer("seeds", seed, 0) for seed in seeds]
    if len(set(seeds)) < len(seeds):
        reject("seeds", "different numbers", seeds)
    trained = []
    for start in range(0, len(seeds), integer("members", members, 1)):
        some = tuple(seeds[start : start + members])
        population = model.build(some)
        folder = Path(out) / f"seeds-{some[0]}-{some[-1]}" if out is not None else None
        result = train(population, task.build(some), config, folder, progress=progress, observe=observe)
        trained += [Trained(s, member(population, i), split(result, i)) for i, s in enumerate(some)]
    return trained


@torch.no_grad()
def member(population: nn.Module, index: int) -> nn.Module:
    """Return member `index` of a population as a lone model with its own weights."""
    whole = cast(Any, population)
    lone = whole.config.build(whole.seed[index])
    like = next(population.parameters())
    lone.to(like.device, like.dtype).train(population.training)
    own = weights_of(lone)
    for name, weight in weights_of(population).items():
        own[name].copy_(weight[index])
    return cast(nn.Module, lone)


def split(result: Result, index: int) -> Result:
    """Return the part of a population's result that belongs to member `index`."""
    return replace(
        result,
        history=[_part(record, index) for record in result.history],
        final=_part(result.final, index),
        best=None if result.best is None else _part(result.best, index),
        best_weights={name: item[index] for name, item in result.best_weights.items()},
    )


def _part(record: dict[str, Any], index: int) -> dict[str, Any]:
    return {name: value[index] if isinstance(value, list) else copy.copy(value) for name, value in record.items()}
