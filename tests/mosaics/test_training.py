"""The loop on a small regression: AdamW against torch's and by hand, schedules, clipping, evaluation, stopping."""

import logging
import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from mosaics.moons_model import MoonsModelConfig
from mosaics.mosaic import MemoryMosaicConfig
from mosaics.tasks.moons import MoonsTaskConfig
from mosaics.tasks.regbench import laptop_recipe
from mosaics.training import TrainConfig, TrainingError, train
from mosaics.training.optim import AdamW, clip_, gradient_norm
from mosaics.training.schedule import learning_rate
from toyworlds.core.seeds import Stream
from toyworlds.core.validate import DataError, InputError
from toyworlds.three_moons import ThreeMoons


@dataclass(frozen=True)
class LineConfig:
    """y = w x + b, with dropout on x."""

    width: int = 3
    dropout: float = 0.0

    def build(self, seed: int = 0) -> "Line":
        return Line(self, seed)


class Line(nn.Module):
    def __init__(self, config: LineConfig, seed: int) -> None:
        super().__init__()
        self.config, self.seed = config, seed
        self.linear = nn.Linear(config.width, 1)
        with torch.no_grad():
            start = Stream(seed, "line").uniform(0, config.width + 1) - 0.5
            self.linear.weight.copy_(torch.from_numpy(start[None, :-1]))
            self.linear.bias.copy_(torch.from_numpy(start[-1:]))

    def forward(self, x):
        return self.linear(functional.dropout(x, self.config.dropout, self.training))


class LineTask:
    """Regression on y = x_1 - x_2; metrics follow a given list, or are the loss on fixed data."""

    def __init__(self, seed=0, bad_step=None, metrics=None, fail_at=None):
        self.config, self.seed = LineConfig(), seed
        self.bad_step, self.fail_at, self.evaluations = bad_step, fail_at, iter(metrics or ())
        self.scripted = metrics is not None

    def batch(self, step):
        if step == self.fail_at:
            raise KeyboardInterrupt
        x = torch.from_numpy(Stream(self.seed, "batch", step).normal(0, 24).reshape(8, 3)).float()
        if step == self.bad_step:
            x[0, 0] = torch.inf
        return {"x": x}

    def loss(self, model, batch):
        x = batch["x"]
        return (model(x)[:, 0] - (x[:, 0] - x[:, 1])).square().mean()

    def evaluate(self, model):
        if self.scripted:
            return {"validation_loss": next(self.evaluations)}
        x = self.batch(10**6)["x"].to(next(model.parameters()))
        return {"validation_loss": self.loss(model, {"x": x}).item()}


SHORT = TrainConfig(steps=30, learning_rate=0.2, device="cpu", threads=1)


def run(config=SHORT, task=None, model=None, out=None, **options):
    model = model or LineConfig().build(1)
    return model, train(model, task or LineTask(), config, out, progress=False, **options)


def test_schedules_by_hand():
    linear = [learning_rate("linear", s, 4, first=1.0, final=0.2) for s in range(4)]
    assert linear == pytest.approx([1.0, 0.8, 0.6, 0.4])
    cosine = [learning_rate("cosine", s, 6, first=1.0, final=0.0, warmup=2) for s in range(6)]
    half = (1 + math.cos(math.pi / 4)) / 2
    assert cosine == pytest.approx([0.5, 1.0, 1.0, half, 0.5, 1 - half])
    assert [learning_rate("constant", s, 4, first=0.3, final=9.0, warmup=1) for s in range(3)] == [0.3] * 3
    published = [learning_rate("linear", s, 500, first=1e-2, final=5e-6) for s in (0, 499)]
    assert published == pytest.approx([1e-2, 5e-6 + (1e-2 - 5e-6) / 500])


def parameters(*shapes):
    generator = torch.Generator().manual_seed(0)
    return {str(i): torch.randn(*s, generator=generator, dtype=torch.float64) for i, s in enumerate(shapes)}


