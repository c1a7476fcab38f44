"""What every registered world keeps, whoever wrote it; a new world is tested here as soon as it is registered."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import regbench.suites  # noqa: F401 -- registers its worlds
from toyworlds import WORLDS, World
from toyworlds.core import storage
from toyworlds.core.content import block_digest, content_hash
from toyworlds.core.ragged import Ragged
from toyworlds.core.validate import InputError, from_dict
from toyworlds.world import Column, config_of

ROWS = 30


@pytest.fixture(scope="module", params=list(WORLDS))
def world(request: pytest.FixtureRequest) -> World:
    made: World = WORLDS[request.param]()
    return made


@pytest.fixture(scope="module")
def rows(world: World) -> dict[str, Any]:
    return world.generate(0, world.splits()[0], 0, ROWS)


def flat(data: np.ndarray | Ragged) -> np.ndarray:
    return data.values[data.offsets[0] : data.offsets[-1]] if isinstance(data, Ragged) else data


def channels(data: np.ndarray | Ragged, column: Column) -> np.ndarray:
    """(values, channels): the coordinates of an observation's last axis; any other column is one channel."""
    several = column.role == "observation" and len(column.shape) > 1
    return flat(data).reshape(-1, column.fixed[-1] if several else 1)


def test_name_version_and_summary(world: World) -> None:
    assert isinstance(world, World)
    assert WORLDS[world.name] is type(world)
    assert world.version >= 1
    assert WORLDS.summary(world.name).endswith(".")
    assert WORLDS.tags(world.name)
    assert len(set(world.splits())) == len(world.splits()) > 0


def test_every_option_is_documented_and_frozen(world: World) -> None:
    for field in dataclasses.fields(world):  # type: ignore[arg-type]
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(world, field.name, getattr(world, field.name))
    assert hash(world) == hash(type(world)())
    assert world == type(world)()


def test_columns_are_declared_whole(world: World) -> None:
    names = [column.name for column in world.columns()]
    assert len(set(names)) == len(names) > 0
    for column in world.columns():
        assert column.role in ("observation", "factor", "mask", "label", "index")
        assert len(column.axes) == len(column.shape)
        assert column.dtype == "string" or np.dtype(column.dtype).kind in "fiub"
        assert None not in column.shape[1:]


def test_rows_match_the_declared_columns(world: World, rows: dict[str, Any]) -> None:
    assert list(rows) == [column.name for column in world.columns()]
    for column in world.columns():
        data = rows[column.name]
        assert len(data) == ROWS
        assert isinstance(data, Ragged) == column.ragged
        if column.dtype == "string":
            assert all(isinstance(text, str) for text in data)
            continue
        values = flat(data)
        assert values.dtype == np.dtype(column.dtype), column.name
        assert values.shape == (len(values) if column.ragged else ROWS, *column.shape[column.ragged :])
        if column.low is not None:
            assert values.min() >= column.low, column.name
        if column.high is not None:
            assert values.max() <= column.high, column.name


def test_what_is_seen_is_finite(world: World, rows: dict[str, Any]) -> None:
    mask = rows.get("mask")
    for column in world.columns():
        if column.dtype.startswith("float"):
            values = flat(rows[column.name])
            seen = values[mask] if mask is not None and column.role == "observation" else values
            assert np.isfinite(seen).all(), column.name


def test_no_channel_is_constant(world: World, rows: dict[str, Any]) -> None:
    for column in world.columns():
        for channel, values in enumerate(channels(rows[column.name], column).T):
            assert len(set(values.tolist())) > 1, f"{column.name}, channel {channel}"


def test_same_seed_same_bytes_other_seed_or_split_other_bytes(world: World, rows: dict[str, Any]) -> None:
    columns, splits = world.columns(), world.splits()
    first = block_digest(columns, rows)
    assert block_digest(columns, type(world)().generate(0, splits[0], 0, ROWS)) == first
    assert block_digest(columns, world.generate(1, splits[0], 0, ROWS)) != first
    digests = {block_digest(columns, world.generate(0, split, 0, ROWS)) for split in splits}
    assert len(digests) == len(splits)


@pytest.mark.parametrize("row", [0, 1, 13, ROWS - 1])
def test_any_row_alone_equals_the_row_in_a_batch(world: World, rows: dict[str, Any], row: int) -> None:
    alone = world.generate(0, world.splits()[0], row, 1)
    for column in world.columns():
        np.testing.assert_array_equal(alone[column.name][0], rows[column.name][row], err_msg=column.name)


def test_a_stretch_across_a_block_equals_its_rows_alone(world: World) -> None:
    columns, split = world.columns(), world.splits()[0]
    stretch = world.generate(0, split, 1020, 8)
    for row in (0, 3, 4, 7):
        alone = world.generate(0, split, 1020 + row, 1)
        for column in columns:
            np.testing.assert_array_equal(alone[column.name][0], stretch[column.name][row], err_msg=column.name)


def test_content_depends_on_neither_chunks_nor_files_nor_workers(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split, rows = world.splits()[0], 1030
    expected = content_hash(world, 0, split, rows)
    for number, (workers, chunk, file_bytes) in enumerate([(1, 5000, 256 << 20), (3, 1024, 1)]):
        monkeypatch.setattr(storage, "BYTES_PER_FILE", file_bytes)
        data = storage.write_dataset(world, 0, {split: rows}, tmp_path / str(number), workers=workers, chunk=chunk)
        entry = data.manifest["splits"][split]
        assert (len(entry["files"]), entry["sha256"]) == ((1, 2)[number], expected)
        assert data.verify() == {split: rows}


def test_the_config_goes_through_json_and_back(world: World) -> None:
    assert from_dict(type(world), json.loads(json.dumps(config_of(world))), "config") == world


def test_an_unknown_option_is_refused_and_the_nearest_named(world: World) -> None:
    name = dataclasses.fields(world)[0].name  # type: ignore[arg-type]
    with pytest.raises(InputError, match=f"got '{name}x' .did you mean '{name}'"):
        from_dict(type(world), {f"{name}x": 1}, "config")


def test_an_unknown_split_is_refused(world: World) -> None:
    with pytest.raises(InputError, match="split: expected one of"):
        world.generate(0, "trian", 0, 1)
