"""The story-answers task: rows, weights and loss by hand, batches that depend on the step alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch.nn import functional

from mosaics.baselines.recurrent import LSTMConfig
from mosaics.catalogue import TASKS
from mosaics.mosaic import MemoryMosaicConfig
from mosaics.tasks.story_answers import POOL, StoryAnswersConfig, StoryAnswersTask, laptop_recipe
from mosaics.training import TrainConfig, train
from toyworlds import Stories
from toyworlds.core.validate import InputError
from toyworlds.stories.interviews import interviews, recall_interviews
from toyworlds.stories.prompts import KINDS, prompts

CONFIG = StoryAnswersConfig(
    vocabulary=400, tokenizer_stories=20, interviews=12, questions=4, recalls=0, drills=0, batch_size=2, validation=2
)


@pytest.fixture(scope="module")
def task() -> StoryAnswersTask:
    return CONFIG.build(3)


def test_a_pool_holds_stories_and_interviews(task: StoryAnswersTask) -> None:
    rows = [row for batch in task.pool(0) for row in batch]
    assert len(rows) == 2 * POOL
    assert sum(answered.any() for _, answered in rows) == round(0.6 * 2 * POOL)
    texts = {task.tokenizer.decode(row) for row, answered in rows if answered.any()}
    asked = interviews(Stories(), 1, 12, most=4, in_full=0.5)
    assert texts == {interview.text for interview in asked}  # twelve interviews, read more than once in 32 rows
    answers = {"".join(task.tokenizer.decode(row[answered])) for row, answered in rows if answered.any()}
    assert answers == {"".join(f" {answer}" for _, answer in interview.asked) for interview in asked}
    whole = [row for row, answered in rows if not answered.any()]
    assert all(row[-1] == task.tokenizer.end for row in whole)
    later = {task.tokenizer.decode(row) for batch in task.pool(1) for row, answered in batch if not answered.any()}
    assert not later & {task.tokenizer.decode(row) for row in whole}


def test_new_colors_are_asked_for_too() -> None:
    task = dataclasses.replace(CONFIG, interviews=1, recalls=1).build(3)
    found = {task.tokenizer.decode(row) for row, _ in task.asked}
    recalled = [
        interview.text
        for facts in (1, 2, 4, 8)
        for distance in (25, 50, 100, 200)
        for interview in recall_interviews(Stories(), 1, 1, facts=facts, distance=distance, in_full=0.5)
    ]
    assert len(found) == 1 + len(recalled)
    assert set(recalled) < found


def test_training_begins_with_new_colors_asked_for_in_full() -> None:
    task = dataclasses.replace(CONFIG, drills=2 * POOL - 1, questions=1).build(3)
    read = [batch for number in (0, 1) for batch in task.drill(number)]
    assert [len(batch) for batch in read] == [4] * 2 * POOL

    def plain(row: np.ndarray, answered: np.ndarray) -> list[bool]:
        """Of each question, whether its answer stands behind "It is"."""
        before = [task.tokenizer.decode(row[:place]) for place in np.flatnonzero(np.diff(answered.astype(int)) > 0) + 1]
        return [text.endswith(("It is", "It was")) for text in before]

    first, second = (
        [one for batch in half for row in batch for one in plain(*row)] for half in (read[:POOL], read[POOL:])
    )
    assert len(first) >= 2 * 4 * POOL
    assert not any(first)  # the first half in full
    assert np.mean(second) == pytest.approx(0.5, abs=0.1)
    texts = [task.tokenizer.decode(row) for batch in read for row, _ in batch]
    assert len(set(texts)) == len(texts)
    batch = task.batch(2 * POOL - 2)
    assert batch["tokens"].shape[0] == 4
    assert task.batch(2 * POOL - 1)["tokens"].shape[0] == 2  # then stories and other interviews, from the first pool on
    later = dataclasses.replace(CONFIG, questions=1).build(3).pool(0)[0]
    assert task.batch(2 * POOL - 1)["lengths"].tolist() == [len(row) for row, _ in later]


def test_validation_questions_are_prompts(task: StoryAnswersTask) -> None:
    found = [p for kind in KINDS for p in prompts(Stories(), 1, kind, 2, split="validation")]
    rows = task.validation_questions
    assert [task.tokenizer.decode(row) for row, _ in rows] == [f"{prompt.text} {prompt.answer}" for prompt in found]
    assert [task.tokenizer.decode(row[answered]) for row, answered in rows] == [f" {p.answer}" for p in found]


def test_a_batch_by_hand(task: StoryAnswersTask) -> None:
    end = task.tokenizer.end
    story, question = task.tokenizer.encode(["Tom ran.", "It is red"])
    rows = [(story, np.zeros(len(story), bool)), (question, np.arange(len(question)) >= len(question) - 2)]
    batch = task._batch(rows, None)
    length = max(len(story), len(question))
    assert batch["tokens"].shape == (2, length)
    assert task.tokens(batch) == (len(story) + len(question), 2 * length)
    assert batch["tokens"][0, 0] == batch["tokens"][1, 0] == end
    assert batch["tokens"][1, 1 : len(question)].tolist() == question[:-1].tolist()
    assert batch["labels"][1, : len(question)].tolist() == question.tolist()
    text = len(story) + len(question) - 2
    weights = batch["weights"]
    torch.testing.assert_close(weights[0, : len(story)], torch.full((len(story),), 1.0 / text))
    assert weights[1, len(question) - 2 : len(question)].tolist() == [0.5, 0.5]
    assert float(weights.sum()) == pytest.approx(1.0 + CONFIG.answer_weight)
    model = MemoryMosaicConfig(vocabulary=400, n_layers=1, n_heads=1, width=4).build(0)
    logits = model(batch["tokens"])
    each = functional.cross_entropy(logits.mT, batch["labels"], reduction="none")
    answers = each[1, len(question) - 2 : len(question)].mean()
    others = torch.cat([each[0, : len(story)], each[1, : len(question) - 2]]).mean()
    torch.testing.assert_close(task.loss(model, batch), others + answers)


def test_a_share_of_the_tokens_counts_but_every_answer(task: StoryAnswersTask) -> None:
    for step in range(4):
        batch = task.batch(step)
        again = CONFIG.build(3).batch(step)
        assert all(torch.equal(batch[name], again[name]) for name in batch)
    kept = [int((task.batch(step)["weights"] > 0).sum()) for step in range(POOL)]
    places = [sum(len(row) for row, _ in batch) for batch in task.pool(0)]
    assert sum(kept) / sum(places) == pytest.approx(CONFIG.loss_share, abs=0.03)
    other = CONFIG.build(4).batch(0)
    assert other["tokens"].shape != batch["tokens"].shape or not torch.equal(other["tokens"], batch["tokens"])


def test_metrics_of_an_even_model(task: StoryAnswersTask) -> None:
    model = MemoryMosaicConfig(vocabulary=400, n_layers=1, n_heads=1, width=4).build(0).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        found = task.evaluate(model)
    expected = float(torch.log(torch.tensor(400.0)))
    assert found["validation_loss"] == pytest.approx(expected, rel=1e-5)
    assert found["answer_loss"] == pytest.approx(expected, rel=1e-5)


def test_training_lowers_the_loss(task: StoryAnswersTask) -> None:
    model = MemoryMosaicConfig(vocabulary=400, n_layers=1, n_heads=2, width=16, variant="nano").build(0)
    with torch.no_grad():
        before = task.evaluate(model)
    result = train(model, task, TrainConfig(steps=30, learning_rate=1e-2, threads=1), progress=False)
    assert result.final["validation_loss"] < before["validation_loss"] - 0.5


def test_options_are_checked(task: StoryAnswersTask) -> None:
    assert TASKS["story_answers"] is StoryAnswersConfig
    with pytest.raises(InputError, match="loss_share"):
        dataclasses.replace(CONFIG, loss_share=0.0)
    with pytest.raises(InputError, match="model: expected a mosaic or a transformer"):
        task.loss(LSTMConfig(vocabulary=400).build(0), task.batch(0))
    with pytest.raises(InputError, match="tokenizer_stories: expected enough stories"):
        _ = StoryAnswersConfig(vocabulary=4000, tokenizer_stories=1).build(0).tokenizer


def test_the_recipe_has_models_of_one_size() -> None:
    mosaic, transformer = (laptop_recipe(name).model for name in ("mosaic", "transformer"))
    size = transformer.build(0).num_parameters() - transformer.context * transformer.width
    assert abs(size / mosaic.build(0).num_parameters() - 1) < 0.01
    assert mosaic.variant == "nano"
    assert [laptop_recipe(steps=steps).training.warmup_steps for steps in (50, 100, 15_000)] == [50, 100, 100]
    with pytest.raises(InputError, match="model: expected one of"):
        laptop_recipe("transfomer")
