"""Interviews: a story that stops, and questions about it, one after another, each with its answer.

    ... When Jasmine came home, Mom was waiting at the gate.
    "Who has the drum now?" asked Mom. "It is with Tom," said Jasmine.
    Mom asked Jasmine what day it was. It was Monday.
    ...

They are made to learn from: where a prompt (:mod:`toyworlds.stories.prompts`) has one answer, an interview has several.
It begins as a prompt does, with each question in turn, those that take most to answer twice as often, and goes on with
others that the story settles but has not asked. Of one thing it is asked who has it, where it is or whose it is, of the
days today or tomorrow, since one answer may give the other away; and no question comes more than twice, about different
things. A share of the questions is answered in full ("The drum is with" for "It is with";
:mod:`toyworlds.stories.plots.in_full`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from toyworlds.core.validate import choice, integer, real
from toyworlds.stories.plots.ending import at_home
from toyworlds.stories.prompts import NARRATED, QUESTIONS_IN_ALL, Wanted, answerable, balanced, beginnings, revealing
from toyworlds.stories.questions import DAY_QUESTIONS, QUESTIONS
from toyworlds.stories.recall import recalled
from toyworlds.stories.teller import Teller
from toyworlds.stories.world import Stories

MOST = 16
"""At most so many questions in an interview."""
ALIKE = 2
"""At most so many of the same kind."""
CHANCES = 1000
"""Steps in which the probability of a question in full is told apart."""
WHEREABOUTS = ("ask_holder", "ask_where", "ask_owner")
"""Questions for one of which a thing is good."""
TURNS = (*QUESTIONS_IN_ALL, *WHEREABOUTS, "ask_most", "beside_bed")
"""The first questions of interviews, in turn."""


@dataclass(frozen=True)
class Interview:
    """A story and questions; the text is all of `asked` in turn, a blank before each answer, and `end`."""

    asked: tuple[tuple[str, str], ...]
    """What stands before each answer, and the answer, one word."""
    end: str
    """What stands behind the last answer."""
    questions: tuple[str, ...]
    """Which question is asked each time."""

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(f"{before} {answer}" for before, answer in self.asked) + self.end


def interviews(
    world: Stories, seed: int, count: int, *, most: int = 6, in_full: float = 0.0, split: str = "train"
) -> list[Interview]:
    """Return `count` interviews of at most `most` questions about the beginnings of stories of `split`.

    The first question of each is the next of `TURNS`; where it asks for a name, this is by turns the first other and
    another, as in prompts. Each question is answered in full with probability `in_full`. The same arguments give the
    same interviews, and fewer interviews are the first of more.
    """
    choice("split", split, world.splits())
    integer("count", count, 0)
    integer("most", most, 1, MOST)
    real("in_full", in_full, 0.0, 1.0)
    waiting = {q: _stream(world, seed, split, q, most=most, in_full=in_full) for q in QUESTIONS_IN_ALL}
    return [next(waiting[TURNS[number % len(TURNS)]]) for number in range(count)]


def recall_interviews(
    world: Stories,
    seed: int,
    count: int,
    *,
    facts: int = 4,
    distance: int = 100,
    in_full: float = 0.0,
    split: str = "train",
) -> list[Interview]:
    """Return `count` interviews that state `facts` new colors and ask for all, one of them `distance` words later.

    Told as :func:`toyworlds.stories.recall.recall_prompts` tells them; the order of the questions is drawn evenly.
    `in_full` as in :func:`interviews`.
    """
    real("in_full", in_full, 0.0, 1.0)
    told = recalled(world, "recall interview", seed, count, facts=facts, distance=distance, split=split)
    found = []
    for teller, _ in told:
        talk = _Talk(teller, in_full)
        c = at_home(teller)
        left = list(range(facts))
        while left:
            talk.ask("ask_color", {"c": c, "a": 0, "o": left.pop(teller.draws.which("o", range(len(left))))})
        found.append(talk.ended())
    return found


def _stream(world: Stories, seed: int, split: str, question: str, *, most: int, in_full: float) -> Iterator[Interview]:
    """Every interview that begins with a question; names that are asked for as in prompts."""
    companion = True
    for _, teller in beginnings(world, "interview", seed, split, question):
        talk = _Talk(teller, in_full)
        teller.paragraph()
        roles = answerable(teller, Wanted(question, ""), 0 if question in NARRATED else at_home(teller))
        if roles is None or not talk.ask(question, roles):
            continue
        if not balanced(teller, question, roles, talk.asked[0][1], companion):
            continue
        companion = not companion
        if most > 1:
            _go_on(talk, at_home(teller), roles, most)
        yield talk.ended()


def _go_on(talk: _Talk, c: int, first: Mapping[str, int], most: int) -> None:
    """Ask more, up to `most` questions in all; `first` are the roles of the first."""
    t = talk.teller
    role = QUESTIONS[talk.questions[0]][0] if talk.questions[0] in QUESTIONS else ""
    used = {_topic(talk.questions[0], first.get(role, 0))}
    settled = _settled(t, c)
    while settled and len(talk.questions) < most:
        question = tuple(settled)[t.draws.which("", range(len(settled)))]
        subject, roles = settled[question].pop(t.draws.which("o", range(len(settled[question]))))
        if not settled[question]:
            del settled[question]
        topic = _topic(question, subject)
        if topic not in used and talk.questions.count(question) < ALIKE and talk.ask(question, roles):
            used.add(topic)


def _topic(question: str, subject: int) -> tuple[object, ...]:
    """What a question is about; no two questions of an interview are about the same."""
    if question in DAY_QUESTIONS:
        return (DAY_QUESTIONS,)
    return (WHEREABOUTS if question in WHEREABOUTS else question, subject)


def _settled(t: Teller, c: int) -> dict[str, list[tuple[int, dict[str, int]]]]:
    """Every question that `c` may ask the hero and that the story has not asked: its subjects, each with its roles."""
    found = {}
    for question, (_, answers) in QUESTIONS.items():
        if not set(revealing(question)) & set(t.events) and (known := answers(t, c, 0)):
            found[question] = [(subject, {"c": c, "a": 0, **roles}) for subject, roles in known.items()]
    return found


class _Talk:
    """The text of an interview while it is told: what the teller tells, and questions in between."""

    def __init__(self, teller: Teller, in_full: float) -> None:
        self.teller, self.in_full, self.heard = teller, in_full, 0
        self.asked: list[tuple[str, str]] = []
        self.questions: list[str] = []
        self.rest = ""

    def ask(self, question: str, roles: Mapping[str, int]) -> bool:
        """Ask a question, unless its answer is of more than one word; return whether it was asked."""
        before, answer, rest = self.teller.ask(question, self._full(), **roles)
        self.teller.decided = None
        if " " in answer:
            return False
        self.asked.append((self._since() + before, answer))
        self.questions.append(question)
        self.rest = rest
        return True

    def _full(self) -> bool:
        """Whether the next question is asked in full."""
        return self.in_full > 0 and self.teller.draws.which("", range(CHANCES)) < self.in_full * CHANCES

    def ended(self) -> Interview:
        """Return the interview."""
        return Interview(tuple(self.asked), self._since(), tuple(self.questions))

    def _since(self) -> str:
        """What was told since the last answer."""
        text = self.rest + "".join(self.teller.texts[self.heard :])
        self.heard, self.rest = len(self.teller.texts), ""
        return text
