from __future__ import annotations

import numpy as np
import pytest

from toyworlds.core.ragged import Ragged
from toyworlds.core.validate import InputError


def example() -> Ragged:
    return Ragged.of([[1, 2], [], [3]], "int8")


def test_rows() -> None:
    rows = example()
    assert [row.tolist() for row in rows] == [[1, 2], [], [3]]
    assert rows[-1].tolist() == [3]
    assert rows.lengths.tolist() == [2, 0, 1]
    assert rows.values.dtype == np.int8
    with pytest.raises(IndexError):
        rows[3]


def test_a_stretch_shares_the_values_and_joins_again() -> None:
    rows = example()
    part = rows.rows(1, 3)
    assert part.values is rows.values
    assert [row.tolist() for row in part] == [[], [3]]
    joined = Ragged.joined([part, rows])
    assert [row.tolist() for row in joined] == [[], [3], [1, 2], [], [3]]
    assert joined.values.dtype == np.int8


def test_padded() -> None:
    rows = example()
    assert rows.padded(-1).tolist() == [[1, 2], [-1, -1], [3, -1]]
    assert rows.padded(0, 3).tolist() == [[1, 2, 0], [0, 0, 0], [3, 0, 0]]
    assert rows.rows(1, 3).padded(9).tolist() == [[9], [3]]
    with pytest.raises(InputError, match="length: expected a whole number of at least 2; got 1"):
        rows.padded(0, 1)


def test_further_axes() -> None:
    rows = Ragged(np.arange(6).reshape(3, 2), np.array([0, 1, 3]))
    assert rows[1].tolist() == [[2, 3], [4, 5]]
    assert rows.padded(-1).tolist() == [[[0, 1], [-1, -1]], [[2, 3], [4, 5]]]


def test_no_rows() -> None:
    rows = Ragged.of([], "int16")
    assert (len(rows), rows.padded(0).shape, rows.values.dtype) == (0, (0, 0), np.int16)