def test_adamw_is_torchs_with_bias_correction():
    ours = parameters((3, 4), (4,))
    theirs = [p.clone().requires_grad_() for p in ours.values()]
    groups = [{"params": theirs[:1], "weight_decay": 0.1}, {"params": theirs[1:], "weight_decay": 0.0}]
    reference = torch.optim.AdamW(groups, lr=1e-2, betas=(0.8, 0.95), eps=1e-6)
    options = {"betas": (0.8, 0.95), "epsilon": 1e-6, "weight_decay": 0.1, "decayed": frozenset("0")}
    optimizer = AdamW(ours, bias_correction=True, **options)
    for step in range(20):
        gradients = list(parameters((3, 4), (4,)).values())
        gradients = [g * (step - 7) for g in gradients]
        for p, g in zip(theirs, gradients, strict=True):
            p.grad = g.clone()
        reference.step()
        optimizer.update(gradients, 1e-2, step)
    for a, b in zip(ours.values(), theirs, strict=True):
        torch.testing.assert_close(a, b.detach(), rtol=1e-12, atol=1e-13)


def test_adamw_without_bias_correction_by_hand():
    weight = {"w": torch.tensor([1.0], dtype=torch.float64)}
    options = {"betas": (0.9, 0.999), "epsilon": 0.0, "weight_decay": 0.0, "decayed": frozenset()}
    optimizer = AdamW(weight, bias_correction=False, **options)
    gradient = torch.tensor([2.0], dtype=torch.float64)
    optimizer.update([gradient], 0.01, 0)
    after_one = 1.0 - 0.01 * 0.1 / math.sqrt(0.001)
    assert weight["w"].item() == pytest.approx(after_one, rel=1e-12)
    optimizer.update([gradient], 0.01, 1)
    assert weight["w"].item() == pytest.approx(after_one - 0.01 * 0.19 / math.sqrt(0.001999), rel=1e-12)


def test_norm_and_clipping_act_on_each_member_alone():
    gradients = [torch.tensor([[3.0, 0.0], [0.3, 0.0]]), torch.tensor([[[0.0, 4.0]], [[0.0, 0.4]]])]
    norm = gradient_norm(gradients, 2)
    assert norm.tolist() == pytest.approx([5.0, 0.5])
    assert gradient_norm(gradients, None).item() == pytest.approx(math.sqrt(25.25))
    clip_(gradients, norm, 1.0)
    assert gradient_norm(gradients, 2).tolist() == pytest.approx([1.0, 0.5])
    clip_(gradients, torch.tensor(2.0), 1.0)
    assert gradient_norm(gradients, 2).tolist() == pytest.approx([0.5, 0.25])
    clip_(gradients, torch.tensor(0.0), 1.0)
    assert gradient_norm(gradients, 2).tolist() == pytest.approx([0.5, 0.25])


def test_loop_equals_a_plain_loop_of_torch():
    config = replace(SHORT, schedule="cosine", warmup_steps=3, weight_decay=0.3, clip_norm=0.5, dtype="float64")
    model, result = run(config)
    plain, task = LineConfig().build(1).double(), LineTask()
    weight, bias = plain.linear.weight, plain.linear.bias
    optimizer = torch.optim.AdamW([{"params": [weight], "weight_decay": 0.3}, {"params": [bias], "weight_decay": 0.0}])
    for step in range(30):
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate_at(step)
        loss = task.loss(plain, {"x": task.batch(step)["x"].double()})
        optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(plain.parameters(), 0.5)
        optimizer.step()
        record = result.history[step]
        assert (record["step"], record["learning_rate"]) == (step + 1, config.learning_rate_at(step))
        assert [record["loss"], record["gradient_norm"]] == pytest.approx([loss.item(), norm.item()], rel=1e-5)
    torch.testing.assert_close(model.linear.weight, weight, rtol=1e-5, atol=1e-5)  # torch adds 1e-6 to the norm
    assert result.final["validation_loss"] < 0.1 * result.history[0]["loss"]


def test_decay_vectors():
    free, _ = run(replace(SHORT, weight_decay=0.5))
    all_decayed, _ = run(replace(SHORT, weight_decay=0.5, decay_vectors=True))
    assert not torch.equal(free.linear.bias, all_decayed.linear.bias)


