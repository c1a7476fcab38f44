"""What a world is: a frozen dataclass that declares its columns and makes any stretch of rows alone."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from toyworlds.core.folders import plain
from toyworlds.core.ragged import Ragged
from toyworlds.core.registry import Registry

WORLDS = Registry("world")
"""Every world by name; a new one costs one file and one import line in `toyworlds/__init__.py`."""


@dataclass(frozen=True)
class Column:
    """One column of a dataset, declared before it is made.

    role is "observation", "factor", "mask", "label" or "index"; shape holds the sizes of one row's axes, with
    None for the one axis (the first) whose length differs from row to row; dtype is a NumPy name or "string".
    """

    name: str
    role: str
    dtype: str
    shape: tuple[int | None, ...] = ()
    axes: tuple[str, ...] = ()
    unit: str = ""
    low: float | None = None
    high: float | None = None
    description: str = ""

    @property
    def ragged(self) -> bool:
        """True when the rows differ in length."""
        return None in self.shape

    @property
    def fixed(self) -> tuple[int, ...]:
        """Sizes of the axes that all rows share."""
        return tuple(axis for axis in self.shape if axis is not None)


@runtime_checkable
class World(Protocol):
    """The interface of every world; `name` and `version` are class attributes."""

    name: ClassVar[str]
    version: ClassVar[int]

    def columns(self) -> list[Column]:
        """Declare the columns."""
        ...

    def splits(self) -> tuple[str, ...]:
        """Names of the splits that can be generated."""
        ...

    def generate(self, seed: int, split: str, start: int, count: int) -> dict[str, np.ndarray | Ragged]:
        """Rows start .. start + count - 1 of `split`, one entry a column."""
        ...


def config_of(world: World) -> dict[str, Any]:
    """Return the world's fields as plain JSON values; `validate.from_dict` is the inverse."""
    config: dict[str, Any] = plain(dataclasses.asdict(world))  # type: ignore[call-overload]
    return config
