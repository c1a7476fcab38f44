"""Prompts with one right answer: a story that stops just before a word that the story, or the world, decides.

    factual      the color or day that a sentence stated; common facts (where one goes when tired, what a rabbit eats)
    logical      where a thing is whose holder went away, or who has it after it was handed on; the day after;
                 who comes first of three, two of whom were compared with the third
    consistency  names, homes, places and belongings carried through the story

A prompt is told in the words that the stories themselves use for such questions, so a language model of the world
has read many of its kind. The story before the question is the beginning of one of `split`. Where the story asks such
a question itself, it is cut before, so that no prompt is answered by repeating an answer. Who asks and who is asked are
never what is asked for; so a question for a name has two candidates left at least that are neither. The answer is, by
turns, the first of them that the story introduces, mostly the hero's friend, and another.

    ... Tom waved and walked to the mill.
    When Jasmine came home, Mom was waiting at the gate.
    "Who has the drum now?" asked Mom. "It is with        answer Tom, candidates Jasmine, Tom, Mom

:mod:`toyworlds.stories.solver` answers the same prompts from their text.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from toyworlds.core.seeds import Stream, below
from toyworlds.core.validate import choice, integer, reject
from toyworlds.stories.draws import SENTENCES, WORDS_PER_STORY, Draws, Hero
from toyworlds.stories.fill import forms
from toyworlds.stories.grammar import IN_FULL, events
from toyworlds.stories.lexicon import (
    COLORS,
    DAYS,
    EATEN,
    GEAR,
    GOODS,
    HOMES,
    KIND_LIST,
    NAMES,
    NEED_PLACES,
    NOUNS,
    PLACES,
    Table,
)
from toyworlds.stories.plots.ending import at_home
from toyworlds.stories.questions import DAY_QUESTIONS, QUESTIONS, common_fact, keeps, most, own_home
from toyworlds.stories.statements import handed, stated
from toyworlds.stories.teller import Teller
from toyworlds.stories.world import Stories

KINDS: dict[str, tuple[str, ...]] = {
    "factual": ("ask_color", "custom", "ask_day", "gear_chat", "eats", "den", "deals"),
    "logical": ("ask_holder", "ask_where", "ask_tomorrow", "ask_most"),
    "consistency": ("ask_name", "beside_bed", "ask_person", "ask_owner", "home_is", "ask_home"),
}
"""The questions of each kind, by the event that asks them."""
QUESTIONS_IN_ALL = tuple(question for questions in KINDS.values() for question in questions)
NARRATED = ("custom", "gear_chat", "eats", "den", "deals", "beside_bed", "home_is", "ask_most")
"""Questions that need nobody at home to ask them."""
FOR_OTHERS = ("ask_holder", "ask_owner", "ask_name")
"""Questions for the name of somebody who neither asks nor is asked."""
WORDS_PER_PROMPT = 1 + SENTENCES + WORDS_PER_STORY
"""Random words set aside for a prompt: where it is cut, what is in the dialect, and all other choices."""
NOBODY = Hero(0, 0, 0, 0.0)
FEWEST_CANDIDATES, FURTHEST = 3, 150
"""A prompt has so many candidates; a lower bound on the distance goes up to so many words."""
TRIES = 50_000
"""Bounds on the distance that no prompt about so many stories in a row meets are taken to be out of reach."""
FIRST_CUT = 4
"""A prompt's story has at least so many sentences."""


@dataclass(frozen=True)
class Prompt:
    """A story that stops before its answer.

    `candidates` are all answers of the same sort, so the chance of a blind guess is 1 / len(candidates). `sentences`
    are the numbers of those that the answer follows from, `span` the place in `text` of the last of them, the one
    that states it; none for a common fact. `distance` counts the words between that sentence and the answer.
    """

    text: str
    answer: str
    candidates: tuple[str, ...]
    kind: str
    question: str
    steps: int
    sentences: tuple[int, ...]
    span: tuple[int, int]
    distance: int
    facts: int
    story: int

    @property
    def chance(self) -> float:
        """The probability that a guess among the candidates is right."""
        return 1.0 / len(self.candidates)

    def near(self, distance: tuple[int, int]) -> bool:
        """Whether the statement lies so many words back, where there is one."""
        return not self.sentences or distance[0] <= self.distance <= distance[1]


