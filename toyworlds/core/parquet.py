"""Rows of declared columns to and from Parquet: plain lists that any reader shows, pages with checksums."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

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
    return pa.list_(pa.field("element", value, nullable=False), -1 if column.ragged else math.prod(column.shape))


def to_arrow(data: np.ndarray | Ragged, column: Column) -> pa.Array:
    """One column's rows as an Arrow array, without copying numbers."""
    if isinstance(data, Ragged):
        first, last = int(data.offsets[0]), int(data.offsets[-1])
        offsets = pa.array((data.offsets - first).astype(np.int32) * math.prod(column.shape[1:]))
        return pa.ListArray.from_arrays(offsets, pa.array(data.values[first:last].reshape(-1)), type=_type(column))
    if column.shape:
        return pa.FixedSizeListArray.from_arrays(pa.array(np.asarray(data).reshape(-1)), type=_type(column))
    return pa.array(data, type=_type(column))


def from_arrow(array: pa.Array, column: Column) -> np.ndarray | Ragged:
    """Inverse of :func:`to_arrow`."""
    if column.ragged:
        size = math.prod(column.shape[1:])
        offsets = array.offsets.to_numpy().astype(np.int64)
        values = _flat(array.values.slice(offsets[0], offsets[-1] - offsets[0]), column)
        return Ragged(values.reshape(-1, *column.shape[1:]), (offsets - offsets[0]) // size)
    return _flat(array.flatten() if column.shape else array, column).reshape(len(array), *column.shape)


def _flat(array: pa.Array, column: Column) -> np.ndarray:
    return np.asarray(array.to_pylist(), object) if column.dtype == "string" else array.to_numpy(zero_copy_only=False)


class Writer:
    """Writes stretches of rows into one Parquet file; afterwards `bytes` and `sha256` describe the file."""

    def __init__(self, path: Path, columns: list[Column], rows_per_group: int) -> None:
        self.columns, self.rows_per_group = columns, rows_per_group
        self.schema = schema(columns)
        self._digest = hashlib.sha256()
        self._sink = path.open("wb")
        whole = [column.name for column in columns if column.dtype.startswith("float")]
        self._writer = pq.ParquetWriter(
            pa.PythonFile(_Tee(self._sink, self._digest), mode="w"),
            self.schema,
            compression={column.name: "NONE" if column.name in whole else "ZSTD" for column in columns},
            use_dictionary=[column.name for column in columns if column.dtype == "string"],
            write_statistics=False,
            write_page_checksum=True,
            data_page_size=1 << 20,
        )

    def write(self, rows: dict[str, Any]) -> None:
        """Append rows."""
        arrays = [to_arrow(rows[column.name], column) for column in self.columns]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self.schema), row_group_size=self.rows_per_group)

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
        self.bytes, self.sha256 = self._sink.tell(), self._digest.hexdigest()
        self._sink.close()


class _Tee:
    """A file that hashes what passes through it."""

    closed = False

    def __init__(self, sink: Any, digest: Any) -> None:
        self.sink, self.digest = sink, digest

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return int(self.sink.write(data))

    def tell(self) -> int:
        return int(self.sink.tell())

    def flush(self) -> None:
        self.sink.flush()

    def close(self) -> None:
        self.flush()


def read(path: Path, rows: int, columns: list[Column], start: int, stop: int) -> Iterator[dict[str, Any]]:
    """Stretches of rows start .. stop - 1 of a file of `rows` rows; damage raises a DataError with the file's name."""
    place = 0
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            if file.schema_arrow != schema(columns):
                raise DataError(f"{path}: its columns are not those of the manifest")
            if file.metadata.num_rows != rows:
                raise DataError(f"{path}: {file.metadata.num_rows} rows; the manifest says {rows}")
            for group in range(file.num_row_groups):
                size = file.metadata.row_group(group).num_rows
                first, last = max(start - place, 0), min(stop - place, size)
                place += size
                if first < last:
                    table = file.read_row_group(group)
                    table.validate(full=True)
                    batch = table.slice(first, last - first).combine_chunks()
                    yield {c.name: from_arrow(_one(batch[c.name]), c) for c in columns}
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; the manifest lists it") from None
    except (pa.ArrowException, OSError, ValueError, KeyError, MemoryError, OverflowError) as error:
        raise DataError(f"{path}: damaged Parquet file ({str(error).splitlines()[0][:200]})") from None


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)
