"""Several processes on one run: losses of one, sharded checkpoints that any number continues, deaths survived."""

import json
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import time
import traceback
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from mosaics.catalogue import MODELS
from mosaics.moons_model import MoonsModelConfig
from mosaics.tasks.moons import MoonsTaskConfig
from mosaics.training import TrainConfig, read_run, train
from mosaics.training.checkpoint import entries
from mosaics.training.processes import ALONE, Processes
from toyworlds.core.seeds import Stream
from toyworlds.core.validate import DataError, InputError

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked")
MODEL = MODELS["mosaic"](vocabulary=6, width=8, n_heads=2, persistent_size=3)
DROPPING = replace(MODEL, contextual_dropout=0.2, persistent_dropout=0.2, output_dropout=0.2)
CONFIG = TrainConfig(
    steps=6, learning_rate=0.02, dtype="float64", device="cpu", threads=1, evaluate_every=3, checkpoint_every=2,
    clip_norm=0.5, weight_decay=0.1,
)  # fmt: skip


@dataclass(frozen=True)
class CountConfig:
    """Tokens t -> t + 1 modulo 6; rows of 7 tokens with labels on the first 1 to 7, none in the row `blank`.

    Packed rows hold sequences of 3 and 4 tokens.
    """

    rows: int = 5
    blank: int | None = None
    packed: bool = False

    def build(self, seed: int = 0) -> "CountTask":
        return CountTask(self, seed)


class CountTask:
    def __init__(self, config, seed):
        self.config, self.seed, self.dies_at = config, seed, None

    def batch(self, step):
        if step == self.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        rows = 1 if step % 4 == 3 else self.config.rows  # the last batch of an epoch is smaller
        stream = Stream(self.seed, "count", step)
        tokens = (stream.below(6, 0, rows)[:, None] + np.arange(7)) % 6
        labels = (tokens + 1) % 6
        labels[np.arange(7) >= 1 + stream.below(7, rows, rows)[:, None]] = -1
        if self.config.blank is not None and rows > 1:
            labels[self.config.blank] = -1
        segments = {"segments": (torch.arange(7) < 3).long().expand(rows, -1)} if self.config.packed else {}
        return {"tokens": torch.from_numpy(tokens), "labels": torch.from_numpy(labels), **segments}

    def loss(self, model, batch):
        given = {"segments": batch["segments"]} if self.config.packed else {}
        logits = model(batch["tokens"], **given)
        return functional.cross_entropy(logits.flatten(0, 1), batch["labels"].flatten(), ignore_index=-1)

    def weight(self, batch):
        return (batch["labels"] >= 0).sum()

    def evaluate(self, model):
        return {"validation_loss": self.loss(model, self.batch(10**6)).item()}


def outcome(model, result):
    """What a process sends back: JSON holds float64 exactly."""
    return {
        "history": result.history,
        "final": result.final,
        "best": result.best,
        "weights": {name: item.tolist() for name, item in model.state_dict().items()},
        "best_weights": {name: item.tolist() for name, item in result.best_weights.items()},
    }


def alone(config=CONFIG, model=MODEL, task=None, out=None):
    model = model.build(1)
    return outcome(model, train(model, task or CountConfig().build(2), config, out, progress=False))


