from __future__ import annotations

import hashlib
import struct

import numpy as np

from toyworlds import ThreeMoons
from toyworlds.core.content import block_digest, content_hash, split_digest
from toyworlds.core.ragged import Ragged
from toyworlds.world import Column

COLUMNS = [
    Column("x", "observation", "float32", (2,), ("i",)),
    Column("r", "label", "int16", (None,), ("i",)),
    Column("name", "index", "string"),
]
ROWS = {
    "x": np.array([[1.0, -2.0], [0.5, 0.0]], np.float32),
    "r": Ragged.of([[7], [8, 9]], "int16"),
    "name": np.array(["a", "\u00e9"], object),
}


def test_a_block_by_hand() -> None:
    by_hand = struct.pack("<4f", 1.0, -2.0, 0.5, 0.0)
    by_hand += struct.pack("<2q", 1, 2) + struct.pack("<3h", 7, 8, 9)
    by_hand += struct.pack("<2q", 1, 2) + "a\u00e9".encode()
    assert block_digest(COLUMNS, ROWS) == hashlib.sha256(by_hand).digest()


def test_a_split_by_hand() -> None:
    blocks = [b"1" * 32, b"2" * 32]
    by_hand = b"x|float32|[2]|r|int16|[None]|name|string|[]|" + b"".join(blocks)
    assert split_digest(COLUMNS, blocks) == hashlib.sha256(by_hand).hexdigest()


def test_neither_the_byte_order_nor_the_layout_in_memory_matters() -> None:
    odd = {
        "x": np.asfortranarray(ROWS["x"].astype(">f4")),
        "r": Ragged(np.array([5, 7, 8, 9, 5], ">i2"), np.array([1, 2, 4])),
        "name": np.array(["a", "\u00e9"]),
    }
    assert block_digest(COLUMNS, odd) == block_digest(COLUMNS, ROWS)


def test_where_rows_and_texts_end_matters() -> None:
    for name, other in (("r", Ragged.of([[7, 8], [9]], "int16")), ("name", np.array(["a\u00e9", ""], object))):
        assert block_digest(COLUMNS, ROWS | {name: other}) != block_digest(COLUMNS, ROWS)


def test_a_hash_of_many_rows_is_made_of_blocks_of_1024() -> None:
    world = ThreeMoons(length=2)
    blocks = [world.generate(0, "train", start, count) for start, count in ((0, 1024), (1024, 6))]
    by_hand = split_digest(world.columns(), [block_digest(world.columns(), block) for block in blocks])
    assert content_hash(world, 0, "train", 1030) == by_hand
