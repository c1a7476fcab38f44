"""Questions about a story that its state answers; they are asked in stories and, cut before the answer, as prompts."""

from __future__ import annotations

from collections.abc import Callable

from toyworlds.stories import state
from toyworlds.stories.lexicon import DAYS, EATEN, GEAR, GEAR_WORDS, HOMES, KIND_LIST, NEED_PLACES, NOUN_POOLS
from toyworlds.stories.teller import Teller, whole

Answers = dict[int, dict[str, int]]
"""The question's subject (an object or a character), and the roles that make the question and its true answer."""


def treasures(t: Teller) -> list[int]:
    """Objects worth asking about: neither food nor tools."""
    return [o for o, noun in enumerate(t.noun) if noun in NOUN_POOLS["keepsake"].position]


def color(t: Teller, c: int, a: int) -> Answers:
    """The color of an object."""
    return {o: {"o": o} for o in treasures(t) if t.color[o] >= 0}


def holder(t: Teller, c: int, a: int) -> Answers:
    """Who has an object, other than the two who speak."""
    return {o: {"o": o, "d": t.holder(o)} for o in treasures(t) if t.holder(o) not in (-1, a, c)}


def owner(t: Teller, c: int, a: int) -> Answers:
    """Whose an object is, other than of the two who speak."""
    owners = {o: t.row[state.OWNER + o] for o in treasures(t)}
    return {o: {"o": o, "d": d} for o, d in owners.items() if d not in (-1, a, c)}


def where(t: Teller, c: int, a: int) -> Answers:
    """Where an object is that is not here: where it lies, or where its holder is."""
    found = {}
    for o in treasures(t):
        who = t.holder(o)
        place = t.row[state.LIES + o] if who < 0 else t.row[state.PLACE + who]
        if place >= 0 and who not in (a, c) and place not in (t.row[state.PLACE + a], t.row[state.PLACE + c]):
            found[o] = {"o": o, "p": place}
    return found


def person(t: Teller, c: int, a: int) -> Answers:
    """Where somebody is who is not here."""
    here = (t.row[state.PLACE + a], t.row[state.PLACE + c])
    places = {d: t.row[state.PLACE + d] for d in range(len(t.name)) if d not in (a, c)}
    return {d: {"d": d, "p": p} for d, p in places.items() if p >= 0 and p not in here}


def name(t: Teller, c: int, a: int) -> Answers:
    """The name of an animal or grown-up, the only one of its kind."""
    once = [d for d, kind in enumerate(t.kind) if d not in (a, c) and t.kind.count(kind) == 1]
    return {d: {"d": d} for d in once if KIND_LIST[t.kind[d]].group in ("animal", "adult")}


def home(t: Teller, c: int, a: int) -> Answers:
    """Near what somebody lives."""
    homes = {d: t.row[state.HOME + d] for d in range(len(t.name)) if d not in (a, c)}
    return {d: {"d": d, "p": p} for d, p in homes.items() if p >= 0}


def own_home(t: Teller, c: int, a: int) -> Answers:
    """Near what the hero lives."""
    place = t.row[state.HOME + a]
    return {a: {"r": place}} if place >= 0 else {}


def today(t: Teller, c: int, a: int) -> Answers:
    """What day it is."""
    return {0: {"y": t.row[state.DAY]}} if t.row[state.DAY] >= 0 else {}


def tomorrow(t: Teller, c: int, a: int) -> Answers:
    """What day it will be tomorrow."""
    return {0: {"y": (t.row[state.DAY] + 1) % len(DAYS)}} if t.row[state.DAY] >= 0 else {}


def keeps(t: Teller, c: int, a: int) -> Answers:
    """Which thing of the hero's own does the hero still have? Asked when the hero holds nothing else of worth."""
    own = [o for o in range(len(t.noun)) if t.row[state.OWNER + o] == a == t.holder(o)]
    held = [o for o in treasures(t) if t.holder(o) == a]
    return {own[0]: {"o": own[0]}} if own == held and len(own) == 1 else {}


QUESTIONS: dict[str, tuple[str, Callable[[Teller, int, int], Answers]]] = {
    "ask_color": ("o", color),
    "ask_holder": ("o", holder),
    "ask_owner": ("o", owner),
    "ask_where": ("o", where),
    "ask_person": ("d", person),
    "ask_name": ("d", name),
    "ask_home": ("d", home),
    "ask_day": ("", today),
    "ask_tomorrow": ("", tomorrow),
}
"""Event, the role of its subject, and the function that knows the answers."""


def most(t: Teller) -> dict[str, int] | None:
    """Who comes first of three that were compared, told by the two others."""
    ranks = {t.row[state.RANK + who]: who for who in range(len(t.name)) if t.row[state.RANK + who] >= 0}
    if len(ranks) < 3 or t.contest < 0:
        return None
    first = ranks.pop(max(ranks))
    b, a = ranks.values()
    return {"b": b, "a": a, "d": first, "x": t.contest}


def common_fact(t: Teller, event: str) -> dict[str, int]:
    """The roles of a fact that holds for everybody, in the customs of the language the next sentence is told in."""
    kind = KIND_LIST[t.kind[0]]
    if event == "custom":
        need = t.pick("x", whole("need"))
        return {"a": 0, "x": need, "r": NEED_PLACES[need][t.flag()]}
    if event == "gear_chat":
        weather = t.pick("x", whole("weather"))
        return {"a": 0, "x": weather, "y": GEAR.number[GEAR_WORDS[weather][t.flag()]]}
    table, words = (HOMES, kind.home) if event == "den" else (EATEN, kind.food)
    return {"a": 0, "x": table.number[words[t.flag()]]}


DAY_QUESTIONS = ("ask_day", "ask_tomorrow")
"""Only one of these is asked in a story."""


def open_questions(t: Teller, c: int, a: int) -> dict[str, Answers]:
    """Return the questions that `c` may ask `a` and that have not been asked yet."""
    found = {}
    for event, (_, answers) in QUESTIONS.items():
        fresh = {key: roles for key, roles in answers(t, c, a).items() if (event, key) not in t.asked}
        if fresh:
            found[event] = fresh
    return found


def ask(t: Teller, c: int, a: int) -> bool:
    """Let `c` ask `a` one question, or none."""
    known = open_questions(t, c, a)
    if not known:
        return False
    event = t.branch(*[(event, 2) for event in known], (None, 3))
    if event is None:
        return False
    role, answers = QUESTIONS[event][0], known[event]
    key = t.which(role, tuple(answers)) if role else 0
    t.asked.add((event, key))
    if event in DAY_QUESTIONS:
        t.asked.update((other, 0) for other in DAY_QUESTIONS)
    t.say(event, c=c, a=a, **answers[key])
    return True
