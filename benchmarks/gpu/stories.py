"""A mosaic and a transformer of GPT-2's small shape on the story world, whose stories never repeat.

    tokens      byte pairs of stories of the training split, made by all cores before anything is trained
    batch       `rows` windows of `context` tokens, one behind the other in the stream; no token is read twice
    steps       as many for both models as the time that is left allows, after a few have been timed

Both are trained by `mosaics.training.train` (bfloat16, compiled, fused AdamW, batches made ahead), with rates that were
not tuned at this size. Validation loss is that of whole stories of heroes who are in no training story, in nats a
token; prompts of the three kinds are asked at the end. It takes several minutes, is run by its name alone
(`--sections stories`), and needs pandas, SciPy, tokenizers and safetensors besides.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.gpu.measure import Context, error_of, tidy
from benchmarks.gpu.steps import GPT2
from mosaics.baselines.transformer import TransformerConfig
from mosaics.interface import Metrics
from mosaics.mosaic import MemoryMosaicConfig
from mosaics.tasks.story_answers import story_tokenizer
from mosaics.text.corpus import StoryCorpus
from mosaics.text.rows import token_losses
from mosaics.text.stream import Tokens, tokens_of
from mosaics.text.tokenizer import BytePair
from mosaics.training import TrainConfig, train

MAKING, ASKING = 0.08, 0.2
"""Shares of the section's time: for making tokens; for asking prompts, and for compiling models once more."""
RATES = {"mosaic": 3e-3, "transformer": 1e-3}
PROBED = 12
"""Updates that a model is timed on, the first half left out."""


@dataclass(frozen=True)
class Size:
    """Sizes of the section."""

    vocabulary: int = 4096
    tokenizer_stories: int = 6000
    stories_at_once: int = 2000
    rows: int = 16
    context: int = 1024
    validation: int = 200
    prompts: int = 30
    most_steps: int = 20_000
    evaluations: int = 10


TINY = Size(400, 20, 40, 2, 1500, 2, 1, 2, 1)


class StoryStream:
    """The task: predict each token of windows that follow each other in a stream of stories."""

    def __init__(self, values: np.ndarray, tokenizer: BytePair, size: Size) -> None:
        self.values, self.tokenizer, self.config, self.seed = values, tokenizer, size, 0
        self.validation: Tokens = tokens_of(StoryCorpus(size.validation, "validation", 1), tokenizer)

    @property
    def steps(self) -> int:
        """Batches that the stream has."""
        return (len(self.values) - 1) // (self.config.rows * self.config.context)

    def batch(self, step: int) -> dict[str, Tensor]:
        """Return batch `step` of the stream."""
        shape = (self.config.rows, self.config.context)
        first = step * shape[0] * shape[1]
        window = torch.from_numpy(self.values[first : first + shape[0] * shape[1] + 1].astype(np.int64))
        return {"tokens": window[:-1].view(shape), "labels": window[1:].view(shape)}

    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """Return the mean loss of the batch's tokens."""
        return functional.cross_entropy(model(batch["tokens"]).flatten(0, 1).float(), batch["labels"].flatten())

    def tokens(self, batch: dict[str, Tensor]) -> tuple[int, int]:
        """Return the tokens of a batch, of which none is padding."""
        return batch["tokens"].numel(), batch["tokens"].numel()

    def evaluate(self, model: nn.Module) -> Metrics:
        """Return the loss of whole validation stories."""
        losses = token_losses(model, self.validation, self.tokenizer.end, self.config.context)
        return {"validation_loss": float(losses.mean())}


