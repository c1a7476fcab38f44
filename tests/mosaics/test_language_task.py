"""The language task: rows by hand, epochs, losses against a direct computation, recipes, exact resume."""

import math
import shutil
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from resuming import check_exact_resume
from torch import nn

from mosaics.catalogue import MODELS, TASKS
from mosaics.sizes import count
from mosaics.tasks.language import (
    RECIPES,
    LanguageTaskConfig,
    bits_per_byte,
    language_task,
    laptop_recipe,
    published_recipe,
    quick_recipe,
    read,
    token_losses,
    windows,
)
from mosaics.tasks.recipe import positions_of
from mosaics.text import PrepareConfig, prepare_text
from mosaics.text.stream import tokens_of
from mosaics.text.tokenizer import Characters
from mosaics.training import TrainConfig, train
from toyworlds.core.folders import read_json
from toyworlds.core.seeds import Stream
from toyworlds.core.validate import DataError, InputError

E = Characters.end
LETTERS = "abcdefgh"


def stories(count, seed):
    draws = Stream(seed, "test").below(8, 0, 40 * count).reshape(count, 40)
    return ["".join(LETTERS[n] for n in row[: 3 + row[0] * 4]) for row in draws]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("language")
    for name, seed, size in (("train", 1, 50), ("validation", 2, 9)):
        (place / f"{name}.txt").write_text("\n<|endoftext|>\n".join(stories(size, seed)))
    options = PrepareConfig(str(place / "train.txt"), str(place / "validation.txt"), tokenizer="characters")
    return prepare_text(options, place / "data").path


class Bigram(nn.Module):
    """p(next | token) from a table; nothing else of the context matters."""

    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.from_numpy(Stream(0, "bigram").normal(0, 257 * 257)).view(257, 257))

    def forward(self, inputs):
        return self.table[inputs]


def test_rows_by_hand():
    tokens = tokens_of(["abcde", "x"], Characters())
    rows = windows(tokens, 4)
    assert [part.tolist() for part in rows] == [[0, 0, 1], [0, 4, 0], [4, 2, 2]]
    batch = read(tokens, rows, E)
    a, b, c, d, e, x = b"abcdex"
    assert batch["tokens"].tolist() == [[E, a, b, c], [d, e, E, E], [E, x, E, E]]
    assert batch["labels"].tolist() == [[a, b, c, d], [e, E, -1, -1], [x, E, -1, -1]]


def test_an_epoch_goes_once_through_every_token_and_mixes_no_stories(folder):
    task = language_task(folder, context=16, batch_size=4).build(3)
    texts = sorted(stories(50, 1))
    for epoch in range(2):
        seen = []
        for step in range(task.steps_per_epoch):
            batch = task.batch(epoch * task.steps_per_epoch + step)
            assert batch["tokens"].shape[1] <= 16
            for inputs, labels in zip(batch["tokens"].tolist(), batch["labels"].tolist(), strict=True):
                kept = [label for label in labels if label >= 0]
                assert E not in kept[:-1]
                assert E not in inputs[1 : len(kept)]
                assert inputs[1 : len(kept)] == kept[:-1]
                seen.append((inputs[0] == E, bytes(kept[:-1] if kept[-1] == E else kept).decode(), kept[-1] == E))
        whole = [text for first, text, last in seen if first and last]
        assert sum(len(text) + last for _, text, last in seen) == len(task.training_set.values)
        assert sorted(whole) == [text for text in texts if len(text) < 16]
    assert task._order(0)[0].tolist() != task._order(1)[0].tolist()


def test_batches_are_a_function_of_seed_and_step(folder):
    for packing in ("stories", "stream"):
        config = language_task(folder, context=8, batch_size=4, packing=packing)
        first, second = config.build(5), config.build(5)
        for step in (60, 0, 60):
            assert torch.equal(first.batch(step)["tokens"], second.batch(step)["tokens"])
        assert not torch.equal(first.batch(1)["labels"], config.build(6).batch(1)["labels"])


