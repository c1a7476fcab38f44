from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from toyworlds import WORLDS
from toyworlds.core import storage
from toyworlds.core.content import content_hash
from toyworlds.core.ragged import Ragged
from toyworlds.core.storage import open_dataset, write_dataset
from toyworlds.core.validate import InputError
from toyworlds.three_moons import ThreeMoons
from toyworlds.world import Column

MOONS = ThreeMoons(length=12, mixing="general", missing_stretches=1, missing_length=3)
WORDS = ["", "a", "moon", "\u00e9t\u00e9", "\U0001f319 and more", "x" * 300, "new\nline"]


@dataclass(frozen=True)
class Kinds:
    """One column of every kind."""

    size: int = 3
    """Size of the fixed axes."""

    name: ClassVar[str] = "kinds"
    version: ClassVar[int] = 3

    def columns(self) -> list[Column]:
        scalars = ["bool", "int8", "uint8", "int16", "int32", "int64", "uint64", "float32", "float64", "string"]
        columns = [Column(f"one_{kind}", "factor", kind, description="a|b") for kind in scalars]
        columns += [Column(f"list_{kind}", "factor", kind, (self.size,), ("i",)) for kind in scalars]
        columns += [Column(f"table_{kind}", "factor", kind, (self.size, 2), ("i", "j")) for kind in scalars]
        columns += [Column(f"ragged_{kind}", "factor", kind, (None,), ("i",)) for kind in scalars]
        columns += [Column(f"pairs_{kind}", "factor", kind, (None, 2), ("i", "j")) for kind in scalars]
        return columns

    def splits(self) -> tuple[str, ...]:
        return ("train", "test")

    def generate(self, seed: int, split: str, start: int, count: int) -> dict[str, np.ndarray | Ragged]:
        rows = [self._row(seed + len(split), row) for row in range(start, start + count)]
        out: dict[str, np.ndarray | Ragged] = {}
        for column in self.columns():
            dtype = object if column.dtype == "string" else column.dtype
            values = [row[column.name] for row in rows]
            if column.ragged:
                flat = np.concatenate([np.asarray(v, dtype).reshape(-1, *column.shape[1:]) for v in values])
                out[column.name] = Ragged(flat, np.concatenate([[0], np.cumsum([len(v) for v in values])]))
            else:
                out[column.name] = np.array(values, dtype).reshape(count, *column.shape)
        return out

    def _row(self, seed: int, row: int) -> dict[str, Any]:
        rng = np.random.Generator(np.random.PCG64([seed, row]))

        def values(dtype: str, shape: tuple[int, ...]) -> Any:
            if dtype == "string":
                words = rng.choice(np.array(WORDS, dtype=object), shape)
                return words if shape else str(words)
            if dtype == "bool":
                return rng.random(shape) < 0.5
            if dtype.startswith("float"):
                return np.where(rng.random(shape) < 0.2, np.nan, rng.normal(size=shape)).astype(dtype)
            info = np.iinfo(dtype)
            return rng.integers(info.min, info.max, shape, dtype, endpoint=True)

        sizes = [tuple(int(rng.integers(0, 5)) if axis is None else axis for axis in c.shape) for c in self.columns()]
        return {c.name: values(c.dtype, size) for c, size in zip(self.columns(), sizes, strict=True)}


@pytest.fixture
def kinds(monkeypatch: pytest.MonkeyPatch) -> Kinds:
    monkeypatch.setitem(WORLDS._entries, "kinds", (Kinds, ()))
    return Kinds()


