"""The story-answers task: read endless stories of the story world, and stories that stop for an interview.

    row        e t_1 .. t_n e                      a whole story; e the end-of-text token
               e t_1 .. a_1 .. t_k .. a_2 .. t_n   the beginning of a story and questions about it, each with its
                                                   answer a, of one token or more (`toyworlds.stories.interviews`)
    loss       mean over a random `loss_share` of the tokens t of -ln p
               + answer_weight * mean over the tokens a of -ln p

The interviews begin with the questions of the three kinds of prompts in turn; others state 1 to 8 new colors and ask
for all of them, 25 to 200 words later. Whole stories ask and answer such questions too, but only about two each. Half
of the questions of interviews are answered in full ("The drum is with Tom", where stories say "It is with Tom"). The
first `drills` updates read nothing but short interviews about 2 or 4 new colors, at first all in full
(docs/story_answers.md says why).
Every story and every interview is of the training split, whose heroes are in no other. Stories never repeat: pool p of
`POOL` batches tells the next ones; the interviews, slow to make, come back in another order once all were read. The
tokenizer is trained on the first stories of another seed.

Metrics, on stories and prompts of the validation split:

    validation_loss     nats a token of whole stories, ends included
    answer_loss         nats a token of the answers to prompts

A loss on a share of the tokens has the gradient of the whole loss on average; it saves most of the read-out, which with
thousands of tokens and two narrow blocks is more than half of the work.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from mosaics.interface import Metrics
from mosaics.registry import TASKS
from mosaics.stack import Stack
from mosaics.tasks.batching import bucketed
from mosaics.tasks.recipe import Recipe, sized
from mosaics.text.corpus import StoryCorpus
from mosaics.text.rows import token_losses
from mosaics.text.stream import tokens_of
from mosaics.text.tokenizer import BytePair, train_byte_pair
from mosaics.training import TrainConfig
from mosaics.training.placement import place
from toyworlds.core.seeds import Stream
from toyworlds.core.validate import InputError, integer, real, reject
from toyworlds.stories.interviews import Interview, interviews, recall_interviews
from toyworlds.stories.prompts import KINDS, prompts
from toyworlds.stories.world import Stories

POOL = 32
"""Batches whose rows are drawn, and sorted by length, together."""
TOKENIZER_SEED, DATA_SEED = 0, 1
FACTS, DISTANCES = (1, 2, 4, 8), (25, 50, 100, 200)
"""New colors of an interview, and the words between one of them and its answer."""
DRILL_FACTS, DRILL_DISTANCES = (2, 4), (0, 25)
"""The same, of the interviews that training begins with."""
DRILL_ROWS = 2
"""So many times the rows of other batches are in a batch of these, which are short."""
Row = tuple[np.ndarray, np.ndarray]
"""The tokens of a row, and which of them are of an answer."""


@TASKS.register("story_answers", "tokens")
@dataclass(frozen=True)
class StoryAnswersConfig:
    """Read stories of the story world and answer questions about them."""

    vocabulary: int = 4096
    """Byte pairs of the tokenizer."""
    tokenizer_stories: int = 6000
    """Stories that the tokenizer is trained on."""
    interviews: int = 24_000
    """Interviews about stories."""
    questions: int = 6
    """Most questions of such an interview."""
    recalls: int = 500
    """Interviews for each number of new colors and each distance."""
    drills: int = 3000
    """First updates, which read only short interviews about new colors; the first half of these all in full."""
    in_full: float = 0.5
    """Share of the interviews' questions that are answered in full."""
    question_share: float = 0.6
    """Share of the rows that are interviews."""
    answer_weight: float = 1.0
    """Weight of the answers' mean loss beside that of the text."""
    loss_share: float = 0.3
    """Share of the text's tokens whose loss is taken in training."""
    batch_size: int = 8
    """Rows in a batch."""
    validation: int = 60
    """Validation stories, and validation prompts of each kind."""

    def __post_init__(self) -> None:
        for name in ("vocabulary", "tokenizer_stories", "interviews", "questions", "batch_size", "validation"):
            integer(name, getattr(self, name), 1)
        integer("recalls", self.recalls, 0)
        integer("drills", self.drills, 0)
        real("in_full", self.in_full, 0.0, 1.0)
        real("question_share", self.question_share, 0.0, 1.0)
        real("answer_weight", self.answer_weight, 0.0)
        real("loss_share", self.loss_share, 0.0, 1.0, above=0.0)

    @property
    def longest(self) -> int:
        """Most tokens of a row; stories of the world have fewer."""
        return 768

    def build(self, seed: int = 0) -> StoryAnswersTask:
        """Return the task whose batches are drawn from `seed`."""
        return StoryAnswersTask(self, seed)


