"""Strings of many automata at once: one table look-up a symbol, all strings in step.

    strings J ~ U{j_min .. j_max} a problem, lengths l ~ U{l_min .. l_max}, joined by '|'
    in state q slot s ~ U{0 .. L - 1} picks the edge;  edge i of state q owns L w_i / sum w slots

L is the least common multiple of the possible numbers of edges (6 for 1, 2, 3), or the sum of the weights, so
every edge owns a whole number of slots and the law is exact. The table holds for each (problem, state, slot) the
token, the raw and the minimal state behind it, and where that state's slots begin, in one whole number:

    entry = token + raw 2^8 + minimal 2^16 + begin 2^24

Strings are walked the longest first, so that step t touches only those that are longer than t. Slots are digits
to the base L of 32-bit numbers, as many as keep the bias below 2^-19 (5 digits for L = 6).

Rows are made in blocks of 512, each from a stream of its own, so any block can be made alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from regbench.draw import WEIGHT_SUM
from regbench.edges import EdgeTable
from toyworlds.core.seeds import Stream

BLOCK = 512
"""Rows of a block; part of the bytes."""
BIAS_BITS = 19
ENTRY_BITS = 24
HALF, LOW = np.uint64(32), np.uint64(0xFFFFFFFF)


@dataclass(frozen=True)
class TextLaw:
    """How many strings a problem has and how long they are; bounds inclusive."""

    symbols: int
    strings: tuple[int, int]
    lengths: tuple[int, int]
    edges: tuple[int, int]
    weighted: bool

    @property
    def slots(self) -> int:
        """L."""
        return WEIGHT_SUM if self.weighted else math.lcm(*range(self.edges[0], self.edges[1] + 1))

    @property
    def digits(self) -> int:
        """Slots made from one 32-bit number."""
        digits = 1
        while self.slots ** (digits + 1) <= 2 ** (32 - BIAS_BITS):
            digits += 1
        return digits


@dataclass(frozen=True)
class Texts:
    """The texts of a block of rows, laid end to end."""

    offsets: np.ndarray
    """(rows + 1,) int64: where each row begins."""
    entries: np.ndarray
    """(3, total) int8, a strided view: tokens, raw states, minimal states."""
    starts: np.ndarray
    """Place of each string in its row, row by row, int16."""
    strings: np.ndarray
    """(rows,) int64: strings of each row."""


@dataclass(frozen=True)
class Plan:
    """Strings of a whole block, before their symbols: how many, how long, and in which order they are walked."""

    count: np.ndarray
    """(BLOCK,) int64: strings of each row."""
    length: np.ndarray
    """(strings at most, BLOCK) int64, 0 behind a row's last string."""
    longest: np.ndarray
    """Flat numbers j BLOCK + row of the strings by falling length."""
    alive: np.ndarray
    """(longest + 1,) int64: strings longer than t."""
    numbers: list[np.ndarray]
    """The 32-bit numbers of steps 0 .. digits - 1, digits .. 2 digits - 1 and so on, in the order of `longest`."""


