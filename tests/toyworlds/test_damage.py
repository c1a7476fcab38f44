"""Damaged, edited, foreign, missing and interrupted datasets: a one-line error with the file's name, nothing lost."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from toyworlds.core import folders, parquet, storage
from toyworlds.core.content import block_digest
from toyworlds.core.dataset import manifest_digest
from toyworlds.core.storage import open_dataset, write_dataset
from toyworlds.core.validate import DataError, InputError
from toyworlds.three_moons import ThreeMoons

WORLD = ThreeMoons(length=10, mixing="orthogonal", missing_stretches=1, missing_length=3)
ROWS = {"train": 20, "validation": 5}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "data"
    write_dataset(WORLD, 3, ROWS, folder)
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "data"))


def digests(folder: Path) -> list[bytes]:
    data = open_dataset(folder)
    data.verify()
    return [block_digest(WORLD.columns(), data.read(split)) for split in ROWS]


def damaged(raw: bytes, rng: np.random.Generator) -> bytes:
    """Cut `raw` short, or change a bit, a byte, or a stretch of bytes."""
    place, what = int(rng.integers(len(raw))), int(rng.integers(5))
    changed = bytearray(raw)
    if what == 0:
        return raw[:place]
    if what == 1:
        changed[place] ^= 1 << int(rng.integers(8))
    elif what == 2:
        changed[place] = int(rng.integers(256))
    elif what == 3:
        changed[place : place + 8] = rng.bytes(8)
    else:
        del changed[place]
    return bytes(changed)


def damage_many(whole: Path, folder: Path, seed: int, times: int) -> Counter[str]:
    rng, good, outcomes = np.random.Generator(np.random.PCG64(seed)), digests(whole), Counter[str]()
    paths, messages = sorted(whole.iterdir()), []
    for time_ in range(times):
        source = paths[time_ % len(paths)]
        path = folder / source.name
        path.write_bytes(damaged(source.read_bytes(), rng))
        try:
            assert digests(folder) == good, "damage was read as data"
            outcomes["harmless"] += 1
        except DataError as error:
            outcomes[f"refused {source.suffix}"] += 1
            messages.append((str(error), str(path)))
        path.write_bytes(source.read_bytes())
    assert all(path in message and "\n" not in message for message, path in messages)
    return outcomes


def test_a_thousand_flips_and_truncations_are_refused_or_harmless(whole: Path, folder: Path) -> None:
    """README.md and croissant.json are not read, so a fifth of the damage is harmless twice over."""
    outcomes = damage_many(whole, folder, 0, 1000)
    assert outcomes["refused .parquet"] > 390
    assert outcomes["refused .json"] > 150
    assert 400 <= outcomes["harmless"] < 460


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 5))
def test_many_more_flips_and_truncations(whole: Path, folder: Path, seed: int) -> None:
    assert damage_many(whole, folder, seed, 5000).total() == 5000


def edit(folder: Path, change: Callable[[dict[str, Any]], None], *, sign: bool = False) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    if sign:
        manifest["sha256"] = manifest_digest(manifest)
    path.write_text(json.dumps(manifest))


EDITS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "seed": lambda m: m.update(seed=4),
    "noise": lambda m: m["config"].update(noise=0.1),
    "rows": lambda m: m["splits"]["train"].update(rows=19),
    "hash": lambda m: m["splits"]["train"].update(sha256="0" * 64),
    "file name": lambda m: m["splits"]["train"]["files"][0].update(name="validation.parquet"),
    "constants": lambda m: m["constants"]["mixing"][0].reverse(),
    "no splits": lambda m: m.pop("splits"),
    "no hash": lambda m: m.pop("sha256"),
    "world": lambda m: m.update(world="two_moons"),
    "column": lambda m: m["columns"].pop(),
    "extra": lambda m: m.update(note="edited by hand"),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_manifest_is_refused(folder: Path, name: str) -> None:
    edit(folder, EDITS[name])
    with pytest.raises(DataError, match=r"manifest\.json: damaged or edited"):
        open_dataset(folder)


def test_a_manifest_written_otherwise_is_the_same(folder: Path) -> None:
    edit(folder, lambda m: m.update(dict(reversed(m.items()))))
    assert open_dataset(folder).verify() == ROWS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (EDITS["seed"], "config and seed give other rows than split 'train' has"),
        (lambda m: m["config"].update(noise=0.1), "config and seed give other rows"),
        (EDITS["hash"], r"the content of train\.parquet does not have the manifest's SHA-256"),
        (EDITS["constants"], "constants are not those of its config and seed"),
    ],
)
def test_a_forged_manifest_does_not_pass_verify(folder: Path, change: Callable[..., Any], message: str) -> None:
    edit(folder, change, sign=True)
    data = open_dataset(folder)
    with pytest.raises(DataError, match=message):
        data.verify()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(format="other"), "expected a mosaicbench dataset; got format 'other'"),
        (lambda m: m.update(schema_version=2), "schema version 2; this version of mosaicbench reads 1"),
        (lambda m: m.update(world="three_mons"), "world: expected one of three_moons.* .did you mean 'three_moons'"),
        (lambda m: m["config"].update(lenght=3), "config: expected a field among .* .did you mean 'length'"),
        (lambda m: m["config"].update(length=1), "length: expected a whole number from 2"),
        (lambda m: m.update(generator_version=9), "made by version 9 of three_moons; this is version 1"),
        (EDITS["column"], "made by version 1 of three_moons; this is version 1, which makes other data"),
        (lambda m: m.pop("seed"), "expected seed as int; got NoneType"),
        (lambda m: m.pop("world"), "expected world as str; got NoneType"),
        (lambda m: m.update(world=["three_moons"]), "expected world as str; got list"),
        (lambda m: m.pop("generator_version"), "expected generator_version as int"),
        (lambda m: m.pop("columns"), "expected columns as list"),
        (lambda m: m.pop("constants"), "expected constants as dict"),
        (EDITS["no splits"], "expected splits as dict; got NoneType"),
        (lambda m: m["splits"].update(train=5), r"expected splits\.train\.rows as int; got NoneType"),
        (lambda m: m["splits"]["train"].pop("sha256"), r"expected splits\.train\.sha256 as str; got NoneType"),
        (lambda m: m["splits"]["train"]["files"][0].pop("bytes"), r"expected splits\.train\.files\[0\]\.bytes as int"),
    ],
)
def test_a_foreign_manifest_is_refused(folder: Path, change: Callable[..., Any], message: str) -> None:
    edit(folder, change, sign=True)
    with pytest.raises(DataError, match=r"manifest\.json: " + message):
        open_dataset(folder)


def test_a_world_of_a_package_that_is_not_imported(folder: Path) -> None:
    edit(folder, lambda m: m.update(world="regbench_laptop"), sign=True)
    code = (
        "import sys; from toyworlds.core.storage import open_dataset; from toyworlds.core.validate import DataError\n"
        "try: open_dataset(sys.argv[1])\n"
        "except DataError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True)
    assert "manifest.json: world: expected one of three_moons" in done.stdout
    assert done.stdout.endswith("got 'regbench_laptop'; import regbench first\n")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"format": "mosaicbench dataset"}', "\x00\xff", "[" * 100_000]
)
def test_a_manifest_that_is_no_manifest(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_text(text, encoding="latin-1")
    with pytest.raises(DataError, match=r"manifest\.json: "):
        open_dataset(folder)


def test_a_missing_folder_file_or_manifest(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere.manifest\.json: no such file; expected a dataset folder"):
        open_dataset(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"train\.parquet.manifest\.json: "):
        open_dataset(folder / "train.parquet")
    (folder / "train.parquet").unlink()
    data = open_dataset(folder)
    with pytest.raises(DataError, match=r"train\.parquet: no such file; the manifest lists it"):
        data.read("train", 0, 1)
    assert len(data.read("validation")["phase"]) == 5
    (folder / "train.parquet").mkdir()
    with pytest.raises(DataError, match=r"train\.parquet: "):
        data.read("train", 0, 1)


def test_one_file_for_another(folder: Path) -> None:
    shutil.copy(folder / "train.parquet", folder / "validation.parquet")
    with pytest.raises(DataError, match=r"validation\.parquet: damaged; it has [\d,]+ bytes, the manifest says"):
        open_dataset(folder).read("validation")


def test_a_file_that_was_never_parquet_or_has_other_columns(folder: Path) -> None:
    """Signed by hand, so that nothing but the content is wrong."""
    path = folder / "train.parquet"
    for write, message in (
        (lambda: path.write_bytes(b"PAR1" * 10), "not a readable Parquet file"),
        (lambda: pq.write_table(pa.table({"x": [1.0]}), path), "its columns are not those of the manifest"),
    ):
        write()
        raw = path.read_bytes()
        entry = {"bytes": len(raw), "file_sha256": hashlib.sha256(raw).hexdigest()}
        edit(folder, lambda m, e=entry: m["splits"]["train"]["files"][0].update(e), sign=True)  # type: ignore[misc]
        with pytest.raises(DataError, match=rf"train\.parquet: {message}"):
            open_dataset(folder).read("train")


def test_damage_after_opening_is_noticed_at_the_first_read_and_by_verify(whole: Path, folder: Path) -> None:
    data = open_dataset(folder)
    data.read("validation")
    for name in ("train", "validation"):
        path = folder / f"{name}.parquet"
        path.write_bytes(path.read_bytes()[:-1] + b"2")
    with pytest.raises(DataError, match=r"train\.parquet: damaged or edited"):
        data.read("train")
    shutil.copy(whole / "train.parquet", folder / "train.parquet")
    with pytest.raises(DataError, match=r"validation\.parquet: damaged or edited"):
        data.verify()


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch, lambda path: path.symlink_to("nowhere")])
def test_what_exists_is_never_overwritten(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "data")
    with pytest.raises(InputError, match=r"out: expected a folder that does not exist yet; got .*data'"):
        write_dataset(WORLD, 0, ROWS, tmp_path / "data")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_place_where_no_folder_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for out in (tmp_path / "file" / "data", tmp_path / ("x" * 300), tmp_path / "a\x00b"):
        with pytest.raises(InputError, match="out: expected a place where a folder can be made"):
            write_dataset(WORLD, 0, ROWS, out)


def test_an_interrupted_write_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_dataset(WORLD, 0, {"train": 5000}, tmp_path / "data", chunk=1024, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_a_failing_world_stops_all_workers_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty files of 25 chunks each, two at a time; the second fails at its first chunk."""
    monkeypatch.setattr(storage, "BYTES_PER_FILE", 25 * 1024 * storage._row_bytes(WORLD))
    made = []

    def generate(self: ThreeMoons, seed: int, split: str, start: int, count: int) -> dict[str, np.ndarray]:
        made.append(start)
        if start == 25 * 1024:
            raise ZeroDivisionError
        return original(self, seed, split, start, count)

    original = ThreeMoons.generate
    monkeypatch.setattr(ThreeMoons, "generate", generate)
    with pytest.raises(ZeroDivisionError):
        write_dataset(WORLD, 0, {"train": 40 * 25 * 1024}, tmp_path / "data", workers=2, chunk=1024)
    assert len(made) < 15
    assert list(tmp_path.iterdir()) == []
    assert not [thread for thread in threading.enumerate() if "ThreadPool" in thread.name]


