"""Run folders: killed at random moments and resumed to the same bits; damaged, foreign and other runs refused."""

import json
import multiprocessing
import random
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from mosaics.moons_model import MoonsModelConfig
from mosaics.tasks.moons import MoonsTaskConfig
from mosaics.training import TrainConfig, read_run, train
from mosaics.training.checkpoint import Checkpoint, digest_of, load, save
from mosaics.training.population import train_population
from toyworlds import ThreeMoons
from toyworlds.core.validate import DataError, InputError

MODEL = MoonsModelConfig(channels=2, n_heads=1)
TASK = MoonsTaskConfig(ThreeMoons(((0.5,), (1.0,)), ((2.0,),), length=24), batch_size=2, evaluation_rows=2)
CONFIG = TrainConfig(
    steps=400, learning_rate=0.01, device="cpu", threads=1, evaluate_every=50, checkpoint_every=7, bias_correction=False
)
SHORT = replace(CONFIG, steps=20, evaluate_every=5)


def run(out=None, config=SHORT, seed=1):
    model = MODEL.build(seed)
    return model, train(model, TASK.build(seed), config, out, progress=False)


def contents(folder: Path) -> dict[str, object]:
    """Return the bytes of a run folder's files; of the result all but the seconds and what hangs on them."""
    files = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}
    result = json.loads(files.pop("result.json"))
    del result["seconds"], result["sha256"]
    return files | {"result": result}


def test_killed_at_random_moments_and_resumed_to_the_same_bits(tmp_path):
    context, moments = multiprocessing.get_context("forkserver"), random.Random(0)
    context.set_forkserver_preload(["mosaics.training.population", "mosaics.tasks.moons"])
    arguments = {"model": MODEL, "task": TASK, "config": CONFIG, "seeds": (4, 9), "progress": False}
    train_population(**arguments, out=tmp_path / "whole")
    metrics, kills, resumed_from = tmp_path / "cut" / "seeds-4-9" / "metrics.jsonl", 0, set()
    for attempt in range(40):
        process = context.Process(target=train_population, kwargs=arguments | {"out": tmp_path / "cut"})
        grown = metrics.stat().st_size if metrics.exists() else 0
        process.start()
        while process.is_alive() and (not metrics.exists() or metrics.stat().st_size <= grown) and attempt < 6:
            time.sleep(0.001)
        process.join(moments.uniform(0.0, 0.15) if attempt < 6 else 60.0)
        if process.exitcode == 0:
            break
        process.kill()
        process.join()
        kills += 1
        latest = metrics.parent / "checkpoint" / "latest.json"
        resumed_from |= {json.loads(latest.read_text())["file"]} if latest.exists() else set()
    assert process.exitcode == 0
    assert kills >= 3
    assert len(resumed_from) >= 2
    assert contents(tmp_path / "cut" / "seeds-4-9") == contents(tmp_path / "whole" / "seeds-4-9")


def test_a_folder_changes_nothing(tmp_path):
    free, without = run()
    kept, with_folder = run(tmp_path / "a" / "b")
    assert torch.equal(free.key_map, kept.key_map)
    assert (without.history, without.final, without.best) == (with_folder.history, with_folder.final, with_folder.best)
    names = {"config.json", "metrics.jsonl", "checkpoint", "best.safetensors", "model.safetensors", "result.json"}
    assert {p.name for p in (tmp_path / "a" / "b").iterdir()} == names


def test_a_finished_run_is_read_not_repeated(tmp_path):
    first, result = run(tmp_path)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    again, read = run(tmp_path)
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before
    assert torch.equal(first.key_map, again.key_map)
    assert (read.history, read.final, read.best, read.seconds) == (
        result.history,
        result.final,
        result.best,
        result.seconds,
    )
    assert torch.equal(read.best_weights["key_map"], result.best_weights["key_map"])


