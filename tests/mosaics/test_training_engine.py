"""Ways to compute the same run: parts of a batch, blocks computed twice, batches ahead, fused AdamW, times, events."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from mosaics.catalogue import MODELS
from mosaics.moons_model import MoonsModelConfig
from mosaics.tasks import batching
from mosaics.tasks.moons import MoonsTaskConfig
from mosaics.tasks.regbench import RegBenchTaskConfig
from mosaics.training import TrainConfig, train
from mosaics.training.loader import Loader
from mosaics.training.meter import Meter
from mosaics.training.optim import AdamW, FusedAdamW
from mosaics.training.parts import Size, cut
from mosaics.training.processes import ALONE
from regbench.suites import RegBenchLaptop
from toyworlds import ThreeMoons
from toyworlds.core.seeds import Stream
from toyworlds.core.validate import DataError, InputError

MODEL = MODELS["mosaic"](vocabulary=6, width=8, n_heads=2, persistent_size=3)
DROPPING = replace(MODEL, contextual_dropout=0.3, persistent_dropout=0.3, output_dropout=0.3)
TASK = RegBenchTaskConfig(RegBenchLaptop(), train_size=10, validation_size=2, test_size=2, batch_size=4)
CONFIG = TrainConfig(steps=4, learning_rate=0.01, dtype="float64", device="cpu", threads=1, clip_norm=0.5)


def run(config=CONFIG, model=MODEL, task=None, out=None):
    model = model.build(1)
    return model, train(model, task or TASK.build(2), config, out, progress=False)


def assert_same(got, expected, tolerance):
    for ours, theirs in zip(got[1].history, expected[1].history, strict=True):
        assert ours == pytest.approx(theirs, abs=tolerance)
    for ours, theirs in zip(got[0].parameters(), expected[0].parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=tolerance)


@dataclass
class MeanTask:
    """The loss is the mean of the numbers x that are not nan, times w: weights and shares by hand."""

    def weight(self, batch):
        return (~batch["x"].isnan()).sum()


def test_parts_and_shares_by_hand():
    x = torch.tensor([[1.0, 2.0], [3.0, torch.nan], [5.0, 6.0], [torch.nan, torch.nan], [7.0, torch.nan]])
    parts = cut(MeanTask(), {"x": x}, micro_batch=2)
    assert [p.first_row for p in parts] == [0, 2, 4]
    assert [p.share.item() for p in parts] == pytest.approx([3 / 6, 2 / 6, 1 / 6])
    whole = sum(p.share * p.batch["x"].nanmean() for p in parts)
    assert whole.item() == pytest.approx(x.nanmean().item())
    blank = cut(MeanTask(), {"x": x[3:]}, micro_batch=1)
    assert [(p.first_row, p.share.item()) for p in blank] == [(1, 0.0), (1, 1.0)]
    (only,) = cut(MeanTask(), {"x": x})
    assert (only.share, only.first_row) == (None, 0)


@pytest.mark.parametrize(("processes", "micro_batch"), [(2, None), (2, 1), (3, 2), (4, None), (7, None)])
def test_processes_share_a_batch(processes, micro_batch):
    x = torch.arange(10.0).reshape(5, 2)
    x[1, 1] = torch.nan
    mean, counts, rows = 0.0, set(), []
    for rank in range(processes):
        parts = cut(MeanTask(), {"x": x}, micro_batch=micro_batch, rank=rank, processes=processes)
        mean += sum(p.share * p.batch["x"].nanmean() for p in parts) / processes
        counts.add(len(parts))
        rows += [p.first_row + i for p in parts if p.share > 0 for i in range(len(p.batch["x"]))]
        assert all(len(p.batch["x"]) <= (micro_batch or 5) for p in parts)
    assert mean.item() == pytest.approx(x.nanmean().item())
    assert rows == [0, 1, 2, 3, 4]
    assert len(counts) == 1  # every process takes part in every exchange


def test_batches_that_cannot_be_cut():
    with pytest.raises(InputError, match="rows on axis 0"):
        cut(MeanTask(), {"x": torch.ones(3), "y": torch.ones(2)}, micro_batch=1)
    with pytest.raises(InputError, match="micro_batch: expected none for a task without a method `weight`"):
        cut(object(), {"x": torch.ones(3)}, micro_batch=1)


@pytest.mark.parametrize("micro_batch", [1, 3])
def test_micro_batches_are_the_whole_batch(micro_batch):
    assert_same(run(replace(CONFIG, micro_batch=micro_batch)), run(), 1e-12)


def test_micro_batches_of_a_population_with_missing_data():
    world = ThreeMoons(length=20, missing_stretches=2, missing_length=4)
    task = MoonsTaskConfig(world, batch_size=5, evaluation_rows=2).build((3, 4))
    model = MoonsModelConfig()
    ends = []
    for config in (CONFIG, replace(CONFIG, micro_batch=2)):
        population = model.build((3, 4))
        ends.append((population, train(population, task, config, progress=False)))
    for ours, theirs in zip(*(end[0].parameters() for end in ends), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["mosaic", "transformer", "mosaic_v2"])
def test_activation_checkpointing_changes_no_bit(name):
    model = DROPPING if name == "mosaic" else MODELS[name](vocabulary=6, width=8, n_heads=2)
    got, expected = run(replace(CONFIG, activation_checkpointing=True), model), run(model=model)
    assert got[1].history == expected[1].history
    assert all(torch.equal(a, b) for a, b in zip(got[0].parameters(), expected[0].parameters(), strict=True))
    assert all("forward" not in vars(block) for block in got[0].blocks)
    with pytest.raises(InputError, match="a model without blocks"):
        run(replace(CONFIG, activation_checkpointing=True), MODELS["lstm"](vocabulary=6, width=8))


@pytest.mark.parametrize("ahead", [1, 3])
def test_batches_made_ahead_change_no_bit(ahead):
    got, expected = run(replace(CONFIG, prefetch=ahead)), run()
    assert got[1].history == expected[1].history
    assert torch.equal(got[0].norm.weight, expected[0].norm.weight)


def test_the_loader_makes_each_batch_once_and_tells_the_step_of_an_error():
    made = []

    def make(step):
        made.append(step)
        if step == 4:
            raise KeyError("no such row")
        return step * 10

    with Loader(make, stop=9, ahead=2) as loader:
        assert [loader(step) for step in range(4)] == [0, 10, 20, 30]
        with pytest.raises(KeyError, match="no such row") as caught:
            loader(4)
        assert caught.value.__notes__ == ["while the batch of step 4 was made"]
        assert loader(5) == 50
    assert sorted(set(made)) == sorted(made)
    assert set(made) <= set(range(8))


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_fused_adamw_is_ours(decay):
    options = {"betas": (0.8, 0.95), "epsilon": 1e-6, "weight_decay": decay, "decayed": frozenset("a")}
    ends = []
    for kind in (AdamW, FusedAdamW):
        draw = torch.Generator().manual_seed(0)
        weights = {n: torch.randn(3, 2, generator=draw, dtype=torch.float64) for n in ("a", "b")}
        optimizer = kind(weights, bias_correction=True, **options)
        for step in range(20):
            gradients = [torch.randn(3, 2, generator=draw, dtype=torch.float64) for _ in weights]
            optimizer.update(gradients, 0.01 * (step + 1), step)
        ends.append(weights | optimizer.tensors())
    for name, item in ends[0].items():
        torch.testing.assert_close(ends[1][name], item, rtol=1e-10, atol=1e-12)


class Known(nn.Module):
    def flops_per_token(self, context):
        return 100.0 * context


def test_meter_by_hand(monkeypatch):
    now = iter([10.0, 12.0, 20.0, 22.0])
    monkeypatch.setattr("mosaics.training.meter.time.monotonic", lambda: next(now))
    meter = Meter(Known(), replace(CONFIG, peak_flops=1e6), torch.device("cpu"), ALONE)
    for _ in range(2):
        meter.start()
        meter.count(Size(sequences=4, tokens=60, padded=80))
        meter.pause()
    record = meter.read()
    assert (record["seconds"], record["steps_per_second"]) == (4.0, 0.5)
    assert (record["tokens_per_second"], record["padding"]) == (30.0, 0.25)
    assert record["mfu"] == pytest.approx(3 * 120 * 100 * 10 / (4.0 * 1e6))  # rows of 20 tokens: context 10
    assert "tokens_per_second" not in meter.read()


def test_every_record_has_its_time():
    _, result = run(replace(CONFIG, peak_flops=1e12))
    assert [record["step"] for record in result.timing] == [1, 2, 3, 4]
    for record in result.timing:
        assert {"tokens_per_second", "mfu", "memory_mib", "padding", "seconds"} <= record.keys()
        assert 0.0 < record["mfu"] < 1.0


def test_bucketed_orders_by_hand(monkeypatch):
    monkeypatch.setattr(batching, "POOL", 2)
    lengths, words = np.array([5, 1, 4, 2, 3, 6, 9]), np.arange(7, dtype=np.uint64)
    order = batching.bucketed(lengths, 2, words[::-1])
    pools = [[6, 5, 4, 3], [2, 1, 0]]  # the shuffle, in pools of two batches; each sorted by length:
    assert [sorted(pool, key=lambda row: lengths[row]) for pool in pools] == [[3, 4, 5, 6], [1, 2, 0]]
    assert order.tolist() == [1, 2, 5, 6, 3, 4, 0]  # full batches in the order of the first words, the rest last
    assert batching.padding(lengths, 2, order) == pytest.approx(1 - 30 / (8 + 18 + 6 + 5))


def test_bucketed_epochs_hold_every_problem_once_with_less_padding():
    config = replace(TASK, train_size=130, batching="bucketed")
    task, plain = config.build(5), replace(config, batching="shuffled").build(5)
    lengths = task.training_set.lengths
    waste = {id(t): [batching.padding(lengths, 4, t.order(epoch)) for epoch in range(3)] for t in (task, plain)}
    for epoch in range(3):
        assert sorted(task.order(epoch)) == list(range(130))
        assert task.order(epoch).tolist() == config.build(5).order(epoch).tolist()
        assert waste[id(task)][epoch] < 0.3 * waste[id(plain)][epoch]
    assert task.order(0).tolist() != task.order(1).tolist()
    tokens, padded = np.sum([task.tokens(task.batch(step)) for step in range(task.config.steps_per_epoch)], 0)
    assert (tokens, tokens < padded) == (int((lengths - 1).sum()) + padding_tail(task), True)


def padding_tail(task):
    """Last tokens that a batch shows of texts shorter than its longest: the model reads them without a label."""
    rows, size = task.order(0), task.config.batch_size
    batches = [task.training_set.lengths[rows[first : first + size]] for first in range(0, len(rows), size)]
    return sum(int((batch < batch.max()).sum()) for batch in batches)


def test_tensorboard_events(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    _, result = run(replace(CONFIG, tensorboard=True), out=tmp_path / "run")
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars("loss")] == [1, 2, 3, 4]
    losses = [event.value for event in events.Scalars("loss")]
    assert losses == pytest.approx([record["loss"] for record in result.history], rel=1e-6)
    assert "tokens_per_second" in events.Tags()["scalars"]


def test_tensorboard_refusals(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="tensorboard"):
        run(replace(CONFIG, tensorboard=True))
    monkeypatch.setattr("mosaics.training.tracking.importlib.util.find_spec", lambda _: None)
    with pytest.raises(DataError, match=r"mosaicbench\[tracking\]"):
        run(replace(CONFIG, tensorboard=True), out=tmp_path / "run")


class Cubic(nn.Module):
    config, seed = TASK, 0

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(6, 6))

    def forward(self, tokens):
        return functional.one_hot(tokens, 6).to(self.weight) @ self.weight**3


class CubicTask:
    config, seed = TASK, 0

    def batch(self, step):
        tokens = torch.from_numpy(Stream(0, "cubic", step).below(6, 0, 24).reshape(4, 6))
        return {"tokens": tokens, "labels": (tokens + 1) % 6}

    def loss(self, model, batch):
        return functional.cross_entropy(model(batch["tokens"]).flatten(0, 1), batch["labels"].flatten())

    def evaluate(self, model):
        return {"validation_loss": self.loss(model, self.batch(99)).item()}


@pytest.mark.slow
@pytest.mark.parametrize("how", ["model", "graphs"])
@pytest.mark.filterwarnings("ignore")
def test_a_compiled_model_trains_alike(how):
    config, ends = replace(CONFIG, dtype="float32"), []
    for options in ({}, {"compile": how}):
        model = Cubic()
        ends.append((model, train(model, CubicTask(), replace(config, **options), progress=False)))
    assert_same(ends[1], ends[0], 1e-5)
