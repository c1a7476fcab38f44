"""The RegBench task: batches, loss by hand, exact metrics, recipes, resume."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import regbench
from mosaics.catalogue import MODELS, TASKS
from mosaics.sizes import count
from mosaics.tasks import regbench as task_module
from mosaics.tasks.recipe import Recipe
from mosaics.tasks.regbench import RegBenchTaskConfig, laptop_recipe, predict, published_recipe
from mosaics.training import TrainConfig, read_run, train
from regbench.suites import RegBenchLaptop
from toyworlds.core.validate import InputError

LAPTOP = RegBenchLaptop()
SMALL = RegBenchTaskConfig(LAPTOP, train_size=10, validation_size=4, test_size=6, data_seed=3, batch_size=4)


class Automaton(nn.Module):
    """Predicts the true distributions of the problems that it is given, told apart by their texts."""

    def __init__(self, *problems):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        truth = [(p.tokens, p.truth()) for p in problems]
        self.known = {tokens[i].tobytes(): law[i] for tokens, law in truth for i in range(len(tokens))}

    def forward(self, inputs):
        law = np.stack([self.known[row.numpy().astype(np.int8).tobytes()] for row in inputs])
        return torch.from_numpy(np.log(np.maximum(law, 1e-300))) + self.weight


def test_an_epoch_goes_once_through_the_training_set_in_an_order_of_its_own():
    task = SMALL.build(5)
    problems = regbench.load(LAPTOP, "train", 0, 10, seed=3)
    assert SMALL.steps_per_epoch == 3
    whole = {tuple(problems.tokens[i, : problems.lengths[i]].tolist()) for i in range(10)}
    rows = []
    for epoch in range(2):
        texts = [row for step in range(3) for row in task.batch(3 * epoch + step)["tokens"].tolist()]
        rows.append([text for row in texts for text in whole if text[:-1] == tuple(row[: len(text) - 1])])
    assert sorted(rows[0]) == sorted(rows[1]) == sorted(whole)
    assert rows[0] != rows[1]
    assert [len(task.batch(step)["tokens"]) for step in range(3)] == [4, 4, 2]


def test_batches_are_a_function_of_seed_and_step():
    first, second = SMALL.build(5), SMALL.build(5)
    for step in (7, 0, 7):
        assert torch.equal(first.batch(step)["tokens"], second.batch(step)["tokens"])
    assert not torch.equal(first.batch(0)["labels"], SMALL.build(6).batch(0)["labels"])


def test_a_batch_is_the_published_input_and_label():
    task = SMALL.build(0)
    batch = task.batch(1)
    assert batch["tokens"].dtype == batch["labels"].dtype == torch.int64
    row = task.order(0)[4]
    text, labels = task.training_set.tokens[row], task.training_set.labels[row]
    length = int(task.training_set.lengths[row])
    assert batch["tokens"][0, : length - 1].tolist() == text[: length - 1].tolist()
    assert batch["labels"][0, : length - 1].tolist() == labels[: length - 1].tolist()
    assert (batch["labels"][0, length - 1 :] == -1).all()
    following = torch.from_numpy(text[1:length].astype(np.int64))
    expected = torch.where(following == LAPTOP.symbols + 1, -1, following)
    assert torch.equal(batch["labels"][0, : length - 1], expected)


def test_smaller_training_sets_are_the_beginning_of_larger_ones():
    larger = replace(SMALL, train_size=20).build(0).training_set
    smaller = SMALL.build(0).training_set
    width = smaller.tokens.shape[1]
    assert np.array_equal(larger.tokens[:10, :width], smaller.tokens)


def test_loss_by_hand():
    logits = torch.log(torch.tensor([[[0.1, 0.6, 0.3], [0.2, 0.3, 0.5], [0.25, 0.25, 0.5]]]))
    model = nn.Module()
    model.forward = lambda tokens: logits
    batch = {"tokens": torch.tensor([[1, 2, 1]]), "labels": torch.tensor([[2, -1, 1]])}
    expected = -(np.log(0.3) + np.log(0.25)) / 2
    assert SMALL.build(0).loss(model, batch).item() == pytest.approx(expected, rel=1e-6)


def test_the_automaton_itself_has_the_best_metrics():
    task = SMALL.build(0)
    model = Automaton(task.problems("validation"), task.problems("test"))
    metrics = task.evaluate(model)
    assert metrics["test_dfa_accuracy"] == metrics["test_dfa_accuracy_before_separator"] == 1.0
    assert metrics["test_total_variation"] == pytest.approx(0.0, abs=1e-12)
    assert metrics["test_excess"] == pytest.approx(0.0, abs=1e-12)
    problems = task.problems("test")
    law, labels = problems.truth(), problems.labels
    label_losses = -np.log(np.take_along_axis(law, np.maximum(labels, 0)[..., None], 2)[..., 0][labels >= 0])
    assert metrics["test_loss"] == pytest.approx(label_losses.mean())
    assert set(metrics) == {"validation_loss", "test_loss"} | {
        f"test_{name}" for name in (*task_module.TEST_METRICS, "dfa_accuracy_before_separator")
    }


def test_the_test_set_is_the_same_for_every_seed_and_apart_from_training():
    one, two = SMALL.build(0).problems("test"), SMALL.build(9).problems("test")
    assert np.array_equal(one.tokens, two.tokens)
    assert not set(one.languages) & set(SMALL.build(0).training_set.languages)


def test_predictions_do_not_depend_on_the_batch(monkeypatch):
    model = MODELS["mosaic"](vocabulary=6, width=8, n_heads=2, persistent_size=3).build(0)
    tokens = SMALL.build(0).problems("test").tokens
    whole = predict(model, tokens)
    assert whole.shape == (*tokens.shape, 6)
    assert whole.dtype == np.float64
    monkeypatch.setattr(task_module, "ROWS_AT_ONCE", 4)
    np.testing.assert_allclose(predict(model, tokens), whole, atol=1e-5)


def test_published_recipe():
    task = RegBenchTaskConfig(train_size=1000)
    recipe = published_recipe(task=task)
    model, training = recipe.model, recipe.training
    assert recipe.task is task
    assert (model.n_layers, model.n_heads, model.width, model.memories, model.vocabulary) == (2, 8, 128, 448, 20)
    assert model.contextual_dropout == model.persistent_dropout == model.output_dropout == 0.05
    assert (training.steps, training.warmup_steps, training.evaluate_every) == (200 * 32, 20 * 32, 32)
    assert training.learning_rate_at(20 * 32) == 5e-4
    assert training.final_learning_rate == pytest.approx(5e-5)
    assert (training.weight_decay, training.clip_norm, training.monitor) == (0.1, 1.0, "validation_loss")


@pytest.mark.parametrize("name", ["transformer", "rotary_transformer", "lstm", "mosaic_v2"])
def test_rivals_have_the_mosaics_size(name):
    recipe, mosaic = laptop_recipe(name), laptop_recipe("mosaic")
    model, task = recipe.model, recipe.task
    assert mosaic._replace(model=model) == recipe
    assert count(model) == pytest.approx(count(mosaic.model), rel=0.05)
    assert model.vocabulary == LAPTOP.symbols + 2
    if name == "transformer":
        assert model.context == task.longest == 10 * 13 - 1


def test_training_learns_and_a_run_can_be_read(tmp_path):
    recipe = laptop_recipe("mosaic")
    task = replace(recipe.task, train_size=64, validation_size=20, test_size=20)
    training = replace(recipe.training, steps=12, learning_rate=4e-3, warmup_steps=2, evaluate_every=6, threads=1)
    small = Recipe(replace(recipe.model, width=16, n_heads=2, persistent_size=8), task, training)
    model, found = small.train(seed=1, out=tmp_path / "run", progress=False)
    assert task.build(1).evaluate(model.eval()) == found.final
    assert found.history[0]["validation_loss"] - found.final["validation_loss"] > 0.1
    saved = read_run(tmp_path / "run")
    assert saved.config["task"]["name"] == "regbench"
    assert saved.config["task"]["options"]["world"]["symbols"] == 4
    assert small.train(seed=1, progress=False)[1].final == found.final


def test_resume_equals_the_uninterrupted_run(tmp_path):
    config = TrainConfig(steps=6, threads=1, learning_rate=1e-3, checkpoint_every=2)
    model = MODELS["mosaic"](vocabulary=6, width=8, n_heads=2, persistent_size=3)
    whole = train(model.build(0), SMALL.build(1), config, progress=False)

    class KilledError(RuntimeError):
        pass

    task = SMALL.build(1)
    batch = task.batch
    task.batch = lambda step: batch(step) if step < 5 else (_ for _ in ()).throw(KilledError)
    with pytest.raises(KilledError):
        train(model.build(0), task, config, tmp_path / "run", progress=False)
    resumed = train(model.build(0), SMALL.build(1), config, tmp_path / "run", progress=False)
    assert resumed.final == whole.final


def test_options_that_do_not_fit():
    assert TASKS["regbench"] is RegBenchTaskConfig
    with pytest.raises(InputError, match="world: expected a RegBench"):
        RegBenchTaskConfig(world=3)
    with pytest.raises(InputError, match="train_size: expected a whole number of at least 1; got 0"):
        RegBenchTaskConfig(train_size=0)
    with pytest.raises(InputError, match=r"split: expected one of train, validation, test; got 'tests'"):
        SMALL.build(0).problems("tests")
    with pytest.raises(InputError, match=r"did you mean 'mosaic'"):
        laptop_recipe("mosaik")
    with pytest.raises(InputError, match=r"model: expected one of .*transformer.*; got .moons."):
        laptop_recipe("moons")
