"""The RegBench task: learn, from a text of strings, the language that they come from.

    loss = mean over the batch's labelled rows of -ln p(next symbol)         rows before '|' and padding have no label

Row i is the prediction after token i. An epoch goes once through the first `train_size` problems of the training
split, in the order that a stream keyed by (seed, epoch) gives, `batch_size` at a time; the last batch of an epoch
may be smaller. Bucketed batches hold texts of nearly one length (`mosaics.tasks.batching`). Problems of all splits come
from `data_seed`, so the test set is the same for every seed, and a smaller training set is the beginning of a larger
one.

Metrics, exact, against the automata behind the texts (`regbench.metrics`):

    validation_loss                       the loss on the validation split: the mean over all its labelled rows
    test_loss                             the same on the test split
    test_dfa_accuracy, test_total_variation, test_cross_entropy, test_excess          all rows, as published
    test_dfa_accuracy_before_separator    rows whose next token is not '|', as in the public training log

Reference: Akyurek et al., In-context language learning, arXiv 2401.12973, and its public code; Memory Mosaics, arXiv
2405.06394, sec. 6, for the mosaic on it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from mosaics.interface import Metrics
from mosaics.registry import TASKS
from mosaics.tasks.batching import bucketed, shuffled
from mosaics.tasks.recipe import Recipe, sized
from mosaics.training import TrainConfig
from mosaics.training.placement import place
from regbench.metrics import RowScores, score
from regbench.problems import IGNORED, Problems, load
from regbench.suites import RegBench, RegBenchLaptop
from regbench.vocabulary import PADDING
from toyworlds.core.seeds import Stream
from toyworlds.core.validate import choice, integer, reject

ROWS_AT_ONCE = 100
SPLITS = ("train", "validation", "test")
TEST_METRICS = ("dfa_accuracy", "total_variation", "cross_entropy", "excess")


@TASKS.register("regbench", "tokens")
@dataclass(frozen=True)
class RegBenchTaskConfig:
    """Predict the next symbol of strings of an unknown language (RegBench)."""

    world: RegBench = field(default_factory=RegBench)
    """The family of languages and texts."""
    train_size: int = 5000
    """Training problems; published: 1000, 2500, 5000, 10000, 20000, 40000."""
    validation_size: int = 500
    """Problems that choose the best weights."""
    test_size: int = 500
    """Problems that the test metrics are taken on."""
    data_seed: int = 0
    """Seed of the problems of all splits; the seed of the task orders them in an epoch."""
    batch_size: int = 32
    """Problems in a batch."""
    batching: Literal["shuffled", "bucketed"] = "shuffled"
    """Any problems in a batch (published), or problems of nearly one length, for less padding."""

    def __post_init__(self) -> None:
        if not isinstance(self.world, RegBench):
            reject("world", "a RegBench", self.world)
        for name in ("train_size", "validation_size", "test_size", "batch_size"):
            integer(name, getattr(self, name), 1)
        integer("data_seed", self.data_seed, 0)
        choice("batching", self.batching, ("shuffled", "bucketed"))

    @property
    def vocabulary(self) -> int:
        """Tokens that a model reads: symbols, padding, separator."""
        return self.world.symbols + 2

    @property
    def longest(self) -> int:
        """Most tokens of a text."""
        return self.world.strings[1] * (self.world.lengths[1] + 1) - 1

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch."""
        return math.ceil(self.train_size / self.batch_size)

    def build(self, seed: int = 0) -> RegBenchTask:
        """Return the task whose epochs are ordered by `seed`."""
        return RegBenchTask(self, seed)


