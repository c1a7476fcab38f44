"""Dataset folders: Parquet, a manifest with hashes of the content, a dataset card, a Croissant description.

    my_moons/
        manifest.json       world, config, seed, versions; rows, files and SHA-256 of the content for each split
        train.parquet       one file per split, or train-00000-of-00003.parquet ... when large
        validation.parquet
        README.md           dataset card; its YAML header lets `datasets.load_dataset("my_moons")` work
        croissant.json      the same for mlcroissant

The content hash of a split (`toyworlds.core.content`) is taken over the columns' values, not over the file: it is
the same whatever the machine, the number of workers or the version of pyarrow. A folder is written beside its place
and renamed, so there is never half a dataset. Reading is in `toyworlds.core.dataset`.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from toyworlds.core import folders
from toyworlds.core.cards import croissant, dataset_card
from toyworlds.core.content import ROWS_PER_BLOCK, Rows, block_digest, split_digest
from toyworlds.core.dataset import (
    FORMAT,
    SCHEMA_VERSION,
    Dataset,
    manifest_digest,
    open_dataset,
    plain_columns,
    plain_constants,
)
from toyworlds.core.ragged import Ragged
from toyworlds.core.validate import choice, integer, reject
from toyworlds.world import WORLDS, World, config_of

__all__ = ["Dataset", "open_dataset", "write_dataset"]

BYTES_PER_CHUNK = 20 << 20
BYTES_PER_FILE = 256 << 20


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
    rows made at a time, rounded down to a multiple of 1024. Neither changes a byte of the content. `progress` is
    called with the number of rows written. Raises InputError when `out` exists or a split is unknown.
    """
    seed = integer("seed", seed, 0)
    WORLDS[world.name]
    if not rows:
        reject("rows", "at least one split", dict(rows))
    counts = {
        choice("split", split, world.splits()): integer(f"rows of {split}", count, 1) for split, count in rows.items()
    }
    workers = integer("workers", min(os.cpu_count() or 1, 4) if workers is None else workers, 1)
    with folders.written_aside(out) as folder:
        job = _Job(world, seed, folder, _chunk_rows(world, chunk), progress or (lambda _: None))
        splits = {split: job.write_split(split, count, workers) for split, count in counts.items()}
        _describe(world, seed, splits, folder)
    return open_dataset(out)


def _describe(world: World, seed: int, splits: dict[str, Any], folder: Path) -> None:
    """Write manifest.json, README.md and croissant.json."""
    manifest = {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "world": world.name,
        "generator_version": world.version,
        "config": config_of(world),
        "seed": seed,
        "columns": plain_columns(world),
        "constants": plain_constants(world, seed),
        "splits": splits,
    }
    summary = WORLDS.summary(world.name)
    folders.write_json(folder / "manifest.json", manifest | {"sha256": manifest_digest(manifest)})
    folders.write_text(folder / "README.md", dataset_card(manifest, summary))
    folders.write_json(folder / "croissant.json", croissant(manifest, summary))


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
            try:
                tasks = [
                    pool.submit(self.write_file, split, name, start, min(start + per_file, count))
                    for name, start in zip(names, starts, strict=True)
                ]
                for task in as_completed(tasks):
                    task.result()
            except BaseException:  # Ctrl-C too, whenever it comes: the pool would write all that it was given
                self.stopped.set()
                pool.shutdown(cancel_futures=True)
                raise
        written = [task.result() for task in tasks]
        sha256 = split_digest(self.world.columns(), (block for _, blocks in written for block in blocks))
        return {"rows": count, "sha256": sha256, "files": [entry for entry, _ in written]}

    def write_file(self, split: str, name: str, start: int, stop: int) -> tuple[dict[str, Any], list[bytes]]:
        """Write rows start .. stop - 1 as one file; return its entry and the digests of its blocks."""
        from toyworlds.core import parquet  # pyarrow is needed by files alone, not by rows made on the spot

        blocks, columns = [], self.world.columns()
        with parquet.Writer(self.folder / name, columns) as writer:
            for first in range(start, stop, self.chunk):
                size = min(self.chunk, stop - first)
                for block in _blocks(self.world.generate(self.seed, split, first, size), size):
                    blocks.append(block_digest(columns, block))
                    writer.write(block)
                    if self.stopped.is_set():
                        return {}, []
                self.progress(size)
        return {"name": name, "rows": stop - start, "bytes": writer.bytes, "file_sha256": writer.sha256}, blocks


def _blocks(rows: Rows, size: int) -> Iterator[Rows]:
    """Cut `size` rows into blocks of 1024 without copying."""
    for first in range(0, size, ROWS_PER_BLOCK):
        last = min(first + ROWS_PER_BLOCK, size)
        yield {
            name: data.rows(first, last) if isinstance(data, Ragged) else data[first:last]
            for name, data in rows.items()
        }


def _chunk_rows(world: World, chunk: int | None) -> int:
    chunk = BYTES_PER_CHUNK // _row_bytes(world) if chunk is None else integer("chunk", chunk, 1)
    return max(chunk // ROWS_PER_BLOCK, 1) * ROWS_PER_BLOCK


def _row_bytes(world: World) -> int:
    """Bytes of one row, about: a ragged axis counts as 512 entries, a text as 2048 bytes."""
    total = 0
    for column in world.columns():
        size = 2048 if column.dtype == "string" else np.dtype(column.dtype).itemsize
        total += math.prod(512 if axis is None else axis for axis in column.shape) * size
    return total
