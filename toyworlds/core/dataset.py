"""Open, read and verify a dataset folder.

    manifest.json   holds the SHA-256 of its own content, checked when the folder is opened
    train.parquet   is compared with its SHA-256 in the manifest before its first row is read

so a damaged, truncated or edited folder is refused with the file's name, never misread. `verify` also recomputes the
content hashes and makes the first rows of every split again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from toyworlds.core import folders
from toyworlds.core.content import Rows, block_digest, split_digest
from toyworlds.core.ragged import Ragged
from toyworlds.core.validate import DataError, InputError, choice, from_dict, integer
from toyworlds.world import WORLDS, Column, World

FORMAT = "mosaicbench dataset"
SCHEMA_VERSION = 1
FIELDS: dict[str, type] = {
    "world": str, "generator_version": int, "config": dict, "seed": int, "columns": list, "constants": dict,
    "splits": dict,
}  # fmt: skip
SPLIT_FIELDS: dict[str, type] = {"rows": int, "sha256": str, "files": list}
FILE_FIELDS: dict[str, type] = {"name": str, "rows": int, "bytes": int, "file_sha256": str}
"""What a manifest states, and for each split, and for each of its files."""
ROWS_MADE_AGAIN = 16
"""Rows of each split that `verify` generates again."""


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
    _whole: set[str] = field(default_factory=set, init=False, repr=False, compare=False)
    """Names of the files that have been compared with their hash."""

    @property
    def splits(self) -> dict[str, int]:
        """Rows of each split."""
        return {name: split["rows"] for name, split in self.manifest["splits"].items()}

    def constants(self) -> dict[str, np.ndarray]:
        """Arrays that hold for all rows, such as the mixing matrix."""
        return {name: np.asarray(value) for name, value in self.manifest["constants"].items()}

    def batches(self, split: str, start: int = 0, stop: int | None = None) -> Iterator[Rows]:
        """Stretches of at most 1024 rows, in order, from `start` to `stop` or the end."""
        from toyworlds.core import parquet  # pyarrow is needed by files alone, not by rows made on the spot

        choice("split", split, self.splits)
        integer("start", start, 0)
        stop = self.splits[split] if stop is None else integer("stop", stop, 0)
        place = 0
        for entry in self.manifest["splits"][split]["files"]:
            first, last = max(start - place, 0), min(stop - place, entry["rows"])
            place += entry["rows"]
            if first < last:
                yield from parquet.read(self._file(entry), self.world.columns(), first, last)

    def read(self, split: str, start: int = 0, stop: int | None = None) -> Rows:
        """Rows start .. stop - 1 of `split` as arrays, one entry a column; `stop` past the end means the end."""
        parts = list(self.batches(split, start, stop))
        return {column.name: _joined([part[column.name] for part in parts], column) for column in self.world.columns()}

    def verify(self) -> dict[str, int]:
        """Check every hash and make some rows again; return the rows of each split, or raise naming the file."""
        columns = self.world.columns()
        self._whole.clear()
        for name, split in self.manifest["splits"].items():
            if split_digest(columns, (block_digest(columns, rows) for rows in self.batches(name))) != split["sha256"]:
                files = ", ".join(entry["name"] for entry in split["files"])
                raise DataError(f"{self.folder}: the content of {files} does not have the manifest's SHA-256")
            some = self.read(name, 0, ROWS_MADE_AGAIN)
            again = self.world.generate(self.seed, name, 0, min(ROWS_MADE_AGAIN, split["rows"]))
            if block_digest(columns, some) != block_digest(columns, again):
                raise DataError(
                    f"{self.folder}: the manifest's config and seed give other rows than split {name!r} has"
                )
        if plain_constants(self.world, self.seed) != self.manifest["constants"]:
            raise DataError(f"{self.folder}: the manifest's constants are not those of its config and seed")
        return self.splits

    def _file(self, entry: dict[str, Any]) -> Path:
        from toyworlds.core import parquet

        path = self.folder / entry["name"]
        if entry["name"] not in self._whole:
            parquet.check_whole(path, entry["bytes"], entry["file_sha256"])
            self._whole.add(entry["name"])
        return path


def open_dataset(folder: str | Path) -> Dataset:
    """Open a dataset folder; a DataError names the file that is missing, damaged or foreign.

    The world must be known: the folders of another package's worlds need its import first, such as `import regbench`.
    """
    folder = Path(folder)
    path = folder / "manifest.json"
    manifest = folders.read_json(path, "a dataset folder written by mosaicbench generate")
    if manifest.get("format") != FORMAT:
        raise DataError(f"{path}: expected a {FORMAT}; got format {manifest.get('format')!r}")
    if manifest.get("schema_version") != SCHEMA_VERSION:
        got = manifest.get("schema_version")
        raise DataError(f"{path}: schema version {got!r}; this version of mosaicbench reads {SCHEMA_VERSION}")
    if manifest.get("sha256") != manifest_digest(manifest):
        raise DataError(f"{path}: damaged or edited; its content does not have the SHA-256 that it states")
    _check_fields(path, "", manifest, FIELDS)
    for name, split in manifest["splits"].items():
        _check_fields(path, f"splits.{name}.", split, SPLIT_FIELDS)
        for i, entry in enumerate(split["files"]):
            _check_fields(path, f"splits.{name}.files[{i}].", entry, FILE_FIELDS)
    try:
        world: World = from_dict(WORLDS[manifest["world"]], manifest["config"], "config")
    except InputError as error:
        unknown = manifest["world"].startswith("regbench") and "regbench" not in WORLDS
        raise DataError(f"{path}: {error}" + ("; import regbench first" if unknown else "")) from None
    if (manifest["generator_version"], manifest["columns"]) != (world.version, plain_columns(world)):
        made = f"version {manifest['generator_version']} of {world.name}"
        raise DataError(f"{path}: made by {made}; this is version {world.version}, which makes other data")
    return Dataset(folder, manifest, world, manifest["seed"])


def manifest_digest(manifest: dict[str, Any]) -> str:
    """SHA-256 of a manifest but for its entry "sha256", as JSON with sorted keys."""
    rest = {key: value for key, value in manifest.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def plain_columns(world: World) -> list[dict[str, Any]]:
    """Columns of `world` as JSON values."""
    return [folders.plain(vars(column)) for column in world.columns()]


def plain_constants(world: World, seed: int) -> dict[str, Any]:
    """Constants of `world` (if it has any) as JSON values."""
    constants: dict[str, Any] = folders.plain(world.constants(seed) if hasattr(world, "constants") else {})
    return constants


def _check_fields(path: Path, place: str, value: Any, fields: dict[str, type]) -> None:
    """Raise a DataError unless the JSON object `value` has the `fields`."""
    for name, kind in fields.items():
        got = value.get(name) if isinstance(value, dict) else None
        if not isinstance(got, kind):
            raise DataError(f"{path}: expected {place}{name} as {kind.__name__}; got {type(got).__name__}")


def _joined(parts: list[Any], column: Column) -> np.ndarray | Ragged:
    none = np.zeros((0, *column.fixed), np.dtype(object if column.dtype == "string" else column.dtype))
    if column.ragged:
        return Ragged.joined(parts or [Ragged(none, np.zeros(1, np.int64))])
    return np.concatenate(parts or [none])
