"""Random numbers that are the same on every machine, whatever the chunk size or the number of workers.

A stream is an endless row of 64-bit words, named by a seed and any number of names::

    key   = first 128 bits of SHA-256(seed, names)          for instance (7, "three_moons", "train", "start")
    words = Philox-4x64-10 with that key, counter 1, 2, 3 ...

Any stretch of words can be asked for alone, so item i of a dataset that uses w words an item is made from
words i w .. (i + 1) w - 1 and from nothing else. Words become choices by the few lines below; none of
them calls a NumPy distribution, so the bytes hold across NumPy versions.

Reference: Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC 2011.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np

from toyworlds.core import exact
from toyworlds.core.validate import integer

MASK32 = np.uint64(0xFFFFFFFF)


@dataclass(frozen=True)
class Stream:
    """The words named by (seed, *names); random access, no state.

    >>> Stream(7, "three_moons", "train").words(1000, 2).tolist() == \
        Stream(7, "three_moons", "train").words(0, 1002)[1000:].tolist()
    True
    """

    seed: int
    names: tuple[str | int, ...] = ()
    key: tuple[int, int] = field(init=False, repr=False, compare=False)

    def __init__(self, seed: int, *names: str | int) -> None:
        object.__setattr__(self, "seed", integer("seed", seed, 0))
        object.__setattr__(self, "names", names)
        text = "\x1f".join(f"{type(name).__name__}:{name}" for name in (int(seed), *names))
        digest = hashlib.sha256(text.encode()).digest()
        object.__setattr__(self, "key", (int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:16], "little")))

    def words(self, start: int, count: int) -> np.ndarray:
        """Words start .. start + count - 1, uint64."""
        start, count = int(start), int(count)
        generator = np.random.Philox(key=np.array(self.key, dtype=np.uint64))
        generator.advance(start // 4)
        skip = start % 4
        return generator.random_raw(skip + count)[skip:]

    def below(self, high: int, start: int, count: int) -> np.ndarray:
        """`count` whole numbers in [0, high), int64; see :func:`below`."""
        return below(self.words(start, count), high)

    def uniform(self, start: int, count: int) -> np.ndarray:
        """`count` numbers in [0, 1), float64, multiples of 2^-53."""
        return uniform(self.words(start, count))

    def normal(self, start: int, count: int) -> np.ndarray:
        """`count` standard normal numbers, float64; number i is made from words 2 i and 2 i + 1."""
        return normal(self.words(2 * start, 2 * count).reshape(count, 2))


def below(words: np.ndarray, high: int | np.ndarray) -> np.ndarray:
    """floor(word * high / 2^64): whole numbers in [0, high), int64; high < 2^32, bias at most high / 2^64."""
    factor = np.asarray(high, dtype=np.uint64)
    low_part = ((words & MASK32) * factor) >> np.uint64(32)
    return (((words >> np.uint64(32)) * factor + low_part) >> np.uint64(32)).astype(np.int64)


def uniform(words: np.ndarray) -> np.ndarray:
    """The top 53 bits as a number in [0, 1), float64."""
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normal(words: np.ndarray) -> np.ndarray:
    """Standard normal numbers, float64, shape words.shape[:-1], by Box and Muller from pairs of words.

    z = sqrt(-2 ln(1 - u)) cos(2 pi v), computed from correctly rounded operations only (core.exact).
    """
    u, v = uniform(words[..., 0]), uniform(words[..., 1])
    _, cosine = exact.sin_cos(v)
    return np.sqrt(-2.0 * exact.log(1.0 - u)) * cosine
