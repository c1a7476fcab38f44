"""Which languages a split holds: each language belongs to one split, and no split holds one twice.

    split of a language = floor(10 h / 2^64),  h = first 64 bits of its canonical hash
    0 .. 7: train      8: validation      9: test

That depends on the language alone: not on the seed, the size of a set, the preset. So no language of a test set
can be in any training set. Candidates are drawn by the law, one after the other; those of another split and those
that came before are dropped; row i is the i-th that stays, so smaller sets are prefixes of larger ones.

Cost: to know row i, all candidates before it are drawn, minimised and hashed once (about 4 us each), and the
hashes of those that stayed are kept (about 120 bytes each). A training row needs 1 / 0.8 candidates, a test row
1 / 0.1: smaller shares for the test sets would make them dearer still, larger ones would make training dearer
and take more of the tiny languages, of which there are few, from it (measured in docs/regbench.md).
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from regbench import draw, edges
from regbench.draw import BLOCK, LanguageLaw
from regbench.edges import EdgeTable
from regbench.minimize import Canonical, canonical, table_digests
from toyworlds.core.seeds import below
from toyworlds.core.validate import InputError

SHARES = {"train": range(8), "validation": range(8, 9), "test": range(9, 10)}
"""Tenths of the space of hashes."""
KEPT_BLOCKS = 8
"""Blocks of candidates kept at hand: more than there are writing threads."""
BARREN_BLOCKS = 16
"""After so many blocks in a row without a new language a split counts as exhausted."""


@dataclass(frozen=True)
class Languages:
    """Some languages: as drawn, in canonical form, hashed."""

    raw: EdgeTable
    canonical: Canonical
    digests: list[bytes]

    def take(self, rows: np.ndarray) -> Languages:
        """Return the languages numbered `rows`."""
        minimal = Canonical(self.canonical.table.take(rows), self.canonical.number[:, rows])
        return Languages(self.raw.take(rows), minimal, [self.digests[row] for row in rows])


def tenth(digests: list[bytes]) -> np.ndarray:
    """Tenth of the space of hashes that each language falls in, (n,) int64."""
    words = np.frombuffer(b"".join(digests), dtype="<u8").reshape(-1, 2)[:, 0]
    return below(words.astype(np.uint64), 10)


@dataclass
class Survivors:
    """The candidates of one split that stay, found as far as they are asked for; threads may share one."""

    law: LanguageLaw
    seed: int
    split: str
    independent: bool = False
    """Keep every candidate, as the public generator does."""
    _kept: list[np.ndarray] = field(default_factory=list)
    _ends: list[int] = field(default_factory=lambda: [0])
    _seen: set[bytes] = field(default_factory=set)
    _blocks: OrderedDict[int, Languages] = field(default_factory=OrderedDict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def languages(self, start: int, stop: int) -> Languages:
        """Languages of rows start .. stop - 1, in order."""
        with self._lock:
            while self._ends[-1] < stop:
                self._extend(stop)
        parts = []
        for block in range(bisect_right(self._ends, start) - 1, bisect_left(self._ends, stop)):
            before = self._ends[block]
            parts.append(self._block(block).take(self._kept[block][max(start - before, 0) : stop - before]))
        table = edges.joined([part.canonical.table for part in parts])
        number = np.concatenate([part.canonical.number for part in parts], axis=1)
        digests = [digest for part in parts for digest in part.digests]
        return Languages(edges.joined([part.raw for part in parts]), Canonical(table, number), digests)

    def _extend(self, stop: int) -> None:
        """Find the rows of one more block of candidates."""
        if len(self._kept) >= BARREN_BLOCKS and self._ends[-1] == self._ends[-1 - BARREN_BLOCKS]:
            raise InputError(
                f"rows of {self.split}: expected at most {self._ends[-1]}, all the distinct languages of this split "
                f"that this law was found to have; got {stop}"
            )
        digests = self._block(len(self._kept)).digests
        kept = np.arange(BLOCK)
        if not self.independent:
            ours = np.flatnonzero(np.isin(tenth(digests), SHARES[self.split]))[::-1].tolist()
            first = dict(zip([digests[row] for row in ours], ours, strict=True))
            kept = np.sort(np.array([first[digest] for digest in first.keys() - self._seen], dtype=np.int64))
            self._seen.update(first)
        self._kept.append(kept)
        self._ends.append(self._ends[-1] + len(kept))

    def _block(self, number: int) -> Languages:
        """Candidates number * 4096 .., from the few blocks last made or anew."""
        with self._lock:
            if number in self._blocks:
                self._blocks.move_to_end(number)
                return self._blocks[number]
        raw = draw.draw_block(self.law, self.seed, (self.split,), number)
        minimal = canonical(raw)
        block = Languages(raw, minimal, table_digests(minimal.table))
        with self._lock:
            self._blocks[number] = block
            while len(self._blocks) > KEPT_BLOCKS:
                self._blocks.popitem(last=False)
        return block


@lru_cache(maxsize=8)
def survivors(law: LanguageLaw, seed: int, split: str, independent: bool) -> Survivors:
    """Return the one object of its kind in this process, so that rows asked for in order are found once."""
    return Survivors(law, seed, split, independent)
