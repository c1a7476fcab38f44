"""The language task: predict the next token of a text from the tokens before it.

    row        e t_1 .. t_n          e the end-of-text token, t_n = e the document's own end
    loss       mean over the batch's tokens of -ln p(t_i | e t_1 .. t_{i-1})

Packing "stories": a row is one document, or a window of `context` tokens of it, so no memory sees another story; each
epoch goes once through all windows, in an order keyed by (seed, epoch), windows of like length side by side, so that
little is padding (`padding` says how much). A later window begins with the last token of the one before it.
Packing "packed": the same windows, as many as fit, behind each other in rows of `context` places, which the model takes
apart again (`segments`, for models that take them): no memory sees another story either. Every batch has one shape,
`batch_size` x `context`, the last of an epoch with empty rows. Which windows share a row is drawn anew in each epoch
(`mosaics.tasks.batching`).
Packing "stream", the public code's: windows of `context` tokens from anywhere in the stream of all documents, whatever
ends or begins within, starts drawn with replacement from (seed, step).

Metrics, on whole validation documents, in windows of `context`, the same for all packings:

    validation_loss             nats a token, the mean over all tokens, ends of documents included
    validation_bits_per_byte    the same sum in bits over the bytes of the texts and one byte for each end: comparable
                                across tokenizers
    training_loss               nats a token on `training_documents` training documents, where asked for

Reference: Zhang et al., Memory Mosaics, arXiv 2405.06394, sec. 6, and its public code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from mosaics.interface import Metrics, check_takes_segments
from mosaics.registry import TASKS
from mosaics.tasks.batching import Packed, Packer, shuffled, sorted_in_pools
from mosaics.tasks.recipe import Recipe, sized
from mosaics.text.rows import IGNORED, bits_per_byte, read, read_packed, token_losses, windows
from mosaics.text.stream import TextData, open_text
from mosaics.training import TrainConfig
from toyworlds.core.seeds import Stream, below
from toyworlds.core.validate import DataError, choice, integer, reject

__all__ = [
    "RECIPES",
    "LanguageTask",
    "LanguageTaskConfig",
    "bits_per_byte",
    "language_task",
    "laptop_recipe",
    "published_recipe",
    "quick_recipe",
    "read",
    "token_losses",
    "windows",
]
POOL = 32
"""Batches whose rows are sorted by length together."""
PACKINGS = ("stories", "packed", "stream")
RATE = 3e-3
RATES = {"mosaic": 1.2e-2, "mosaic_v2": 1.2e-2}
"""Learning rates of short trainings: the shared matrix of a mosaic starts small and its logits are divided by sqrt(d),
so it needs larger steps than a transformer (docs/language.md)."""


@TASKS.register("language", "tokens")
@dataclass(frozen=True)
class LanguageTaskConfig:
    """Predict the next token of a text."""

    data: str = ""
    """Folder of token streams (`mosaicbench prepare-text`)."""
    fingerprint: str = ""
    """SHA-256 of what the folder must hold; empty: not checked."""
    vocabulary: int = 0
    """Tokens that the folder's tokenizer knows; 0: not checked."""
    context: int = 512
    """Most tokens of a row."""
    batch_size: int = 512
    """Rows in a batch."""
    packing: Literal["stories", "packed", "stream"] = "stories"
    """A row is one story or a window of it; several of them, kept apart; or a window of the plain stream of all."""
    validation_documents: int = 0
    """Validation documents, the first ones; 0 for all."""
    training_documents: int = 0
    """Training documents, the first ones, that `training_loss` is taken on; 0: it is not taken."""

    def __post_init__(self) -> None:
        if not self.data:
            reject("data", "the folder of a token stream", self.data, "mosaicbench prepare-text makes one")
        for name in ("context", "batch_size"):
            integer(name, getattr(self, name), 1)
        for name in ("vocabulary", "validation_documents", "training_documents"):
            integer(name, getattr(self, name), 0)
        choice("packing", self.packing, PACKINGS)

    @property
    def longest(self) -> int:
        """Most tokens of a row."""
        return self.context

    @property
    def movable(self) -> tuple[str, ...]:
        """The folder may have moved where its fingerprint says that it is the same."""
        return ("data",) if self.fingerprint else ()

    def build(self, seed: int = 0) -> LanguageTask:
        """Return the task whose batches are drawn from `seed`."""
        return LanguageTask(self, seed)