def assert_equal_rows(got: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert list(got) == list(wanted)
    for name, column in wanted.items():
        assert len(got[name]) == len(column), name
        for mine, theirs in zip(got[name], column, strict=True):
            assert np.asarray(mine).dtype == np.asarray(theirs).dtype, name
            assert np.shape(mine) == np.shape(theirs), name
            np.testing.assert_array_equal(mine, theirs, err_msg=name)


def test_every_kind_of_column_comes_back(kinds: Kinds, tmp_path: Path) -> None:
    data = write_dataset(kinds, 5, {"train": 37, "test": 4}, tmp_path / "data")
    assert data.splits == {"train": 37, "test": 4}
    for split, rows in data.splits.items():
        assert_equal_rows(data.read(split), kinds.generate(5, split, 0, rows))
    assert data.verify() == {"train": 37, "test": 4}
    again = open_dataset(tmp_path / "data")
    assert (again.world, again.seed, again.manifest) == (kinds, 5, data.manifest)


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (1020, 1030), (2048, 2100), (2050, 9999), (7, 7), (2100, None)])
def test_any_stretch_of_several_files_can_be_read(
    kinds: Kinds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: int, stop: int | None
) -> None:
    monkeypatch.setattr(storage, "BYTES_PER_FILE", 1)
    monkeypatch.setattr(Kinds, "columns", lambda self: [c for c in ALL_COLUMNS if c.dtype == "int16"])
    data = write_dataset(kinds, 0, {"train": 2100}, tmp_path / "data", workers=2)
    names = ["train-00000-of-00003.parquet", "train-00001-of-00003.parquet", "train-00002-of-00003.parquet"]
    assert [entry["name"] for entry in data.manifest["splits"]["train"]["files"]] == names
    end = 2100 if stop is None else min(stop, 2100)
    if end > start:
        assert_equal_rows(data.read("train", start, stop), kinds.generate(0, "train", start, end - start))
    else:
        assert {name: len(column) for name, column in data.read("train", start, stop).items()} == dict.fromkeys(
            [column.name for column in kinds.columns()], 0
        )


ALL_COLUMNS = Kinds().columns()


def test_no_rows_have_the_declared_shapes(kinds: Kinds, tmp_path: Path) -> None:
    rows = write_dataset(kinds, 0, {"train": 2}, tmp_path / "data").read("train", 2)
    assert rows["table_float32"].shape == (0, 3, 2)
    assert rows["table_float32"].dtype == np.float32
    assert rows["pairs_int8"].values.shape == (0, 2)  # type: ignore[union-attr]
    assert rows["ragged_string"].padded("").shape == (0, 0)  # type: ignore[union-attr, arg-type]


def test_smaller_datasets_are_prefixes_of_larger_ones(tmp_path: Path) -> None:
    small = write_dataset(MOONS, 0, {"train": 50}, tmp_path / "small").read("train")
    large = write_dataset(MOONS, 0, {"train": 1100}, tmp_path / "large").read("train", 0, 50)
    assert_equal_rows(large, small)


def test_the_manifest_says_what_was_made(tmp_path: Path) -> None:
    data = write_dataset(MOONS, 7, {"train": 5}, tmp_path / "data")
    manifest = json.loads((tmp_path / "data" / "manifest.json").read_text())
    assert manifest["config"]["mixing"] == "general"
    assert (manifest["world"], manifest["generator_version"], manifest["seed"]) == ("three_moons", 1, 7)
    assert manifest["splits"]["train"]["sha256"] == content_hash(MOONS, 7, "train", 5)
    np.testing.assert_array_equal(data.constants()["mixing"], MOONS.mixing_matrix(7))
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == [
        "README.md", "croissant.json", "manifest.json", "train.parquet",
    ]  # fmt: skip
    assert list(tmp_path.iterdir()) == [tmp_path / "data"]


def test_numpy_numbers_as_options_are_no_different(tmp_path: Path) -> None:
    plain = ThreeMoons(length=12, noise=0.5)
    odd = ThreeMoons(length=np.int64(12), noise=np.float64(0.5))  # type: ignore[arg-type]
    first = write_dataset(plain, 1, {"train": 3}, tmp_path / "a").manifest
    second = write_dataset(odd, np.int64(1), {"train": np.int64(3)}, tmp_path / "b").manifest  # type: ignore[arg-type, dict-item]
    assert first == second