def test_a_disk_that_fills_up_at_the_last_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(self: parquet._HashedFile, data: bytes) -> int:
        if bytes(data).endswith(b"PAR1") and self.size:
            raise OSError(28, "No space left on device")
        return original(self, data)

    original = parquet._HashedFile.write
    monkeypatch.setattr(parquet._HashedFile, "write", write)
    with pytest.raises(DataError, match=r"data: cannot be written .*No space left on device"):
        write_dataset(WORLD, 0, ROWS, tmp_path / "data")
    gc.collect()
    assert list(tmp_path.iterdir()) == []


WRITE = """
import signal, sys
from toyworlds import ThreeMoons
from toyworlds.core.storage import write_dataset
signal.signal(signal.SIGINT, signal.default_int_handler)  # what starts the tests may ignore it, as `command &` does
write_dataset(ThreeMoons(), 0, {"train": 10**6}, sys.argv[1], workers=2, progress=lambda rows: print(rows, flush=True))
"""


def start_writing(out: Path, before: str = "") -> subprocess.Popen[str]:
    words = [sys.executable, "-c", before + WRITE, str(out)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    with start_writing(tmp_path / "data") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert error.rstrip().endswith("KeyboardInterrupt")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_while_files_are_handed_out_stops_those_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    at_work, submitted = threading.Event(), ThreadPoolExecutor.submit

    def submit(pool: ThreadPoolExecutor, *words: Any) -> Any:
        if at_work.is_set():
            raise KeyboardInterrupt
        found = submitted(pool, *words)
        assert at_work.wait(30)
        return found

    def progress(rows: int) -> None:
        written.append(rows)
        at_work.set()

    monkeypatch.setattr(ThreadPoolExecutor, "submit", submit)
    monkeypatch.setattr(storage, "BYTES_PER_FILE", 1 << 24)
    with pytest.raises(KeyboardInterrupt):
        write_dataset(WORLD, 0, {"train": 200_000}, tmp_path / "data", chunk=1024, progress=progress)
    assert sum(written) < 20_000
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_after_a_kill_there_is_no_half_dataset_and_the_next_write_succeeds(tmp_path: Path) -> None:
    with start_writing(tmp_path / "data") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
    left = list(tmp_path.iterdir())
    assert len(left) == 1
    assert left[0].name.endswith(".partial")
    with pytest.raises(DataError, match="no such file"):
        open_dataset(tmp_path / "data")
    with pytest.raises(DataError, match="no such file"):
        open_dataset(left[0])
    assert write_dataset(WORLD, 3, ROWS, tmp_path / "data").verify() == ROWS


@pytest.mark.skipif(os.name == "nt", reason="POSIX limits")
def test_a_full_disk_is_a_one_line_error_and_leaves_nothing(tmp_path: Path) -> None:
    """A limit on the size of files stands for the full disk: the same error, from the same call."""
    limit = "import resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (30 << 20, 30 << 20))\n"
    with start_writing(tmp_path / "data", limit) as process:
        _, error = process.communicate(timeout=60)
    last = error.rstrip().splitlines()[-1]
    assert (
        last == f"toyworlds.core.validate.DataError: {tmp_path / 'data'}: cannot be written ([Errno 27] File too large)"
    )
    assert "Exception ignored" not in error
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    folders.write_json(path, {"x": np.arange(2), "y": (1.5, float("nan")), "z": np.float32(0.5)})
    assert json.loads(path.read_text()) == {"x": [0, 1], "y": [1.5, None], "z": 0.5}

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match=r"a\.json: cannot be written .*No space left on device"):
        folders.write_json(path, {"x": 1})
    assert json.loads(path.read_text())["x"] == [0, 1]
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
