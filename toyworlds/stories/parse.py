"""Reading a story back: from the text alone to its sentences, who and what they are about, and the state they make.

The parser knows the templates and the words, not the plots: it finds every way to cover the text with templates,
one after the other, such that all names, pronouns and things can be resolved from what stands before. A story of
the grammar has exactly one.

    text  ->  tokens  ->  templates that fit at a place (one walk through the tree of all templates)
          ->  roles: a name means the character introduced under it; a pronoun the character named before it in the
              same sentence, or else the only one of its gender in the sentence before; "it" the only thing there
          ->  state: the effects of the event
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from toyworlds.core.validate import DataError
from toyworlds.stories import state
from toyworlds.stories.fill import forms
from toyworlds.stories.grammar import Event, Slot
from toyworlds.stories.lexicon import GENDER, KIND_LIST, KIND_OF_KIN, KIND_OF_PLACE, LISTS
from toyworlds.stories.matching import Match, matches
from toyworlds.stories.surfaces import tokens_of


@dataclass
class Sentence:
    """One sentence as read.

    `roles` gives the entity or entry of each role; `entered` what is told of a new one ("b.name", "o.color");
    `drawn` the choice made at each slot where there is one; `end` the number of tokens read so far.
    """

    event: Event
    template: int
    spoken: int
    roles: dict[str, int]
    entered: dict[str, int]
    drawn: dict[int, int]
    end: int
    row: tuple[int, ...] = ()


@dataclass
class Story:
    """A story as read: its characters and objects in order of appearance, and its sentences."""

    name: list[int] = field(default_factory=list)
    kind: list[int] = field(default_factory=list)
    noun: list[int] = field(default_factory=list)
    color: list[int] = field(default_factory=list)
    look: list[int] = field(default_factory=list)
    sentences: list[Sentence] = field(default_factory=list)


class Unclear(Exception):  # noqa: N818 - a reading that fails, not an error
    """A template fits the words, but not what was told before."""


@dataclass(frozen=True)
class Known:
    """What a reader knows when a sentence begins."""

    story: Story
    row: tuple[int, ...]
    clear: tuple[int, int]
    clear_object: int

    def resolve(self, match: Match, cut: bool = False) -> Sentence:
        """Find the entities that a matching template is about; raise Unclear when they cannot be.

        With `cut` the sentence is one that stops before its answer, so roles may be missing.
        """
        event, index, spoken, values, end = match
        slots = event.templates[spoken][index].slots[: len(values)]
        sentence = Sentence(event, index, spoken, {}, {}, {}, end)
        pairs = list(zip(slots, values, strict=True))
        for slot, value in sorted(pairs, key=_pronouns_last):
            getattr(self, f"_{slot.sort}")(sentence, slot, value)
        self._enter(sentence)
        for slot, value in pairs:
            _draw(sentence, self.story, slot, value)
        if not cut and set(sentence.roles) != {*event.characters, *event.objects, *event.places, *dict(event.typed)}:
            raise Unclear
        return sentence

    def _character(self, sentence: Sentence, slot: Slot, value: Any) -> None:
        if slot.form in ("went", "hand", "hands"):
            return
        what, number = value
        if slot.role in sentence.event.new or what == "kind":
            if what != "he":
                _same(sentence.entered, f"{slot.role}.{what}", number)
            return
        if what == "name":
            if number not in self.story.name:
                raise Unclear
            who = self.story.name.index(number)
        elif slot.role in sentence.roles:
            who = sentence.roles[slot.role]
        else:
            who = self.clear[number]
        if who < 0 or (what == "he" and GENDER[self.story.name[who]] != number):
            raise Unclear
        _same(sentence.roles, slot.role, who)

    def _object(self, sentence: Sentence, slot: Slot, value: Any) -> None:
        if slot.role in sentence.event.new:
            for part, number in zip(("look", "color", "noun"), value, strict=True):
                if number >= 0 or slot.form == "a":
                    _same(sentence.entered, f"{slot.role}.{part}", number)
            return
        if value[2] >= 0:
            if value[2] not in self.story.noun:
                raise Unclear
            _same(sentence.roles, slot.role, self.story.noun.index(value[2]))
        elif slot.form == "it":
            _same(sentence.roles, slot.role, self.clear_object)
        elif value[1] in self.story.color:
            _same(sentence.roles, slot.role, self.story.color.index(value[1]))
        if slot.role in sentence.roles and value[1] >= 0:
            _check(self.story.color[sentence.roles[slot.role]] == value[1])

    def _place(self, sentence: Sentence, slot: Slot, value: Any) -> None:
        if slot.form not in ("nook", "scene"):
            _same(sentence.roles, slot.role, value[1])

    def _table(self, sentence: Sentence, slot: Slot, value: Any) -> None:
        _same(sentence.roles, slot.role, value)

    def _list(self, sentence: Sentence, slot: Slot, value: Any) -> None:
        sentence.drawn[slot.draw] = value

    def _enter(self, sentence: Sentence) -> None:
        """Number the new entities and check what is said of the kinds of the others."""
        people, things = len(self.story.name), len(self.story.noun)
        entered = sentence.entered
        for role in sentence.event.new:
            if role in sentence.event.characters:
                _check(f"{role}.name" in entered and entered[f"{role}.name"] not in self.story.name)
                kind = KIND_OF_KIN.get(entered[f"{role}.name"])
                _check(kind is not None or f"{role}.kind" in entered)
                entered.setdefault(f"{role}.kind", -1 if kind is None else kind)
                sentence.roles[role], people = people, people + 1
            else:
                _check(f"{role}.noun" in entered)
                sentence.roles[role], things = things, things + 1
        for role in sentence.event.characters:
            if role in sentence.roles and role not in sentence.event.new and f"{role}.kind" in entered:
                _check(entered[f"{role}.kind"] == self.story.kind[sentence.roles[role]])


def _pronouns_last(pair: tuple[Slot, Any]) -> bool:
    slot, value = pair
    return slot.sort == "character" and value[0] == "he"


def _check(holds: bool) -> None:
    if not holds:
        raise Unclear


def _same(values: dict[str, int], key: str, number: int) -> None:
    """Note that `key` is `number`; it must not be something else already."""
    _check(values.setdefault(key, number) == number)


def _draw(sentence: Sentence, story: Story, slot: Slot, value: Any) -> None:
    """Note the choice that was made at a slot, if there was one."""
    if slot.sort == "character" and slot.form == "":
        sentence.drawn[slot.draw] = int(value[0] == "he")
    elif slot.sort == "object" and slot.form == "":
        sentence.drawn[slot.draw] = int(value[1] >= 0)
    elif slot.form in ("went", "hand", "hands"):
        role = slot.role
        who = sentence.roles[role]
        kind = KIND_LIST[sentence.entered[f"{role}.kind"] if who == len(story.kind) else story.kind[who]]
        if slot.form == "went":
            words = forms(LISTS[f"went-{kind.moves}"], "", sentence.spoken, False)
            _check(value in words)
            sentence.drawn[slot.draw] = words.index(value)
        else:
            _check(value == getattr(kind, slot.form))
    elif slot.form in ("nook", "scene"):
        table = LISTS.get(f"{slot.form}-{KIND_OF_PLACE[sentence.roles[slot.role]]}")
        words = forms(table, "", sentence.spoken, slot.capital) if table else ()
        _check(value in words)
        sentence.drawn[slot.draw] = words.index(value)


@dataclass(frozen=True)
class Partial:
    """A reading of the first sentences of a text."""

    place: int
    known: Known

    def _begin(self, tokens: Sequence[str]) -> tuple[int, Known]:
        """Where the next sentence begins, and what is clear there: nobody at the start of a paragraph."""
        if tokens[self.place] != "\n":
            return self.place, self.known
        return self.place + 1, Known(self.known.story, self.known.row, (-1, -1), -1)

    def questions(self, tokens: Sequence[str]) -> list[Sentence]:
        """Every reading of all that is left as a sentence that stops before its answer."""
        if self.place == len(tokens):
            return []
        place, known = self._begin(tokens)
        found = []
        for match in matches(tokens, place, cut=True):
            if match[-1] == len(tokens):
                with contextlib.suppress(Unclear):
                    found.append(known.resolve(match, cut=True))
        return found

    def following(self, tokens: Sequence[str]) -> list[Partial]:
        """Every reading that is one sentence longer."""
        place, known = self._begin(tokens)
        found = []
        for match in matches(tokens, place):
            try:
                sentence = known.resolve(match)
            except Unclear:
                continue
            found.append(Partial(sentence.end, _after(known, sentence)))
        return found


def _after(known: Known, sentence: Sentence) -> Known:
    """What is known after a sentence."""
    old, entered, event = known.story, sentence.entered, sentence.event
    story = Story(*map(list, (old.name, old.kind, old.noun, old.color, old.look, old.sentences)))  # type: ignore[arg-type]
    for role in event.new:
        if role in event.characters:
            story.name.append(entered[f"{role}.name"])
            story.kind.append(entered[f"{role}.kind"])
        else:
            story.noun.append(entered[f"{role}.noun"])
            story.color.append(entered[f"{role}.color"])
            story.look.append(entered[f"{role}.look"])
    row = list(known.row)
    for effect in event.effects:
        state.change(row, sentence.roles, state.changes(effect))
    sentence.row = tuple(row)
    story.sentences.append(sentence)
    here = [sentence.roles[role] for role in event.characters]
    clear = [[who for who in here if GENDER[story.name[who]] == gender] for gender in (0, 1)]
    things = event.objects
    return Known(
        story,
        sentence.row,
        (clear[0][0] if len(clear[0]) == 1 else -1, clear[1][0] if len(clear[1]) == 1 else -1),
        sentence.roles[things[0]] if len(things) == 1 else -1,
    )


def parse(text: str) -> Story:
    """Read a story; a DataError says where a text is not one of the grammar's, or that it can be read in two ways."""
    tokens = tokens_of(text)
    if not tokens:
        raise DataError("text: expected a story; got no word")
    found, furthest = _read(tokens)
    if not found:
        raise DataError(f"text: no reading after {furthest!r}")
    if len(found) > 1:
        raise DataError(f"text: {len(found)} readings")
    return found[0].known.story


def parse_prompt(text: str) -> tuple[Story, Sentence]:
    """Read a prompt: the story so far, and the question, a sentence that stops before its answer."""
    tokens = tokens_of(text)
    found, furthest = _read(tokens, cut=True)
    questions = [(partial.known.story, question) for partial in found for question in partial.questions(tokens)]
    if len(questions) != 1:
        raise DataError(f"prompt: {len(questions)} readings after {furthest!r}")
    return questions[0]


def _read(tokens: Sequence[str], cut: bool = False) -> tuple[list[Partial], str]:
    """Every reading of the tokens, with `cut` every one of those before a last question; the last words that fit."""
    found: list[Partial] = []
    stack = [Partial(0, Known(Story(), tuple(state.blank()), (-1, -1), -1))]
    furthest = 0
    while stack:
        partial = stack.pop()
        furthest = max(furthest, partial.place)
        if partial.place == len(tokens) or (cut and partial.questions(tokens)):
            found.append(partial)
        if partial.place < len(tokens):
            stack += partial.following(tokens)
    return found, " ".join(tokens[max(furthest - 12, 0) : furthest])
