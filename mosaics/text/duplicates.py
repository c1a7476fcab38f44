"""Duplicates between two sets of documents: what a validation loss may owe to the training text.

    exact       documents whose normalised text (lower case, white space as one blank) is also in the other set
    shared(d)   share of the n-word runs of document d that also occur in the other set, n = 13
    near        documents with shared(d) >= 1/2

Runs are compared by a 64-bit hash, sum_j h(word_j) P^j mod 2^64, h the first 64 bits of a word's SHA-256. Of large sets
only the runs whose hash is a multiple of `keep` are looked at, on both sides: an unbiased sample of all runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from mosaics.text.corpus import fingerprint, normalised

RUN = 13
NEAR = 0.5
MULTIPLIER = 0x9E3779B97F4A7C15
MOST_RUNS = 50_000_000
"""Runs that are kept before fewer of them are looked at."""


@dataclass(frozen=True)
class Duplicates:
    """What was found among `documents` documents."""

    documents: int
    """Documents looked at."""
    exact: int
    """Documents that the other set has, normalised."""
    near: int
    """Documents, exact ones included, half of whose runs the other set has."""
    shared: float
    """Mean share of a document's runs that the other set has; documents without runs are left out."""
    run: int = RUN
    """Words in a run."""

    def described(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


class Known:
    """The documents of one set, added one by one: fingerprints and hashes of runs."""

    def __init__(self) -> None:
        self.documents: set[int] = set()
        self.parts: list[np.ndarray] = []
        self.held, self.keep = 0, 1

    def add(self, document: str) -> None:
        """Take in a document."""
        self.documents.add(fingerprint(document))
        kept = self._kept(runs(document))
        self.parts.append(kept)
        self.held += len(kept)
        if self.held > MOST_RUNS:
            self.keep *= 2
            self.parts = [self._kept(np.unique(np.concatenate(self.parts)))]
            self.held = len(self.parts[0])

    def compare(self, documents: Iterable[str]) -> Duplicates:
        """Look for `documents` among those taken in."""
        known = np.unique(np.concatenate(self.parts)) if self.parts else np.zeros(0, np.uint64)
        self.parts = [known]
        exact, shares, count = 0, [], 0
        for document in documents:
            count += 1
            same = fingerprint(document) in self.documents
            exact += same
            found = self._kept(runs(document))
            if len(found):
                places = np.searchsorted(known, found).clip(max=max(len(known) - 1, 0))
                shares.append(float((known[places] == found).mean()) if len(known) else 0.0)
            elif same:
                shares.append(1.0)
        near = sum(share >= NEAR for share in shares)
        return Duplicates(count, exact, near, float(np.mean(shares)) if shares else 0.0)

    def _kept(self, hashes: np.ndarray) -> np.ndarray:
        return hashes[hashes % np.uint64(self.keep) == 0]


def runs(document: str, length: int = RUN) -> np.ndarray:
    """Hashes of the runs of `length` words of a document, in order, uint64."""
    hashes = np.array([_word(word) for word in normalised(document).split(" ")], np.uint64)
    count = len(hashes) - length + 1
    if count <= 0:
        return np.zeros(0, np.uint64)
    total = np.zeros(count, np.uint64)
    with np.errstate(over="ignore"):
        for place in range(length):
            total = total * np.uint64(MULTIPLIER) + hashes[place : place + count]
    return total


@lru_cache(maxsize=1 << 18)
def _word(word: str) -> int:
    return int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "little")