@dataclass(frozen=True)
class Wanted:
    """What a prompt is to ask: the question and its kind; about which subject, if one is given; of how many facts.

    `companion` tells whether the answer, a name, is to be the first of those who neither ask nor are asked; `in_full`
    whether the answer's sentence names the subject again, where the question has such a form.
    """

    question: str
    kind: str
    subject: int | None = None
    facts: int = 1
    companion: bool | None = None
    in_full: bool = False


def prompts(
    world: Stories,
    seed: int,
    kind: str,
    count: int,
    *,
    split: str = "test",
    distance: tuple[int, int] = (0, 10_000),
    in_full: bool = False,
) -> list[Prompt]:
    """Return `count` prompts of a kind, its questions in turn, with a `distance` in words within the given bounds.

    The same arguments give the same prompts, and fewer prompts are the first of more. Common facts have no statement
    in the story, so any distance will do for them; where no prompt of another question is found within the bounds in
    `TRIES` stories, an InputError says so. With `in_full` the sentence that stops names its subject again
    ("The drum is with" for "It is with"; :mod:`toyworlds.stories.plots.in_full`); all else is the same.
    """
    choice("kind", kind, KINDS)
    choice("split", split, world.splits())
    integer("count", count, 0)
    if not isinstance(distance, tuple | list) or len(distance) != 2:
        reject("distance", "the least and the most words", distance)
    integer("distance", distance[1], integer("distance", distance[0], 0, FURTHEST))
    found: list[Prompt] = []
    questions = KINDS[kind]
    waiting = [_stream(world, seed, split, Wanted(question, kind, in_full=in_full)) for question in questions]
    while len(found) < count:
        found.append(_within(distance, waiting[len(found) % len(questions)]))
    return found


def _within(distance: tuple[int, int], waiting: Iterator[Prompt]) -> Prompt:
    """The next prompt whose distance is within the bounds."""
    prompt = next(waiting)
    last = prompt.story + TRIES * len(QUESTIONS_IN_ALL)
    while not prompt.near(distance):
        if prompt.story > last:
            reject("distance", f"bounds that a prompt of {prompt.question} meets in {TRIES:,} stories", distance)
        prompt = next(waiting)
    return prompt


def _stream(world: Stories, seed: int, split: str, wanted: Wanted) -> Iterator[Prompt]:
    """Every prompt of one question; no story is used by two questions."""
    companion = True
    for story, teller in beginnings(world, "prompt", seed, split, wanted.question):
        prompt = make_prompt(teller, replace(wanted, companion=companion), story)
        if prompt is not None:
            yield prompt
            companion = not companion


def beginnings(world: Stories, name: str, seed: int, split: str, question: str) -> Iterator[tuple[int, Teller]]:
    """Every story that may be asked a question, cut before it says the answer; `name` is of the stream of choices."""
    stream = Stream(seed, world.name, name, question, split)
    number = QUESTIONS_IN_ALL.index(question)
    for story in itertools.count(number, len(QUESTIONS_IN_ALL)):
        words = stream.words(story * WORDS_PER_PROMPT, WORDS_PER_PROMPT)
        told = world.tell(seed, split, story, 1)[0].events
        cut = FIRST_CUT + int(below(words[:1], max(len(told) - FIRST_CUT, 1))[0])
        cut = min([cut, *(told.index(event) for event in revealing(question) if event in told)])
        if cut < FIRST_CUT:
            continue
        teller = world.tell(seed, split, story, 1, limit=cut)[0]
        teller.draws = Draws(words[1 + SENTENCES :].tolist(), NOBODY, world.dialect, words[1 : 1 + SENTENCES].tolist())
        yield story, teller


def revealing(question: str) -> list[int]:
    """Numbers of the events that would say the answer to a question of this sort, or give it away."""
    names = DAY_QUESTIONS if question in DAY_QUESTIONS else (question,)
    return [events()[name].number for name in names]


