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
from mosaics.training.checkpoint import Checkpoint, digest_of, digest_of_json, entries, read, save
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
    """Return the bytes of a run folder's files but the times; of the result all but the seconds and its digest."""
    files = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file() and p.name != "timing.jsonl"}
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
        resumed_from |= {entry.name for entry in entries(metrics.parent / "checkpoint")[:1]}
    assert process.exitcode == 0
    assert kills >= 3
    assert len(resumed_from) >= 2
    assert contents(tmp_path / "cut" / "seeds-4-9") == contents(tmp_path / "whole" / "seeds-4-9")


def test_a_folder_changes_nothing(tmp_path):
    free, without = run()
    kept, with_folder = run(tmp_path / "a" / "b")
    assert torch.equal(free.key_map, kept.key_map)
    assert (without.history, without.final, without.best) == (with_folder.history, with_folder.final, with_folder.best)
    names = {"config.json", "metrics.jsonl", "timing.jsonl", "checkpoint"}
    names |= {"best.safetensors", "model.safetensors", "result.json"}
    assert {p.name for p in (tmp_path / "a" / "b").iterdir()} == names


def test_a_finished_run_is_read_not_repeated(tmp_path):
    first, result = run(tmp_path)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    again, read = run(tmp_path)
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before
    assert torch.equal(first.key_map, again.key_map)
    for name in ("history", "final", "best", "seconds", "timing"):
        assert getattr(read, name) == getattr(result, name)
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
    for trial in range(12 * len(files)):
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
    assert refused > 4 * len(files) * (0.5 if finished else 0.2)  # an unfinished run has a checkpoint before


def test_a_checkpoint_of_other_shapes_is_refused(tmp_path):
    unfinished(tmp_path)
    folder = tmp_path / "checkpoint"
    state = read(entries(folder)[0])
    shutil.rmtree(folder)
    save(folder, replace(state, tensors={name: item[:0] for name, item in state.tensors.items()}))
    with pytest.raises(DataError, match=r"expected weights\.key_map"):
        run(tmp_path)


def newest_first(folder: Path) -> list[Path]:
    return entries(folder / "checkpoint")


def removed(folder: Path) -> None:
    """Pull the newest checkpoint away: its list and its tensors."""
    for file in (folder / "checkpoint").glob(newest_first(folder)[0].stem + "*"):
        file.unlink()


def cut_short(folder: Path) -> None:
    tensors = newest_first(folder)[0].with_suffix(".safetensors")
    tensors.write_bytes(tensors.read_bytes()[:-3])


def without_tensors(folder: Path) -> None:
    newest_first(folder)[0].with_suffix(".safetensors").unlink()


def without_list(folder: Path) -> None:
    newest_first(folder)[0].unlink()


def metrics_cut_short(folder: Path) -> None:
    kept = json.loads(newest_first(folder)[1].read_text())["notes"]["metrics"]["bytes"]
    metrics = folder / "metrics.jsonl"
    metrics.write_bytes(metrics.read_bytes()[: kept + 5])


@pytest.mark.parametrize("damage", [removed, cut_short, without_tensors, without_list, metrics_cut_short])
def test_the_checkpoint_before_serves_where_the_newest_is_gone(tmp_path, damage, caplog):
    expected, result = run()
    unfinished(tmp_path)
    assert [entry.stem for entry in newest_first(tmp_path)] == ["step-00000014", "step-00000007"]
    damage(tmp_path)
    steps = []
    model = MODEL.build(1)
    task = TASK.build(1)
    batch = task.batch
    task.batch = lambda step: steps.append(step) or batch(step)
    again = train(model, task, SHORT, tmp_path, progress=False)
    assert steps == list(range(7, 20))
    assert torch.equal(model.key_map, expected.key_map)
    assert (again.history, again.final, again.best) == (result.history, result.final, result.best)
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == (0 if damage in (removed, without_list) else 1)
    assert all("step-00000014" in line or "metrics.jsonl" in line for line in told)


def test_both_checkpoints_damaged_are_refused(tmp_path):
    unfinished(tmp_path)
    for entry in newest_first(tmp_path):
        entry.write_text(entry.read_text().replace('"step"', '"stop"'))
    with pytest.raises(DataError, match=r"step-00000014\.json: damaged"):
        run(tmp_path)


def test_a_foreign_safetensors_file_is_refused(tmp_path):
    save(tmp_path, Checkpoint(1, {"a": torch.ones(2)}, {}))
    save_file({"a": torch.ones(2)}, tmp_path / "other.safetensors")
    entry = json.loads((tmp_path / "step-00000001.json").read_text())
    entry |= {"files": {"other.safetensors": digest_of(tmp_path / "other.safetensors")}}
    del entry["sha256"]
    (tmp_path / "step-00000001.json").write_text(json.dumps(entry | {"sha256": digest_of_json(entry)}))
    with pytest.raises(DataError, match=r"other\.safetensors"):
        read(tmp_path / "step-00000001.json")


def test_a_checkpoint_of_an_earlier_layout_is_refused(tmp_path):
    unfinished(tmp_path)
    (tmp_path / "checkpoint" / "latest.json").write_text("{}")
    with pytest.raises(DataError, match=r"latest\.json: a checkpoint of an earlier layout"):
        run(tmp_path)


def test_the_two_newest_checkpoints_are_kept(tmp_path):
    for step in (1, 2, 3):
        best = {"b": torch.ones(1)}
        save(tmp_path, Checkpoint(step, {"a": torch.full((2,), float(step))}, {"x": step}, best, min(step, 2)))
        (tmp_path / ".step-9.safetensors.1.partial").write_text("cut")
    (tmp_path / "notes.txt").write_text("not ours")
    save(tmp_path, Checkpoint(4, {"a": torch.full((2,), 4.0)}, {"x": 4}, {"b": torch.ones(1)}, 2))
    state = read(entries(tmp_path)[0])
    assert (state.step, state.notes, state.tensors["a"].tolist()) == (4, {"x": 4}, [4.0, 4.0])
    names = ["best-00000002.safetensors", "notes.txt", "step-00000003.json", "step-00000003.safetensors"]
    assert sorted(p.name for p in tmp_path.iterdir()) == [*names, "step-00000004.json", "step-00000004.safetensors"]
    assert entries(tmp_path / "none") == []


def test_times_stand_apart_and_outlive_a_torn_line(tmp_path):
    _, result = run(tmp_path)
    assert [record["step"] for record in result.timing] == [r["step"] for r in result.history if r["step"]]
    assert all(record["tokens_per_second"] > 0 and record["memory_mib"] > 1 for record in result.timing)
    assert all("mfu" not in record and record["padding"] == 0.0 for record in result.timing)
    times = tmp_path / "timing.jsonl"
    times.write_bytes(times.read_bytes() + b'{"step": 99')
    assert read_run(tmp_path).timing == result.timing