class RegBenchTask:
    """The task of this file; a batch is a dict of ``tokens`` and ``labels`` (B, T) int64, labels -1 where none."""

    def __init__(self, config: RegBenchTaskConfig, seed: int = 0) -> None:
        self.config, self.seed = config, integer("seed", seed, 0)
        self._order = lru_cache(maxsize=1)(self.order)

    def problems(self, split: str) -> Problems:
        """Return the problems of "train", "validation" or "test"."""
        count = getattr(self.config, f"{choice('split', split, SPLITS)}_size")
        return _loaded(self.config.world, split, count, self.config.data_seed)

    @cached_property
    def training_set(self) -> Problems:
        """The problems of an epoch."""
        return self.problems("train")

    def order(self, epoch: int) -> np.ndarray:
        """Return the order of the problems in an epoch, (train_size,) int64."""
        words = Stream(self.seed, "regbench_task", "epoch", epoch).words(0, self.config.train_size)
        if self.config.batching == "shuffled":
            return shuffled(words)
        return bucketed(self.training_set.lengths, self.config.batch_size, words)

    def batch(self, step: int) -> dict[str, Tensor]:
        """Return the batch of training step `step`, padded to its longest text."""
        epoch, place_in_epoch = divmod(step, self.config.steps_per_epoch)
        first = place_in_epoch * self.config.batch_size
        rows = self._order(epoch)[first : first + self.config.batch_size]
        length = int(self.training_set.lengths[rows].max())
        last = max(length - 1, 1)
        tokens, labels = self.training_set.tokens[rows, :last], self.training_set.labels[rows, :last]
        return {"tokens": torch.from_numpy(tokens).long(), "labels": torch.from_numpy(labels).long()}

    def check(self, model: Any) -> None:
        """Raise an InputError for a model of another number of tokens."""
        expected = self.config.vocabulary
        found = getattr(getattr(model, "config", None), "vocabulary", expected)
        if found != expected:
            reject("model", f"one with a vocabulary of {expected}, the symbols and two signs", found)

    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """Return the mean cross-entropy of the labelled rows."""
        logits = model(batch["tokens"])
        return functional.cross_entropy(logits.flatten(0, 1), batch["labels"].flatten(), ignore_index=IGNORED)

    def weight(self, batch: dict[str, Tensor]) -> Tensor:
        """Return the number of labelled rows, which the loss is the mean over."""
        return (batch["labels"] != IGNORED).sum()

    def tokens(self, batch: dict[str, Tensor]) -> tuple[int, int]:
        """Return the tokens of a batch without and with padding."""
        padding = batch["tokens"] == PADDING
        return padding.numel() - int(padding.sum()), padding.numel()

    def evaluate(self, model: nn.Module) -> Metrics:
        """Return the metrics of this file."""
        validation = scores(model, self.problems("validation"))
        metrics: Metrics = {"validation_loss": validation.mean("labelled")["label_loss"]}
        return metrics | self.test(model)

    def test(self, model: nn.Module) -> dict[str, float]:
        """Return the metrics on the test set alone."""
        scored = scores(model, self.problems("test"))
        everywhere = scored.mean()
        metrics = {f"test_{name}": everywhere[name] for name in TEST_METRICS}
        metrics["test_dfa_accuracy_before_separator"] = scored.mean("before_separator")["dfa_accuracy"]
        return metrics | {"test_loss": scored.mean("labelled")["label_loss"]}


@lru_cache(maxsize=6)
def _loaded(world: RegBench, split: str, count: int, seed: int) -> Problems:
    return load(world, split, 0, count, seed=seed)


@torch.no_grad()
def predict(model: nn.Module, tokens: np.ndarray) -> np.ndarray:
    """Logits (n, T, V) float64 of a model at every row of padded texts (n, T)."""
    parts = [
        model(**place({"inputs": torch.from_numpy(tokens[first : first + ROWS_AT_ONCE]).long()}, model))
        for first in range(0, len(tokens), ROWS_AT_ONCE)
    ]
    return torch.cat(parts).double().cpu().numpy()


def scores(model: nn.Module, problems: Problems) -> RowScores:
    """Metrics of every row of a model's predictions."""
    return score(predict(model, problems.tokens), problems, kind="logits")


def published_recipe(
    model: str = "mosaic", task: RegBenchTaskConfig | None = None, *, epochs: int = 200, learning_rate: float = 5e-4
) -> Recipe:
    """Return the published recipe: 2 blocks, 8 heads, width 128, any other model of the mosaic's parameter count.

    Cosine with 10 % warm-up to a tenth of the rate (published: 5e-4 or 2.5e-4), weight decay 0.1, gradients clipped
    at 1 and dropout 0.05 as in the mosaic's configuration. The two decay rates of AdamW are not published; they are
    torch's defaults. Validation once an epoch, the best weights kept.
    """
    task = task or RegBenchTaskConfig()
    steps = integer("epochs", epochs, 1) * task.steps_per_epoch
    dropouts = ("contextual_dropout", "persistent_dropout", "output_dropout", "dropout")
    options = {"n_layers": 2, "n_heads": 8, "width": 128} | dict.fromkeys(dropouts, 0.05)
    training = _training(steps, learning_rate, warmup_steps=steps // 10, evaluate_every=task.steps_per_epoch)
    return Recipe(sized(model, task, options), task, training)


def laptop_recipe(model: str = "mosaic", *, steps: int = 2000) -> Recipe:
    """Return a recipe for two cores and a minute or two: the small family, 2 blocks, 4 heads, width 64.

    The rate is low and the warm-up long (a quarter of the updates) for the transformers' sake: at 2e-3 and more, or
    with a shorter warm-up, some stayed to the end where they predict from the last symbol alone. docs/tracing.md says
    what the recipe reaches.
    """
    task = RegBenchTaskConfig(RegBenchLaptop(), train_size=10_000)
    options = {"n_layers": 2, "n_heads": 4, "width": 64}
    training = _training(steps, 1e-3, warmup_steps=steps // 4, betas=(0.9, 0.95), evaluate_every=250)
    return Recipe(sized(model, task, options), task, training)


def _training(steps: int, learning_rate: float, **options: Any) -> TrainConfig:
    return TrainConfig(
        steps=steps,
        learning_rate=learning_rate,
        final_learning_rate=learning_rate / 10,
        schedule="cosine",
        weight_decay=0.1,
        clip_norm=1.0,
        **options,
    )
