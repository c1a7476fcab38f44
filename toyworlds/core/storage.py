"""Dataset folders: Parquet, a manifest with hashes of the content, a dataset card, a Croissant description.

    my_moons/
        manifest.json       world, config, seed, versions; rows, files and SHA-256 of the content for each split
        train.parquet       one file per split, or train-00000-of-00003.parquet ... when large
        validation.parquet
        README.md           dataset card; its YAML header lets `datasets.load_dataset("my_moons")` work
        croissant.json      the same for mlcroissant

The content hash of a split is taken over the columns' values, not over the file: it is the same whatever the
machine, the number of workers or the version of pyarrow.

    block   = SHA-256 of 1024 rows: for each column its rows' lengths (if they differ), then its values, little-endian
    split   = SHA-256 of the columns' names, types and shapes, then of the blocks in order

A folder is written beside its place and renamed, so there is never half a dataset. Pages carry checksums, so a
damaged file is noticed when it is read.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from toyworlds.core import folders, parquet
from toyworlds.core.cards import croissant, dataset_card
from toyworlds.core.ragged import Ragged
from toyworlds.core.validate import DataError, choice, from_dict, integer, reject
from toyworlds.world import WORLDS, Column, World, config_of

SCHEMA_VERSION = 1
ROWS_PER_BLOCK = 1024
BYTES_PER_CHUNK = 20 << 20
BYTES_PER_FILE = 256 << 20
Rows = dict[str, "np.ndarray | Ragged"]


@dataclass(frozen=True)
class Dataset:
    """An opened dataset folder; rows are read when asked for.

    >>> data = open_dataset("my_moons")                             # doctest: +SKIP
    >>> data.read("train", 0, 64)["observation"].shape              # doctest: +SKIP
    (64, 800, 6)
    """

    folder: Path
    manifest: dict[str, Any]
    world: World
    seed: int

    @property
    def splits(self) -> dict[str, int]:
        """Rows of each split."""
        return {name: split["rows"] for name, split in self.manifest["splits"].items()}

    def constants(self) -> dict[str, np.ndarray]:
        """Arrays that hold for all rows, such as the mixing matrix."""
        return {name: np.asarray(value) for name, value in self.manifest["constants"].items()}

    def batches(self, split: str, start: int = 0, stop: int | None = None) -> Iterator[Rows]:
        """Stretches of at most 1024 rows, in order, from `start` to `stop`."""
        choice("split", split, self.splits)
        rows = self.splits[split]
        stop = rows if stop is None else min(stop, rows)
        place = 0
        for entry in self.manifest["splits"][split]["files"]:
            first, last = max(start - place, 0), min(stop - place, entry["rows"])
            place += entry["rows"]
            if first < last:
                yield from parquet.read(self.folder / entry["name"], entry["rows"], self.world.columns(), first, last)

    def read(self, split: str, start: int = 0, stop: int | None = None) -> Rows:
        """Rows start .. stop - 1 of `split` as arrays, one entry a column."""
        integer("start", start, 0)
        parts = list(self.batches(split, start, stop))
        return {column.name: _join([part[column.name] for part in parts], column) for column in self.world.columns()}

    def verify(self) -> dict[str, int]:
        """Recompute every content hash; return the rows checked per split, or raise a DataError naming the file."""
        for name, split in self.manifest["splits"].items():
            blocks = (block_digest(self.world.columns(), rows) for rows in self.batches(name))
            if split_digest(self.world.columns(), blocks) != split["sha256"]:
                files = ", ".join(entry["name"] for entry in split["files"])
                raise DataError(f"{self.folder / files}: its content is not what the manifest says (SHA-256 differs)")
        return self.splits


def block_digest(columns: list[Column], rows: Mapping[str, Any]) -> bytes:
    """SHA-256 of one block of rows."""
    digest = hashlib.sha256()
    for column in columns:
        data = rows[column.name]
        if isinstance(data, Ragged):
            digest.update(np.ascontiguousarray(data.lengths, dtype="<i8"))
            data = data.values[data.offsets[0] : data.offsets[-1]]
        if column.dtype == "string":
            encoded = [text.encode() for text in data]
            digest.update(np.asarray([len(text) for text in encoded], dtype="<i8"))
            digest.update(b"".join(encoded))
        else:
            digest.update(np.ascontiguousarray(data, dtype=np.dtype(column.dtype).newbyteorder("<")).data)
    return digest.digest()


def split_digest(columns: list[Column], blocks: Iterable[bytes]) -> str:
    """SHA-256 of a split from those of its blocks, hexadecimal."""
    digest = hashlib.sha256()
    for column in columns:
        digest.update(f"{column.name}|{column.dtype}|{list(column.shape)}|".encode())
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()


def write_dataset(
    world: World,
    seed: int,
    rows: Mapping[str, int],
    out: str | Path,
    *,
    workers: int | None = None,
    chunk: int | None = None,
    progress: Callable[[int], object] | None = None,
) -> Dataset:
    """Generate ``{split: rows}`` of `world` into the folder `out`, in constant memory, and open it.

    `workers` threads (default: one a core, at most 4) write a file of about 256 MiB each; `chunk` is the number of
    rows made at a time, a multiple of 1024. Neither changes a byte of the content. `progress` is called with the
    number of rows written. Raises InputError when `out` exists or a split is unknown.
    """
    integer("seed", seed, 0)
    for split, count in rows.items():
        choice("split", split, world.splits())
        integer(f"rows of {split}", count, 1)
    if not rows:
        reject("rows", "at least one split", dict(rows))
    workers = integer("workers", min(os.cpu_count() or 1, 4) if workers is None else workers, 1)
    with folders.written_aside(out) as folder:
        job = _Job(world, seed, folder, _chunk_rows(world, chunk), progress or (lambda _: None))
        splits = {split: job.write_split(split, count, workers) for split, count in rows.items()}
        constants = world.constants(seed) if hasattr(world, "constants") else {}
        manifest = {
            "format": "mosaicbench dataset",
            "schema_version": SCHEMA_VERSION,
            "world": world.name,
            "generator_version": world.version,
            "config": config_of(world),
            "seed": seed,
            "columns": [vars(column) for column in world.columns()],
            "constants": {name: array.tolist() for name, array in constants.items()},
            "splits": splits,
        }
        (folder / "README.md").write_text(dataset_card(manifest, WORLDS.summary(world.name)), encoding="utf-8")
        folders.write_json(folder / "croissant.json", croissant(manifest, WORLDS.summary(world.name)))
        folders.write_json(folder / "manifest.json", manifest)
    return open_dataset(out)


@dataclass
class _Job:
    """The writing of one dataset."""

    world: World
    seed: int
    folder: Path
    chunk: int
    progress: Callable[[int], object]
    stopped: threading.Event = field(default_factory=threading.Event)

    def write_split(self, split: str, count: int, workers: int) -> dict[str, Any]:
        """Write the files of `split`, several at a time; return its entry in the manifest."""
        per_file = max(BYTES_PER_FILE // _row_bytes(self.world) // ROWS_PER_BLOCK, 1) * ROWS_PER_BLOCK
        starts = range(0, count, per_file)
        names = [f"{split}-{i:05d}-of-{len(starts):05d}.parquet" for i in range(len(starts))]
        if len(names) == 1:
            names = [f"{split}.parquet"]
        with ThreadPoolExecutor(workers) as pool:
            tasks = [
                pool.submit(self.write_file, split, name, start, min(start + per_file, count))
                for name, start in zip(names, starts, strict=True)
            ]
            try:
                written = [task.result() for task in tasks]
            except BaseException:
                self.stopped.set()
                raise
        sha256 = split_digest(self.world.columns(), (block for _, blocks in written for block in blocks))
        return {"rows": count, "sha256": sha256, "files": [entry for entry, _ in written]}

    def write_file(self, split: str, name: str, start: int, stop: int) -> tuple[dict[str, Any], list[bytes]]:
        """Write rows start .. stop - 1 as one file; return its entry and the digests of its blocks."""
        blocks, columns = [], self.world.columns()
        with parquet.Writer(self.folder / name, columns, ROWS_PER_BLOCK) as writer:
            for first in range(start, stop, self.chunk):
                rows = self.world.generate(self.seed, split, first, min(self.chunk, stop - first))
                size = min(self.chunk, stop - first)
                for place in range(0, size, ROWS_PER_BLOCK):
                    block = {key: _stretch(data, place, min(place + ROWS_PER_BLOCK, size)) for key, data in rows.items()}
                    blocks.append(block_digest(columns, block))
                    writer.write(block)
                    if self.stopped.is_set():
                        return {}, []
                self.progress(size)
        return {"name": name, "rows": stop - start, "bytes": writer.bytes, "file_sha256": writer.sha256}, blocks


def open_dataset(folder: str | Path) -> Dataset:
    """Open a dataset folder; a DataError names the file that is missing, damaged or foreign."""
    folder = Path(folder)
    path = folder / "manifest.json"
    manifest = folders.read_json(path, "a dataset folder written by mosaicbench generate")
    if manifest.get("format") != "mosaicbench dataset":
        raise DataError(f"{path}: expected a mosaicbench dataset; got format {manifest.get('format')!r}")
    if manifest.get("schema_version") != SCHEMA_VERSION:
        got = manifest.get("schema_version")
        raise DataError(f"{path}: schema version {got!r}; this version of mosaicbench reads {SCHEMA_VERSION}")
    try:
        world_class = WORLDS[manifest["world"]]
        world = from_dict(world_class, manifest["config"], "config")
        if manifest["generator_version"] != world.version:
            have = manifest["generator_version"]
            raise DataError(f"{path}: made by version {have} of {world.name}; this is version {world.version}")
        _check_manifest(manifest, world)
        return Dataset(folder, manifest, world, manifest["seed"])
    except DataError:
        raise
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: damaged manifest ({type(error).__name__}: {error})") from None
    except ValueError as error:
        raise DataError(f"{path}: {error}") from None


def _check_manifest(manifest: dict[str, Any], world: World) -> None:
    integer("seed", manifest["seed"], 0)
    if manifest["columns"] != json.loads(json.dumps([vars(column) for column in world.columns()])):
        raise DataError("manifest.json: the columns are not those of the world's config")
    for name, split in manifest["splits"].items():
        choice("split", name, world.splits())
        if split["rows"] != sum(integer("rows", entry["rows"], 1) for entry in split["files"]):
            raise DataError(f"manifest.json: the rows of split {name!r} are not those of its files")
        for entry in split["files"]:
            if Path(entry["name"]).name != entry["name"]:
                raise DataError(f"manifest.json: expected a plain file name; got {entry['name']!r}")


def _chunk_rows(world: World, chunk: int | None) -> int:
    chunk = BYTES_PER_CHUNK // _row_bytes(world) if chunk is None else integer("chunk", chunk, 1)
    return max(chunk // ROWS_PER_BLOCK, 1) * ROWS_PER_BLOCK


def _row_bytes(world: World) -> int:
    total = 0
    for column in world.columns():
        size = 2048 if column.dtype == "string" else np.dtype(column.dtype).itemsize
        total += math.prod(512 if axis is None else axis for axis in column.shape) * size
    return total


def _stretch(data: Any, start: int, stop: int) -> Any:
    if isinstance(data, Ragged):
        return Ragged(data.values, data.offsets[start : stop + 1])
    return data[start:stop]


def _join(parts: list[Any], column: Column) -> np.ndarray | Ragged:
    if column.ragged:
        if not parts:
            return Ragged(np.zeros((0, *column.shape[1:]), column.dtype), np.zeros(1, np.int64))
        lengths = np.concatenate([part.lengths for part in parts])
        values = np.concatenate([part.values[part.offsets[0] : part.offsets[-1]] for part in parts])
        return Ragged(values, np.concatenate([[0], np.cumsum(lengths)]))
    if not parts:
        shape = tuple(axis for axis in column.shape if axis is not None)
        return np.zeros((0, *shape), dtype=object if column.dtype == "string" else column.dtype)
    return np.concatenate(parts)