def test_nothing_is_drawn_from_the_global_generator():
    dropout = LineConfig(dropout=0.5)
    model = dropout.build(1)
    before, threads = torch.random.get_rng_state(), torch.get_num_threads()
    first, _ = run(model=model)
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.get_num_threads() == threads
    assert (torch.tensor(1e-310, dtype=torch.float64) * 1.0).item() > 0  # denormal numbers count again
    torch.rand(7)
    second, _ = run(model=dropout.build(1))
    other, _ = run(replace(SHORT, seed=1), model=dropout.build(1))
    assert torch.equal(first.linear.weight, second.linear.weight)
    assert not torch.equal(first.linear.weight, other.linear.weight)


def test_dropout_is_the_same_after_a_resume(tmp_path):
    config = replace(SHORT, checkpoint_every=4, evaluate_every=3)
    whole, expected = run(config, model=LineConfig(dropout=0.5).build(1))
    with pytest.raises(KeyboardInterrupt):
        run(config, LineTask(fail_at=18), LineConfig(dropout=0.5).build(1), tmp_path)
    resumed, result = run(config, LineTask(), LineConfig(dropout=0.5).build(1), tmp_path)
    assert torch.equal(whole.linear.weight, resumed.linear.weight)
    assert (result.history, result.final, result.best) == (expected.history, expected.final, expected.best)
    assert torch.equal(result.best_weights["linear.weight"], expected.best_weights["linear.weight"])


def test_a_loss_that_is_not_finite_is_refused(tmp_path):
    message = r"loss: expected a finite number; got (nan|inf) in the batch of step 7, seed 5"
    with pytest.raises(TrainingError, match=message):
        run(task=LineTask(seed=5, bad_step=7))
    config = replace(SHORT, checkpoint_every=2, log_every=30)
    with pytest.raises(TrainingError, match="step 7"):
        run(config, LineTask(seed=5, bad_step=7), out=tmp_path)
    _, result = run(config, LineTask(seed=5), out=tmp_path)  # the checkpoint before it is sound
    assert math.isfinite(result.final["validation_loss"])
    assert issubclass(TrainingError, DataError)


def test_best_and_early_stop():
    config = replace(SHORT, evaluate_every=2, patience=3)
    values = [3.0, 1.0, 2.0, float("nan"), 1.0, 5.0, 5.0]
    _, result = run(config, LineTask(metrics=values))
    assert result.best == {"step": 2, "value": 1.0}
    assert (result.steps, result.stopped_early, result.final) == (8, True, {"validation_loss": 1.0})
    evaluated = [r["validation_loss"] for r in result.history if "validation_loss" in r]
    assert evaluated == [3.0, 1.0, 2.0, None, 1.0]
    config = replace(config, higher_is_better=True, patience=None, steps=6)
    _, result = run(config, LineTask(metrics=[1.0, 3.0, 2.0, 3.0]))
    assert result.best == {"step": 2, "value": 3.0}
    assert not result.stopped_early


def test_best_weights_are_those_of_the_best_step():
    config = replace(SHORT, evaluate_every=5, log_every=30)
    short, _ = run(replace(config, steps=10, schedule="constant"))
    _, result = run(replace(config, schedule="constant"), LineTask(metrics=[9.0, 2.0, 1.0, 3.0, 4.0, 5.0, 6.0]))
    assert result.best["step"] == 10
    assert torch.equal(result.best_weights["linear.weight"], short.linear.weight)
    assert [record["step"] for record in result.history] == [0, 5, 10, 15, 20, 25, 30]


def test_observer_joins_the_metrics():
    seen = []

    def observe(step, _):
        seen.append(step)
        return {"twice": 2 * step}

    _, result = run(replace(SHORT, evaluate_every=10, log_every=10), observe=observe)
    assert seen == [0, 10, 20, 30]
    assert result.final["twice"] == 60.0
    with pytest.raises(InputError, match="metric"):
        run(observe=lambda *_: {"loss": 1.0})


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
def test_dtypes(dtype):
    model, result = run(replace(SHORT, dtype=dtype))
    assert model.linear.weight.dtype == (torch.float64 if dtype == "float64" else torch.float32)
    assert result.final["validation_loss"] < 0.1 * result.history[0]["loss"]


