"""Which rows come together in a batch, when rows differ in length.

    padding = 1 - sum_i l_i / sum_b B_b max_{i in b} l_i          l_i lengths, b batches of B_b rows

Shuffled: the rows in the order of random words. Bucketed: the shuffled rows in pools of `POOL` batches, each pool
sorted by length and cut into batches, then the batches of the epoch in random order; a last smaller batch stays last.
Rows of a batch then have nearly one length, and which rows share a batch still changes with every epoch.
"""

from __future__ import annotations

import numpy as np

POOL = 50
"""Batches that are sorted together."""


def shuffled(words: np.ndarray) -> np.ndarray:
    """Return the order (n,) int64 of n rows that n random words give."""
    return np.argsort(words, kind="stable")


def bucketed(lengths: np.ndarray, batch_size: int, words: np.ndarray) -> np.ndarray:
    """Return an order (n,) int64 of rows of the given lengths in which neighbours are of nearly one length.

    Words 0 .. n - 1 shuffle the rows, the first words again the full batches: the same words, the same order.
    """
    rows = shuffled(words)
    pools = [rows[first : first + POOL * batch_size] for first in range(0, len(rows), POOL * batch_size)]
    rows = np.concatenate([pool[np.argsort(lengths[pool], kind="stable")] for pool in pools])
    full = len(rows) // batch_size
    batches = rows[: full * batch_size].reshape(full, batch_size)[shuffled(words[:full])]
    return np.concatenate([batches.ravel(), rows[full * batch_size :]])


def padding(lengths: np.ndarray, batch_size: int, order: np.ndarray) -> float:
    """Return the share of padding in batches of `batch_size` rows taken in `order`, each as long as its longest."""
    batches = [lengths[order[first : first + batch_size]] for first in range(0, len(order), batch_size)]
    return 1.0 - float(lengths[order].sum()) / sum(len(batch) * int(batch.max()) for batch in batches)