class StoryAnswersTask:
    """The task of this file; in a batch ``tokens``, ``labels`` (B, T), ``lengths`` (B) int64, ``weights`` (B, T)."""

    def __init__(self, config: StoryAnswersConfig, seed: int = 0) -> None:
        self.config, self.seed = config, integer("seed", seed, 0)
        self._batches = lru_cache(maxsize=1)(lambda drill, number: self.drill(number) if drill else self.pool(number))

    @cached_property
    def tokenizer(self) -> BytePair:
        """The tokenizer of the task."""
        return story_tokenizer(self.config.tokenizer_stories, self.config.vocabulary)

    def rows(self, asked: Sequence[tuple[Sequence[tuple[str, str]], str]]) -> list[Row]:
        """Return rows of questions: what stands before each answer and the answer, and the end."""
        texts = [[*(text for before, answer in pairs for text in (before, f" {answer}")), end] for pairs, end in asked]
        tokens = iter(self.tokenizer.encode([text for row in texts for text in row]))
        found = []
        for row in texts:
            pieces = [next(tokens) for _ in row]
            answers = np.repeat(np.arange(len(row)) % 2 == 1, [len(piece) for piece in pieces])
            found.append((np.concatenate(pieces), answers))
        return found

    @cached_property
    def asked(self) -> list[Row]:
        """The training interviews."""
        config = self.config
        found = interviews(Stories(), DATA_SEED, config.interviews, most=config.questions, in_full=config.in_full)
        return self._rows(found + recalls(DATA_SEED, config.recalls, FACTS, DISTANCES, config.in_full))

    @cached_property
    def drilled(self) -> list[Row]:
        """The interviews that training begins with, each read once; the first half is in full."""
        kinds = len(DRILL_FACTS) * len(DRILL_DISTANCES)
        rows = -(-self.config.drills // POOL) * POOL * DRILL_ROWS * self.config.batch_size
        found: list[Row] = []
        for part, in_full in enumerate((1.0 if self.config.in_full else 0.0, self.config.in_full)):
            made = recalls(DATA_SEED + 1 + part, -(-rows // (2 * kinds)), DRILL_FACTS, DRILL_DISTANCES, in_full)
            some = self._rows(made)
            words = Stream(self.seed, "story_answers", "drills", part).words(0, len(some))
            found += [some[row] for row in np.argsort(words, kind="stable")]
        return found

    def _rows(self, found: Sequence[Interview]) -> list[Row]:
        return self.rows([(interview.asked, interview.end) for interview in found])

    def drill(self, number: int) -> list[list[Row]]:
        """Return the batches of pool `number` of those that training begins with."""
        rows = POOL * DRILL_ROWS * self.config.batch_size
        return self._sorted(self.drilled[number * rows : (number + 1) * rows], "drill", number)

    def pool(self, number: int) -> list[list[Row]]:
        """Return the batches of pool `number`."""
        config = self.config
        rows = POOL * config.batch_size
        questions = round(config.question_share * rows)
        stories = StoryCorpus(rows - questions, seed=DATA_SEED + 1 + self.seed, start=number * (rows - questions))
        texts = self.tokenizer.encode(list(stories)) if rows > questions else []
        found = [(np.append(text, self.tokenizer.end), np.zeros(len(text) + 1, bool)) for text in texts]
        for place_in_stream in range(number * questions, (number + 1) * questions):
            epoch, place_in_epoch = divmod(place_in_stream, len(self.asked))
            found.append(self.asked[self._order(epoch)[place_in_epoch]])
        return self._sorted(found, "pool", number)

    def _sorted(self, rows: list[Row], name: str, number: int) -> list[list[Row]]:
        """Put rows into the batches of a pool, by length."""
        size = len(rows) // POOL
        words = Stream(self.seed, "story_answers", name, number).words(0, len(rows))
        order = bucketed(np.array([len(row) for row, _ in rows]), size, words)
        return [[rows[row] for row in order[i : i + size]] for i in range(0, len(rows), size)]

    def batch(self, step: int) -> dict[str, Tensor]:
        """Return the batch of training step `step`."""
        drill = step < self.config.drills
        number, place_in_pool = divmod(step if drill else step - self.config.drills, POOL)
        rows = self._batches(drill, number)[place_in_pool]
        return self._batch(rows, Stream(self.seed, "story_answers", "tokens", step))

    def _order(self, epoch: int) -> np.ndarray:
        words = Stream(self.seed, "story_answers", "epoch", epoch).words(0, len(self.asked))
        return np.argsort(words, kind="stable")

    def _batch(self, rows: list[Row], stream: Stream | None) -> dict[str, Tensor]:
        shape = (len(rows), max(len(row) for row, _ in rows))
        tokens, labels = (np.full(shape, self.tokenizer.end, np.int64) for _ in range(2))
        text, answer = np.zeros(shape, bool), np.zeros(shape, bool)
        for number, (row, answered) in enumerate(rows):
            labels[number, : len(row)], tokens[number, 1 : len(row)] = row, row[:-1]
            text[number, : len(row)], answer[number, : len(row)] = ~answered, answered
        if stream is not None:
            text &= stream.uniform(0, text.size).reshape(shape) < self.config.loss_share
        weights = text / max(text.sum(), 1) + self.config.answer_weight * answer / max(answer.sum(), 1)
        lengths = np.array([len(row) for row, _ in rows])
        arrays = {"tokens": tokens, "labels": labels, "weights": weights.astype(np.float32), "lengths": lengths}
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    def tokens(self, batch: dict[str, Tensor]) -> tuple[int, int]:
        """Return the tokens of a batch without and with padding."""
        return int(batch["lengths"].sum()), batch["tokens"].numel()

    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """Return the loss of this file; the model is a stack of blocks (a mosaic or a transformer)."""
        if not isinstance(model, Stack):
            reject("model", "a mosaic or a transformer, a stack of blocks", type(model).__name__)
        kept = batch["weights"] > 0
        logits = model.read_out(model.hidden_states(batch["tokens"])[-1][kept])
        losses = functional.cross_entropy(logits, batch["labels"][kept], reduction="none")
        return (losses * batch["weights"][kept]).sum()

    def evaluate(self, model: nn.Module) -> Metrics:
        """Return the metrics of this file."""
        tokens = tokens_of(StoryCorpus(self.config.validation, "validation", DATA_SEED), self.tokenizer)
        losses, count = 0.0, 0
        for row in self.validation_questions:
            batch, answered = place(self._batch([row], None), model), torch.from_numpy(row[1])
            logits, labels = model(batch["tokens"])[0][answered].float(), batch["labels"][0][answered]
            losses += float(functional.cross_entropy(logits, labels, reduction="sum"))
            count += len(labels)
        nats = token_losses(model, tokens, self.tokenizer.end, self.config.longest)
        return {"validation_loss": float(nats.mean()), "answer_loss": losses / count}

    @cached_property
    def validation_questions(self) -> list[Row]:
        """Validation prompts of the three kinds."""
        found = [
            p for kind in KINDS for p in prompts(Stories(), DATA_SEED, kind, self.config.validation, split="validation")
        ]
        return self.rows([([(prompt.text, prompt.answer)], "") for prompt in found])


def recalls(seed: int, count: int, facts: Sequence[int], distances: Sequence[int], in_full: float) -> list[Interview]:
    """Return `count` interviews for each number of new colors and each distance."""
    found: list[Interview] = []
    for number, distance in itertools.product(facts, distances):
        found += recall_interviews(Stories(), seed, count, facts=number, distance=distance, in_full=in_full)
    return found


@lru_cache(maxsize=2)
def story_tokenizer(stories: int, vocabulary: int) -> BytePair:
    """Return the byte pairs of the first stories of the world's training split; InputError where they are too few."""
    found = train_byte_pair(StoryCorpus(stories, seed=TOKENIZER_SEED), vocabulary)
    if found.vocabulary != vocabulary:
        raise InputError(f"tokenizer_stories: expected enough stories for {vocabulary} byte pairs; got {stories}")
    return found


def laptop_recipe(model: str = "mosaic", *, steps: int = 15_000) -> Recipe:
    """Return a recipe for a core and an hour and a half: 3 blocks, 8 heads, width 128.

    The mosaic is of the variant 'nano', whose logits are not divided by sqrt(d), and its values see the input before
    and the one after (`value_kernel` 3), so that "red" is stored under the "ball" behind it; any other model has its
    parameter count, a table of positions not counted.
    """
    task = StoryAnswersConfig()
    options = {"n_layers": 3, "n_heads": 8, "width": 128, "variant": "nano", "value_kernel": 3}
    training = TrainConfig(
        steps=steps, learning_rate=2e-3, final_learning_rate=2e-4, schedule="cosine",
        warmup_steps=min(100, steps),
        betas=(0.9, 0.95), weight_decay=0.1, clip_norm=1.0, evaluate_every=2500, checkpoint_every=250, log_every=25,
        threads=1, device="cpu",
    )  # fmt: skip
    return Recipe(sized(model, task, options, positions_counted=False), task, training)
