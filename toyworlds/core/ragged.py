"""Rows of different lengths as one flat array and the places where rows begin."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from toyworlds.core.validate import integer


@dataclass(frozen=True, eq=False)
class Ragged:
    """Row i is values[offsets[i] : offsets[i + 1]]; a row may have further axes of fixed size.

    >>> rows = Ragged.of([[1, 2], [], [3]], "int8")
    >>> rows.offsets.tolist(), rows[0].tolist(), len(rows)
    ([0, 2, 2, 3], [1, 2], 3)
    """

    values: np.ndarray
    offsets: np.ndarray

    @classmethod
    def of(cls, rows: Sequence[Any], dtype: str) -> Ragged:
        """Join `rows`, a list of lists or arrays."""
        lengths = [len(row) for row in rows]
        values = np.concatenate([np.asarray(row, dtype) for row in rows]) if rows else np.zeros(0, dtype)
        return cls(values, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))

    @classmethod
    def joined(cls, parts: Sequence[Ragged]) -> Ragged:
        """Rows of all `parts`, at least one, in order."""
        lengths = np.concatenate([part.lengths for part in parts])
        values = np.concatenate([part.values[part.offsets[0] : part.offsets[-1]] for part in parts])
        return cls(values, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))

    @property
    def lengths(self) -> np.ndarray:
        """Length of each row."""
        return np.diff(self.offsets)

    def rows(self, start: int, stop: int) -> Ragged:
        """Rows start .. stop - 1; the values are shared."""
        return Ragged(self.values, self.offsets[start : stop + 1])

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> np.ndarray:
        row = range(len(self))[row]
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[row] for row in range(len(self)))

    def padded(self, fill: float, length: int | None = None) -> np.ndarray:
        """(rows, length, ...) array with `fill` behind each row's end; `length` defaults to the longest row."""
        lengths = self.lengths
        longest = int(lengths.max(initial=0))
        width = longest if length is None else integer("length", length, longest)
        out = np.full((len(self), width, *self.values.shape[1:]), fill, dtype=self.values.dtype)
        out[np.arange(width) < lengths[:, None]] = self.values[self.offsets[0] : self.offsets[-1]]
        return out
