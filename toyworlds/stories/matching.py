"""Which templates fit the words of a text at a place: one walk through the tree of all templates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from toyworlds.stories.grammar import Event, Slot, events
from toyworlds.stories.surfaces import Surface, surface, tokens_of

Match = tuple[Event, int, int, list[Any], int]
"""Event, template, language (1 for the dialect), the value of each slot, and where the sentence ends."""


@dataclass
class Node:
    """A place in the tree of all templates: how it goes on, and what ends here."""

    words: dict[str, Node] = field(default_factory=dict)
    slots: dict[tuple[Any, ...], tuple[Surface, Node]] = field(default_factory=dict)
    ends: list[tuple[Event, int, int]] = field(default_factory=list)


@lru_cache(maxsize=2)
def tree(cut: bool = False) -> Node:
    """The tree of all templates, base and dialect; with `cut`, of those that stop before their answer."""
    root = Node()
    for event in events().values():
        for spoken, templates in enumerate(event.templates):
            for index, template in enumerate(templates):
                if cut and template.cut is None:
                    continue
                stop = template.cut if cut else len(template.slots)
                node = root
                pieces = template.text.replace("%%", "%").split("%s")[: (stop or 0) + 1]
                for piece, slot in zip(pieces, [*template.slots[:stop], None], strict=True):
                    node = _go_on(node, piece, slot, spoken)
                node.ends.append((event, index, spoken))
    return root


def _go_on(node: Node, piece: str, slot: Slot | None, spoken: int) -> Node:
    for token in tokens_of(piece):
        node = node.words.setdefault(token, Node())
    if slot is None:
        return node
    key, shape = surface(slot, spoken)
    return node.slots.setdefault(key, (shape, Node()))[1]


def matches(tokens: Sequence[str], place: int, cut: bool = False) -> Iterator[Match]:
    """Every template that fits the tokens from `place` on; with `cut`, up to where its answer would stand."""
    stack: list[tuple[Node, int, list[Any]]] = [(tree(cut), place, [])]
    while stack:
        node, place, values = stack.pop()
        for event, index, spoken in node.ends:
            yield event, index, spoken, values, place
        if place < len(tokens):
            following = node.words.get(tokens[place])
            if following:
                stack.append((following, place + 1, values))
            for shape, after in node.slots.values():
                stack += [(after, end, [*values, value]) for end, value in shape(tokens, place)]
