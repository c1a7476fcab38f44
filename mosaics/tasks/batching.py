"""Which rows come together in a batch, and which sequences in a row, when sequences differ in length.

    padding = 1 - sum_i l_i / sum_b B_b L_b         l_i lengths, b batches of B_b rows of L_b places

Shuffled: the rows, one sequence each, in the order of random words. Bucketed: the shuffled rows in pools of `POOL`
batches, each pool sorted by length and cut into batches, then the batches of the epoch in random order; a last smaller
batch stays last. Rows of a batch then have nearly one length, and which rows share a batch still changes with every
epoch. L_b is the longest row of the batch.

Packed: rows of L places each hold several whole sequences, so every batch has one shape, and what is wasted is

    padding = 1 - sum_i l_i / (R L)                 R rows, at least sum_i l_i / L of them

The sequences are taken from the longest to the shortest, each into the row with the least room that holds it, a new one
where there is none (best-fit decreasing). So R hangs on the lengths alone, and every epoch has the same number of
batches. Random words choose which of the sequences of one length takes which place, and the order of the rows.

Reference: Krell et al., Efficient sequence packing without cross-contamination, arXiv 2107.02027.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from toyworlds.core.validate import reject

POOL = 50
"""Batches that are sorted together."""


def shuffled(words: np.ndarray) -> np.ndarray:
    """Return the order (n,) int64 of n rows that n random words give."""
    return np.argsort(words, kind="stable")


def sorted_in_pools(rows: np.ndarray, lengths: np.ndarray, pool: int) -> np.ndarray:
    """Return the rows with each `pool` of them that follow each other sorted by length."""
    pools = [rows[first : first + pool] for first in range(0, len(rows), pool)]
    return np.concatenate([some[np.argsort(lengths[some], kind="stable")] for some in pools])


def bucketed(lengths: np.ndarray, batch_size: int, words: np.ndarray) -> np.ndarray:
    """Return an order (n,) int64 of rows of the given lengths in which neighbours are of nearly one length.

    Words 0 .. n - 1 shuffle the rows, the first words again the full batches: the same words, the same order.
    """
    rows = sorted_in_pools(shuffled(words), lengths, POOL * batch_size)
    full = len(rows) // batch_size
    batches = rows[: full * batch_size].reshape(full, batch_size)[shuffled(words[:full])]
    return np.concatenate([batches.ravel(), rows[full * batch_size :]])


class Packed(NamedTuple):
    """Sequences in rows: entry j is sequence `sequence[j]` from place `start[j]` of row `row[j]` on; rows rise."""

    sequence: np.ndarray
    row: np.ndarray
    start: np.ndarray

    def take(self, first: int, last: int) -> Packed:
        """Return what is in the rows first .. last - 1, numbered from 0."""
        begin, end = np.searchsorted(self.row, (first, last))
        return Packed(self.sequence[begin:end], self.row[begin:end] - first, self.start[begin:end])


class Packer:
    """Packs sequences of the given lengths (n,) into `rows` rows of `size` places; see the module.

    InputError for a length that is not from 1 to `size`.

    >>> packer = Packer(np.array([2, 5, 3, 4, 1]), 6)
    >>> packer.rows, round(packer.padding, 3)
    (3, 0.167)
    >>> [part.tolist() for part in packer.pack(np.arange(8))]
    [[1, 4, 3, 0, 2], [0, 0, 1, 1, 2], [0, 5, 0, 4, 0]]
    """

    def __init__(self, lengths: np.ndarray, size: int) -> None:
        if lengths.min() < 1 or lengths.max() > size:
            reject("lengths", f"numbers from 1 to {size}, the size of a row", np.unique(lengths)[[0, -1]].tolist())
        self.lengths, self.size = lengths, size
        self._row = best_fit(-np.sort(-lengths), size)
        self.rows = int(self._row.max()) + 1

    @property
    def padding(self) -> float:
        """Share of the places that stay empty."""
        return 1.0 - float(self.lengths.sum()) / (self.rows * self.size)

    def pack(self, words: np.ndarray) -> Packed:
        """Pack by n + rows random words: those of the sequences, then those of the rows."""
        count = len(self.lengths)
        falling = np.lexsort((words[:count], -self.lengths))
        place = shuffled(words[count : count + self.rows])[self._row]
        by_row = np.argsort(place, kind="stable")
        sequence, row = falling[by_row], place[by_row]
        before = np.cumsum(self.lengths[sequence]) - self.lengths[sequence]
        return Packed(sequence, row, before - before[np.searchsorted(row, row)])


def best_fit(lengths: np.ndarray, size: int) -> np.ndarray:
    """Row (n,) int64 of each of the falling lengths: one with the least room that holds it, else a new one."""
    by_room: list[list[int]] = [[] for _ in range(size + 1)]
    rooms, rows = 0, 0  # bit r of `rooms`: some row has room r
    found = np.empty(len(lengths), np.int64)
    for index, length in enumerate(lengths.tolist()):
        fitting = rooms >> length
        if fitting:
            room = length + (fitting & -fitting).bit_length() - 1
            row = by_room[room].pop()
            rooms ^= 0 if by_room[room] else 1 << room
        else:
            row, room, rows = rows, size, rows + 1
        by_room[room - length].append(row)
        rooms |= 1 << (room - length)
        found[index] = row
    return found


def padding(lengths: np.ndarray, batch_size: int, order: np.ndarray) -> float:
    """Return the share of padding in batches of `batch_size` rows taken in `order`, each as long as its longest."""
    batches = [lengths[order[first : first + batch_size]] for first in range(0, len(order), batch_size)]
    return 1.0 - float(lengths[order].sum()) / sum(len(batch) * int(batch.max()) for batch in batches)