def start(count, work):
    """Start `work(rank)` in `count` processes that know each other as torchrun's would."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    context, started = multiprocessing.get_context("fork"), []
    for rank in range(count):
        environment = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(count)}
        environment |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "TORCH_GLOO_LAZY_INIT": "1"}
        here, there = context.Pipe(duplex=False)
        started.append((context.Process(target=_child, args=(work, rank, environment, there)), here))
        started[-1][0].start()
        there.close()
    return started


def _child(work, rank, environment, pipe):
    os.environ.update(environment)
    try:
        pipe.send(json.dumps(work(rank)))
    except BaseException as error:
        pipe.send(json.dumps({"error": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}))
    finally:
        pipe.close()
        os._exit(0)


def together(count, work):
    """Return what `work(rank)` returns in each of `count` processes; None of one that died."""
    results = []
    for process, pipe in start(count, work):
        try:
            results.append(json.loads(pipe.recv()) if pipe.poll(90) else {"error": "no answer"})
        except EOFError:
            results.append(None)
        process.join(10)
        process.kill()
    return results


def shared(config, model=MODEL, task=None, *, out=None, count=2, dies=None):
    """Train in `count` processes; `dies` = (rank, step) of one that kills itself."""

    def work(rank):
        own = (task or CountConfig()).build(2)
        own.dies_at = dies[1] if dies and dies[0] == rank else None
        return alone(config, model, own, out)

    return together(count, work)


def assert_close(got, expected, tolerance=1e-9):
    assert got.keys() == expected.keys(), got.get("trace")
    assert got["best"]["step"] == expected["best"]["step"]
    assert got["final"] == pytest.approx(expected["final"], abs=tolerance)
    assert len(got["history"]) == len(expected["history"])
    for ours, theirs in zip(got["history"], expected["history"], strict=True):
        assert ours == pytest.approx(theirs, abs=tolerance)
    for kind in ("weights", "best_weights"):
        assert got[kind].keys() == expected[kind].keys()
        for name, item in expected[kind].items():
            torch.testing.assert_close(torch.tensor(got[kind][name]), torch.tensor(item), rtol=0, atol=tolerance)


@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
@pytest.mark.parametrize("packed", [False, True])
def test_two_processes_are_one(parallel, packed):
    task = CountConfig(packed=packed)
    expected = alone(task=task.build(2))
    first, second = shared(replace(CONFIG, parallel=parallel), task=task)
    assert first == second
    assert_close(first, expected)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"parallel": "fsdp", "activation_checkpointing": True}, {"parallel": "ddp"}])
def test_dropout_and_parts_do_not_hang_on_the_number_of_processes(options):
    config, task = replace(CONFIG, micro_batch=2), CountConfig(rows=8, blank=3)
    expected = alone(config, DROPPING, task.build(2))
    other = alone(replace(config, seed=1), DROPPING, task.build(2))
    assert expected["history"] != other["history"]
    for got in shared(replace(config, **options), DROPPING, task):
        assert_close(got, expected)


@pytest.mark.slow
def test_a_sharded_checkpoint_is_continued_by_any_number(tmp_path):
    config, expected = replace(CONFIG, parallel="fsdp"), alone()
    cut = tmp_path / "cut"
    died = shared(config, out=cut, dies=(1, 5))
    assert died[1] is None
    assert "error" in died[0]
    names = [entry.name for entry in entries(cut / "checkpoint")]
    assert names == ["step-00000004.json", "step-00000002.json"]
    assert {p.name for p in (cut / "checkpoint").glob("step-00000004-*")} == {
        "step-00000004-1-of-2.safetensors",
        "step-00000004-2-of-2.safetensors",
    }
    for count, parallel in ((1, "none"), (2, "ddp"), (2, "fsdp"), (3, "fsdp")):
        shutil.copytree(cut, tmp_path / "copy")
        how = replace(config, parallel=parallel)
        got = [alone(how, out=tmp_path / "copy")] if count == 1 else shared(how, out=tmp_path / "copy", count=count)
        for each in got:
            assert_close(each, expected)
        saved = read_run(tmp_path / "copy")
        assert {"parallel": parallel, "processes": count}.items() <= saved.result["machine"].items()
        assert saved.weights()["norm.weight"].tolist() == got[0]["weights"]["norm.weight"]
        shutil.rmtree(tmp_path / "copy")


@pytest.mark.parametrize("parallel", [pytest.param("ddp", marks=pytest.mark.slow), "fsdp"])
def test_killed_twice_without_its_newest_checkpoint_the_run_ends_as_if_nothing_was(tmp_path, parallel):
    """One of two processes is killed, then both, then the newest checkpoint is pulled away."""
    config = replace(CONFIG, steps=8, parallel=parallel)
    whole = shared(config, out=tmp_path / "whole")
    out = tmp_path / "cut"
    assert shared(config, out=out, dies=(1, 3))[1] is None
    started = start(2, lambda rank: shared_until(config, out, 7))
    deadline = time.monotonic() + 60
    while not (out / "checkpoint" / "step-00000006.json").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    for process, _ in started:
        process.kill()
        process.join()
    newest = entries(out / "checkpoint")[0]
    assert newest.name == "step-00000006.json"
    newest.unlink()
    assert shared(config, out=out) == whole
    assert (out / "metrics.jsonl").read_bytes() == (tmp_path / "whole" / "metrics.jsonl").read_bytes()
    assert (out / "model.safetensors").read_bytes() == (tmp_path / "whole" / "model.safetensors").read_bytes()


def shared_until(config, out, step):
    """Train up to a step that never ends."""
    task = CountConfig().build(2)
    batch = task.batch
    task.batch = lambda s: time.sleep(1e6) if s == step else batch(s)
    return alone(config, MODEL, task, out)


@pytest.mark.slow
def test_a_run_of_one_is_continued_by_two(tmp_path):
    expected, task = alone(), CountConfig().build(2)
    batch = task.batch
    task.batch = lambda step: batch(step) if step < 5 else (_ for _ in ()).throw(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        alone(out=tmp_path / "run", task=task)
    for got in shared(replace(CONFIG, parallel="fsdp"), out=tmp_path / "run"):
        assert_close(got, expected)
    for got in shared(replace(CONFIG, parallel="ddp"), out=tmp_path / "run"):  # the finished run is read
        assert_close(got, expected)


def test_a_damaged_folder_is_refused_by_every_process(tmp_path):
    (tmp_path / "thesis.txt").write_text("all of it")
    answers = shared(replace(CONFIG, parallel="ddp"), out=tmp_path)
    assert [answer["error"].split(":")[0] for answer in answers] == ["DataError", "DataError"]
    assert all(str(tmp_path) in answer["error"] for answer in answers)


class ScalarLine(torch.nn.Module):
    config, seed = CountConfig(), 0

    def __init__(self):
        super().__init__()
        self.scale, self.unused = torch.nn.Parameter(torch.ones(())), torch.nn.Parameter(torch.ones(2))

    def forward(self, tokens):
        return functional.one_hot(tokens, 6) * self.scale


@pytest.mark.slow
def test_models_that_do_not_fit_are_refused():
    def work(parallel):
        return lambda rank: train(ScalarLine(), CountConfig().build(2), replace(CONFIG, parallel=parallel))

    for parallel, message in (("fsdp", "ddp for a model with a scalar parameter"), ("ddp", "hangs on every parameter")):
        assert all(message in answer["error"] for answer in together(2, work(parallel)))


def test_refusals(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(InputError, match="started by torchrun"):
        alone(replace(CONFIG, parallel="ddp"))
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError, match="parallel: expected ddp or fsdp"):
        alone()
    monkeypatch.setenv("WORLD_SIZE", "1")
    alone()
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", "0")
    population, moons = MoonsModelConfig().build((1, 2)), MoonsTaskConfig().build((1, 2))
    with pytest.raises(InputError, match="parallel: expected none for a population"):
        train(population, moons, replace(CONFIG, parallel="ddp"))


def test_a_process_alone_tells_itself():
    assert ALONE.tell({"a": 1}) == {"a": 1}
    assert ALONE.gather("x") == ["x"]
    assert ALONE.first_says(lambda: 3) == 3
    assert (Processes(0, 4, True).writers, Processes(3, 4, False).writers) == (4, 1)
    with pytest.raises(DataError, match="this"):
        ALONE.first_says(lambda: (_ for _ in ()).throw(DataError("this")))
