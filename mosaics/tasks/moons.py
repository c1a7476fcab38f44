"""The three-moons task: predict the next observation, at every step of a sequence.

    loss = mean over sequences, steps and channels of clip(prediction of x_{T+1} - x_{T+1}, -0.5, 0.5)^2

Batch s holds rows s B .. s B + B - 1 of the world's training split: each sequence draws its own periods and its
own start. With `train_size` n the rows are taken modulo n: the same n sequences are read again and again. A world of
length L gives L - 1 predictions a sequence, so the published recipe (800 steps and their 800 successors) has L = 801.
Metrics are taken on the held-out periods, from the same seed (whose mixing is that of the training sequences):

    validation_loss     the loss
    validation_error    mean absolute error of one-step predictions, over all context lengths
    window_error        the same over the contexts that suffice for the slowest moon alone, n .. 3 n / 2 - 1 with
                        n = its period rounded up (published periods: 134 .. 200); left out where n > L - 1

A prediction counts where both x_T and x_{T+1} were seen. A population has one seed a member, and each member the
batches and metrics of its own seed.

Reference: Memory Mosaics, arXiv 2405.06394, section 4; its supplementary code for the recipe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mosaics.base import seed_or_seeds
from mosaics.interface import Metrics
from mosaics.moons_model import MoonsModelConfig
from mosaics.registry import TASKS
from mosaics.training.config import TrainConfig
from mosaics.training.placement import place
from toyworlds.core.validate import integer, real, reject
from toyworlds.three_moons import ThreeMoons, ground_truth

ROWS_AT_ONCE = 64


@TASKS.register("moons", "vectors")
@dataclass(frozen=True)
class MoonsTaskConfig:
    """Predict the next positions of moons (the paper's three-moons task)."""

    world: ThreeMoons = field(default_factory=lambda: ThreeMoons(length=801))
    """The world; its length is one more than the number of predictions a sequence."""
    batch_size: int = 64
    """Sequences in a batch."""
    clip: float | None = 0.5
    """Differences are clipped to this before they are squared (published); none: they are not clipped."""
    evaluation_rows: int = 64
    """Held-out sequences of an evaluation."""
    train_size: int | None = None
    """Training sequences, the first of the split; none: every batch is new."""

    def __post_init__(self) -> None:
        if not isinstance(self.world, ThreeMoons):
            reject("world", "a ThreeMoons", self.world)
        integer("batch_size", self.batch_size, 1)
        if self.clip is not None:
            real("clip", self.clip, above=0.0)
        integer("evaluation_rows", self.evaluation_rows, 1)
        if self.train_size is not None:
            integer("train_size", self.train_size, 1)

    def build(self, seed: int | Sequence[int] = 0) -> MoonsTask:
        """Return the task with the data of `seed`, or of one seed a member."""
        return MoonsTask(self, seed)


class MoonsTask:
    """The task of this file; a batch is a dict of ``observation`` (..., B, L, C) and, with missing data, ``seen``."""

    def __init__(self, config: MoonsTaskConfig, seed: int | Sequence[int] = 0) -> None:
        self.config, self.seed = config, seed_or_seeds(seed)

    def rows(self, split: str, start: int, count: int) -> dict[str, Tensor]:
        """Return rows start .. start + count - 1 of a split of the world."""
        lone = isinstance(self.seed, int)
        parts = [self.config.world.generate(s, split, start, count) for s in self.seeds]
        names = {"observation": "observation"} | ({"mask": "seen"} if "mask" in parts[0] else {})
        arrays = {ours: [part[theirs] for part in parts] for theirs, ours in names.items()}
        return {name: torch.from_numpy(a[0] if lone else np.stack(a)) for name, a in arrays.items()}

    @property
    def seeds(self) -> tuple[int, ...]:
        """Return the seeds, also of a lone task as a tuple."""
        return (self.seed,) if isinstance(self.seed, int) else self.seed

    def batch(self, step: int) -> dict[str, Tensor]:
        """Return the batch of training step `step`."""
        size, known = self.config.batch_size, self.config.train_size
        first = step * size if known is None else step * size % known
        if known is None or first + size <= known:
            return self.rows("train", first, size)
        if known < size:
            again = (first + torch.arange(size)) % known
            return {name: x.index_select(_axis(name), again) for name, x in self.rows("train", 0, known).items()}
        end, beginning = self.rows("train", first, known - first), self.rows("train", 0, first + size - known)
        return {name: torch.cat([end[name], beginning[name]], _axis(name)) for name in end}

    def check(self, model: Any) -> None:
        """Raise an InputError for a model of other coordinates than the world's."""
        expected = self.config.world.channels
        found = getattr(getattr(model, "config", None), "channels", expected)
        if found != expected:
            reject("model", f"one of {expected} channels, the coordinates of the world", found)

    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """Return the clipped mean square, a scalar or one number a member."""
        difference, counted = differences(model, batch)
        square = self.clipped(difference).square()
        if counted is None:
            return square.mean((-3, -2, -1))
        return (square.mean(-1) * counted).sum((-2, -1)) / counted.sum((-2, -1)).clamp(min=1)

    def weight(self, batch: dict[str, Tensor]) -> Tensor:
        """Return the number of predictions that count, of each member."""
        seen = batch.get("seen")
        seen = torch.ones_like(batch["observation"][..., 0], dtype=torch.bool) if seen is None else seen
        return (seen[..., :-1] & seen[..., 1:]).sum((-2, -1))

    def tokens(self, batch: dict[str, Tensor]) -> tuple[int, int]:
        """Return the observations that the model reads, of all members; none is padding."""
        count = batch["observation"][..., 1:, 0].numel()
        return count, count

    def clipped(self, difference: Tensor) -> Tensor:
        """Clip differences to +- `clip`."""
        limit = self.config.clip
        return difference if limit is None else difference.clamp(-limit, limit)

    def evaluate(self, model: nn.Module) -> Metrics:
        """Return the metrics of this file on held-out sequences."""
        difference, counted = self.held_out(model)
        counted = torch.ones_like(difference[..., 0], dtype=torch.bool) if counted is None else counted
        clipped = self.clipped(difference)
        error = difference.abs().mean(-1)
        metrics = {"validation_loss": _mean(clipped.square().mean(-1), counted)}
        metrics["validation_error"] = _mean(error, counted)
        first, last = self.window()
        if first <= self.config.world.length - 1:
            metrics["window_error"] = _mean(error[..., first - 1 : last], counted[..., first - 1 : last])
        return metrics

    def held_out(self, model: nn.Module) -> tuple[Tensor, Tensor | None]:
        """:func:`differences` on the held-out sequences of an evaluation."""
        parts = []
        for start in range(0, self.config.evaluation_rows, ROWS_AT_ONCE):
            count = min(ROWS_AT_ONCE, self.config.evaluation_rows - start)
            parts.append(differences(model, place(self.rows("validation", start, count), model)))
        counted = [c for _, c in parts if c is not None]
        return torch.cat([d for d, _ in parts], dim=-3), torch.cat(counted, dim=-2) if counted else None

    def window(self) -> tuple[int, int]:
        """Return the first and the last context length of `window_error`."""
        world = self.config.world
        first = max(ground_truth(p, world.time_step).separate_context for p in world.held_out_periods)
        return first, first * 3 // 2 - 1


def differences(model: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor | None]:
    """Prediction - truth (..., B, L - 1, C), and where it counts (..., B, L - 1), None for everywhere.

    Entry T is the prediction of x_{T+1} after a context of T + 1 observations; it is 0 where it does not count.
    """
    observation, seen = batch["observation"], batch.get("seen")
    if seen is None:
        return model(observation[..., :-1, :]) - observation[..., 1:, :], None
    counted = seen[..., :-1] & seen[..., 1:]
    difference = model(observation[..., :-1, :], seen[..., :-1]) - observation[..., 1:, :]
    return torch.where(counted[..., None], difference, 0.0), counted


def published_recipe(n_heads: int = 3) -> tuple[MoonsModelConfig, MoonsTaskConfig, TrainConfig]:
    """Return the paper's model (3 heads of width 2, or 1 of width 6), task and training."""
    training = TrainConfig(
        steps=500,
        learning_rate=1e-2,
        final_learning_rate=5e-6,
        schedule="linear",
        betas=(0.9, 0.999),
        bias_correction=False,
    )
    return MoonsModelConfig(n_heads=n_heads, head_width=6 // n_heads), MoonsTaskConfig(), training


def _axis(name: str) -> int:
    """Axis of the sequences in an entry of a batch."""
    return -3 if name == "observation" else -2


def _mean(values: Tensor, counted: Tensor) -> float | list[float]:
    """Mean over sequences and steps of the values that count; a list in a population."""
    mean: float | list[float] = ((values * counted).sum((-2, -1)) / counted.sum((-2, -1))).tolist()
    return mean