def has_full_form(question: str) -> bool:
    """Whether there are sentences that answer a question in full."""
    return question + IN_FULL in events()


def make_prompt(t: Teller, wanted: Wanted, story: int) -> Prompt | None:
    """Ask where the teller stands; None when the story does not settle the question by a single word."""
    t.paragraph()
    question = wanted.question
    roles = answerable(t, wanted, 0 if question in NARRATED else at_home(t))
    if roles is None:
        return None
    sentences, steps = stated(t, question, roles)
    asked, answer, _ = t.ask(question, wanted.in_full, **roles)
    candidates = _candidates(t, question)
    if answer not in candidates or len(candidates) < FEWEST_CANDIDATES:
        return None
    if not balanced(t, question, roles, answer, wanted.companion):
        return None
    text = "".join(t.texts) + asked
    span = _span(t, sentences[-1]) if sentences else (0, 0)
    distance = len(text[span[1] :].split()) if sentences else 0
    return Prompt(
        text, answer, candidates, wanted.kind, question, steps, sentences, span, distance, wanted.facts, story
    )


def balanced(t: Teller, question: str, roles: Mapping[str, int], answer: str, companion: bool | None) -> bool:
    """Whether a name that is asked for is one of two at least who do not speak, and as `companion` of Wanted says."""
    if question not in FOR_OTHERS:
        return True
    speakers = {t.name[roles[role]] for role in "ac"}
    others = [NAMES.forms[""][name] for name in t.name if name not in speakers and " " not in NAMES.forms[""][name]]
    return len(others) > 1 and companion in (None, answer == others[0])


def _span(t: Teller, number: int) -> tuple[int, int]:
    """Where a sentence stands in the text, without the space before it."""
    end = sum(len(text) for text in t.texts[: number + 1])
    return end - len(t.texts[number].lstrip()), end


def answerable(t: Teller, wanted: Wanted, c: int) -> dict[str, int] | None:
    """The roles of the question, asked by `c`, and of its answer; None when the story does not settle one."""
    question = wanted.question
    if question in QUESTIONS:
        role, answers = QUESTIONS[question]
        known = answers(t, c, 0)
        if question == "ask_holder":
            known = {o: roles for o, roles in known.items() if handed(t, o) > 0}
        if not known:
            return None
        key = t.which(role, tuple(known)) if wanted.subject is None else wanted.subject
        return {"c": c, "a": 0, **known[key]}
    if question in ("beside_bed", "home_is"):
        found = (keeps if question == "beside_bed" else own_home)(t, 0, 0)
        return {"a": 0, **next(iter(found.values()))} if found else None
    if question == "ask_most":
        return most(t)
    if question == "deals":
        adults = [who for who, kind in enumerate(t.kind) if KIND_LIST[kind].goods]
        c = t.which("c", adults) if adults else -1
        return {"c": c, "x": GOODS.number[KIND_LIST[t.kind[c]].goods]} if adults else None
    hero_is_animal = KIND_LIST[t.kind[0]].group == "animal"
    return common_fact(t, question) if hero_is_animal or question not in ("den", "eats") else None


def _candidates(t: Teller, question: str) -> tuple[str, ...]:
    """Every answer of the same sort, in the language of the question."""
    spoken = t.flag()
    tables: dict[str, Table] = {"ask_color": COLORS, "gear_chat": GEAR, "den": HOMES, "eats": EATEN, "deals": GOODS}
    tables |= {"ask_day": DAYS, "ask_tomorrow": DAYS}
    if question in tables:
        return forms(tables[question], "", spoken, False)
    if question in ("ask_holder", "ask_owner", "ask_name", "ask_most"):
        names = (NAMES.forms[""][name] for name in t.name)
        return tuple(name for name in names if " " not in name)
    if question == "beside_bed":
        return tuple(forms(NOUNS, "", spoken, False)[noun] for noun in t.noun)
    numbers = [place for pair in NEED_PLACES for place in pair] if question == "custom" else t.visited
    return tuple(forms(PLACES, "noun", spoken, False)[place] for place in dict.fromkeys(numbers))