def test_padding_is_counted(folder):
    task = language_task(folder, context=40, batch_size=5).build(0)
    padded = [(task.batch(step)["labels"] < 0) for step in range(task.steps_per_epoch)]
    share = sum(int(part.sum()) for part in padded) / sum(part.numel() for part in padded)
    assert task.padding() == pytest.approx(share)
    unsorted = np.array_split(np.argsort(Stream(0, "x").words(0, len(task.rows.length))), task.steps_per_epoch)
    places = sum(len(rows) * task.rows.length[rows].max() for rows in unsorted)
    assert share < 1 - task.rows.length.sum() / places
    assert language_task(folder, packing="stream", context=8).build(0).padding() == 0.0


def test_the_stream_is_cut_anywhere(folder):
    task = language_task(folder, context=30, batch_size=6, packing="stream").build(0)
    batch = task.batch(2)
    assert batch["tokens"].shape == (6, 30)
    values = task.training_set.values.astype(np.int64).tolist()
    for inputs, labels in zip(batch["tokens"].tolist(), batch["labels"].tolist(), strict=True):
        assert inputs[1:] == labels[:-1]
        assert any(values[place : place + 31] == [*inputs, labels[-1]] for place in range(len(values) - 30))
    assert task.steps_per_epoch == math.ceil(len(values) / 180)
    with pytest.raises(InputError, match="context: expected less than"):
        language_task(folder, context=10_000, packing="stream").build(0)


def test_loss_and_metrics_against_a_direct_sum(folder):
    model = Bigram()
    task = language_task(folder, context=7, batch_size=4, training_documents=5).build(0)
    table = torch.log_softmax(model.table.detach(), -1)

    def nats(text):
        tokens = [E, *text.encode(), E]
        return [-table[a, b].item() for a, b in pairwise(tokens)]

    metrics = task.evaluate(model)
    losses = [nats(text) for text in stories(9, 2)]
    total = sum(map(sum, losses))
    assert metrics["validation_loss"] == pytest.approx(total / sum(map(len, losses)), rel=1e-5)
    size = sum(len(text) + 1 for text in stories(9, 2))
    assert metrics["validation_bits_per_byte"] == pytest.approx(total / math.log(2) / size, rel=1e-5)
    training = [loss for text in stories(50, 1)[:5] for loss in nats(text)]
    assert metrics["training_loss"] == pytest.approx(np.mean(training), rel=1e-5)
    batch = task.batch(0)
    counted = batch["labels"] >= 0
    direct = -table[batch["tokens"][counted], batch["labels"][counted]].mean()
    assert task.loss(model, batch).item() == pytest.approx(direct.item())
    tokens = tokens_of(stories(9, 2), Characters())
    assert token_losses(model, tokens, E, 7) == pytest.approx(np.concatenate(losses), rel=1e-5)
    assert bits_per_byte(np.concatenate(losses), tokens) == pytest.approx(metrics["validation_bits_per_byte"], rel=1e-5)


def test_token_losses_use_the_context_of_their_window():
    model = MODELS["mosaic"](vocabulary=257, width=16, n_heads=2).build(0).double()
    texts = ["abcdefghij", "ba", "hgfedcba"]
    tokens = tokens_of(texts, Characters())
    found = token_losses(model, tokens, E, 6)
    expected = []
    for text in texts:
        row = [E, *text.encode(), E]
        for start in range(0, len(row) - 1, 6):
            part = torch.tensor(row[start : start + 7])
            logits = model(part[None, :-1])[0].log_softmax(-1)
            expected += (-logits.gather(1, part[1:, None])[:, 0]).tolist()
    assert found == pytest.approx(np.array(expected), rel=1e-5)