def rows(context: Context) -> Iterator[dict[str, Any]]:
    """One row on the tokens, then one a model."""
    size, whole = TINY if context.tiny else Size(), context.left
    tokenizer = story_tokenizer(size.tokenizer_stories, size.vocabulary)
    begin = time.monotonic()
    values, stories = made(tokenizer, size, 0.0 if context.tiny else MAKING * whole)
    seconds = time.monotonic() - begin
    yield {"what": "tokens", "tokens": len(values), "stories": stories, "seconds": seconds, "size": asdict(size)}
    task = StoryStream(values, tokenizer, size)
    shape = {"n_layers": 1, "n_heads": 2, "width": 8} if context.tiny else GPT2
    options = shape | {"vocabulary": size.vocabulary}
    configs: dict[str, Any] = {
        "mosaic": MemoryMosaicConfig(**options),
        "transformer": TransformerConfig(**options, context=size.context),
    }
    known: dict[str, float] = {}
    for name, config in configs.items():
        if context.left < 0:
            return
        try:
            known[name] = probed(context, config, task, RATES[name])
        except Exception as error:  # whatever a training raises is its result
            yield {"what": name, "error": error_of(error)}
        tidy(context)
    room = (context.left - ASKING * whole) / max(sum(known.values()), 1e-9)
    steps = max(int(min(size.most_steps, task.steps, size.most_steps if context.tiny else room)), 1)
    for name, probe in known.items():
        if context.left < 0:
            return
        try:
            yield trained(context, name, configs[name], task, steps) | {"probed_step_seconds": probe}
        except Exception as error:  # whatever a training raises is its result
            yield {"what": name, "error": error_of(error)}
        tidy(context)


def made(tokenizer: BytePair, size: Size, seconds: float) -> tuple[np.ndarray, int]:
    """Tokens of stories 0, 1, .. as uint16, and how many stories; no new ones are begun after so many seconds."""
    workers = os.cpu_count() or 1
    end, parts, begun = time.monotonic() + seconds, list[np.ndarray](), 0
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        while not parts or time.monotonic() < end:
            starts = [begun + number * size.stories_at_once for number in range(workers)]
            parts += pool.map(encoded, [tokenizer] * workers, starts, [size.stories_at_once] * workers)
            begun += workers * size.stories_at_once
    return np.concatenate(parts), begun


def encoded(tokenizer: BytePair, start: int, count: int) -> np.ndarray:
    """Tokens of stories start .. start + count - 1, as uint16."""
    return tokens_of(StoryCorpus(count, seed=1, start=start), tokenizer).values.astype(np.uint16)


def training(context: Context, steps: int, rate: float, **options: Any) -> TrainConfig:
    """Return how a model is trained for so many steps."""
    return TrainConfig(
        steps=steps, learning_rate=rate, final_learning_rate=rate / 10, schedule="cosine", warmup_steps=steps // 20,
        betas=(0.9, 0.95), weight_decay=0.1, clip_norm=1.0, dtype="bfloat16", device=context.device.type,
        compile="none" if context.tiny else "model", **options,
    )  # fmt: skip


def probed(context: Context, config: Any, task: StoryStream, rate: float) -> float:
    """Seconds of an update of a compiled model."""
    found = train(config.build(0), task, training(context, PROBED, rate), progress=False)
    return float(np.median([1.0 / line["steps_per_second"] for line in found.timing[PROBED // 2 :]]))


def trained(context: Context, name: str, config: Any, task: StoryStream, steps: int) -> dict[str, Any]:
    """Train a model and ask it; its row."""
    from analysis.story_prompts import answered, prompt_scores, story_prompts
    from toyworlds.stories.world import Stories

    every = max(steps // task.config.evaluations, 1)
    model = config.build(0)
    how = training(context, steps, RATES[name], evaluate_every=every, log_every=every)
    found = train(model, task, how, progress=False)
    asked = story_prompts(Stories(), 0, task.config.prompts)
    scores = prompt_scores(answered(model, task.tokenizer, asked))
    return {
        "what": name,
        "parameters": model.num_parameters(),
        "steps": steps,
        "tokens": steps * task.config.rows * task.config.context,
        "seconds": found.seconds,
        "tokens_a_second": float(np.median([line["tokens_per_second"] for line in found.timing])),
        "training": asdict(how),
        "curve": [[line["step"], line["validation_loss"]] for line in found.history if "validation_loss" in line],
        "timing": found.timing,
        "validation_loss": found.final["validation_loss"],
        "prompts": {kind: asdict(score) for kind, score in scores.items()},
    }