def language_task(data: str | Path, **options: Any) -> LanguageTaskConfig:
    """Return the task on a folder of token streams, which must not change from then on."""
    text = open_text(data)
    known: dict[str, Any] = {"fingerprint": text.fingerprint, "vocabulary": text.vocabulary}
    return LanguageTaskConfig(str(data), **(known | options))


class LanguageTask:
    """The task of this file; a batch is a dict of ``tokens`` and ``labels`` (B, T) int64, labels -1 where none.

    Packed rows have ``segments`` (B, T) int64 as well (`mosaics.text.rows.read_packed`).
    """

    def __init__(self, config: LanguageTaskConfig, seed: int = 0) -> None:
        self.config, self.seed = config, integer("seed", seed, 0)
        self.data: TextData = open_text(config.data)
        for name in ("fingerprint", "vocabulary"):
            expected, found = getattr(config, name), getattr(self.data, name)
            if expected and expected != found:
                raise DataError(f"{config.data}: not the text of this task; {name}: expected {expected}; got {found}")
        self.training_set = self.data.tokens("train")
        self.rows = windows(self.training_set, config.context)
        if config.packing == "stream" and len(self.training_set.values) <= config.context:
            reject("context", f"less than the {len(self.training_set.values)} tokens of the text", config.context)
        self._order = lru_cache(maxsize=1)(self.order)
        self._packed = lru_cache(maxsize=1)(self.packed)

    @cached_property
    def packer(self) -> Packer:
        """What packs the windows into rows."""
        return Packer(self.rows.length, self.config.context)

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch; of the plain stream as many as hold all its tokens."""
        if self.config.packing == "stream":
            return math.ceil(len(self.training_set.values) / (self.config.context * self.config.batch_size))
        rows = self.packer.rows if self.config.packing == "packed" else len(self.rows.length)
        return math.ceil(rows / self.config.batch_size)

    def order(self, epoch: int) -> list[np.ndarray]:
        """Return the rows of each batch of an epoch of stories."""
        size, stream = self.config.batch_size, Stream(self.seed, "language_task", "epoch", epoch)
        rows = sorted_in_pools(shuffled(stream.words(0, len(self.rows.length))), self.rows.length, POOL * size)
        batches = [rows[first : first + size] for first in range(0, len(rows), size)]
        return [batches[number] for number in shuffled(stream.words(len(rows), len(batches)))]

    def packed(self, epoch: int) -> Packed:
        """Return which windows share the rows of an epoch."""
        words = Stream(self.seed, "language_task", "packed", epoch).words(0, len(self.rows.length) + self.packer.rows)
        return self.packer.pack(words)

    def batch(self, step: int) -> dict[str, Tensor]:
        """Return the batch of training step `step`."""
        if self.config.packing == "stream":
            return self.crops(step)
        epoch, place_in_epoch = divmod(step, self.steps_per_epoch)
        if self.config.packing == "stories":
            return read(self.training_set, self.rows.take(self._order(epoch)[place_in_epoch]), self.data.end)
        size = self.config.batch_size
        own = self._packed(epoch).take(place_in_epoch * size, (place_in_epoch + 1) * size)
        where: dict[str, Any] = {"row": own.row, "place": own.start, "shape": (size, self.config.context)}
        return read_packed(self.training_set, self.rows.take(own.sequence), self.data.end, **where)

    def crops(self, step: int) -> dict[str, Tensor]:
        """Return windows from anywhere in the stream."""
        values, width, size = self.training_set.values, self.config.context, self.config.batch_size
        words = Stream(self.seed, "language_task", "crops").words(step * size, size)
        starts = below(words, len(values) - width)
        found = np.stack([values[start : start + width + 1] for start in starts]).astype(np.int64)
        return {"tokens": torch.from_numpy(found[:, :-1]), "labels": torch.from_numpy(found[:, 1:])}

    def padding(self, epoch: int = 0) -> float:
        """Return the share of an epoch's places that are padding."""
        if self.config.packing == "stream":
            return 0.0
        places = self.steps_per_epoch * self.config.batch_size * self.config.context
        if self.config.packing == "stories":
            places = sum(len(rows) * int(self.rows.length[rows].max()) for rows in self._order(epoch))
        return 1.0 - int(self.rows.length.sum()) / places

    def check(self, model: nn.Module) -> None:
        """Raise an InputError for a model that cannot be trained on packed rows."""
        if self.config.packing == "packed":
            check_takes_segments(model)

    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """Return the mean cross-entropy of the batch's tokens."""
        self.check(model)
        given = {"segments": batch["segments"]} if "segments" in batch else {}
        logits = model(batch["tokens"], **given)
        return functional.cross_entropy(logits.flatten(0, 1), batch["labels"].flatten(), ignore_index=IGNORED)

    def weight(self, batch: dict[str, Tensor]) -> Tensor:
        """Return the number of labelled tokens, which the loss is the mean over."""
        return (batch["labels"] != IGNORED).sum()

    def tokens(self, batch: dict[str, Tensor]) -> tuple[int, int]:
        """Return the tokens of a batch without and with padding: every token that is no padding has a label."""
        return int(self.weight(batch)), batch["labels"].numel()

    def evaluate(self, model: nn.Module) -> Metrics:
        """Return the metrics of this file."""
        config = self.config
        tokens = self.data.tokens("validation").first(config.validation_documents)
        nats = token_losses(model, tokens, self.data.end, config.context)
        metrics: Metrics = {"validation_loss": float(nats.mean())}
        metrics["validation_bits_per_byte"] = bits_per_byte(nats, tokens)
        if config.training_documents:
            tokens = self.training_set.first(config.training_documents)
            metrics["training_loss"] = float(token_losses(model, tokens, self.data.end, config.context).mean())
        return metrics