def test_resume_in_the_middle_of_an_epoch_is_exact(folder, tmp_path):
    task = language_task(folder, context=16, batch_size=4)
    model = MODELS["mosaic"](vocabulary=257, n_layers=1, n_heads=2, width=16, output_dropout=0.1)
    config = TrainConfig(steps=9, learning_rate=1e-2, checkpoint_every=5, evaluate_every=3, threads=1)
    assert task.build(1).steps_per_epoch > 9
    check_exact_resume(model, task, config, tmp_path, killed=6)


def test_a_run_is_continued_where_its_data_have_moved(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    task, model = language_task(folder, context=16, batch_size=4), MODELS["mosaic"](vocabulary=257, n_layers=1, width=8)
    config = TrainConfig(steps=2, threads=1)
    expected = train(model.build(0), task.build(0), config, tmp_path / "run", progress=False)
    moved = train(model.build(0), replace(task, data=str(copy)).build(0), config, tmp_path / "run", progress=False)
    assert moved.history == expected.history
    assert read_json(tmp_path / "run" / "config.json", "options")["task"]["options"]["data"] == str(copy)
    with pytest.raises(DataError, match=r"holds another run; task.options.context: expected 8; got 16"):
        train(model.build(0), replace(task, context=8).build(0), config, tmp_path / "run", progress=False)
    unknown = replace(task, fingerprint="")
    train(model.build(0), unknown.build(0), config, tmp_path / "unknown", progress=False)
    with pytest.raises(DataError, match=r"holds another run; task.options.data: expected"):
        train(model.build(0), replace(unknown, data=str(copy)).build(0), config, tmp_path / "unknown", progress=False)


def test_changed_data_are_refused(folder, tmp_path):
    config = language_task(folder)
    copy = shutil.copytree(folder, tmp_path / "copy")
    replace(config, data=str(copy)).build(0)
    other = prepare_text(PrepareConfig(str(folder.parent / "validation.txt"), tokenizer="characters", held_out=0.3),
                         tmp_path / "other")  # fmt: skip
    with pytest.raises(DataError, match="not the text of this task; fingerprint"):
        replace(config, data=str(other.path)).build(0)


def test_options_are_checked():
    with pytest.raises(InputError, match="data: expected the folder of a token stream"):
        LanguageTaskConfig()
    with pytest.raises(InputError, match="packing"):
        LanguageTaskConfig("x", packing="books")
    assert TASKS["language"] is LanguageTaskConfig


def test_published_values(folder):
    recipe = published_recipe("mosaic", folder)
    model = recipe.model
    assert (model.n_layers, model.n_heads, model.width, model.memories) == (12, 12, 768, 2688)
    assert (recipe.task.batch_size, recipe.task.context, recipe.task.packing) == (512, 512, "stream")
    training = recipe.training
    assert (training.steps, training.warmup_steps, training.clip_norm) == (80_000, 2000, 1.0)
    assert (training.learning_rate_at(2000), training.betas) == (5e-3, (0.9, 0.95))
    assert training.learning_rate_at(79_999) == pytest.approx(1e-4, rel=1e-3)
    assert model.contextual_dropout == model.output_dropout == 0.05


@pytest.mark.parametrize("model", ["transformer", "mosaic_v2", "lstm"])
def test_models_of_a_recipe_have_one_size(folder, model):
    for depth in (1, 4):
        size = count(laptop_recipe("mosaic", folder, n_layers=depth).model)
        config = laptop_recipe(model, folder, n_layers=depth).model
        assert count(config) - positions_of(config) == pytest.approx(size, rel=0.01)
    if model == "transformer":
        assert positions_of(config) == 512 * 128
        assert config.feedforward_size > 450


def test_quick_recipe_learns(folder):
    recipe = quick_recipe("mosaic", folder, steps=60)
    _, result = recipe.train(0, progress=False)
    assert result.final["validation_loss"] < 0.75 * result.history[0]["validation_loss"]
    assert set(RECIPES) == {"published", "laptop", "quick"}
