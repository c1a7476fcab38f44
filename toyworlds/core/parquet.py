"""Rows of declared columns to and from Parquet: plain lists that any reader shows."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from toyworlds.core.content import Rows
from toyworlds.core.ragged import Ragged
from toyworlds.core.validate import DataError
from toyworlds.world import Column


def schema(columns: list[Column]) -> pa.Schema:
    """Arrow schema: a scalar, a list of fixed size, or a list for each column.

    The axes of one row are flattened, last axis fastest: a list in a list takes Parquet twice as long to write.
    """
    return pa.schema([pa.field(column.name, _type(column), nullable=False) for column in columns])


def _type(column: Column) -> pa.DataType:
    value = pa.string() if column.dtype == "string" else pa.from_numpy_dtype(np.dtype(column.dtype))
    if not column.shape:
        return value
    return pa.list_(pa.field("element", value, nullable=False), -1 if column.ragged else math.prod(column.fixed))


def to_arrow(data: np.ndarray | Ragged, column: Column) -> pa.Array:
    """One column's rows as an Arrow array, without copying numbers."""
    value = pa.string() if column.dtype == "string" else None
    if isinstance(data, Ragged):
        first, last = int(data.offsets[0]), int(data.offsets[-1])
        offsets = pa.array((data.offsets - first) * math.prod(column.fixed), type=pa.int32())
        values = pa.array(data.values[first:last].reshape(-1), type=value)
        return pa.ListArray.from_arrays(offsets, values, type=_type(column))
    values = pa.array(np.asarray(data).reshape(-1), type=value)
    return pa.FixedSizeListArray.from_arrays(values, type=_type(column)) if column.shape else values


def from_arrow(array: pa.Array, column: Column) -> np.ndarray | Ragged:
    """Inverse of :func:`to_arrow`."""
    if column.ragged:
        offsets = array.offsets.to_numpy().astype(np.int64)
        values = _flat(array.values.slice(offsets[0], offsets[-1] - offsets[0]), column)
        size = math.prod(column.fixed)
        return Ragged(values.reshape(-1, *column.fixed), (offsets - offsets[0]) // size)
    return _flat(array.flatten() if column.shape else array, column).reshape(len(array), *column.fixed)


def _flat(array: pa.Array, column: Column) -> np.ndarray:
    return np.asarray(array.to_pylist(), object) if column.dtype == "string" else array.to_numpy(zero_copy_only=False)


def options(columns: list[Column]) -> dict[str, Any]:
    """How the file is encoded: floating-point numbers as they are, whole numbers, truth values and texts compressed."""
    return {
        "compression": {_leaf(c): "NONE" if c.dtype.startswith("float") else "ZSTD" for c in columns},
        "use_dictionary": [column.name for column in columns if column.dtype == "string"],
        "write_statistics": False,
    }


def _leaf(column: Column) -> str:
    """Parquet's name of the values: a list's lie two levels down."""
    return f"{column.name}.list.element" if column.shape else column.name


class Writer:
    """Writes stretches of rows into one Parquet file; afterwards `bytes` and `sha256` describe the file."""

    def __init__(self, path: Path, columns: list[Column]) -> None:
        self.columns, self.schema = columns, schema(columns)
        self._file = _HashedFile(path)
        self._writer = pq.ParquetWriter(pa.PythonFile(self._file, mode="w"), self.schema, **options(columns))

    def write(self, rows: Rows) -> None:
        """Append `rows` as one group."""
        arrays = [to_arrow(rows[column.name], column) for column in self.columns]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self.schema))

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file.sink:
            self._writer.close()
            if kind is None:
                self.bytes, self.sha256 = self._file.finish()


class _HashedFile:
    """A file that hashes what is written to it."""

    closed = False

    def __init__(self, path: Path) -> None:
        self.sink: BinaryIO = path.open("wb")
        self.digest = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        self.sink.write(data)
        self.size += len(data)
        return len(data)

    def finish(self) -> tuple[int, str]:
        """Bring the file to disk; return its bytes and SHA-256."""
        self.sink.flush()
        os.fsync(self.sink.fileno())
        return self.size, self.digest.hexdigest()

    def tell(self) -> int:
        return self.size

    def flush(self) -> None:
        """Nothing to do before the end."""

    def close(self) -> None:
        """Closed by the writer of rows, which knows whether it is whole."""


def read(path: Path, columns: list[Column], start: int, stop: int) -> Iterator[Rows]:
    """Groups of rows start .. stop - 1 of a whole file."""
    place = 0
    try:
        with pq.ParquetFile(path) as file:
            if file.schema_arrow != schema(columns):
                raise DataError(f"{path}: its columns are not those of the manifest")
            for group in range(file.num_row_groups):
                size = file.metadata.row_group(group).num_rows
                first, last = max(start - place, 0), min(stop - place, size)
                place += size
                if first < last:
                    batch = file.read_row_group(group).slice(first, last - first).combine_chunks()
                    yield {column.name: from_arrow(batch[column.name].chunk(0), column) for column in columns}
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a readable Parquet file ({str(error).splitlines()[0][:200]})") from None


def check_whole(path: Path, size: int, sha256: str) -> None:
    """Raise a DataError naming `path` if it is not there, or not byte for byte the file that was written."""
    try:
        with path.open("rb") as file:
            have = os.fstat(file.fileno()).st_size
            if have != size:
                raise DataError(f"{path}: damaged; it has {have:,} bytes, the manifest says {size:,}")
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                raise DataError(f"{path}: damaged or edited; its SHA-256 is not the one in the manifest")
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; the manifest lists it") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
