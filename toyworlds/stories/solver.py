"""Answers to questions about a story, worked out from its sentences, not from the state that the generator kept.

The solver looks backward from the question for the sentence that settles it. What the events mean to it stands in
tables of its own, written from the sentences' wording, so a slip in the grammar's effects shows as a disagreement.

    who has the drum?      the last sentence that says who got the drum, or that it was lost or laid down
    where is the drum?     the last sentence that says where it was laid; or else where its holder went last
    where is Tom?          the last sentence that takes Tom somewhere, or to somebody: then where that one was
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from toyworlds.stories.grammar import IN_FULL
from toyworlds.stories.lexicon import (
    COLORS,
    DAYS,
    EATEN,
    GEAR,
    GEAR_WORDS,
    GOODS,
    HOMES,
    KIND_LIST,
    NAMES,
    NEED_PLACES,
    NOUNS,
    PLACES,
    Table,
)
from toyworlds.stories.parse import Sentence, Story, parse_prompt
from toyworlds.stories.words import pairs

GOT = """
lend: o b; borrow_back: o a; leave: o -; lent_on: o d; lends: o a; brings_back: o d; borrows: o a; borrows_new: o a
hides_it: o -; fetches_it: o a; mender: q c; mend_self: q b; gives_to_mend: o c; mend_both: o b; returned: o b
lends_home: o b; sends: o a; carries: o b; takes_back: o a; delivers: o d; reward: q a; charm: o a; returns_charm: o b
has_spare: o a; meets_owner: q c; swap: o c q a; presents: q b; trouble: o -; repays: o a; finds_prize: o d
lets_hold: o b; passes_hero: o a; presents_find: o c; gets_aid: o a; aid_back: o c; treasure: o a; misses: o -
found: o b; hands_over: o a; brings_light: o b; hands_light: o a; light_back: o b; offers_toy: o b; gives_toy_back: o a
has: o a; has_also: o a; has_two: o a q a; has_each: o a q b; grabs: o a; snatches: o b; gives_to_wise: o c
first_turn: o b; next_turn: o a; back_again: o b; fetch_tool: q a; ties: q c; returns_tool: q d; thank_gift: o a
picnic_plan: o a; leaves_behind: o -; goes_for: o c; brings_it: o a; shares_rest: o -; new_toy: o a; wind_takes: o -
helper_comes: q c; uses_tool: o c; lends_tool: q a; frees: o a; gives_up: o a; tool_back: q c; wins: o d; passes_on: o a
envied: o a; naps: o -; steals: o c; stashes: o -; digs_up: o a; shares_now: o c; returns_soon: o a
"""
"""event: object, who has it from then on ("-": nobody); an event may speak of two objects."""

LAID = "leave: o p; hides_it: o r; leaves_behind: o p; wind_takes: o p; naps: o p; stashes: o r"
"""event: object, the place where it lies from then on."""

WENT = """
home: a r; day: a p; goes: a p; meet: b @a; friend_there: b @a; asks_first: c @a; lent_on: d r; goes_on: a r
second_pair: b @a; second_pair_new: b @a; brings_back: a r d r; hides_it: a r; goes_to: a p b p; mender: c @a
friend_leaves: b r; comes_home: a ~a c @a; comes_home_to: a ~a c @a; need_now: a r; to_whom: d r; road: a p; guide: b @a
guide_friend: b @a; arrives: a r; steps: a r; did_it: b @a; meets_owner: a p c p; party: a r b r; finds_hungry: b @a
fetches_food: a r; kind_grownup: c @a; feeds: a @b; finds_prize: d r; both_arrive: a r b r; back_to_giver: a @c b @c
first_day: a p; teacher: c @a; teacher_kin: c @a; search_on: a r b r; asks_stranger: c @a; found: a r b r
comes_along: c p; joins_search: b @a; joins_new: b @a; looks_in: a r b r; found_one: a r b r c r; alone: b @a
peacemaker: c @a; peacemaker_kin: c @a; trapped: c p; fetch_tool: d @a; runs_shelter: a r b r; lives_here: c @a
goes_for: c p; brings_it: c @a; helper_comes: c @a; third: c @a; steals: c p; stashes: c r; follow: a r b r c @a
reports: a ~a c @a
"""
"""event: who, the place where they are from then on; @a is where a is, ~a where a lives."""

OWNED = """
borrows: o b; borrows_new: o b; mender: q c; mend_self: q b; delivers: o d; reward: q a; charm: o b; keeps_charm: o a
has_spare: o a; meets_owner: q c; swap: o c q a; presents: q b; trouble: o a; rules: o c; treasure: o a; offers_toy: o a
keeps_toy: o b; has: o a; has_also: o a; has_two: o a q a; has_each: o a q b; thank_gift: o a; picnic_plan: o a
new_toy: o a; fetch_tool: q d; helper_comes: q c; wins: o d; passes_on: o a; envied: o a
"""
"""event: object, to whom it belongs from then on."""
LIVES = "home: a r; to_whom: d r; asks_home: b r"


def _table(text: str) -> dict[str, list[tuple[str, str]]]:
    split = {event: roles.split() for event, roles in pairs(text)}
    return {event: list(zip(roles[::2], roles[1::2], strict=True)) for event, roles in split.items()}


GETS, LAYS, GOES, OWNS, DWELLS = (_table(text) for text in (GOT, LAID, WENT, OWNED, LIVES))


class NoAnswer(Exception):  # noqa: N818 - a story that does not tell, not an error
    """The story does not settle the question."""


@dataclass(frozen=True)
class Found:
    """An answer, and the sentences that it rests on, in the order in which they were looked up."""

    answer: int
    sentences: tuple[int, ...]


def _last(story: Story, table: dict[str, list[tuple[str, str]]], what: int, before: int) -> tuple[int, str]:
    """The last sentence before `before` that settles something about the entity, and the role that says what."""
    for place in range(before - 1, -1, -1):
        sentence = story.sentences[place]
        for role, value in table.get(sentence.event.name, ()):
            if sentence.roles[role] == what:
                return place, value
    raise NoAnswer


def holder(story: Story, thing: int, before: int) -> Found:
    """Who has it."""
    place, role = _last(story, GETS, thing, before)
    if role == "-":
        raise NoAnswer
    return Found(story.sentences[place].roles[role], (place,))


def person_at(story: Story, who: int, before: int) -> Found:
    """Where somebody is."""
    place, value = _last(story, GOES, who, before)
    sentence = story.sentences[place]
    if value[0] not in "@~":
        return Found(sentence.roles[value], (place,))
    other = sentence.roles[value[1]]
    found = person_at(story, other, place + 1) if value[0] == "@" else lives(story, other, place)
    return Found(found.answer, (place, *found.sentences))


def thing_at(story: Story, thing: int, before: int) -> Found:
    """Where something is: where it was laid, or with its holder."""
    place, role = _last(story, GETS, thing, before)
    if role == "-":
        laid = dict(LAYS.get(story.sentences[place].event.name, ()))
        named = next((value for key, value in laid.items() if story.sentences[place].roles[key] == thing), None)
        if named is None:
            raise NoAnswer
        return Found(story.sentences[place].roles[named], (place,))
    found = person_at(story, story.sentences[place].roles[role], before)
    return Found(found.answer, (place, *found.sentences))


def owner(story: Story, thing: int, before: int) -> Found:
    """To whom it belongs."""
    place, role = _last(story, OWNS, thing, before)
    return Found(story.sentences[place].roles[role], (place,))


def lives(story: Story, who: int, before: int) -> Found:
    """Near which place somebody lives."""
    place, role = _last(story, DWELLS, who, before)
    return Found(story.sentences[place].roles[role], (place,))


def day(story: Story, before: int) -> Found:
    """What day it is: the last that a sentence named, questions left out."""
    for place in range(before - 1, -1, -1):
        sentence = story.sentences[place]
        if not sentence.event.name.startswith("ask_") and dict(sentence.event.typed).get("y", None) is DAYS:
            return Found(sentence.roles["y"], (place,))
    raise NoAnswer


def introduced(story: Story, what: int, sort: str) -> int:
    """The sentence that introduces a character or an object."""
    for place, sentence in enumerate(story.sentences):
        roles = sentence.event.characters if sort == "character" else sentence.event.objects
        if any(role in sentence.event.new and sentence.roles[role] == what for role in roles):
            return place
    raise NoAnswer


def color(story: Story, thing: int, before: int) -> Found:
    """What color it has: told when it is introduced."""
    return Found(story.color[thing], (introduced(story, thing, "object"),))


def most(story: Story, before: int) -> Found:
    """Who comes first: the one whom nobody is said to beat."""
    above: list[tuple[int, int, int]] = []
    for place, sentence in enumerate(story.sentences[:before]):
        roles = sentence.roles
        if sentence.event.name == "more":
            above.append((roles["a"], roles["b"], place))
        elif sentence.event.name == "beats":
            above.append((roles["c"], roles["a"], place))
        elif sentence.event.name == "beaten":
            above.append((roles["b"], roles["c"], place))
    first = {high for high, _, _ in above} - {low for _, low, _ in above}
    if len(first) != 1:
        raise NoAnswer
    return Found(first.pop(), tuple(place for _, _, place in reversed(above)))


def answer(text: str) -> tuple[str, tuple[int, ...]]:
    """Answer a prompt from its text: the word, and the numbers of the sentences that it rests on."""
    story, question = parse_prompt(text)
    found = solve(story, question, len(story.sentences))
    return word(story, question, found.answer), found.sentences


def word(story: Story, question: Sentence, number: int) -> str:
    """The word for an answer, in the language of the question."""
    event = question.event.name.removesuffix(IN_FULL)
    table, form = TABLES.get(event, (PLACES, "noun"))
    if table is NAMES:
        number = story.name[number]
    elif table is NOUNS:
        number = story.noun[number]
    return (table.dialect if question.spoken else table.forms)[form][number]


def solve(story: Story, question: Sentence, before: int) -> Found:
    """Answer `question`, asked after the first `before` sentences; the answer is the number of an entity or entry."""
    event, roles = question.event.name.removesuffix(IN_FULL), question.roles
    if event in ABOUT:
        role, answer = ABOUT[event]
        return answer(story, roles[role], before)
    if event in ("ask_day", "ask_tomorrow"):
        found = day(story, before)
        return Found((found.answer + (event == "ask_tomorrow")) % len(DAYS), found.sentences)
    if event == "ask_most":
        return most(story, before)
    if event == "ask_name":
        who = story.kind.index(question.entered["d.kind"])
        return Found(who, (introduced(story, who, "character"),))
    return Found(_common(story, question), ())


def _kept(story: Story, who: int, before: int) -> Found:
    """The one thing that somebody owns and holds."""
    kept = []
    for thing in range(len(story.noun)):
        try:
            has, own = holder(story, thing, before), owner(story, thing, before)
        except NoAnswer:
            continue
        if has.answer == own.answer == who:
            kept.append(Found(thing, (*has.sentences, *own.sentences)))
    if len(kept) != 1:
        raise NoAnswer
    return kept[0]


def _common(story: Story, question: Sentence) -> int:
    """What holds for everybody in the world: customs, food, homes, what each weather calls for."""
    event, roles, spoken = question.event.name, question.roles, question.spoken
    if event in ("custom", "need_now"):
        return NEED_PLACES[roles["x"]][spoken]
    if event == "gear_chat":
        return GEAR.number[GEAR_WORDS[roles["x"]][spoken]]
    if event == "deals":
        return GOODS.number[KIND_LIST[question.entered["c.kind"]].goods]
    kind = KIND_LIST[story.kind[roles["a" if event != "likes_food" else "b"]]]
    if event == "den":
        return HOMES.number[kind.home[spoken]]
    return EATEN.number[kind.food[spoken]]


ABOUT: dict[str, tuple[str, Callable[[Story, int, int], Found]]] = {
    "ask_holder": ("o", holder),
    "ask_owner": ("o", owner),
    "ask_where": ("o", thing_at),
    "ask_color": ("o", color),
    "ask_person": ("d", person_at),
    "ask_home": ("d", lives),
    "home_is": ("a", lives),
    "beside_bed": ("a", _kept),
}
"""Questions about one entity: its role, and the function that answers."""
TABLES: dict[str, tuple[Table, str]] = {
    "ask_color": (COLORS, ""),
    "ask_day": (DAYS, ""),
    "ask_tomorrow": (DAYS, ""),
    "gear_chat": (GEAR, ""),
    "den": (HOMES, ""),
    "eats": (EATEN, ""),
    "likes_food": (EATEN, ""),
    "deals": (GOODS, ""),
    "beside_bed": (NOUNS, ""),
    **dict.fromkeys(("ask_holder", "ask_owner", "ask_name", "ask_most"), (NAMES, "")),
}
"""The table that a question's answer comes from, and its form; those not listed ask for a place."""