def test_progress_counts_every_row(tmp_path: Path) -> None:
    seen: list[int] = []
    write_dataset(MOONS, 0, {"train": 3000, "validation": 10}, tmp_path / "data", chunk=1024, progress=seen.append)
    assert sorted(seen) == [10, 952, 1024, 1024]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((MOONS, -1, {"train": 1}), "seed: expected a whole number of at least 0"),
        ((MOONS, 0, {}), "rows: expected at least one split"),
        ((MOONS, 0, {"train": 0}), "rows of train: expected a whole number of at least 1; got 0"),
        ((MOONS, 0, {"trian": 1}), "split: expected one of train, validation; got 'trian' .did you mean 'train'"),
        ((Kinds(), 0, {"train": 1}), "world: expected one of three_moons.*; got 'kinds'"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_written(
    tmp_path: Path, arguments: tuple[Any, ...], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        write_dataset(*arguments, tmp_path / "data")
    with pytest.raises(InputError, match=r"(workers|chunk): expected a whole number of at least 1; got 0"):
        write_dataset(MOONS, 0, {"train": 1}, tmp_path / "data", **({"workers": 0} if arguments[2] else {"chunk": 0}))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("split", "start", "stop"), [("test", 0, 1), ("train", -1, 1), ("train", 0, -1), ("train", 0, 1.5)]
)
def test_wrong_stretches_are_refused(tmp_path: Path, split: str, start: int, stop: Any) -> None:
    data = write_dataset(MOONS, 0, {"train": 2}, tmp_path / "data")
    with pytest.raises(InputError, match=r"^(split|start|stop): expected"):
        data.read(split, start, stop)


def test_pandas_and_pyarrow_show_plain_lists(tmp_path: Path) -> None:
    data = write_dataset(MOONS, 0, {"train": 20}, tmp_path / "data")
    mine = data.read("train")
    frame = pd.read_parquet(tmp_path / "data" / "train.parquet")
    observation = np.stack(frame["observation"].to_list()).reshape(20, 12, 6)
    np.testing.assert_array_equal(observation, mine["observation"])
    table = pq.read_table(tmp_path / "data" / "train.parquet", columns=["periods", "mask"])
    assert table["periods"].to_pylist() == mine["periods"].tolist()  # type: ignore[union-attr]
    assert table["mask"].to_pylist() == mine["mask"].tolist()  # type: ignore[union-attr]


def run_offline(code: str, *arguments: object, home: Path) -> str:
    """Run `code` in an interpreter of its own: these libraries read the environment when they are imported."""
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(home)}
    words = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(words, env=os.environ | offline, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


DATASETS = """
import sys, json, numpy, datasets
data = datasets.load_dataset(sys.argv[1])
shape = {split: part.num_rows for split, part in data.items()}
row = data["train"].with_format("numpy")[1029]
print(json.dumps([shape, data["train"].column_names, row["observation"].tolist(), row["periods"].tolist()]))
"""


def test_datasets_opens_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "BYTES_PER_FILE", 1)
    world = ThreeMoons(length=12)
    data = write_dataset(world, 0, {"train": 1030, "validation": 3}, tmp_path / "data")
    output = run_offline(DATASETS, tmp_path / "data", home=tmp_path / "home")
    shape, names, observation, periods = json.loads(output.splitlines()[-1])
    assert shape == data.splits
    assert names == [column.name for column in world.columns()]
    mine = data.read("train", 1029)
    np.testing.assert_array_equal(np.float32(observation), mine["observation"].ravel())  # type: ignore[union-attr]
    assert periods == mine["periods"][0].tolist()


CROISSANT = """
import sys, json, numpy, logging, mlcroissant
data = mlcroissant.Dataset(jsonld=sys.argv[1])
assert not data.metadata.issues.errors, data.metadata.issues.errors
sets = [record_set.uuid for record_set in data.metadata.record_sets]
row = next(iter(data.records(sys.argv[2])))
print(json.dumps([sets, {k.split("/")[1]: numpy.asarray(v).ravel().tolist() for k, v in row.items()}]))
"""


def test_mlcroissant_opens_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "BYTES_PER_FILE", 1)
    data = write_dataset(ThreeMoons(length=12), 0, {"train": 1030, "validation": 3}, tmp_path / "data")
    card = tmp_path / "data" / "croissant.json"
    sets, row = json.loads(run_offline(CROISSANT, card, "train-00001", home=tmp_path / "home").splitlines()[-1])
    assert sets == ["train-00000", "train-00001", "validation"]
    mine = data.read("train", 1024, 1025)
    assert list(row) == list(mine)
    for name, values in row.items():
        np.testing.assert_array_equal(np.asarray(values, mine[name].dtype), np.ravel(mine[name][0]))  # type: ignore[union-attr]


def test_the_card_names_every_file_column_and_hash(kinds: Kinds, tmp_path: Path) -> None:
    data = write_dataset(kinds, 0, {"train": 3, "test": 2}, tmp_path / "data")
    card = (tmp_path / "data" / "README.md").read_text(encoding="utf-8")
    header = card.split("---\n")[1]
    assert "  - split: train\n    path:\n    - train.parquet\n  - split: test\n" in header
    for column in kinds.columns():
        assert f"| {column.name} | factor | {column.dtype} |" in card
    assert all(split["sha256"] in card for split in data.manifest["splits"].values())
    assert "One column of every kind." in card
    assert r"| a\|b |" in card
