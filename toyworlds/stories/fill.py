"""How each slot of a template becomes words; see :mod:`toyworlds.stories.grammar` for the slots."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from toyworlds.stories.dialect import with_article
from toyworlds.stories.draws import weights
from toyworlds.stories.grammar import Slot
from toyworlds.stories.lexicon import (
    COLORS,
    KIND_LIST,
    KIND_OF_PLACE,
    KINDS,
    LISTS,
    LOOKS,
    NAMES,
    NOUNS,
    PLACES,
    Table,
)

if TYPE_CHECKING:
    from toyworlds.stories.teller import Teller

Roles = Mapping[str, int]
Filler = Callable[["Teller", Roles], str]
NAME_OR_PRONOUN = weights((1, 2))
BARE_OR_COLORED = weights((5, 1))
PRONOUNS = {
    "": ("he", "she"),
    "he": ("he", "she"),
    "him": ("him", "her"),
    "his": ("his", "her"),
    "self": ("himself", "herself"),
}


def filler(slot: Slot, spoken: int) -> Filler:
    """Return the function that makes the words of a slot; `spoken` is 1 in the dialect."""
    make = {"character": _character, "object": _object, "place": _place, "table": _entry, "list": _list}[slot.sort]
    return make(slot, spoken)


def forms(table: Table, form: str, spoken: int, capital: bool) -> tuple[str, ...]:
    """Return the entries of `table` in one form, capitalised or not."""
    entries = (table.dialect if spoken else table.forms)[form]
    return tuple(entry[0].upper() + entry[1:] for entry in entries) if capital else entries


def _character(slot: Slot, spoken: int) -> Filler:
    if slot.form in ("kind", "a", "went", "hand", "hands"):
        return _of_kind(slot, spoken)
    role, form, names = slot.role, slot.form, NAMES.forms[""]
    if form in ("n", "s") or (form == "" and not slot.subject):
        owner = "'s" if form == "s" else ""
        return lambda t, roles: names[t.name[roles[role]]] + owner
    pronouns = tuple(word.capitalize() if slot.capital else word for word in PRONOUNS[form.rstrip("!")])
    if form == "self" or form.endswith("!"):
        return lambda t, roles: pronouns[t.gender[roles[role]]]
    return _bound(slot, pronouns) if form else _subject(role, slot.draw, pronouns)


def _of_kind(slot: Slot, spoken: int) -> Filler:
    """Words that depend on the kind of the character."""
    role, form = slot.role, slot.form
    if form == "went":
        ways = tuple(forms(LISTS[f"went-{kind.moves}"], "", spoken, False) for kind in KIND_LIST)
        return _drawn(ways, lambda t, roles: t.kind[roles[role]], slot.draw)
    if form in ("hand", "hands"):
        words = tuple(kind.hand if form == "hand" else kind.hands for kind in KIND_LIST)
    else:
        words = forms(KINDS, "" if form == "kind" else "a", spoken, slot.capital)
    return lambda t, roles: words[t.kind[roles[role]]]


def _bound(slot: Slot, pronouns: tuple[str, ...]) -> Filler:
    """A pronoun where it is clear, else the name."""
    role, rivals, known = slot.role, slot.rivals, slot.role in slot.before
    names, owner = NAMES.forms[""], "'s" if slot.form == "his" else ""

    def bound(t: Teller, roles: Roles) -> str:
        who = roles[role]
        gender = t.gender[who]
        if known:
            clear = all(t.gender[roles[rival]] != gender for rival in rivals)
        else:
            clear = t.clear[gender] == who and t.alone[gender]
        return pronouns[gender] if clear else names[t.name[who]] + owner

    return bound


def _subject(role: str, label: int, pronouns: tuple[str, ...]) -> Filler:
    names = NAMES.forms[""]

    def subject(t: Teller, roles: Roles) -> str:
        who = roles[role]
        gender = t.gender[who]
        if t.clear[gender] == who and t.alone[gender] and t.draws.weighted(NAME_OR_PRONOUN, label):
            return pronouns[gender]
        return names[t.name[who]]

    return subject


def _drawn(lists: Sequence[tuple[str, ...]], which: Callable[[Teller, Roles], int], label: int) -> Filler:
    """Draw from the list that belongs to a kind of character or of place."""

    def draw(t: Teller, roles: Roles) -> str:
        words = lists[which(t, roles)]
        return words[t.draws.below(len(words), label)]

    return draw


def _object(slot: Slot, spoken: int) -> Filler:
    role, form, label = slot.role, slot.form, slot.draw
    nouns, colors, looks = (forms(table, "", spoken, False) for table in (NOUNS, COLORS, LOOKS))
    if form == "noun":
        return lambda t, roles: nouns[t.noun[roles[role]]]
    if form == "color":
        return lambda t, roles: colors[t.color[roles[role]]]
    if form == "look":
        return lambda t, roles: looks[t.look[roles[role]]]
    the, it = ("The ", "It") if slot.capital else ("the ", "it")
    if form == "the":
        return lambda t, roles: the + nouns[t.noun[roles[role]]]

    def thing(t: Teller, roles: Roles) -> str:
        what = roles[role]
        color = t.color[what]
        if color >= 0 and t.draws.weighted(BARE_OR_COLORED, label):
            return f"{the}{colors[color]} {nouns[t.noun[what]]}"
        return the + nouns[t.noun[what]]

    def clear(t: Teller, roles: Roles) -> str:
        return it if t.clear_object == roles[role] else the + nouns[t.noun[roles[role]]]

    def new(t: Teller, roles: Roles) -> str:
        what = roles[role]
        words = [table[i[what]] for table, i in ((looks, t.look), (colors, t.color), (nouns, t.noun)) if i[what] >= 0]
        text = with_article(" ".join(words))
        return text[0].upper() + text[1:] if slot.capital else text

    return {"": thing, "it": clear, "a": new}[form]


def _place(slot: Slot, spoken: int) -> Filler:
    if slot.form not in ("nook", "scene"):
        return _entry(slot, spoken)
    tables = [LISTS.get(f"{slot.form}-{group}") for group in KIND_OF_PLACE]
    lists = [forms(table, "", spoken, slot.capital) if table else () for table in tables]
    role = slot.role
    return _drawn(lists, lambda t, roles: roles[role], slot.draw)


def _entry(slot: Slot, spoken: int) -> Filler:
    entries = forms(slot.table or PLACES, slot.form, spoken, slot.capital)
    role = slot.role
    return lambda t, roles: entries[roles[role]]


def _list(slot: Slot, spoken: int) -> Filler:
    if slot.table is None:
        raise ValueError("a list slot has a table")
    entries = forms(slot.table, slot.form, spoken, slot.capital)
    high, label = len(entries), slot.draw
    return lambda t, roles: entries[t.draws.below(high, label)]
