"""The three-moons task and measures: batches, loss by hand, unseen steps, errors against context length."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from mosaics.catalogue import MODELS, TASKS
from mosaics.moons_measures import free_running_error, one_step_error
from mosaics.moons_model import MoonsModelConfig
from mosaics.tasks.moons import MoonsTaskConfig, differences, published_recipe
from mosaics.training import train
from toyworlds import ThreeMoons
from toyworlds.core.validate import InputError

SMALL = MoonsTaskConfig(ThreeMoons(length=30), batch_size=3, evaluation_rows=4)


class Constant(nn.Module):
    """Predicts 0.25 everywhere."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.25))

    def forward(self, x, seen=None):
        return torch.zeros_like(x) + self.weight


def test_batches_are_rows_of_the_world_in_order():
    task = SMALL.build(5)
    rows = SMALL.world.generate(5, "train", 6, 3)["observation"]
    assert np.array_equal(task.batch(2)["observation"].numpy(), rows)
    assert set(task.batch(2)) == {"observation"}
    both = SMALL.build((4, 5)).batch(2)["observation"]
    assert torch.equal(both[1], task.batch(2)["observation"])
    assert not torch.equal(both[0], both[1])
    assert not torch.equal(task.batch(0)["observation"], task.batch(1)["observation"])


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7])
def test_a_finite_set_is_read_again_and_again(size):
    world = ThreeMoons(length=9, missing_stretches=1, missing_length=2)
    task = MoonsTaskConfig(world, batch_size=3, train_size=size).build((4, 5))
    rows = [world.generate(seed, "train", 0, size) for seed in (4, 5)]
    for step in range(6):
        batch, wanted = task.batch(step), (3 * step + np.arange(3)) % size
        for member, known in enumerate(rows):
            assert np.array_equal(batch["observation"][member], known["observation"][wanted], equal_nan=True)
            assert np.array_equal(batch["seen"][member], known["mask"][wanted])


def test_loss_by_hand():
    observation = torch.zeros(1, 3, 6)
    observation[0, 1, 0], observation[0, 2, 0] = 0.35, -5.0
    expected = ((0.1**2 + 0.5**2) + 10 * 0.25**2) / 12  # -5 is clipped to 0.5
    loss = SMALL.build(0).loss(Constant(), {"observation": observation})
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_loss_leaves_out_what_was_not_seen():
    observation = torch.full((1, 5, 6), torch.nan)
    seen = torch.tensor([[True, True, False, True, True]])
    observation[0, [0, 1, 3, 4]] = torch.tensor([0.0, 0.35, 9.0, 0.05])[:, None]
    loss = SMALL.build(0).loss(Constant(), {"observation": observation, "seen": seen})
    assert loss.item() == pytest.approx((0.1**2 + 0.2**2) / 2, rel=1e-6)
    loss.backward()


def test_missing_stretches_train_without_nan():
    config = replace(SMALL, world=ThreeMoons(length=30, missing_stretches=2, missing_length=5))
    task, model = config.build(1), MoonsModelConfig().build(1)
    batch = task.batch(0)
    assert batch["observation"].isnan().any(-1).equal(~batch["seen"])
    task.loss(model, batch).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())
    metrics = task.evaluate(model)
    assert all(np.isfinite(list(metrics.values())))
    observation = config.world.generate(1, "validation", 0, 4)["observation"]
    assert np.isfinite(one_step_error(model, observation)).all()
    assert np.isfinite(free_running_error(model, observation, (3, 20), steps=5)).all()


def test_metrics_by_hand():
    task = SMALL.build(2)
    x = SMALL.world.generate(2, "validation", 0, 4)["observation"][:, 1:].astype(float)
    metrics = task.evaluate(Constant())
    assert set(metrics) == {"validation_loss", "validation_error"}
    assert metrics["validation_error"] == pytest.approx(np.abs(0.25 - x).mean(), rel=1e-5)
    assert metrics["validation_loss"] == pytest.approx(np.clip(0.25 - x, -0.5, 0.5).__pow__(2).mean(), rel=1e-5)
    assert MoonsTaskConfig().build(0).window() == (134, 200)
    long = replace(SMALL, world=ThreeMoons(length=210), evaluation_rows=70)
    x = long.world.generate(2, "validation", 0, 70)["observation"][:, 134:201].astype(float)
    assert long.build(2).evaluate(Constant())["window_error"] == pytest.approx(np.abs(0.25 - x).mean(), rel=1e-5)


