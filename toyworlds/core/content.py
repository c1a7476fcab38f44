"""SHA-256 of the content of rows: the same whatever the machine, the chunk size, the workers or the file format.

    block   = SHA-256 of 1024 rows: for each column its rows' lengths (if they differ), then its values, little-endian
    split   = SHA-256 of the columns' names, types and shapes, then of the blocks in order

A text is its length in bytes, then its UTF-8 bytes; the lengths of all texts of a block come first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from toyworlds.core.folders import plain
from toyworlds.core.ragged import Ragged
from toyworlds.core.validate import integer
from toyworlds.world import Column, World

ROWS_PER_BLOCK = 1024
Rows = dict[str, np.ndarray | Ragged]
"""One entry a column."""


def content_hash(world: World, seed: int, split: str, rows: int) -> str:
    """Content hash of the first `rows` rows of `split`, made here and now; what a dataset's manifest says of it.

    >>> from toyworlds import ThreeMoons
    >>> content_hash(ThreeMoons(), 0, "train", 1)[:16]
    'b574a97d75406bd1'
    """
    integer("rows", rows, 1)
    columns = world.columns()
    starts = range(0, rows, ROWS_PER_BLOCK)
    made = (world.generate(seed, split, start, min(ROWS_PER_BLOCK, rows - start)) for start in starts)
    return split_digest(columns, (block_digest(columns, block) for block in made))


def block_digest(columns: list[Column], rows: Mapping[str, Any]) -> bytes:
    """SHA-256 of one block of rows."""
    digest = hashlib.sha256()
    for column in columns:
        data = rows[column.name]
        if isinstance(data, Ragged):
            digest.update(np.ascontiguousarray(data.lengths, dtype="<i8").data)
            data = data.values[data.offsets[0] : data.offsets[-1]]
        if column.dtype == "string":
            encoded = [text.encode() for text in np.asarray(data, object).reshape(-1)]
            digest.update(np.asarray([len(text) for text in encoded], dtype="<i8").data)
            digest.update(b"".join(encoded))
        else:
            digest.update(np.ascontiguousarray(data, dtype=np.dtype(column.dtype).newbyteorder("<")).data)
    return digest.digest()


def split_digest(columns: list[Column], blocks: Iterable[bytes]) -> str:
    """SHA-256 of a split from those of its blocks, hexadecimal."""
    digest = hashlib.sha256()
    for column in columns:
        digest.update(f"{column.name}|{column.dtype}|{plain(column.shape)}|".encode())
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()