def test_log_lines(caplog):
    with caplog.at_level(logging.INFO, logger="mosaicbench"):
        train(LineConfig().build(1), LineTask(), SHORT)
    (record,) = caplog.records
    assert record.getMessage().startswith("training: 30/30 steps, 0 s left, loss 0.0")
    assert "steps_per_second" in record.getMessage()
    assert "memory_mib" in record.getMessage()


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"steps": 0}, "steps"),
        ({"schedule": "cosin"}, "did you mean 'cosine'"),
        ({"betas": (0.9, 1.0)}, "betas"),
        ({"warmup_steps": 501}, "warmup_steps"),
        ({"clip_norm": 0.0}, "clip_norm"),
        ({"patience": 3}, "evaluate_every"),
        ({"dtype": "float16"}, "dtype"),
        ({"device": "tpu"}, "device"),
        ({"epsilon": -1e-8}, "epsilon"),
        ({"compile": "graph"}, "did you mean 'graphs'"),
        ({"parallel": "dpp"}, "did you mean 'ddp'"),
        ({"micro_batch": 0}, "micro_batch"),
        ({"prefetch": -1}, "prefetch"),
        ({"peak_flops": 0.0}, "peak_flops"),
        ({"betas": [0.9, 0.95]}, "betas: expected a tuple of two numbers"),
        ({"bias_correction": "false"}, "bias_correction: expected True or False; got 'false'"),
    ],
)
def test_bad_options(options, word):
    with pytest.raises(InputError, match=word):
        TrainConfig(**options)


def test_a_model_and_a_task_must_go_together():
    moons, tasks = MoonsModelConfig(), MoonsTaskConfig(ThreeMoons(length=20), batch_size=2, evaluation_rows=2)
    mosaic, regbench = MemoryMosaicConfig(vocabulary=6, n_layers=1, n_heads=1, width=8), laptop_recipe().task
    several = tasks.build([0, 1])
    for model, task, message in (
        (moons, tasks.build(0), "model: expected a model, as config.build.seed. makes one; got 'MoonsModelConfig'"),
        (moons.build(0), tasks, "task: expected a task, as config.build.seed. makes one; got 'MoonsTaskConfig'"),
        (moons.build(0).requires_grad_(False), tasks.build(0), "model: expected one with parameters to train"),
        (moons.build([0, 1]), tasks.build(0), "task: expected one of 2 seeds, one a member of the model; got 0"),
        (moons.build([0, 1]), tasks.build([0, 1, 2]), "task: expected one of 2 seeds"),
        (moons.build(0), several, r"task: expected one of one seed, for a lone model; got \(0, 1\)"),
        (
            moons.build(0),
            regbench.build(0),
            "model: expected one that reads tokens, for the task regbench; got 'moons'",
        ),
        (replace(moons, channels=4).build(0), tasks.build(0), "model: expected one of 6 channels.*; got 4"),
        (replace(mosaic, vocabulary=40).build(0), regbench.build(0), "model: expected one with a vocabulary of 6"),
    ):
        with pytest.raises(InputError, match=message):
            train(model, task, SHORT, progress=False)
    train(moons.build([0, 1]), several, replace(SHORT, steps=1), progress=False)


def test_seeds_of_numpy_are_numbers():
    assert MoonsTaskConfig().build(np.int64(3)).seed == 3
    assert MoonsTaskConfig().build((np.int64(3), 4)).seed == (3, 4)
    with pytest.raises(InputError, match=r"seed: expected a whole number of at least 0; got 1.5"):
        MoonsTaskConfig().build(1.5)


def test_an_observer_that_returns_nothing_is_named():
    with pytest.raises(InputError, match=r"observe: expected a function that returns a dict of metrics.*; got None"):
        run(replace(SHORT, steps=1), observe=lambda step, model: None)


def test_unknown_monitor():
    with pytest.raises(InputError, match="did you mean 'validation_loss'"):
        run(replace(SHORT, evaluate_every=1, monitor="validation_los"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a CUDA device")
def test_cuda_asked_for_and_not_there():
    with pytest.raises(InputError, match="device"):
        run(replace(SHORT, device="cuda"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
def test_cuda_training_is_close_to_the_cpus(dtype):
    _, expected = run(replace(SHORT, dtype=dtype))
    _, result = run(replace(SHORT, dtype=dtype, device="cuda", clip_norm=1e9, evaluate_every=7))
    tolerance = 0.1 if dtype == "bfloat16" else 1e-3
    assert result.history[-1]["loss"] == pytest.approx(expected.history[-1]["loss"], rel=tolerance, abs=1e-4)