def test_population_has_the_losses_and_metrics_of_its_members():
    config = MoonsModelConfig()
    for world in (SMALL.world, replace(SMALL.world, missing_stretches=1), replace(SMALL.world, mixing="orthogonal")):
        task = replace(SMALL, world=world)
        together = task.build((3, 4)).loss(config.build((3, 4)), task.build((3, 4)).batch(1))
        metrics = task.build((3, 4)).evaluate(config.build((3, 4)))
        for index, seed in enumerate((3, 4)):
            lone = task.build(seed)
            loss = lone.loss(config.build(seed), lone.batch(1))
            assert together[index].item() == pytest.approx(loss.item(), rel=1e-5)
            expected = lone.evaluate(config.build(seed))
            assert {name: values[index] for name, values in metrics.items()} == pytest.approx(expected, rel=1e-5)


def test_one_step_error_is_that_of_the_prediction_after_each_context():
    model = MoonsModelConfig().build(1).double()
    observation = SMALL.world.generate(0, "validation", 0, 70)["observation"]
    error = one_step_error(model, observation)
    x = torch.from_numpy(observation).double()
    with torch.no_grad():
        for n in (1, 2, 29):
            expected = (model(x[:, :n])[:, -1] - x[:, n]).abs().mean()
            assert error[n - 1] == pytest.approx(expected.item(), rel=1e-9)
    assert error.shape == (29,)
    difference, _ = differences(model, {"observation": x})
    assert error == pytest.approx(difference.detach().abs().mean((0, 2)).numpy())


def test_free_running_error_by_hand():
    model = MoonsModelConfig().build(1).double()
    observation = SMALL.world.generate(0, "validation", 0, 3)["observation"]
    x = torch.from_numpy(observation).double()
    for frozen in (False, True):
        got = free_running_error(model, observation, (7, 20), steps=4, frozen=frozen)
        with torch.no_grad():
            for index, n in enumerate((7, 20)):
                path = model.free_run(x[:, :n], 4, frozen=frozen)
                assert got[index] == pytest.approx((path - x[:, n : n + 4]).abs().mean().item(), rel=1e-9)
    with pytest.raises(InputError, match="contexts"):
        free_running_error(model, observation, (27,), steps=4)


def test_measures_of_a_population():
    population = MoonsModelConfig().build((1, 2)).double()
    observation = np.stack([SMALL.world.generate(s, "validation", 0, 3)["observation"] for s in (1, 2)])
    together = one_step_error(population, observation)
    running = free_running_error(population, observation, (5, 9), steps=3)
    for index, seed in enumerate((1, 2)):
        lone = MoonsModelConfig().build(seed).double()
        assert together[index] == pytest.approx(one_step_error(lone, observation[index]))
        assert running[index] == pytest.approx(free_running_error(lone, observation[index], (5, 9), steps=3))
    with pytest.raises(InputError, match="observation"):
        one_step_error(population, observation[0])


def test_published_recipe():
    model, task, training = published_recipe()
    assert (model.n_heads, model.head_width, model.beta, model.score) == (3, 2, 50.0, "dot")
    assert published_recipe(1)[0].head_width == 6
    batch = task.build(0).batch(0)["observation"]
    assert batch.shape == (64, 801, 6)
    assert training.learning_rate_at(0) == 1e-2
    assert not training.bias_correction


def test_registered():
    assert "moons" in MODELS
    assert "moons" in TASKS


@pytest.mark.parametrize(
    ("options", "word"),
    [({"batch_size": 0}, "batch_size"), ({"clip": 0.0}, "clip"), ({"world": "three_moons"}, "world")],
)
def test_bad_options(options, word):
    with pytest.raises(InputError, match=word):
        MoonsTaskConfig(**options)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
def test_training_lowers_the_loss(dtype):
    task = replace(SMALL, world=ThreeMoons(length=100), batch_size=8)
    training = replace(published_recipe()[2], steps=30, dtype=dtype, device="cpu", threads=1)
    result = train(MoonsModelConfig().build(0), task.build(0), training, progress=False)
    losses = [record["loss"] for record in result.history]
    assert np.mean(losses[-5:]) < 0.7 * losses[0]