def test_read_run(tmp_path):
    model, result = run(tmp_path)
    saved = read_run(tmp_path)
    assert saved.config["model"] == {"name": "moons", "seed": 1, "options": saved.config["model"]["options"]}
    assert saved.config["model"]["options"]["beta"] == 50.0
    assert saved.history == result.history
    assert torch.equal(saved.weights()["key_map"], model.key_map)
    assert torch.equal(saved.weights("best")["key_map"], result.best_weights["key_map"])
    with pytest.raises(DataError, match=r"last\.safetensors"):
        saved.weights("last")


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"config": replace(SHORT, steps=21)}, "train.steps: expected 21; got 20"),
        ({"seed": 2}, "model.seed: expected 2; got 1"),
    ],
)
def test_another_run_is_refused(tmp_path, change, place):
    run(tmp_path)
    with pytest.raises(DataError, match=place) as caught:
        run(tmp_path, **change)
    assert str(tmp_path / "config.json") in str(caught.value)


def test_a_foreign_folder_is_refused_and_left_as_it_was(tmp_path):
    (tmp_path / "thesis.txt").write_text("all of it")
    with pytest.raises(DataError, match=str(tmp_path)):
        run(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(DataError, match=r"thesis\.txt"):
        run(tmp_path / "thesis.txt")


def test_a_run_that_failed_before_its_first_step_does_not_block_the_folder(tmp_path):
    with pytest.raises(InputError, match="monitor"):
        run(tmp_path, replace(SHORT, monitor="validation_los"))
    run(tmp_path)


def unfinished(folder: Path) -> None:
    """Make `folder` a run killed after its last checkpoint."""
    run(folder)
    for name in ("result.json", "model.safetensors", "best.safetensors"):
        (folder / name).unlink()


def damaged(path: Path, how: int, chance: random.Random) -> None:
    """Flip a bit, cut the file short, empty it, or remove it."""
    data = bytearray(path.read_bytes())
    if how % 4 == 0:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data if how % 4 == 0 else data[: chance.randrange(len(data))] if how % 4 == 1 else b"")
    if how % 4 == 3:
        path.unlink()


def outcome(folder: Path):
    """Return the result of the run in `folder`, or None and the message of the refusal."""
    try:
        return run(folder)[1], ""
    except DataError as error:
        return None, str(error)


@pytest.mark.parametrize("finished", [True, False])
def test_damage_is_refused_with_the_files_name_or_harmless(tmp_path, finished):
    whole, chance = tmp_path / "whole", random.Random(1)
    (run if finished else unfinished)(whole)
    files = [p.relative_to(whole) for p in whole.rglob("*") if p.is_file()]
    expected, refused = run()[1], 0
    for trial in range(24 * len(files)):
        file, copy = files[trial % len(files)], tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(whole, copy)
        damaged(copy / file, trial // len(files), chance)
        result, message = outcome(copy)
        if result is None:
            refused += 1
            assert str(copy) in message
            assert "\n" not in message
        else:
            assert (result.history, result.final, result.best) == (expected.history, expected.final, expected.best)
    assert refused > 8 * len(files) * (0.5 if finished else 0.8)


def test_a_checkpoint_of_other_shapes_is_refused(tmp_path):
    unfinished(tmp_path)
    folder = tmp_path / "checkpoint"
    state = load(folder)
    shutil.rmtree(folder)
    save(folder, replace(state, tensors={name: item[:0] for name, item in state.tensors.items()}))
    with pytest.raises(DataError, match=r"expected weights\.key_map"):
        run(tmp_path)


def test_a_foreign_safetensors_file_is_refused(tmp_path):
    save(tmp_path, Checkpoint(1, {"a": torch.ones(2)}, {}))
    save_file({"a": torch.ones(2)}, tmp_path / "other.safetensors")
    digest = digest_of(tmp_path / "other.safetensors")
    (tmp_path / "latest.json").write_text(json.dumps({"file": "other.safetensors", "sha256": digest}))
    with pytest.raises(DataError, match=r"other\.safetensors"):
        load(tmp_path)


def test_only_the_latest_checkpoint_is_kept(tmp_path):
    for step in (1, 2, 3):
        save(tmp_path, Checkpoint(step, {"a": torch.full((2,), float(step))}, {"x": step}, {"b": torch.ones(1)}, 2))
        (tmp_path / ".step-9.safetensors.1.partial").write_text("cut")
    state = load(tmp_path)
    assert (state.step, state.notes, state.tensors["a"].tolist()) == (3, {"x": 3}, [3.0, 3.0])
    names = ["best-00000002.safetensors", "latest.json", "step-00000003.safetensors"]
    assert sorted(p.name for p in tmp_path.iterdir()) == names
    assert load(tmp_path / "none") is None