def plan_block(law: TextLaw, stream: Stream) -> Plan:
    """Plan of the block that `stream` belongs to."""
    most, header = law.strings[1], (1 + law.strings[1]) * BLOCK // 2
    halves = _halves(stream, 0, header).reshape(1 + most, BLOCK)
    count = _between(halves[0], law.strings)
    length = np.where(np.arange(most)[:, None] < count, _between(halves[1:], law.lengths), 0)
    longest = np.argsort(-length.ravel().astype(np.int16), kind="stable")
    alive = length.size - np.cumsum(np.bincount(length.ravel(), minlength=law.lengths[1] + 1))
    sizes = alive[: law.lengths[1] : law.digits]
    drawn = _halves(stream, header, -(-int(sizes.sum()) // 2))
    numbers = np.split(drawn[: sizes.sum()], np.cumsum(sizes)[:-1])
    return Plan(count, length, longest[: alive[0]], alive, numbers)


def sample_block(law: TextLaw, table: EdgeTable, number: np.ndarray, stream: Stream, first: int) -> Texts:
    """Texts of rows first, first + 1, .. of a block, one for each automaton of `table`.

    `table` holds raw automata with start 0, `number` (S, rows) the minimal state of each raw state, and `stream`
    is that of the block.
    """
    plan, rows = plan_block(law, stream), table.shape[2]
    length = plan.length[:, first : first + rows]
    ends = np.cumsum(np.where(length > 0, length + 1, 0), axis=0)
    offsets = np.concatenate([[0], np.cumsum(ends[-1] - 1)])
    starts = ends - length - 1
    flat = np.full(offsets[-1], law.symbols + 1, "<i4")
    ours = _Ours.of(plan, first, offsets[:-1] + starts)
    _walk(law, plan, ours, _slot_table(law, table, number), flat)
    entries = flat.view(np.int8).reshape(-1, 4)[:, :3].T
    return Texts(offsets, entries, starts.T[length.T > 0].astype(np.int16), plan.count[first : first + rows])


def _halves(stream: Stream, start: int, count: int) -> np.ndarray:
    return stream.words(start, count).astype("<u8", copy=False).view("<u4")


def _between(halves: np.ndarray, bounds: tuple[int, int]) -> np.ndarray:
    """Whole numbers within the bounds, int64; bias at most their number / 2^32."""
    spread = np.uint64(bounds[1] - bounds[0] + 1)
    return ((halves.astype(np.uint64) * spread) >> HALF).astype(np.int64) + bounds[0]


def _slot_table(law: TextLaw, table: EdgeTable, number: np.ndarray) -> np.ndarray:
    """Entries of the table, (S, rows, L) int64."""
    states, most, rows = table.shape
    slots, row = np.arange(law.slots), np.arange(rows)
    place = table.target.astype(np.int64) * rows + row
    entry = (place * law.slots) << ENTRY_BITS
    entry |= (number.ravel()[place].astype(np.int64) & 127) << 16
    entry |= table.target.astype(np.int64) << 8
    entry |= table.symbol.astype(np.int64) + 1
    if table.weight is None:
        degree = np.count_nonzero(table.present, axis=1)
        edge = (slots * np.arange(most + 1)[:, None] // law.slots * rows)[degree]
    else:
        total = np.cumsum(table.weight, axis=1).transpose(0, 2, 1)
        edge = np.minimum((slots >= total[..., None]).sum(axis=2), most - 1) * rows
    edge += (np.arange(states)[:, None] * (most * rows) + row)[:, :, None]
    return entry.ravel()[edge]


@dataclass(frozen=True)
class _Ours:
    """The strings of the rows that are wanted, by falling length."""

    number: np.ndarray
    """Their place among those of the block."""
    row: np.ndarray
    place: np.ndarray
    """Where each begins in the text."""
    alive: np.ndarray
    """How many are longer than t."""

    @classmethod
    def of(cls, plan: Plan, first: int, start: np.ndarray) -> _Ours:
        row = plan.longest % BLOCK - first
        number = np.flatnonzero((row >= 0) & (row < start.shape[1]))
        row = row[number]
        place = start[plan.longest[number] // BLOCK, row]
        return cls(number, row, place, np.searchsorted(number, plan.alive))


def _walk(law: TextLaw, plan: Plan, ours: _Ours, table: np.ndarray, flat: np.ndarray) -> None:
    """Write the entries of all strings into `flat`."""
    begin = ours.row * law.slots
    entries, base, digits = table.ravel(), np.uint64(law.slots), law.digits
    for t in range(law.lengths[1]):
        n = ours.alive[t]
        if t % digits == 0:
            number = plan.numbers[t // digits][ours.number[:n]].astype(np.uint64)
        number = number[:n] * base
        entry = entries[begin[:n] + (number >> HALF).view(np.int64)]
        number &= LOW
        flat[ours.place[:n] + t] = entry.astype("<i8", copy=False).view("<i4")[::2]
        begin = entry >> ENTRY_BITS