def published_recipe(
    model: str = "mosaic", data: str | Path = "", *, n_layers: int = 12, steps: int = 80_000
) -> Recipe:
    """Return the published recipe: 12 blocks, 12 heads, width 768; any other model of the mosaic's parameter count.

    512 x 512 tokens a step of the plain stream, 80,000 steps, 5e-3 to 1e-4, 2,000 steps of warm-up, dropout 0.05.
    """
    task = language_task(data, packing="stream", validation_documents=2000)
    dropouts = ("contextual_dropout", "persistent_dropout", "output_dropout", "dropout")
    options = {"n_layers": n_layers, "n_heads": 12, "width": 768} | dict.fromkeys(dropouts, 0.05)
    warmup = min(2000, steps // 10)
    training = _training(steps, 5e-3, 1e-4, warmup_steps=warmup, evaluate_every=1000)
    return Recipe(sized(model, task, options, positions_counted=False), task, training)


def laptop_recipe(model: str = "mosaic", data: str | Path = "", *, n_layers: int = 2, steps: int = 2000) -> Recipe:
    """Return a recipe for a core and some minutes: width 128, 4 heads, 16 stories of at most 512 tokens a step."""
    task = language_task(data, batch_size=16, validation_documents=250)
    options = {"n_layers": n_layers, "n_heads": 4, "width": 128}
    rate = RATES.get(model, RATE)
    training = _training(steps, rate, rate / 10, warmup_steps=steps // 10, evaluate_every=max(steps // 10, 1))
    return Recipe(sized(model, task, options, positions_counted=False), task, training)


def quick_recipe(model: str = "mosaic", data: str | Path = "", *, n_layers: int = 1, steps: int = 300) -> Recipe:
    """Return a recipe for a core and a minute or two: width 64, 4 heads, 16 stories of at most 256 tokens a step."""
    task = language_task(data, context=256, batch_size=16, validation_documents=100)
    options = {"n_layers": n_layers, "n_heads": 4, "width": 64}
    rate = RATES.get(model, RATE)
    training = _training(steps, rate, rate / 10, warmup_steps=steps // 10, evaluate_every=max(steps // 4, 1))
    return Recipe(sized(model, task, options, positions_counted=False), task, training)


RECIPES = {"published": published_recipe, "laptop": laptop_recipe, "quick": quick_recipe}
"""Recipes by name; each takes a model's name, a data folder, a depth and a number of steps."""


def _training(steps: int, learning_rate: float, final: float, **options: Any) -> TrainConfig:
    return TrainConfig(
        steps=steps,
        learning_rate=learning_rate,
        final_learning_rate=final,
        schedule="cosine",
        betas=(0.9, 0.95),
        weight_decay=0.1,
        clip_norm=1.0,
        **options,
    )
