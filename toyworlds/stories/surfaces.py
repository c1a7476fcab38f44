"""What the slots of a template may look like in a text, for the parser; one surface for each sort and form of slot.

A surface is a function (tokens, place) -> [(end, value)]. Values:

    character   ("name", number), ("he", gender) for a pronoun, ("kind", number)
    object      (look, color, noun), -1 for what is not said; "it" is (-1, -1, -1)
    place       ("place", number); hiding places and sights give their words
    table, list the number of the entry
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from toyworlds.stories.fill import PRONOUNS, forms
from toyworlds.stories.grammar import Slot
from toyworlds.stories.lexicon import COLORS, KIND_LIST, KINDS, LISTS, LOOKS, NAMES, NOUNS, PLACES, TYPED, Table

Tokens = Sequence[str]
Surface = Callable[[Tokens, int], list[tuple[int, Any]]]
TOKEN = re.compile(r"\n|[\w'-]+|[^\w\s]")
ARTICLES = ("a", "an")


def tokens_of(text: str) -> list[str]:
    """Split a text into words, signs and line ends.

    >>> tokens_of('"Yes," said Tom.')
    ['"', 'Yes', ',', '"', 'said', 'Tom', '.']
    """
    return TOKEN.findall(text)


class Look(NamedTuple):
    """What decides how a slot looks."""

    sort: str
    form: str
    capital: bool
    table: str
    spoken: int
    subject: bool


def surface(slot: Slot, spoken: int) -> tuple[Look, Surface]:
    """Return what decides how the slot looks, and its surface."""
    name = slot.table.name if slot.table else ""
    look = Look(slot.sort, slot.form, slot.capital, name, spoken, slot.subject and not slot.form)
    return look, _surface(look)


@lru_cache(maxsize=1024)
def _surface(look: Look) -> Surface:
    if look.sort == "character":
        return _character(look)
    if look.sort == "object":
        return _object(look.form, look.capital, look.spoken)
    if look.form in ("nook", "scene"):
        tables = [table for key, table in LISTS.items() if key.startswith(f"{look.form}-")]
        return _phrases((word, word) for table in tables for word in forms(table, "", look.spoken, look.capital))
    if look.sort == "place":
        return _phrases(_numbered(PLACES, look, "place"))
    table = LISTS[look.table[1:]] if look.table.startswith("@") else TYPED[look.table]
    words = forms(table, look.form, look.spoken, look.capital)
    return _phrases((word, number) for number, word in enumerate(words))


def _numbered(table: Table, look: Look, tag: str, form: str | None = None) -> Iterable[tuple[str, tuple[str, int]]]:
    words = forms(table, look.form if form is None else form, look.spoken, look.capital)
    return ((word, (tag, number)) for number, word in enumerate(words))


def _phrases(entries: Iterable[tuple[str, Any]]) -> Surface:
    """Surface of phrases with their values, as a trie over tokens."""
    root: dict[str, Any] = {}
    for phrase, value in entries:
        node = root
        for token in tokens_of(phrase):
            node = node.setdefault(token, {})
        values = node.setdefault("", [])
        if value not in values:
            values.append(value)

    def match(tokens: Tokens, place: int) -> list[tuple[int, Any]]:
        found, node = [], root
        while place < len(tokens) and tokens[place] in node:
            node = node[tokens[place]]
            place += 1
            found += [(place, value) for value in node.get("", ())]
        return found

    return match


def _character(look: Look) -> Surface:
    form = look.form
    if form in ("kind", "a"):
        return _phrases(_numbered(KINDS, look, "kind", "" if form == "kind" else "a"))
    if form in ("hand", "hands"):
        return _phrases((word, word) for word in {getattr(kind, form) for kind in KIND_LIST})
    if form == "went":
        tables = [table for key, table in LISTS.items() if key.startswith("went-")]
        return _phrases((word, word) for table in tables for word in forms(table, "", look.spoken, False))
    owner = "'s" if form in ("s", "his") else ""
    entries: list[tuple[str, tuple[str, int]]] = []
    if not (form == "self" or form.endswith("!")):
        entries += [(name + owner, ("name", number)) for number, name in enumerate(NAMES.forms[""])]
    if look.subject or form not in ("", "n", "s"):
        words = PRONOUNS[form.rstrip("!")]
        entries += [(word.capitalize() if look.capital else word, ("he", gender)) for gender, word in enumerate(words)]
    return _phrases(entries)


def _object(form: str, capital: bool, spoken: int) -> Surface:
    looks, colors, nouns = (
        {word: number for number, word in enumerate(forms(table, "", spoken, False))}
        for table in (LOOKS, COLORS, NOUNS)
    )
    if form in ("noun", "color", "look"):
        column = ("look", "color", "noun").index(form)
        words = (looks, colors, nouns)[column]
        return _phrases(
            (word, tuple(number if i == column else -1 for i in range(3))) for word, number in words.items()
        )
    first: tuple[str, ...] = ARTICLES if form == "a" else ("the",)
    first = tuple(word.capitalize() for word in first) if capital else first
    it = ("It" if capital else "it") if form == "it" else None

    def match(tokens: Tokens, place: int) -> list[tuple[int, Any]]:
        if it is not None and tokens[place] == it:
            return [(place + 1, (-1, -1, -1))]
        if tokens[place] not in first:
            return []
        look = color = -1
        place += 1
        if form == "a" and tokens[place] in looks:
            look, place = looks[tokens[place]], place + 1
        if form in ("", "a") and tokens[place] in colors and tokens[place + 1] in nouns:
            color, place = colors[tokens[place]], place + 1
        return [(place + 1, (look, color, nouns[tokens[place]]))] if tokens[place] in nouns else []

    return match
