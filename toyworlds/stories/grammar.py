"""The sentence grammar: events, and the templates that tell each of them.

    [give a b o] hold o b; mood b happy          an event, its roles, what it changes in the state
    {a} gave <{o}> to {b}.                       a template: words and slots
    "Here is {o}," said {a} to {b}.              another; all templates of an event are equally likely

An indented line goes on with the one before. Roles: a b c d are characters, o q objects, p r places; ``x:act`` is an
entry of the table `act`. Slots:

    {a}  name, or he / she where it can be a subject and only one reading is possible     {a.n} name
    {a.he} {a.him} {a.his} pronoun, unless somebody else of that gender was named before it; {a.his!} always one
    {a.kind} kind    {a.a} "a" kind
    {a.s} name's    {a.self} himself / herself    {a.hand} {a.hands} hand, paw, wing ...    {a.went} went, hopped ...
    {o}  "the ball" or "the red ball"    {o.the} "the ball"    {o.a} "a small red ball"    {o.it} it, where clear
    {o.noun} {o.color} {o.look}          {p} "the garden"      {p.in} "in the garden"      {p.to}    {p.noun}
    {p.nook} {p.scene} a hiding place there, something to see there
    {x} {x.a} {x.ing} ...                forms of a table's entry
    {@soon} a word or phrase drawn from the list `soon`; {@soon.a} with its article
    <...> the chunk that the dialect moves to the front; | the place where a prompt is cut, before its answer

A slot at the start of the text, of a sentence or of a speech is capitalised. `~` separates a template from its form
in the dialect where the rules of :mod:`toyworlds.stories.dialect` do not do it justice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from toyworlds.stories import lexicon
from toyworlds.stories.dialect import base_form, in_dialect, translate

HEADER = re.compile(r"\[(?P<name>\w+)(?P<roles>[^\]]*)\](?P<effects>.*)")
IN_FULL = "_in_full"
"""What is added to the name of a question where its answer names its subject again (`plots.in_full`)."""
SLOT = re.compile(r"\{(?P<list>@?)(?P<role>[\w-]+)(?:\.(?P<form>\w+!?))?\}")
STARTS = re.compile(r'(?:^|[.!?] |\." |(?:^|[ ])")$')
CLAUSE = re.compile(
    r"(?:,|\b(?:and|but|because|that|when|so|as|before|while|until|where|if|then|though|since)) $", re.I
)
CHARACTERS, OBJECTS, SPOTS = "abcd", "oq", "pr"
USUAL_MORE = {("object", ""): 1, ("object", "the"): 1, ("object", "a"): 2, ("object", "it"): 1}
USUAL_MORE |= {("character", "a"): 1, ("place", ""): 1, ("place", "in"): 2, ("place", "to"): 2}
USUAL_MORE |= {("place", "nook"): 3, ("place", "scene"): 4}
"""Words that slots of a sort and form usually make beyond the first."""
FORMS = {
    "character": (
        "",
        "n",
        "s",
        "he",
        "him",
        "his",
        "he!",
        "him!",
        "his!",
        "self",
        "kind",
        "a",
        "went",
        "hand",
        "hands",
    ),
    "object": ("", "the", "a", "it", "noun", "color", "look"),
    "place": ("", "in", "to", "noun", "nook", "scene"),
}


@dataclass(frozen=True)
class Slot:
    """One slot of a template: what fills it (character, object, place, table or list), by which role, in which form.

    `subject` is True at the start of a sentence, or of a clause where nobody was mentioned before; `before` are the
    characters mentioned earlier in the template. `draw` numbers the choice made here: the same in both languages.
    """

    sort: str
    role: str
    form: str
    capital: bool
    table: lexicon.Table | None = None
    subject: bool = False
    before: tuple[str, ...] = ()
    draw: int = 0

    @property
    def more(self) -> float:
        """How many words beyond the first it usually makes."""
        if self.table is not None:
            entries = self.table.forms[self.form]
            return sum(entry.count(" ") for entry in entries) / len(entries)
        return USUAL_MORE.get((self.sort, self.form), 0)

    @property
    def rivals(self) -> tuple[str, ...]:
        """Other characters of the sentence who were mentioned before."""
        return tuple(role for role in self.before if role != self.role)


@dataclass(frozen=True)
class Template:
    """Words around slots: ``text`` has a %s for each slot; `cut` is the number of the slot that a prompt asks for."""

    text: str
    slots: tuple[Slot, ...]
    cut: int | None

    @property
    def length(self) -> int:
        """The words that it usually makes."""
        return self.text.count(" ") + 1 + round(sum(slot.more for slot in self.slots))


@dataclass(frozen=True)
class Event:
    """A kind of sentence: its roles by sort, what it changes, and its templates in (base, dialect)."""

    name: str
    number: int
    characters: tuple[str, ...]
    objects: tuple[str, ...]
    places: tuple[str, ...]
    typed: tuple[tuple[str, lexicon.Table], ...]
    effects: tuple[tuple[str, ...], ...]
    templates: tuple[tuple[Template, ...], tuple[Template, ...]]

    @property
    def new(self) -> tuple[str, ...]:
        """Roles whose entity this event introduces, in order."""
        return tuple(effect[1] for effect in self.effects if effect[0] == "new")


def parse_event(block: str, number: int) -> Event:
    """Compile one block of the notation above."""
    lines = [line.strip() for line in re.sub(r"\n {4}", " ", block.strip()).splitlines() if line.strip()]
    match = HEADER.fullmatch(lines[0])
    if not match:
        raise ValueError(f"expected [event roles] effects; got {lines[0]!r}")
    roles = match["roles"].split()
    typed = {role.split(":")[0]: lexicon.TYPED[role.split(":")[1]] for role in roles if ":" in role}
    effects = tuple(tuple(effect.split()) for effect in match["effects"].split(";") if effect.strip())
    pairs = [line.partition(" ~ ") for line in lines[1:]]
    base = tuple(compile_template(base_form(line), typed) for line, _, _ in pairs)
    dialect = tuple(
        alike(template, compile_template(translate(own) if own else in_dialect(line), typed))
        for template, (line, _, own) in zip(base, pairs, strict=True)
    )
    plain = [role for role in roles if ":" not in role]
    for line, template in zip(lines[1:] * 2, base + dialect, strict=True):
        shown = {slot.role for slot in template.slots if slot.sort != "list"}
        if shown != {*plain, *typed}:
            raise ValueError(f"event {match['name']}: {line!r} does not show exactly the roles {roles}")
    return Event(
        match["name"],
        number,
        tuple(role for role in plain if role in CHARACTERS),
        tuple(role for role in plain if role in OBJECTS),
        tuple(role for role in plain if role in SPOTS),
        tuple(typed.items()),
        effects,
        (base, dialect),
    )


def compile_template(line: str, typed: dict[str, lexicon.Table]) -> Template:
    """Compile one line, its chunk marks removed."""
    before, bar, _ = line.partition("|")
    cut = len(SLOT.findall(before)) if bar else None
    line = line.replace("|", "")
    text, place = "", 0
    slots: list[Slot] = []
    for match in SLOT.finditer(line):
        text += line[place : match.start()].replace("%", "%%")
        slots.append(_slot(match, typed, SLOT.sub("x", line[: match.start()]), slots))
        text += "%s"
        place = match.end()
    return Template(text + line[place:].replace("%", "%%"), tuple(slots), cut)


def alike(base: Template, other: Template) -> Template:
    """Return `other` with the choices of its slots numbered as in `base`, those that only it has behind them."""
    free = [(slot.sort, slot.role, slot.form) for slot in base.slots]
    numbers: list[int] = []
    for slot in other.slots:
        key = (slot.sort, slot.role, slot.form)
        numbers.append(free.index(key) if key in free else len(free))
        if key in free:
            free[numbers[-1]] = ("", "", "")
        else:
            free.append(("", "", ""))
    slots = (replace(slot, draw=number) for slot, number in zip(other.slots, numbers, strict=True))
    return replace(other, slots=tuple(slots))


def _slot(match: re.Match[str], typed: dict[str, lexicon.Table], text: str, earlier: list[Slot]) -> Slot:
    """Read one slot after `text`, whose own slots are `earlier`."""
    role, form = match["role"], match["form"] or ""
    if match["list"]:
        table = lexicon.LISTS[role]
        sort = "list"
    elif role in typed:
        table = typed[role]
        sort = "table"
    else:
        sort = "character" if role in CHARACTERS else "object" if role in OBJECTS else "place"
        table = None
    if form not in (table.forms if table else FORMS[sort]):
        raise ValueError(f"slot {match[0]}: unknown form {form!r} of a {sort}")
    capital = bool(STARTS.search(text))
    before = tuple(dict.fromkeys(slot.role for slot in earlier if slot.sort == "character"))
    subject = capital or (not before and bool(CLAUSE.search(text)))
    return Slot(sort, role, form, capital, table, subject, before, len(earlier))


@lru_cache(maxsize=1)
def events() -> dict[str, Event]:
    """Every event of the grammar by name."""
    from toyworlds.stories.plots import PHRASES

    blocks = [block for text in PHRASES for block in re.split(r"\n(?=\[)", text.strip())]
    found: dict[str, Event] = {}
    for number, block in enumerate(blocks):
        event = parse_event(block, number)
        if event.name in found:
            raise ValueError(f"event {event.name} is defined twice")
        found[event.name] = event
    return found
