"""The teller: says events one after the other, keeps the state, and refers to characters so that it is clear who.

A character is called he or she only where the sentence before mentioned that character and no other of the same
gender, where this sentence has no other of that gender either, and never at the start of a paragraph; later in a
sentence, where nobody else of that gender was mentioned before.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from toyworlds.stories import state
from toyworlds.stories.draws import Choices, Option, weights
from toyworlds.stories.fill import Filler, filler
from toyworlds.stories.grammar import IN_FULL, Event, events
from toyworlds.stories.lexicon import (
    COLORS,
    GENDER,
    KIND_OF_KIN,
    KIND_POOLS,
    LOOK_POOLS,
    LOOKS_OF,
    NAME_POOLS,
    NOUN_POOLS,
    PLACE_POOLS,
    TYPED,
    Pool,
)

Told = tuple[str, tuple[Filler, ...]]
HALF = weights((1, 1))
COLOR_POOL = Pool(tuple(range(len(COLORS))))


@dataclass(frozen=True)
class Script:
    """An event made ready to be told: texts and fillers in (base, dialect), what it changes, their usual lengths."""

    event: Event
    told: tuple[tuple[Told, ...], tuple[Told, ...]]
    changes: list[state.Change]
    lengths: tuple[int, ...]


@lru_cache(maxsize=1)
def scripts() -> dict[str, Script]:
    """Every event, ready to be told."""
    return {name: _script(event) for name, event in events().items()}


def _script(event: Event) -> Script:
    base, dialect = (
        tuple((template.text, tuple(filler(slot, spoken) for slot in template.slots)) for template in templates)
        for spoken, templates in enumerate(event.templates)
    )
    changes = [one for effect in event.effects for one in state.changes(effect)]
    return Script(event, (base, dialect), changes, tuple(template.length for template in event.templates[0]))


class StopTellingError(Exception):
    """The teller has told as many sentences as it was asked for."""


@dataclass
class Teller:
    """A story while it is told: its entities, its state, its sentences, and what the plots remember.

    `words` counts the words told; `length` counts what the chosen templates usually have in the base language, so that
    plots which look at it go on alike in both languages.
    """

    draws: Choices
    limit: int = 1 << 30
    name: list[int] = field(default_factory=list)
    kind: list[int] = field(default_factory=list)
    gender: list[int] = field(default_factory=list)
    noun: list[int] = field(default_factory=list)
    color: list[int] = field(default_factory=list)
    look: list[int] = field(default_factory=list)
    row: state.Row = field(default_factory=state.blank)

    texts: list[str] = field(default_factory=list)
    rows: list[tuple[int, ...]] = field(default_factory=list)
    events: list[int] = field(default_factory=list)
    templates: list[int] = field(default_factory=list)
    flags: list[int] = field(default_factory=list)
    nats: list[float] = field(default_factory=list)
    roles: list[Mapping[str, int]] = field(default_factory=list)
    words: int = 0
    length: int = 0

    friend: int = -1
    side: list[int] = field(default_factory=list)
    visited: list[int] = field(default_factory=list)
    scenes: list[int] = field(default_factory=list)
    asked: set[tuple[str, int]] = field(default_factory=set)
    contest: int = -1

    clear: list[int] = field(default_factory=lambda: [-1, -1])
    clear_object: int = -1
    alone: tuple[bool, bool] = (True, True)
    told: dict[str, list[int]] = field(default_factory=dict)
    barred: tuple[str | None, ...] = ()
    due: str | None = None
    decided: int | None = None
    break_before: bool = False

    def say(self, name: str, **roles: int) -> None:
        """Tell the event `name` of the given entities and entries, and change the state by its effects."""
        if name in self.barred or self.due not in (None, name):
            raise RuntimeError(f"event {name}: the choice made before it would not show in the text")
        script, flag = scripts()[name], self.flag()
        event, options = script.event, script.told[flag]
        told = self.told.setdefault(name, [])
        if len(told) == len(options):
            told.clear()
        chosen = self.draws.template(len(options), told)
        here = [roles[role] for role in event.characters]
        self._begin(here)
        text, fillers = options[chosen]
        self._add(text % tuple([fill(self, roles) for fill in fillers]))
        self.length += script.lengths[chosen]
        state.change(self.row, roles, script.changes)
        self.rows.append(tuple(self.row))
        self.events.append(event.number)
        self.templates.append(chosen)
        self.flags.append(flag)
        self.roles.append(roles)
        told.append(chosen)
        told.sort()
        self._mention(here, [roles[role] for role in event.objects])
        self.barred, self.due, self.decided = (), None, None
        if len(self.texts) == self.limit:
            raise StopTellingError

    def ask(self, name: str, in_full: bool = False, **roles: int) -> tuple[str, str, str]:
        """Tell a question in a paragraph of its own; return what stands before its answer, the answer, and the rest.

        With `in_full` the answer names its subject again, where the question has such a form.
        """
        event, flag = events().get(name + IN_FULL if in_full else name, events()[name]), self.flag()
        templates = event.templates[flag]
        chosen = self.draws.template(len(templates), [i for i, one in enumerate(templates) if one.cut is None])
        self.paragraph()
        self._begin([roles[role] for role in event.characters if role in roles])
        cut = templates[chosen].cut or 0
        words = [filler(slot, flag)(self, roles) for slot in templates[chosen].slots]
        first, *pieces = templates[chosen].text.split("%s")
        before = first + "".join(word + piece for word, piece in zip(words[:cut], pieces[:cut], strict=True))
        rest = pieces[cut] + "".join(
            word + piece for word, piece in zip(words[cut + 1 :], pieces[cut + 1 :], strict=True)
        )
        return "\n" + before.rstrip(), words[cut], rest

    def _begin(self, here: Sequence[int]) -> None:
        """Note which pronouns are clear in a sentence about the characters `here`."""
        genders = [self.gender[who] for who in here]
        self.alone = (genders.count(0) < 2, genders.count(1) < 2)
        if self.break_before:
            self.clear, self.clear_object = [-1, -1], -1

    def _add(self, text: str) -> None:
        gap = "" if not self.texts else "\n" if self.break_before else " "
        self.texts.append(gap + text)
        self.words += text.count(" ") + 1
        self.break_before = False
        self.nats.append(self.draws.nats)
        self.draws.nats = 0.0

    def _mention(self, here: Sequence[int], objects: Sequence[int]) -> None:
        """Note whom a pronoun may mean in the next sentence."""
        self.clear = [-1, -1]
        for who in here:
            gender = self.gender[who]
            self.clear[gender] = who if self.alone[gender] else -1
        self.clear_object = objects[0] if len(objects) == 1 else -1

    def paragraph(self) -> None:
        """Begin a new paragraph with the next sentence."""
        self.break_before = True

    def flag(self) -> int:
        """1 when the next sentence is told in the dialect."""
        if self.decided is None:
            self.decided = self.draws.flag()
        return self.decided

    def branch(self, *options: Option) -> str | None:
        """Choose which event comes next; with None, none of the others does, and they are not offered again."""
        if self.barred:
            options = tuple(option for option in options if option[0] is None or option[0] not in self.barred)
        self.due = self.draws.branch(options) if len(options) > 1 else options[0][0]
        if self.due is None:
            self.barred += tuple(name for name, _ in options)
        return self.due

    def pick(self, label: str, pool: Pool, taken: Collection[int] = ()) -> int:
        """Choose an entry of `pool` that the next sentence shows as `label`."""
        positions = sorted([pool.position[number] for number in taken if number in pool.position])
        return pool.ids[self.draws.pick(label, pool, positions)]

    def which(self, role: str, candidates: Sequence[int]) -> int:
        """Choose one of the entities `candidates` to be `role` in the next sentence."""
        return candidates[self.draws.which(role, candidates)]

    def person(self, role: str, *groups: tuple[str, int]) -> int:
        """Add a character of one of the weighted `groups`, whom the next sentence introduces as `role`."""
        group = self.draws.group(role, groups)
        taken = self.name
        kind = KIND_POOLS[group].ids[0]
        if group == "kin":
            known = [KIND_OF_KIN.get(name) for name in self.name]
            taken = [name for name in NAME_POOLS["kin"].ids if KIND_OF_KIN[name] in known]
        elif group in ("animal", "adult"):
            kind = self.pick(f"{role}.kind", KIND_POOLS[group], self.kind)
        name = self.pick(f"{role}.name", NAME_POOLS[group], taken)
        return self.enter(KIND_OF_KIN.get(name, kind), name)

    def enter(self, kind: int, name: int) -> int:
        """Add a character and return its number."""
        self.kind.append(kind)
        self.name.append(name)
        self.gender.append(GENDER[name])
        return len(self.name) - 1

    def thing(self, role: str, *groups: str, color: bool | None = None) -> int:
        """Add an object of one of `groups` that the next sentence introduces as `role`; color None: it may have one."""
        noun = self.pick(f"{role}.noun", joined("noun", groups), self.noun)
        has_color = self.draws.has(f"{role}.color", HALF) if color is None else color
        self.color.append(self.pick(f"{role}.color", COLOR_POOL, self.color) if has_color else -1)
        looks = joined("look", ("size", LOOKS_OF[noun]))
        self.look.append(self.pick(f"{role}.look", looks, self.look) if self.draws.has(f"{role}.look", HALF) else -1)
        self.noun.append(noun)
        return len(self.noun) - 1

    def own(self, role: str, color: bool | None = None) -> int:
        """Add a keepsake that plays no part in the plot."""
        self.side.append(self.thing(role, "keepsake", color=color))
        return self.side[-1]

    def spot(self, role: str, *groups: str) -> int:
        """Choose a place of one of `groups` not yet in the story, which the next sentence shows as `role`."""
        place = self.pick(role, joined("place", groups), self.visited)
        self.visited.append(place)
        return place

    def holder(self, thing: int) -> int:
        """Return who holds an object, -1 for nobody."""
        return self.row[state.HOLDER + thing]


@lru_cache(maxsize=256)
def joined(table: str, groups: tuple[str, ...]) -> Pool:
    """Return one pool of several groups of nouns, looks or places."""
    pools = {"noun": NOUN_POOLS, "look": LOOK_POOLS, "place": PLACE_POOLS}[table]
    return Pool(tuple(number for group in groups for number in pools[group].ids))


@lru_cache(maxsize=64)
def whole(table: str) -> Pool:
    """Return every entry of a table that an event's argument may come from."""
    return Pool(tuple(range(len(TYPED[table]))))
