"""Registries: a name, an object, tags. Registered where it is defined; a duplicate raises.

>>> SHAPES = Registry("shape")
>>> @SHAPES.register("circle", "round")
... class Circle:
...     "A circle."
>>> SHAPES["circle"] is Circle, SHAPES.names("round"), SHAPES.summary("circle")
(True, ['circle'], 'A circle.')
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from toyworlds.core.validate import nearest, reject

T = TypeVar("T")


class Registry:
    """Objects of one kind (worlds, models, scores, studies) by name."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, tuple[Any, tuple[str, ...]]] = {}

    def register(self, name: str, *tags: str) -> Callable[[T], T]:
        """Decorate a definition to register it under `name`."""

        def add(item: T) -> T:
            if name in self._entries:
                reject(self.kind, "a name not yet registered", name)
            self._entries[name] = (item, tags)
            return item

        return add

    def names(self, *tags: str) -> list[str]:
        """Names in order of registration, those with every tag of `tags`."""
        return [name for name, (_, have) in self._entries.items() if set(tags) <= set(have)]

    def tags(self, name: str) -> tuple[str, ...]:
        """Return the tags of `name`."""
        self[name]
        return self._entries[name][1]

    def summary(self, name: str) -> str:
        """First line of the docstring of `name`."""
        return (inspect.getdoc(self[name]) or "").partition("\n")[0]

    def __getitem__(self, name: str) -> Any:
        if name not in self._entries:
            reject(self.kind, "one of " + ", ".join(self._entries), name, nearest(name, self._entries))
        return self._entries[name][0]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
